//! The datapath as it is compiled for the host.

use std::time::Duration;

use lb_common::clock::Tick;
use lb_common::datapath::{balance, walk};
use lb_common::siphash::HashKey;
use lb_common::verdict::{End, Verdict};
use lb_userspace::frame::Frame;
use lb_userspace::host_tables::HostTables;
use lb_userspace::image::{Counters, Image};
use nix::time::{ClockId, clock_gettime};

use super::services::{HASH_KEY, INGRESS};

/// What became of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the driver does with it.
    pub action: Action,
    /// Its octets afterwards.
    pub frame: Vec<u8>,
    /// By how much each counter moved.
    pub counted: Counters,
}

/// What the driver is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing leaves.
    Drop,
    /// On to the kernel.
    Pass,
    /// Out of the interface that it came in by.
    Transmit,
    /// Out of another one.
    Redirect,
}

/// The datapath as it is compiled for the host.
pub struct Host {
    /// What it knows, remembers and counts.
    pub tables: HostTables,
}

impl Host {
    /// One that remembers no packet.
    #[must_use]
    pub fn new(image: &Image) -> Self {
        let mut tables = HostTables::new(image, HashKey::new(HASH_KEY), 10);
        tables.set_ingress(INGRESS);
        Host { tables }
    }

    /// Walks a packet through it, at the time that it is for the kernel.
    #[must_use]
    pub fn run(&self, frame: &[u8]) -> Outcome {
        self.tables.set_time(kernel_time());
        self.run_frame(Frame::new(frame))
    }

    /// Walks a packet through it, at the time that was set.
    ///
    /// # Panics
    /// The walk ends in no verdict.
    #[must_use]
    pub fn run_frame(&self, frame: Frame) -> Outcome {
        self.outcome(frame, balance)
    }

    /// The same without the fast path.
    ///
    /// # Panics
    /// The walk ends in no verdict.
    #[must_use]
    pub fn walk_frame(&self, frame: Frame) -> Outcome {
        self.outcome(frame, walk)
    }

    fn outcome(&self, mut frame: Frame, run: impl Fn(&mut Frame, &HostTables) -> End) -> Outcome {
        let action = match run(&mut frame, &self.tables).verdict().expect("a verdict") {
            Verdict::Forward { egress: INGRESS } | Verdict::Answer(_) => Action::Transmit,
            Verdict::Forward { .. } => Action::Redirect,
            Verdict::Pass(_) => Action::Pass,
            Verdict::Drop(_) => Action::Drop,
        };
        Outcome { action, frame: frame.bytes().to_vec(), counted: self.tables.take_counters() }
    }
}

/// The time by the clock that the kernel's programs read.
///
/// # Panics
/// The machine has no such clock.
#[must_use]
pub fn kernel_time() -> Tick {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).unwrap();
    Tick::at_nanoseconds(Duration::from(now).as_nanos() as u64)
}
