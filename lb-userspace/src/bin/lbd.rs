//! The load balancer's daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lb_userspace::api::{Socket, router};
use lb_userspace::config::Config;
use lb_userspace::daemon::{self, Daemon};
use lb_userspace::privileges;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, warn};

#[derive(Parser)]
#[command(version, about = "Layer-4 load balancer: attaches the datapath and keeps its tables true")]
struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/lb/lb.yaml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    lb_userspace::logging::start();
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
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            warn!("SIGHUP: the configuration is read only at start; restart lbd to change it");
        }
    });

    daemon::check(&config)?;
    let socket = Socket::bind(&config.socket).await?;
    let daemon = Daemon::start(config).await?;
    let (ask, questions) = mpsc::channel(16);
    let api = router(ask, daemon.tracer());
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    info!("ready");
    tokio::select! {
        () = daemon.run(questions) => Ok(()),
        ended = socket.serve(api) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
