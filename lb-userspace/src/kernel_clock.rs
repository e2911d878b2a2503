//! The clock that the datapath reads.

use std::io;
use std::time::Duration;

use lb_common::clock::Tick;
use nix::time::{ClockId, clock_gettime};

/// The present by the kernel's coarse monotonic clock (`bpf_ktime_get_coarse_ns`).
///
/// # Errors
/// The kernel has no such clock.
pub fn now() -> io::Result<Tick> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)?;
    Ok(Tick::at_nanoseconds(Duration::from(now).as_nanos() as u64))
}
