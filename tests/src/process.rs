//! Programs that run until they are stopped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A running program; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Time for a good end after a signal; then SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// What of a log is quoted in an error.
const LAST_LINES: usize = 12;

impl Process {
    /// Starts a program that writes what it says to a file of its own.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(name: &str, command: &mut Command, log: PathBuf) -> Result<Process> {
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let child = command
            // Ctrl-C at the terminal is for this process, which stops the others in good order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name}: {}", command.get_program().display()))?;
        Ok(Process { name: name.into(), child, log })
    }

    /// Waits until `ready`, which may look at the log, says so.
    ///
    /// # Errors
    /// The program ended, or isn't ready in time: with its last lines. An error of `ready`; Ctrl-C.
    pub fn wait_until_ready(&mut self, mut ready: impl FnMut(&str) -> Result<bool>) -> Result<()> {
        let result = wait::until("ready", || {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended with {status}");
            }
            Ok(ready(&self.log())?.then_some(()))
        });
        result.with_context(|| format!("{}{}", self.name, self.last_lines()))
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// It isn't a child of this process any more.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context(self.name.clone())
    }

    /// Asks it to end with SIGTERM, and waits.
    ///
    /// # Errors
    /// It isn't a child of this process any more.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.stop_with(Signal::SIGTERM)
    }

    /// Asks it to end with that signal, and waits; ends it with SIGKILL if it doesn't.
    ///
    /// # Errors
    /// It isn't a child of this process any more.
    pub fn stop_with(&mut self, signal: Signal) -> Result<ExitStatus> {
        // Once it was waited for, the number may be another's.
        if let Ok(None) = self.child.try_wait() {
            // It may end by itself just now.
            let _ = kill(self.id(), signal);
        }
        if let Some(status) = wait::while_cleaning_up(GRACE, || self.child.try_wait().transpose()) {
            return status.context(self.name.clone());
        }
        self.child.kill()?;
        self.child.wait().context(self.name.clone())
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        if last.is_empty() { String::new() } else { format!("\n  {last}\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}
