//! `lbctl backend`.

use anyhow::Result;
use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::complete::{backends, services};
use super::outcome::Outcome;
use super::session::Session;
use super::table::{Align, Look, Mood, Sheet, Tabular, in_mood};
use super::watch::Watch;
use crate::api::{Backend, BackendState, OrderBackend, Ordered};
use crate::client::segment;

/// What is asked or done.
#[derive(Subcommand)]
pub(super) enum Command {
    /// One line each, with counters
    List {
        /// Only those of this service
        #[arg(long, value_name = "NAME", add = services())]
        service: Option<String>,

        #[command(flatten)]
        watch: Watch,
    },
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
pub(super) struct Which {
    /// Its name or address
    #[arg(add = backends())]
    backend: String,

    /// In this service; else in all that have it
    #[arg(long, value_name = "NAME", add = services())]
    service: Option<String>,
}

/// Does it.
pub(super) async fn run(session: &Session, command: &Command) -> Result<Outcome> {
    let client = &session.client;
    let (order, which, seconds) = match command {
        Command::List { service, watch } => {
            let query = service.as_ref().map(|name| format!("?service={}", segment(name)));
            let path = format!("/v1/backends{}", query.unwrap_or_default());
            return session.show(*watch, async || Ok(client.get::<Vec<Backend>>(&path).await?)).await;
        }
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
    session.print(&client.post::<_, Vec<Ordered>>("/v1/backends/order", &order).await?)
}

impl Tabular for Vec<Ordered> {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([("SERVICE", Align::Left), ("BACKEND", Align::Left)]);
        self.iter().for_each(|Ordered { service, backend }| sheet.row([service, backend]));
        sheet.draw(look)
    }
}

impl Tabular for Vec<Backend> {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([
            ("SERVICE", Align::Left),
            ("BACKEND", Align::Left),
            ("ADDRESS", Align::Left),
            ("WEIGHT", Align::Right),
            ("SLOTS", Align::Right),
            ("PACKETS", Align::Right),
            ("BYTES", Align::Right),
            ("STATE", Align::Wrapped),
        ]);
        for backend in self {
            sheet.row([
                Cell::new(&backend.service),
                Cell::new(&backend.name),
                Cell::new(backend.address),
                Cell::new(backend.weight),
                Cell::new(backend.slots),
                Cell::new(backend.packets),
                Cell::new(backend.bytes),
                in_mood(state(backend), mood(backend.state)),
            ]);
        }
        sheet.draw(look)
    }
}

fn mood(state: BackendState) -> Mood {
    match state {
        BackendState::Active => Mood::Good,
        BackendState::Draining | BackendState::Leaving => Mood::Changing,
        BackendState::Down => Mood::Bad,
        BackendState::Disabled => Mood::Off,
    }
}

/// As in `active`, `down: 10.0.0.1 doesn't answer on eth0`, `draining: 12 flows, 7 slots` and `draining: safe to stop`.
fn state(backend: &Backend) -> String {
    let name = match backend.state {
        BackendState::Active => return "active".into(),
        BackendState::Draining => "draining",
        BackendState::Down => "down",
        BackendState::Disabled => "disabled",
        BackendState::Leaving => "leaving",
    };
    let mut said = name.to_owned();
    if let Some(reason) = &backend.reason {
        said = format!("{said}: {reason}");
    }
    match (backend.state, backend.safe_to_stop) {
        (BackendState::Down, true) => said,
        (_, true) => format!("{said}: safe to stop"),
        (_, false) => {
            format!("{said}: {} flows, {} slots", backend.pinned, backend.slots + backend.former_slots)
        }
    }
}
