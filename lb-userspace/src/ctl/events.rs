//! `lbctl events`.

use anyhow::Result;
use clap::Args;
use tokio::signal::ctrl_c;

use super::arguments::Output;
use super::complete::services;
use super::outcome::Outcome;
use super::session::{Session, say};
use super::table::{Mood, coloured};
use crate::api::{EventLine, WhichEvents};
use crate::client::Lines;
use crate::events::{Entry, Level};

/// Which events.
#[derive(Args)]
pub(super) struct Arguments {
    /// Also those to come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,

    /// Only those of this service
    #[arg(long, value_name = "NAME", add = services())]
    service: Option<String>,

    /// Only those with a greater number (see -o json)
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    since: u64,
}

/// Prints them.
pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Outcome> {
    let Arguments { follow, service, since } = arguments;
    let which = WhichEvents { service: service.clone(), since: *since, follow: *follow };
    let path = format!("/v1/events?{}", serde_urlencoded::to_string(which)?);
    let mut lines = session.client.lines(&path).await?;
    tokio::select! {
        shown = show(session, &mut lines) => shown,
        stopped = ctrl_c() => Ok(stopped.map(|()| Outcome::Done)?),
    }
}

async fn show(session: &Session, lines: &mut Lines) -> Result<Outcome> {
    while let Some(line) = lines.next_if_any().await? {
        match line {
            EventLine::Missed { missed } => eprintln!("lbctl: {missed} events came too fast to be shown"),
            EventLine::Entry(entry) => {
                if !say(&text(session, &entry)?)? {
                    break;
                }
            }
        }
    }
    Ok(Outcome::Done)
}

fn text(session: &Session, entry: &Entry) -> Result<String> {
    Ok(match session.output {
        Output::Table => {
            let message = match entry.level {
                Level::Info => entry.message.clone(),
                Level::Warn => coloured(&entry.message, Mood::Bad, session.look),
            };
            format!("{} {message}", entry.time)
        }
        Output::Json => serde_json::to_string(entry)?,
        Output::Yaml => format!("---\n{}", serde_saphyr::to_string(entry)?.trim_end()),
    })
}
