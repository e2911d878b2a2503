//! A backend: nginx, and `lb-agent` which gives it the VIPs and unpacks what comes through a tunnel.

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::service::SERVICES;
use crate::{nginx, programs};

/// A backend at work.
#[derive(Debug)]
pub struct Backend<'lab> {
    /// `lb-agent`.
    pub agent: Process,
    /// nginx.
    pub server: Process,
    /// Which one.
    pub host: Host,
    _lab: &'lab Lab,
}

impl<'lab> Backend<'lab> {
    /// Starts all of them.
    ///
    /// # Errors
    /// A program is missing or doesn't get ready.
    pub fn start_all(lab: &'lab Lab) -> Result<Vec<Backend<'lab>>> {
        Host::BACKENDS.into_iter().map(|host| Backend::start(lab, host)).collect()
    }

    /// Starts one.
    ///
    /// # Errors
    /// A program is missing or doesn't get ready.
    pub fn start(lab: &'lab Lab, host: Host) -> Result<Backend<'lab>> {
        let server = nginx::start(lab, host)?;
        let agent = start_agent(lab, host)?;
        Ok(Backend { agent, server, host, _lab: lab })
    }
}

fn start_agent(lab: &Lab, host: Host) -> Result<Process> {
    let name = host.name();
    let mut command = lab.host(host).command(programs::ours("lb-agent")?);
    command.args(["--interface", "eth0", "--mode", "auto"]);
    for balancer in [Host::Balancer.ipv4().to_string(), Host::Balancer.ipv6().to_string()] {
        command.args(["--balancer", &balancer]);
    }
    for service in SERVICES {
        command.args(["--vip", &service.vip.to_string()]);
    }
    let log = lab.directory().join(format!("lb-agent-{name}.log"));
    let mut agent = Process::start(&format!("lb-agent on {name}"), &mut command, log)?;
    agent.wait_until_ready(|log| Ok(log.contains("ready")))?;
    Ok(agent)
}
