//! `lbctl trace`.

use std::future::pending;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use lb_userspace::client::Lines;
use lb_userspace::trace::{Line, Query, verdicts};
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use crate::{Output, say};

/// Which packets, and how long.
#[derive(Args)]
pub struct Arguments {
    /// Only those of these verdicts and reasons
    #[arg(long, value_name = "VERDICT", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(verdicts()))]
    verdict: Vec<String>,

    /// Only those of this service
    #[arg(long, value_name = "NAME")]
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
pub async fn run(socket: &Path, output: Output, arguments: &Arguments) -> Result<()> {
    let query = Query {
        verdict: arguments.verdict.join(","),
        service: arguments.service.clone(),
        sample: arguments.sample,
        sample_dropped: arguments.sample_dropped,
    };
    let mut lines = Lines::get(socket, &format!("/v1/trace?{}", serde_urlencoded::to_string(query)?)).await?;
    tokio::select! {
        shown = show(&mut lines, output, arguments.count) => shown,
        () = after(arguments.seconds) => Ok(()),
        stopped = ctrl_c() => Ok(stopped?),
    }
}

async fn show(lines: &mut Lines, output: Output, count: Option<u64>) -> Result<()> {
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
                };
                if !say(&text)? {
                    return Ok(());
                }
                left -= 1;
            }
        }
    }
    Ok(())
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}
