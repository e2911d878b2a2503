//! The load balancer: `lbd`, its configuration, and what `lbctl` says of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use lb_userspace::api::{Backend, BackendState};
use lb_userspace::instance::Instance;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::run::Finished;
use crate::service::Service;
use crate::{entry, programs, run, wait};

/// `lbd` at work.
#[derive(Debug)]
pub struct Balancer<'lab> {
    daemon: Process,
    lab: &'lab Lab,
}

impl<'lab> Balancer<'lab> {
    /// Starts `lbd` with these services, each with all three backends, and waits until it answers.
    ///
    /// # Errors
    /// A program is missing, or `lbd` doesn't get ready: with what it said.
    pub fn start(lab: &'lab Lab, services: &[Service]) -> Result<Balancer<'lab>> {
        Balancer::start_with(lab, &configure(lab.directory(), services))
    }

    /// Starts `lbd` with a configuration that says what [`configure`]'s says of socket and directory, and waits until
    /// it answers.
    ///
    /// # Errors
    /// A program is missing, or `lbd` doesn't get ready: with what it said.
    pub fn start_with(lab: &'lab Lab, configuration: &str) -> Result<Balancer<'lab>> {
        fs::write(lab.directory().join("lb.yaml"), configuration)?;
        Ok(Balancer { daemon: start(lab, &programs::ours("lbd")?)?, lab })
    }

    /// Waits until every backend can be sent packets: `lbd` asks its neighbours for their MAC addresses.
    ///
    /// # Errors
    /// One can't in time: with the list.
    pub fn wait_until_active(&self) -> Result<()> {
        let all_active = || {
            let backends: Vec<Backend> =
                serde_json::from_str(&self.lbctl(&["-o", "json", "backend", "list"])?)?;
            Ok(backends.iter().all(|backend| backend.state == BackendState::Active).then_some(()))
        };
        wait::until("every backend active", all_active)
            .with_context(|| self.lbctl(&["backend", "list"]).unwrap_or_else(|error| error.to_string()))
    }

    /// Gives `lbd` another configuration while it runs, and waits until it has taken it over.
    ///
    /// # Errors
    /// It doesn't, in time: with what it says.
    pub fn reload(&self, configuration: &str) -> Result<()> {
        let times = || self.log().matches("the configuration was read again").count();
        let before = times();
        fs::write(self.lab.directory().join("lb.yaml"), configuration)?;
        self.signal(Signal::SIGHUP)?;
        wait::until("the configuration taken over", || Ok((times() > before).then_some(())))
            .with_context(|| self.log())
    }

    /// Gives `lbd` a configuration that it can't take over, and waits until it says so in these words.
    ///
    /// # Errors
    /// It doesn't, in time: with what it says.
    pub fn refuse(&self, configuration: &str, words: &str) -> Result<()> {
        fs::write(self.lab.directory().join("lb.yaml"), configuration)?;
        self.signal(Signal::SIGHUP)?;
        wait::until("a refusal", || Ok(self.log().contains(words).then_some(()))).with_context(|| self.log())
    }

    /// What `lbctl` prints.
    ///
    /// # Errors
    /// It is missing, or ends with an error.
    pub fn lbctl(&self, arguments: &[&str]) -> Result<String> {
        run::run(&mut lbctl(self.lab, arguments)?)
    }

    /// What becomes of `lbctl`, whatever it is.
    ///
    /// # Errors
    /// It is missing, or doesn't end.
    pub fn try_lbctl(&self, arguments: &[&str]) -> Result<Finished> {
        run::finish(&mut lbctl(self.lab, arguments)?, wait::PATIENCE)
    }

    /// What `lbd` has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Sends `lbd` a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.daemon.id(), signal).context("lbd")
    }

    /// Ends `lbd` with SIGTERM, and takes the program off the network.
    ///
    /// # Errors
    /// It isn't our child any more.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.daemon.stop()
    }

    /// Ends `lbd` with that signal. Packets are balanced as before, until this is dropped.
    ///
    /// # Errors
    /// It isn't our child any more.
    pub fn stop_with(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.daemon.stop_with(signal)
    }

