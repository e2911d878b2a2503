//! What daemons log on standard error: lines for people, or for programs.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Log, LogFormat};

/// Starts it, once in a process. A file or the journal gets no colours, and the journal, which has its own, no times.
///
/// # Errors
/// The environment's `RUST_LOG`, which comes before the level, is wrong.
pub fn start(log: Log) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => text.parse::<Targets>().with_context(|| {
            format!("RUST_LOG is {text:?}; write a level, such as info, or levels of modules, such as info,hyper=warn")
        })?,
        _ => Targets::new().with_default(LevelFilter::from_level(log.level)),
    };
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text if is_journal() => lines.without_time().boxed(),
        LogFormat::Text => lines.boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(())
}

/// Whether standard error is the journal: its device and inode are those that systemd names (systemd.exec(5)).
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(status) = nix::sys::stat::fstat(io::stderr().as_fd()) else { return false };
    named == format!("{}:{}", status.st_dev, status.st_ino)
}
