//! To whom questions go, and how answers are printed.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde::Serialize;

use super::arguments::{Arguments, Output};
use super::outcome::Outcome;
use super::table::{Look, Tabular};
use super::watch::Watch;
use crate::client::{Client, Tls};

/// One run of `lbctl`.
pub(super) struct Session {
    /// Who is asked.
    pub client: Client,
    /// How answers are printed.
    pub output: Output,
    /// What tables look like.
    pub look: Look,
}

impl Session {
    /// # Errors
    /// What was typed doesn't say who is asked, or a certificate can't be used.
    pub fn new(arguments: &Arguments) -> Result<Self> {
        let client = client(arguments)?;
        Ok(Session { client, output: arguments.output, look: Look::of_stdout() })
    }

    /// Prints an answer, or the answers to a question that is asked again and again.
    ///
    /// # Errors
    /// Those of the first question; standard output can't be written.
    pub async fn show<T: Serialize + Tabular>(
        &self,
        watch: Watch,
        ask: impl AsyncFn() -> Result<T>,
    ) -> Result<Outcome> {
        let Some(pause) = watch.pause() else { return self.print(&ask().await?) };
        let first = self.text(&ask().await?)?;
        watch.run(self, pause, first, async || self.text(&ask().await?)).await
    }

    /// Prints an answer.
    ///
    /// # Errors
    /// Standard output can't be written.
    pub fn print<T: Serialize + Tabular>(&self, answer: &T) -> Result<Outcome> {
        say(&self.text(answer)?).map(|_| Outcome::Done)
    }

    fn text<T: Serialize + Tabular>(&self, answer: &T) -> Result<String> {
        Ok(match self.output {
            Output::Table => answer.table(self.look),
            Output::Json => serde_json::to_string_pretty(answer)?,
            Output::Yaml => serde_saphyr::to_string(answer)?.trim_end().to_owned(),
        })
    }
}

fn client(arguments: &Arguments) -> Result<Client> {
    let Arguments { socket, url, cert, key, ca, .. } = arguments;
    match (url, cert, key, ca) {
        (Some(url), Some(cert), Some(key), Some(ca)) => Ok(Client::over_tls(Tls::new(url, cert, key, ca)?)),
        (None, None, None, None) => Ok(Client::on_socket(socket)),
        _ => {
            let kind = ErrorKind::MissingRequiredArgument;
            let wanted = "--url, --cert, --key and --ca are needed together";
            Err(Arguments::command().error(kind, wanted).into())
        }
    }
}

/// Prints text and a line break. Returns whether someone goes on reading: whoever closes the pipe, as
/// `lbctl … | head -1` does, has seen enough.
///
/// # Errors
/// Standard output can't be written.
pub(super) fn say(text: &str) -> Result<bool> {
    let mut stdout = io::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output"),
    }
}
