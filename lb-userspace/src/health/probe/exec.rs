//! A program that checks the backend.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use lb_common::mark;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Command;

use super::failure::{Failure, Stage};
use crate::health::target::{Path, Target};

/// A program that checks the backend: it has passed if it ends with 0. No shell is between.
///
/// It has nothing of this process's environment; `LB_ADDRESS` and `LB_PORT` are the target's. If that is the VIP, `LB_MARK` is
/// the number that the program's sockets have to be marked with (`SO_MARK`) so that they reach the backend. What it leaves running in its
/// process group is killed when it ends or its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Where it is.
    pub program: PathBuf,
    /// What it is told.
    pub arguments: Vec<String>,
    /// What it has in its environment besides.
    pub environment: Vec<(String, String)>,
}

impl Exec {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        *stage = Stage::Program;
        let mark = match target.path {
            Path::Direct => None,
            Path::Through(backend) => Some(("LB_MARK", mark::toward(backend).to_string())),
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("LB_ADDRESS", target.address.ip().to_string())
            .env("LB_PORT", target.address.port().to_string())
            .envs(mark)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Failure::Start)?;
        let group = Group(child.id());
        let status: ExitStatus = child.wait().await.map_err(Failure::Network)?;
        drop(group);
        if status.success() { Ok(()) } else { Err(Failure::Exit(status)) }
    }
}

/// The processes that a program has started, by its number. They are killed when this is dropped, be it that the program has
/// ended or that nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|leader| i32::try_from(leader).ok()) {
            // Nobody may be left.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}
