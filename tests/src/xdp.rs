//! XDP programs on interfaces: one that we attach, and which ones are there.

use std::process::Command;

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;
use lb_userspace::programs::{PASS, multi_buffer};
use serde::Deserialize;

use crate::namespace::Namespace;
use crate::run::run;

/// A program that we attached; it is detached when this is dropped.
#[derive(Debug)]
pub struct Attached {
    _object: Ebpf,
    /// The kernel's number of the program.
    pub id: u32,
}

/// Attaches a program that passes every packet to an interface, in the driver.
///
/// # Errors
/// The kernel refuses the program or the interface.
pub fn attach_pass(namespace: &Namespace, interface: &str) -> Result<Attached> {
    let attach = || -> Result<Attached> {
        let mut object = Ebpf::load(PASS)?;
        let name = if multi_buffer() { "xdp_pass_frags" } else { "xdp_pass" };
        let program: &mut Xdp =
            object.program_mut(name).with_context(|| format!("{name} is not in its object"))?.try_into()?;
        program.load()?;
        program.attach(interface, XdpMode::Driver)?;
        let id = program.info()?.id();
        Ok(Attached { _object: object, id })
    };
    namespace.enter(attach).with_context(|| format!("xdp_pass on {interface} in {}", namespace.name()))
}

/// The kernel's number of the program on an interface, if it has one.
///
/// # Errors
/// There is no such interface.
pub fn attached(namespace: &Namespace, interface: &str) -> Result<Option<u32>> {
    let links = run(Command::new("ip").args(["-n", namespace.name(), "-json", "link", "show", interface]))?;
    parse(&links).context("ip -json link show")
}

fn parse(links: &str) -> serde_json::Result<Option<u32>> {
    #[derive(Deserialize)]
    struct Link {
        xdp: Option<OnLink>,
    }
    #[derive(Deserialize)]
    struct OnLink {
        prog: Program,
    }
    #[derive(Deserialize)]
    struct Program {
        id: u32,
    }
    let links: Vec<Link> = serde_json::from_str(links)?;
    Ok(links.into_iter().find_map(|link| link.xdp).map(|xdp| xdp.prog.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_a_link_is_seen() {
        let with =
            r#"[{"ifindex":2,"ifname":"eth0","xdp":{"mode":1,"prog":{"id":37,"tag":"3b18","jited":1}}}]"#;
        assert_eq!(parse(with).unwrap(), Some(37));
        assert_eq!(parse(r#"[{"ifindex":2,"ifname":"eth0","mtu":1500}]"#).unwrap(), None);
    }
}
