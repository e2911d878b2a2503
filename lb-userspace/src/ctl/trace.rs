//! `lbctl trace`.

use std::future::pending;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::arguments::Output;
use super::complete::services;
use super::outcome::Outcome;
use super::session::{Session, say};
use crate::client::Lines;
use crate::trace::{Line, Query, verdicts};

/// Which packets, and how long.
#[derive(Args)]
pub(super) struct Arguments {
    /// Only those of these verdicts and reasons
    #[arg(long, value_name = "VERDICT", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(verdicts()))]
    verdict: Vec<String>,

    /// Only those of this service
    #[arg(long, value_name = "NAME", add = services())]
    service: Option<String>,

    /// One in N of those that are forwarded or passed, on each CPU
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,

    /// One in N of those that are dropped or answered, on each CPU
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sample_dropped: u32,

    /// End after N packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End after S seconds
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
}

/// Prints packets until there were enough of them.
pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Outcome> {
    let query = Query {
        verdict: arguments.verdict.join(","),
        service: arguments.service.clone(),
        sample: arguments.sample,
        sample_dropped: arguments.sample_dropped,
    };
    let path = format!("/v1/trace?{}", serde_urlencoded::to_string(query)?);
    let mut lines = session.client.lines(&path).await?;
    tokio::select! {
        shown = show(&mut lines, session.output, arguments.count) => shown,
        () = after(arguments.seconds) => Ok(Outcome::Done),
        stopped = ctrl_c() => Ok(stopped.map(|()| Outcome::Done)?),
    }
}

async fn show(lines: &mut Lines, output: Output, count: Option<u64>) -> Result<Outcome> {
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        match lines.next().await? {
            Line::Lost { lost } => {
                eprintln!("lbctl: {lost} packets weren't shown; ask for fewer with --sample or --verdict");
            }
            Line::Packet(packet) => {
                let text = match output {
                    Output::Table => packet.to_string(),
                    Output::Json => serde_json::to_string(&packet)?,
                    Output::Yaml => format!("---\n{}", serde_saphyr::to_string(&packet)?.trim_end()),
                };
                if !say(&text)? {
                    break;
                }
                left -= 1;
            }
        }
    }
    Ok(Outcome::Done)
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}
