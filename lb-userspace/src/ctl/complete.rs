//! Completion on the command line, with the names that there are.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::outcome::Outcome;
use super::session::say;
use crate::api::{Backend, Service};
use crate::client::Client;
use crate::config::DEFAULT_SOCKET;

/// What the shell sets when it asks.
const VARIABLE: &str = "COMPLETE";

/// Nobody waits longer for a name.
const PATIENCE: Duration = Duration::from_millis(500);

/// For which shell.
#[derive(Args)]
pub(super) struct Arguments {
    /// Your shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Answers a shell that asks how a line goes on, and ends the process then.
pub(super) fn answer_shell() {
    CompleteEnv::with_factory(super::command).var(VARIABLE).complete();
}

/// Prints what makes a shell ask.
pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let shell: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    let registered = shell.write_registration(VARIABLE, "lbctl", "lbctl", "lbctl", &mut script);
    registered.map_err(io::Error::other).context("the script")?;
    say(String::from_utf8_lossy(&script).trim_end()).map(|_| Outcome::Done)
}

/// The services that begin like that.
pub(super) fn services() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let services: Vec<Service> = ask("/v1/services");
        beginning(begun, services.into_iter().map(|service| service.name))
    })
}

/// The backends that begin like that, by name.
pub(super) fn backends() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let backends: Vec<Backend> = ask("/v1/backends");
        beginning(begun, backends.into_iter().map(|backend| backend.name))
    })
}

fn beginning(begun: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let mut names: Vec<_> = names.filter(|name| name.starts_with(&*begun)).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// What lbd answers; nothing if it doesn't.
fn ask<T: DeserializeOwned + Default>(path: &str) -> T {
    let socket = env::var_os("LB_SOCKET").map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from);
    let asked = async { timeout(PATIENCE, Client::on_socket(&socket).get(path)).await };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.ok().and_then(|runtime| runtime.block_on(asked).ok()?.ok()).unwrap_or_default()
}
