//! The rights that loading and attaching BPF programs takes.

use anyhow::{Context, Result, bail};
use caps::{CapSet, Capability};

/// What is needed, and whether `CAP_SYS_ADMIN` contains it (capabilities(7)).
const NEEDED: [(Capability, bool); 3] =
    [(Capability::CAP_BPF, true), (Capability::CAP_NET_ADMIN, false), (Capability::CAP_PERFMON, true)];

/// Checks that this process has them.
///
/// # Errors
///
/// One line that names those that are missing and what to do.
pub fn check() -> Result<()> {
    let effective = caps::read(None, CapSet::Effective).context("read the capabilities of this process")?;
    let missing = missing(|capability| effective.contains(&capability));
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" ");
    bail!(
        "this takes the capabilities {missing}: run it as root, or give them with AmbientCapabilities={missing} in its systemd unit"
    )
}

fn missing(has: impl Fn(Capability) -> bool) -> Vec<String> {
    let administrator = has(Capability::CAP_SYS_ADMIN);
    let held =
        |&&(capability, contained): &&(Capability, bool)| has(capability) || contained && administrator;
    NEEDED.iter().filter(|needed| !held(needed)).map(|(capability, _)| capability.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN};

    #[test]
    fn sys_admin_stands_for_bpf_and_perfmon_but_not_for_net_admin() {
        let cases: [(&[Capability], &[&str]); 4] = [
            (&[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON], &[]),
            (&[CAP_SYS_ADMIN, CAP_NET_ADMIN], &[]),
            (&[CAP_SYS_ADMIN], &["CAP_NET_ADMIN"]),
            (&[], &["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]),
        ];
        for (held, expected) in cases {
            assert_eq!(missing(|capability| held.contains(&capability)), expected, "{held:?}");
        }
    }
}
