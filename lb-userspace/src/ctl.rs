//! `lbctl`, the command line: noun, then verb.
//!
//! A module for each noun has what can be asked of it, what is done for that, and its table. What is common to them:
//!
//! | module | what it is |
//! | --- | --- |
//! | `arguments` | what can be typed |
//! | `session` | to whom questions go, and how answers are printed |
//! | `table` | answers as tables for people |
//! | `watch` | the same question again and again |
//! | `change`, `pairs` | changes of the configuration, as they are typed and as they are told of |
//! | `outcome` | how it ends: exit codes |
//! | `complete` | how a line may go on, for shells |

mod arguments;
mod backend;
mod change;
mod complete;
mod config;
mod events;
mod health;
mod outcome;
mod pairs;
mod service;
mod session;
mod status;
mod table;
mod trace;
mod version;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};
use outcome::{Outcome, exit_code};
use session::Session;

/// Does what the process's arguments say.
#[must_use]
pub fn main() -> ExitCode {
    complete::answer_shell();
    let ended = run(&Arguments::parse());
    if let Err(error) = &ended {
        if let Some(usage) = error.downcast_ref::<clap::Error>() {
            usage.exit();
        }
        // What is wrong with a configuration has a line for each error.
        format!("{error:#}").lines().for_each(|line| eprintln!("lbctl: {line}"));
    }
    exit_code(&ended)
}

/// What can be typed, for man pages and the like.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<Outcome> {
    let session = Session::new(arguments)?;
    match &arguments.command {
        Command::Status(watch) => status::run(&session, *watch).await,
        Command::Service(command) => service::run(&session, command).await,
        Command::Backend(command) => backend::run(&session, command).await,
        Command::Health(arguments) => health::run(&session, arguments).await,
        Command::Config(command) => config::run(&session, command).await,
        Command::Plan(file) => config::plan(&session, file).await,
        Command::Apply(file) => config::apply(&session, file).await,
        Command::Reload(how) => config::reload(&session, *how).await,
        Command::Events(arguments) => events::run(&session, arguments).await,
        Command::Trace(arguments) => trace::run(&session, arguments).await,
        Command::Completions(arguments) => complete::run(arguments),
        Command::Version => version::run(&session).await,
    }
}
