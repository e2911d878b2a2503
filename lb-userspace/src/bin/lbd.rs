//! The load balancer's daemon.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lb_userspace::api::{Socket, router};
use lb_userspace::config::Config;
use lb_userspace::daemon::Daemon;
use lb_userspace::privileges;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

#[derive(Parser)]
#[command(version, about = "Layer-4 load balancer: attaches the datapath and keeps its tables true")]
struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/lb/lb.yaml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A configuration has a line for each error.
            format!("{error:#}").lines().for_each(|line| eprintln!("lbd: {line}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<()> {
    let config = Config::read(&arguments.config)?;
    privileges::check()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let socket = Socket::bind(&config.socket).await?;
    let daemon = Daemon::start(config).await?;
    let (ask, questions) = mpsc::channel(16);
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    info!("ready");
    tokio::select! {
        ended = daemon.run(questions) => ended,
        ended = socket.serve(router(ask)) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
