//! The same question again and again.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::arguments::Output;
use super::outcome::Outcome;
use super::session::{Session, say};

/// To the top left, without what is there; what is longer than the screen scrolls.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Whether, and how often.
#[derive(Args, Clone, Copy)]
pub(super) struct Watch {
    /// Again every so many seconds (2 if none are given), until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
}

impl Watch {
    /// The time between two questions.
    pub fn pause(self) -> Option<Duration> {
        self.watch.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Prints `first` and then every answer. On a terminal, each takes the former's place. An error takes it too: lbd may
    /// be restarted meanwhile.
    ///
    /// # Errors
    /// Standard output can't be written.
    pub async fn run(
        self,
        session: &Session,
        pause: Duration,
        first: String,
        ask: impl AsyncFn() -> Result<String>,
    ) -> Result<Outcome> {
        let on_terminal = io::stdout().is_terminal() && session.output == Output::Table;
        // One for all of the time: what comes while nobody waits for it would be lost.
        let mut stopped = pin!(ctrl_c());
        let mut text = first;
        loop {
            let text_and_rest = match session.output {
                _ if on_terminal => format!("{CLEAR}{text}"),
                Output::Table => format!("{text}\n"),
                Output::Json => text,
                Output::Yaml => format!("---\n{text}"),
            };
            if !say(&text_and_rest)? {
                return Ok(Outcome::Done);
            }
            text = loop {
                tokio::select! {
                    () = sleep(pause) => {}
                    stopped = &mut stopped => return Ok(stopped.map(|()| Outcome::Done)?),
                }
                let answer = tokio::select! {
                    answer = ask() => answer,
                    stopped = &mut stopped => return Ok(stopped.map(|()| Outcome::Done)?),
                };
                match answer {
                    Ok(text) => break text,
                    Err(error) if on_terminal => break format!("lbctl: {error:#}"),
                    Err(error) => eprintln!("lbctl: {error:#}"),
                }
            };
        }
    }
}
