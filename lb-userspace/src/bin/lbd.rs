//! The load balancer's daemon.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lb_userspace::api::config::{Proposal, Proposed, Question};
use lb_userspace::api::{Request, Server, router};
use lb_userspace::config::Config;
use lb_userspace::daemon::running::Candidate;
use lb_userspace::daemon::{self, Arguments, Command, Daemon};
use lb_userspace::events::{Event, tell};
use lb_userspace::instance::Instance;
use lb_userspace::{logging, privileges, systemd};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        None => run(&arguments),
        Some(Command::Detach { instance: Some(instance), state_directory }) => {
            detach(instance, state_directory)
        }
        Some(Command::Detach { instance: None, .. }) => Config::read(&arguments.config)
            .map_err(Into::into)
            .and_then(|config| detach(&config.instance, &config.state_directory)),
        Some(Command::Check { file }) => check(file),
        Some(Command::Schema) => {
            println!("{:#}", Config::schema());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A configuration has a line for each error.
            format!("{error:#}").lines().for_each(|line| eprintln!("lbd: {line}"));
            ExitCode::FAILURE
        }
    }
}

fn detach(instance: &str, state_directory: &Path) -> Result<()> {
    privileges::check()?;
    let was_there = daemon::detach(instance, state_directory)?;
    println!("{instance}: {}", if was_there { "detached" } else { "nothing was attached" });
    Ok(())
}

fn check(file: &Path) -> Result<()> {
    let config = Config::read(file)?;
    println!("{}: valid, with {}", file.display(), config.summary());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<()> {
    let candidate = Candidate::of_file(&arguments.config)?;
    logging::start(candidate.config.log)?;
    privileges::check()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let instance = Instance::take(&candidate.config.instance)?;
    daemon::check(&candidate.config, &instance)?;
    let server = Server::bind(&candidate.config.api).await?;
    let (candidate, journal) = candidate.with_journal();
    let config = candidate.config.clone();
    let daemon = Daemon::start(candidate, journal, instance).await?;
    let (ask, questions) = mpsc::channel(16);
    let summary = config.summary();
    tokio::spawn(reload(summary.clone(), hangup, ask.clone()));
    let api = router(ask, daemon.checks(), daemon.tracer());
    systemd::ready(&summary);
    info!("ready");
    let ended = tokio::select! {
        () = daemon.run(questions) => Ok(()),
        ended = server.serve(api) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    systemd::stopping();
    ended?;
    if arguments.detach_on_exit {
        daemon::detach(&config.instance, &config.state_directory)?;
    } else {
        info!("packets are still balanced; lbd detach ends that");
    }
    Ok(())
}

/// Reads the configuration again at every SIGHUP. One that is wrong, or can't be taken over, changes nothing.
async fn reload(mut summary: String, mut hangup: Signal, daemon: mpsc::Sender<Request>) {
    while hangup.recv().await.is_some() {
        systemd::reloading();
        let (reply, answer) = oneshot::channel();
        // Nobody is there to confirm anything: the log says what is dropped.
        let proposal =
            Proposal { change: Proposed::Reload, generation: None, confirmed: true, only_asks: false };
        if daemon.send(Request::Config(Question::Change(proposal, reply))).await.is_err() {
            return;
        }
        match answer.await {
            Ok(Ok(changed)) => {
                info!("the configuration was read again");
                summary = changed.summary;
                systemd::ready(&summary);
            }
            Ok(Err(refusal)) => {
                tell(Event::ConfigurationRefused { reason: refusal.to_string() });
                systemd::ready(&format!("{summary}; the last reload was refused, the log says why"));
            }
            Err(_) => return,
        }
    }
}
