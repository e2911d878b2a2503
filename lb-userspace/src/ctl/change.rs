//! Changes of the configuration: how they are asked for, and what is said of them.

use std::fmt::Write;

use anyhow::Result;
use axum::http::StatusCode;
use clap::Args;
use serde::Serialize;

use super::outcome::Outcome;
use super::session::Session;
use super::table::{Look, Tabular};
use crate::api::config::{BackendEffect, Changed, ServiceEffect, What};
use crate::client;
use crate::config::change::{Change, Edit, Edits};

/// How a change is made.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct How {
    /// Also if it may do damage: what is asked about otherwise
    #[arg(long)]
    pub yes: bool,

    /// Only if the running configuration is of this generation, as lbctl config show has it
    #[arg(long, value_name = "NUMBER")]
    pub generation: Option<u64>,
}

/// Makes an edit, and says what it did.
pub(super) async fn make(session: &Session, how: How, edit: Edit) -> Result<Outcome> {
    let edits = Edits { edits: vec![edit], generation: how.generation, confirmed: how.yes };
    ask(session, "/v1/changes", &edits).await
}

/// Asks for a change, and says what it did.
pub(super) async fn ask<Q: Serialize>(session: &Session, path: &str, question: &Q) -> Result<Outcome> {
    let changed: Changed = session.client.post(path, question).await.map_err(with_remedy)?;
    session.print(&changed)
}

/// What may do damage is done with `--yes`.
pub(super) fn with_remedy(error: client::Error) -> anyhow::Error {
    match error {
        client::Error::Refused(mut problem) if problem.status.0 == StatusCode::CONFLICT => {
            problem.details.push("add --yes to do it".into());
            client::Error::Refused(problem).into()
        }
        other => other.into(),
    }
}

impl Tabular for Changed {
    fn table(&self, _: Look) -> String {
        let mut text = String::new();
        for dropped in &self.dropped {
            line(&mut text, format_args!("dropped: {}; {}", dropped.change, dropped.reason));
        }
        if self.changes.is_empty() {
            line(&mut text, format_args!("Nothing changes."));
        }
        text.push_str(&lines(&self.changes));
        if !self.kept.is_empty() {
            line(&mut text, format_args!("\nChanged since the file was saved, and still is:"));
            text.push_str(&lines(&self.kept));
        }
        if !self.changes.is_empty() {
            text.push('\n');
            self.effect.services.iter().for_each(|service| of_service(&mut text, service));
            line(
                &mut text,
                format_args!("Writes to maps: {}. {}", self.effect.writes, settled(self.effect.settled_in)),
            );
        }
        for danger in &self.dangers {
            line(&mut text, format_args!("Mind: {danger}"));
        }
        text.trim_end().to_owned()
    }
}

/// Changes, a line each.
pub(super) fn lines(changes: &[Change]) -> String {
    let mut text = String::new();
    changes.iter().for_each(|change| line(&mut text, format_args!("{change}")));
    text
}

fn of_service(text: &mut String, service: &ServiceEffect) {
    let ServiceEffect { service: name, what, slots, slots_moved, settled_in, backends } = service;
    match what {
        What::Added => line(text, format_args!("{name} is added")),
        What::Removed => line(text, format_args!("{name} is removed: its flows end at once")),
        What::Changed if *slots_moved == 0 => line(text, format_args!("{name}: no slots move")),
        What::Changed => {
            line(text, format_args!("{name}: {slots_moved} of {slots} slots move. {}", settled(*settled_in)));
        }
    }
    backends.iter().for_each(|backend| of_backend(text, backend));
}

fn of_backend(text: &mut String, effect: &BackendEffect) {
    let BackendEffect { backend, address, what, slots_before, slots, note } = effect;
    let verb = match what {
        What::Added => "is added",
        What::Removed => "leaves",
        What::Changed => "changes",
    };
    let at = if backend.parse().is_ok_and(|named: std::net::IpAddr| named == *address) {
        String::new()
    } else {
        format!(" at {address}")
    };
    let note = note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    line(text, format_args!("  {backend}{at} {verb}: {slots_before} -> {slots} slots{note}"));
}

fn settled(seconds: u64) -> String {
    match seconds {
        0 => "Settled at once.".into(),
        seconds => format!("Settled in {seconds} s, if nothing else changes."),
    }
}

fn line(text: &mut String, words: std::fmt::Arguments) {
    // A string takes all.
    let _ = writeln!(text, "{words}");
}
