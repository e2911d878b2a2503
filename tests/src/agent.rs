//! `lb-agent` on a backend.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::programs;
use crate::service::SERVICES;

/// Starts it with these VIPs, or prefixes of VIPs, and waits until it is ready.
///
/// # Errors
/// It was not built, or doesn't get ready: with what it said.
pub fn start(lab: &Lab, host: Host, vips: &[impl Display]) -> Result<Process> {
    let name = host.name();
    let log = lab.directory().join(format!("lb-agent-{name}.log"));
    let mut agent = Process::start(&format!("lb-agent on {name}"), &mut command(lab, host, vips)?, log)?;
    agent.wait_until_ready(|log| Ok(log.lines().any(|line| line.ends_with(" ready"))))?;
    Ok(agent)
}

/// `lb-agent` with these VIPs, unpacking what the load balancer sends.
///
/// # Errors
/// It was not built.
pub fn command(lab: &Lab, host: Host, vips: &[impl Display]) -> Result<Command> {
    let mut command = lab.host(host).command(programs::ours("lb-agent")?);
    command.args(["--interface", "eth0", "--mode", "auto", "--state-directory"]).arg(state_directory(lab));
    for balancer in [Host::Balancer.ipv4().to_string(), Host::Balancer.ipv6().to_string()] {
        command.args(["--balancer", &balancer]);
    }
    for vip in vips {
        command.args(["--vip", &vip.to_string()]);
    }
    Ok(command)
}

/// The VIPs of all services.
#[must_use]
pub fn every_vip() -> Vec<IpAddr> {
    SERVICES.iter().map(|service| service.vip).collect()
}

/// Where every agent of a lab writes down what it has changed.
#[must_use]
pub fn state_directory(lab: &Lab) -> PathBuf {
    lab.directory().join("lb-agent")
}