    /// Starts `lbd` again, once it has ended.
    ///
    /// # Errors
    /// As [`start`](Balancer::start).
    pub fn start_again(&mut self) -> Result<()> {
        self.start_other(&programs::ours("lbd")?)
    }

    /// The same, with another program than ours.
    ///
    /// # Errors
    /// As [`start`](Balancer::start).
    pub fn start_other(&mut self, program: &Path) -> Result<()> {
        self.daemon = start(self.lab, program)?;
        Ok(())
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> Pid {
        self.daemon.id()
    }

    /// The lab it runs in.
    #[must_use]
    pub fn lab(&self) -> &'lab Lab {
        self.lab
    }
}

/// Starts `lbd` with the configuration that is there, and waits until it answers.
fn start(lab: &Lab, program: &Path) -> Result<Process> {
    let directory = lab.directory();
    let mut command = lab.host(Host::Balancer).command(program);
    command.arg("--config").arg(directory.join("lb.yaml"));
    let mut daemon = Process::start("lbd", &mut command, directory.join("lbd.log"))?;
    daemon.wait_until_ready(|_| Ok(run::run(&mut lbctl(lab, &["status"])?).is_ok()))?;
    Ok(daemon)
}

/// Takes the program off the network again.
impl Drop for Balancer<'_> {
    fn drop(&mut self) {
        let detached =
            self.daemon.stop().and_then(|_| Instance::take(&instance(self.lab.directory()))?.detach());
        if let Err(error) = detached {
            eprintln!("{error:#}");
        }
    }
}

/// The name of its instance of `lbd`.
fn instance(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `lbd` with a configuration of any kind, for those who want to see it refuse.
///
/// # Errors
/// It was not built.
pub fn command(lab: &Lab, configuration: &Path) -> Result<Command> {
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbd")?);
    command.arg("--config").arg(configuration);
    Ok(command)
}

/// `lbctl`, for those who want to see how it ends.
///
/// # Errors
/// It was not built.
pub fn lbctl(lab: &Lab, arguments: &[&str]) -> Result<Command> {
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbctl")?);
    command.arg("--socket").arg(socket(lab.directory())).args(arguments);
    Ok(command)
}

/// Where `lbd` listens for `lbctl`.
#[must_use]
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("lbd.sock")
}

/// The configuration of `lbd`, whose files are in `directory`.
#[must_use]
pub fn configure(directory: &Path, services: &[Service]) -> String {
    let (socket, instance, directory) = (socket(directory), instance(directory), directory.display());
    let mut lines = vec![format!(
        "version: 1
interfaces:
  - name: eth0
    mode: driver
instance: {instance}
api: {{socket: {}}}
state_directory: {directory}/state
services:",
        socket.display()
    )];
    for service in services {
        let Service { name, vip, .. } = service;
        let forwarding = entry::word(service.forwarding);
        lines.push(format!(
            "  - name: {name}
    vip: \"{vip}\"
    port: 80
    protocol: tcp
    forwarding: {forwarding}
    backends:"
        ));
        for backend in Host::BACKENDS {
            let (name, address) = (backend.name(), service.backend_address(backend));
            lines.push(format!("      - name: {name}\n        address: \"{address}\""));
        }
    }
    lines.push("answer_echo: true".into());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::SERVICES;

    #[test]
    fn the_configuration_lists_services_and_their_backends() {
        let expected = "version: 1
interfaces:
  - name: eth0
    mode: driver
instance: x
api: {socket: /tmp/x/lbd.sock}
state_directory: /tmp/x/state
services:
  - name: v6-in-v4
    vip: \"2001:db8:f::3\"
    port: 80
    protocol: tcp
    forwarding: ipip
    backends:
      - name: b1
        address: \"198.51.100.11\"
      - name: b2
        address: \"198.51.100.12\"
      - name: b3
        address: \"198.51.100.13\"
answer_echo: true
";
        assert_eq!(configure(Path::new("/tmp/x"), &SERVICES[4..5]), expected);
    }
}
