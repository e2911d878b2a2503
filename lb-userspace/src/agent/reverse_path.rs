//! A warning about the kernel's reverse-path filter, which drops without a trace that points here.

use anyhow::Result;
use tracing::warn;

use super::sysctl;

/// Drop what wouldn't be answered through the interface it came from (RFC 3704, strict).
const STRICT: u32 = 1;

/// Warns if clients that are routed elsewhere would be dropped after unpacking.
pub fn warn_if_strict(interface: &str) -> Result<()> {
    // The kernel takes the greater of the two; 2 is loose.
    let all = sysctl::read("net.ipv4.conf.all.rp_filter")?;
    let own = sysctl::read(&format!("net.ipv4.conf.{}.rp_filter", interface.replace('.', "/")))?;
    if all.max(own) == STRICT {
        warn!(
            "{interface}: rp_filter is strict (1): unpacked packets are dropped unless the route to their client \
             leaves through {interface}; if it doesn't, set it to 2"
        );
    }
    Ok(())
}
