//! The load balancer's command line.

#[path = "lbctl/backend.rs"]
mod backend;
#[path = "lbctl/trace.rs"]
mod trace;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use lb_userspace::api::{Service, Status};
use lb_userspace::client::get;
use lb_userspace::terminal::Tabular;
use serde::Serialize;

#[derive(Parser)]
#[command(version, about = "Looks into a running lbd")]
struct Arguments {
    /// The socket of lbd
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/lb/lbd.sock")]
    socket: PathBuf,

    /// How to print
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,

    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// The node: where it is attached, and what became of every packet
    Status,
    /// What clients connect to
    #[command(subcommand)]
    Service(OfServices),
    /// Where connections are sent
    #[command(subcommand)]
    Backend(backend::Command),
    /// Packets as they come, and what becomes of each
    Trace(trace::Arguments),
}

#[derive(Subcommand)]
enum OfServices {
    /// One line each, with counters
    List,
    /// All that is known of one
    Show {
        /// Its name
        name: String,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lbctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether someone goes on reading: whoever closes the pipe, as `lbctl … | head -1` does, has seen enough.
fn say(text: &str) -> Result<bool> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<()> {
    let (socket, output) = (&arguments.socket, arguments.output);
    match &arguments.command {
        Command::Status => print(output, &get::<Status>(socket, "/v1/status").await?),
        Command::Service(OfServices::List) => {
            print(output, &get::<Vec<Service>>(socket, "/v1/services").await?)
        }
        Command::Service(OfServices::Show { name }) => {
            let services = get::<Vec<Service>>(socket, "/v1/services").await?;
            let service = services.into_iter().find(|service| service.name == *name);
            print(
                output,
                &service
                    .with_context(|| format!("there is no service {name}; lbctl service list shows them"))?,
            )
        }
        Command::Backend(command) => backend::run(socket, output, command).await,
        Command::Trace(arguments) => trace::run(socket, output, arguments).await,
    }
}

fn print<T: Serialize + Tabular>(output: Output, answer: &T) -> Result<()> {
    let text = match output {
        Output::Table => answer.table(),
        Output::Json => serde_json::to_string_pretty(answer)?,
    };
    say(&text).map(drop)
}
