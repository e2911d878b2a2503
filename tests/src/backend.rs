//! A backend: nginx, and `lb-agent` which gives it the VIPs and unpacks what comes through a tunnel.

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::{agent, nginx};

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
        let agent = agent::start(lab, host, &agent::every_vip())?;
        Ok(Backend { agent, server, host, _lab: lab })
    }
}
