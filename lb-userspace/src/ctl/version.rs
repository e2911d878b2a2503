//! `lbctl version`.

use anyhow::Result;
use serde::Serialize;

use super::outcome::Outcome;
use super::session::Session;
use super::table::{Align, Look, Sheet, Tabular};
use crate::api::Status;

/// Of both programs.
#[derive(Serialize)]
struct Versions {
    lbctl: String,
    lbd: Option<String>,
}

/// Shows the versions. That of lbctl is shown in any case.
pub(super) async fn run(session: &Session) -> Result<Outcome> {
    let status = session.client.get::<Status>("/v1/status").await;
    let (lbd, error) = match status {
        Ok(status) => (Some(status.version), None),
        Err(error) => (None, Some(error)),
    };
    session.print(&Versions { lbctl: env!("CARGO_PKG_VERSION").into(), lbd })?;
    match error {
        Some(error) => Err(error.into()),
        None => Ok(Outcome::Done),
    }
}

impl Tabular for Versions {
    fn table(&self, look: Look) -> String {
        let mut sheet = Sheet::new([("PROGRAM", Align::Left), ("VERSION", Align::Left)]);
        sheet.row(["lbctl", &self.lbctl]);
        sheet.row(["lbd", self.lbd.as_deref().unwrap_or("unknown")]);
        sheet.draw(look)
    }
}
