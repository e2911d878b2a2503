//! `lbctl service`.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Subcommand;

use super::change::{How, make};
use super::complete::services;
use super::outcome::Outcome;
use super::pairs::Pairs;
use super::session::Session;
use super::table::{Align, Look, Sheet, Tabular, reasons};
use super::watch::Watch;
use crate::api::Service;
use crate::client::segment;
use crate::config::change::Edit;

/// What is asked or done.
#[derive(Subcommand)]
pub(super) enum Command {
    /// One line each, with counters
    List(Watch),
    /// All that is known of one
    Show {
        /// Its name
        #[arg(add = services())]
        name: String,

        #[command(flatten)]
        watch: Watch,
    },
    /// A new one, as yet without backends: vip, port, protocol and forwarding are needed
    Add {
        /// Its name
        name: String,

        #[command(flatten)]
        pairs: Pairs,

        #[command(flatten)]
        how: How,
    },
    /// Changes fields of one
    Set {
        /// Its name
        #[arg(add = services())]
        name: String,

        #[command(flatten)]
        pairs: Pairs,

        #[command(flatten)]
        how: How,
    },
    /// Takes one out, with its backends and flows
    Remove {
        /// Its name
        #[arg(add = services())]
        name: String,

        #[command(flatten)]
        how: How,
    },
}

/// Does it.
pub(super) async fn run(session: &Session, command: &Command) -> Result<Outcome> {
    let client = &session.client;
    match command {
        Command::List(watch) => {
            session.show(*watch, async || Ok(client.get::<Vec<Service>>("/v1/services").await?)).await
        }
        Command::Show { name, watch } => {
            let path = format!("/v1/services/{}", segment(name));
            session.show(*watch, async || Ok(client.get::<Service>(&path).await?)).await
        }
        Command::Add { name, pairs, how } => {
            let edit = Edit::AddService { service: name.clone(), fields: pairs.fields()? };
            make(session, *how, edit).await
        }
        Command::Set { name, pairs, how } => {
            let edit = Edit::SetService { service: name.clone(), fields: pairs.fields()? };
            make(session, *how, edit).await
        }
        Command::Remove { name, how } => {
            make(session, *how, Edit::RemoveService { service: name.clone() }).await
        }
    }
}

impl Tabular for Vec<Service> {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([
            ("SERVICE", Align::Left),
            ("ADDRESS", Align::Left),
            ("FORWARDING", Align::Left),
            ("BACKENDS", Align::Right),
            ("PACKETS", Align::Right),
            ("BYTES", Align::Right),
            ("DROPPED", Align::Wrapped),
        ]);
        for service in self {
            sheet.row([
                service.name.clone(),
                endpoint(service),
                service.forwarding.clone(),
                service.backends.to_string(),
                service.packets.to_string(),
                service.bytes.to_string(),
                reasons(&service.dropped),
            ]);
        }
        sheet.draw(look)
    }
}

impl Tabular for Service {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([("SERVICE", Align::Left), (&self.name, Align::Wrapped)]);
        let slots = &self.slots;
        let rows = [
            ("address", endpoint(self)),
            ("forwarding", self.forwarding.clone()),
            ("scheduler", self.scheduler.clone()),
            ("backends", self.backends.to_string()),
            ("table size", self.table_size.to_string()),
            ("fingerprint", self.fingerprint.clone()),
            ("generation", self.generation.to_string()),
            ("slots stable", slots.stable.to_string()),
            ("slots migrating", format!("{}, settled in {} s", slots.migrating, slots.settled_in)),
            ("slots tracked", slots.tracked.to_string()),
            ("pins", reasons(&self.pins)),
            ("packets", self.packets.to_string()),
            ("bytes", self.bytes.to_string()),
            ("answered", self.answered.to_string()),
            ("dropped", reasons(&self.dropped)),
        ];
        rows.into_iter().for_each(|(name, value)| sheet.row([name.to_owned(), value]));
        sheet.draw(look)
    }
}

/// As in `192.0.2.1:80/tcp`, `[2001:db8::1]:80/tcp` and `192.0.2.0/24 any/udp`.
fn endpoint(service: &Service) -> String {
    let Service { vip, port, protocol, .. } = service;
    match (port, vip.parse()) {
        (Some(port), Ok(vip)) => format!("{}/{protocol}", SocketAddr::new(vip, *port)),
        (Some(port), Err(_)) => format!("{vip} {port}/{protocol}"),
        (None, _) => format!("{vip} any/{protocol}"),
    }
}
