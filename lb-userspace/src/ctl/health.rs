//! `lbctl health`.

use anyhow::Result;
use clap::Args;
use comfy_table::Cell;

use super::complete::services;
use super::outcome::Outcome;
use super::session::Session;
use super::table::{Align, Look, Mood, Sheet, Tabular, coloured, in_mood};
use super::watch::Watch;
use crate::api::{Check, CheckState, Health, ServiceHealth};
use crate::client::segment;

/// Which checks.
#[derive(Args)]
pub(super) struct Arguments {
    /// Only those of this service's backends
    #[arg(long, value_name = "NAME", add = services())]
    service: Option<String>,

    #[command(flatten)]
    watch: Watch,
}

/// Shows them.
pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Outcome> {
    let path = match &arguments.service {
        Some(service) => format!("/v1/health?service={}", segment(service)),
        None => "/v1/health".into(),
    };
    session.show(arguments.watch, async || Ok(session.client.get::<Health>(&path).await?)).await
}

impl Tabular for Health {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([
            ("SERVICE", Align::Left),
            ("BACKEND", Align::Left),
            ("CHECK", Align::Left),
            ("STATE", Align::Left),
            ("STREAK", Align::Right),
            ("NEXT", Align::Right),
            ("LAST RESULT", Align::Wrapped),
        ]);
        for check in &self.checks {
            sheet.row([
                Cell::new(&check.service),
                Cell::new(&check.backend),
                Cell::new(what(check)),
                in_mood(state(check), mood(check.state)),
                Cell::new(streak(check)),
                Cell::new(check.next.map_or("now".into(), |next| format!("{next:.1} s"))),
                Cell::new(check.result.as_deref().unwrap_or("none yet")),
            ]);
        }
        let mut lines: Vec<String> =
            self.services.iter().filter_map(|service| alarm(service, look)).collect();
        if self.checks.is_empty() {
            lines.push("no backend is checked: no service has health".into());
        } else {
            lines.push(sheet.draw(look));
        }
        lines.join("\n")
    }
}

/// As in `http to 192.0.2.1:80` and `tcp direct to 10.0.0.1:80`.
fn what(check: &Check) -> String {
    let direct = if check.via == "direct" { " direct" } else { "" };
    format!("{}{direct} to {}", check.kind, check.address)
}

/// As in `up`, `up, 40 % of its weight`, `held for 12 s` and `down, but used`.
fn state(check: &Check) -> String {
    let until = check.until.map(|until| format!(" for {until:.0} s")).unwrap_or_default();
    let name = match check.state {
        CheckState::Unknown => "unknown",
        CheckState::Up => "up",
        CheckState::Down => "down",
        CheckState::Held => "held",
        CheckState::Ejected => "ejected",
        CheckState::OnTrial => "on trial",
    };
    let share = check.share * 100.0;
    match (check.state, check.takes_new) {
        (CheckState::Up | CheckState::OnTrial, true) if share < 100.0 => {
            format!("{name}, {share:.0} % of its weight")
        }
        (CheckState::Up | CheckState::OnTrial | CheckState::Unknown, true) => name.into(),
        (CheckState::Up | CheckState::OnTrial, false) => format!("{name}, not used"),
        (CheckState::Down | CheckState::Held | CheckState::Ejected, true) => {
            format!("{name}{until}, but used")
        }
        (CheckState::Unknown | CheckState::Down | CheckState::Held | CheckState::Ejected, false) => {
            format!("{name}{until}")
        }
    }
}

fn mood(state: CheckState) -> Mood {
    match state {
        CheckState::Up => Mood::Good,
        CheckState::Unknown | CheckState::Held | CheckState::OnTrial => Mood::Changing,
        CheckState::Down | CheckState::Ejected => Mood::Bad,
    }
}

/// As in `12 passed`.
fn streak(check: &Check) -> String {
    match check.is_passing {
        Some(true) => format!("{} passed", check.streak),
        Some(false) => format!("{} failed", check.streak),
        None => "-".into(),
    }
}

/// What is out of the ordinary with a service.
fn alarm(service: &ServiceHealth, look: Look) -> Option<String> {
    let ServiceHealth { service: name, healthy, backends, .. } = service;
    let of = format!("service {name}: {healthy} of {backends} backends are healthy");
    let obstructed;
    let what = match service {
        ServiceHealth { obstacle: Some(obstacle), .. } => {
            obstructed = format!("they can't be checked: {obstacle}");
            &obstructed
        }
        ServiceHealth { all_down: true, .. } => "none can serve",
        ServiceHealth { panic: true, .. } => "panic: checks are ignored",
        ServiceHealth { up: false, .. } => "too few for it to count as up",
        ServiceHealth { backups: true, .. } => "backups are used",
        _ => return None,
    };
    Some(coloured(&format!("{of}; {what}"), Mood::Bad, look))
}
