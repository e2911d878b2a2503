//! `lbctl backend`.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use lb_userspace::api::{Backend, OrderBackend, Ordered};
use lb_userspace::client::{get, post};

use crate::{Output, print, say};

/// What is asked or done.
#[derive(Subcommand)]
pub enum Command {
    /// One line each, with counters
    List,
    /// Take no new flows, and keep the old ones for a while
    Drain {
        #[command(flatten)]
        which: Which,

        /// Seconds for which it keeps them; else the service's `drain_timeout`
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u32>,
    },
    /// Take new flows again
    Undrain(Which),
    /// Take nothing, and let go of all flows
    Disable(Which),
    /// Take flows again
    Enable(Which),
}

/// Which backend.
#[derive(Args)]
pub struct Which {
    /// Its name or address
    backend: String,

    /// In this service; else in all that have it
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// Does it.
pub async fn run(socket: &Path, output: Output, command: &Command) -> Result<()> {
    let (order, which, seconds) = match command {
        Command::List => return print(output, &get::<Vec<Backend>>(socket, "/v1/backends").await?),
        Command::Drain { which, timeout } => ("drain", which, *timeout),
        Command::Undrain(which) => ("undrain", which, None),
        Command::Disable(which) => ("disable", which, None),
        Command::Enable(which) => ("enable", which, None),
    };
    let order = OrderBackend {
        backend: which.backend.clone(),
        service: which.service.clone(),
        order: order.into(),
        seconds,
    };
    let ordered: Vec<Ordered> = post(socket, "/v1/backends/order", &order).await?;
    match output {
        Output::Json => say(&serde_json::to_string_pretty(&ordered)?)?,
        Output::Table => {
            let lines = ordered
                .iter()
                .map(|Ordered { service, backend }| format!("{}: {backend} in {service}", order.order));
            say(&lines.collect::<Vec<_>>().join("\n"))?
        }
    };
    Ok(())
}
