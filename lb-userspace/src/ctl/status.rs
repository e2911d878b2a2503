//! `lbctl status`.

use anyhow::Result;

use super::outcome::Outcome;
use super::session::Session;
use super::table::{Align, Look, Sheet, Tabular};
use super::watch::Watch;
use crate::api::Status;

/// Shows the node.
pub(super) async fn run(session: &Session, watch: Watch) -> Result<Outcome> {
    session.show(watch, async || Ok(session.client.get::<Status>("/v1/status").await?)).await
}

impl Tabular for Status {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([("PACKETS", Align::Left), ("COUNT", Align::Right)]);
        let mut row = |name: String, count: u64| sheet.row([name, count.to_string()]);
        row("received".into(), self.received);
        row("forwarded".into(), self.forwarded);
        self.answered.iter().for_each(|(answer, &count)| row(format!("answered: {answer}"), count));
        self.passed.iter().for_each(|(reason, &count)| row(format!("passed: {reason}"), count));
        self.dropped.iter().for_each(|(reason, &count)| row(format!("dropped: {reason}"), count));

        let interfaces: Vec<_> = self
            .interfaces
            .iter()
            .map(|interface| format!("{} ({})", interface.name, interface.mode.name()))
            .collect();
        let interfaces = if interfaces.is_empty() { "no interface".into() } else { interfaces.join(", ") };
        format!("lbd {} on {interfaces}\n{}", self.version, sheet.draw(look))
    }
}
