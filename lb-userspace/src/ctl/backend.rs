//! `lbctl backend`.

use anyhow::Result;
use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::change::{How, make};
use super::complete::{backends, services};
use super::outcome::Outcome;
use super::pairs::Pairs;
use super::session::Session;
use super::table::{Align, Look, Mood, Sheet, Tabular, in_mood};
use super::watch::Watch;
use crate::api::{Backend, BackendState};
use crate::client::segment;
use crate::config::change::Edit;

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
    /// A new one of a service: address is needed
    Add {
        /// The service's name
        #[arg(add = services())]
        service: String,

        #[command(flatten)]
        pairs: Pairs,

        #[command(flatten)]
        how: How,
    },
    /// Changes fields of one
    Set {
        /// Its name or address
        #[arg(add = backends())]
        backend: String,

        #[command(flatten)]
        pairs: Pairs,

        /// In this service; else in all that have it
        #[arg(long, value_name = "NAME", add = services())]
        service: Option<String>,

        #[command(flatten)]
        how: How,
    },
    /// Takes one out: it keeps its flows for a while
    Remove(Which),
    /// Take no new flows, and keep the old ones for a while
    Drain {
        #[command(flatten)]
        which: Which,

        /// Seconds for which it keeps them; else its own `drain_timeout`, or the service's
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

    #[command(flatten)]
    how: How,
}

impl Which {
    fn names(&self) -> (String, Option<String>) {
        (self.backend.clone(), self.service.clone())
    }
}

/// Does it.
pub(super) async fn run(session: &Session, command: &Command) -> Result<Outcome> {
    let client = &session.client;
    let (how, edit) = match command {
        Command::List { service, watch } => {
            let query = service.as_ref().map(|name| format!("?service={}", segment(name)));
            let path = format!("/v1/backends{}", query.unwrap_or_default());
            return session.show(*watch, async || Ok(client.get::<Vec<Backend>>(&path).await?)).await;
        }
        Command::Add { service, pairs, how } => {
            (how, Edit::AddBackend { service: service.clone(), fields: pairs.fields()? })
        }
        Command::Set { backend, pairs, service, how } => {
            let (backend, service) = (backend.clone(), service.clone());
            (how, Edit::SetBackend { backend, service, fields: pairs.fields()? })
        }
        Command::Remove(which) => {
            let (backend, service) = which.names();
            (&which.how, Edit::RemoveBackend { backend, service })
        }
        Command::Drain { which, timeout } => {
            let (backend, service) = which.names();
            (&which.how, Edit::DrainBackend { backend, service, seconds: *timeout })
        }
        Command::Disable(which) => {
            let (backend, service) = which.names();
            (&which.how, Edit::DisableBackend { backend, service })
        }
        Command::Undrain(which) | Command::Enable(which) => {
            let (backend, service) = which.names();
            (&which.how, Edit::EnableBackend { backend, service })
        }
    };
    make(session, *how, edit).await
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
        BackendState::Draining | BackendState::Leaving | BackendState::Standby => Mood::Changing,
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
        BackendState::Standby => "standby",
        BackendState::Disabled => "disabled",
        BackendState::Leaving => "leaving",
    };
    let mut said = name.to_owned();
    if let Some(reason) = &backend.reason {
        said = format!("{said}: {reason}");
    }
    match (backend.state, backend.safe_to_stop) {
        (BackendState::Down | BackendState::Standby, true) => said,
        (_, true) => format!("{said}: safe to stop"),
        (_, false) => {
            format!("{said}: {} flows, {} slots", backend.pinned, backend.slots + backend.former_slots)
        }
    }
}
