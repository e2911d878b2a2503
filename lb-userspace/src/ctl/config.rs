//! `lbctl config`, `lbctl plan`, `lbctl apply` and `lbctl reload`.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::change::{How, ask, lines, with_remedy};
use super::outcome::Outcome;
use super::session::Session;
use super::table::{Look, Tabular};
use crate::api::Backend;
use crate::api::config::{Changed, Order, Saved, Shown, Unreached, Wanted};
use crate::config::Config;
use crate::config::change::Change;

/// How long `apply` waits for neighbours that the kernel asks for: it gives up after three seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked or done.
#[derive(Subcommand)]
pub(super) enum Command {
    /// What runs, as YAML; the key of the flow hash isn't shown
    Show {
        /// What the file says instead, as it was read last
        #[arg(long)]
        saved: bool,
    },
    /// Whether a file is a valid configuration; lbd isn't needed for that
    Check {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// What was changed since lbd's file was read
    Diff,
    /// Writes what runs into lbd's file, and keeps the former one beside it
    Save {
        /// Only if the running configuration is of this generation
        #[arg(long, value_name = "NUMBER")]
        generation: Option<u64>,
    },
    /// Drops what was changed since lbd's file was read
    Revert(How),
}

/// What `lbctl plan` is asked.
#[derive(Args)]
pub(super) struct Plan {
    /// The configuration; - for standard input
    file: PathBuf,
}

/// What `lbctl apply` is told.
#[derive(Args)]
pub(super) struct Apply {
    /// The configuration; - for standard input
    file: PathBuf,

    #[command(flatten)]
    how: How,

    /// Don't wait until it is known of every backend whether it can be reached
    #[arg(long)]
    no_wait: bool,
}

/// Does it.
pub(super) async fn run(session: &Session, command: &Command) -> Result<Outcome> {
    match command {
        Command::Show { saved } => {
            let shown: Shown = session.client.get("/v1/config").await?;
            let Shown { generation, file, running, saved: of_file, .. } = shown;
            let yaml = if *saved { of_file } else { running };
            session.print(&Text { generation, file, yaml })
        }
        Command::Check { file } => {
            let (name, text) = read(file)?;
            Config::parse(&text, Path::new(&name))?;
            session.print(&Checked { file: name })
        }
        Command::Diff => {
            let shown: Shown = session.client.get("/v1/config").await?;
            let Shown { generation, file, changes, .. } = shown;
            let outcome = if changes.is_empty() { Outcome::Done } else { Outcome::Changes };
            session.print(&Differences { generation, file, changes })?;
            Ok(outcome)
        }
        Command::Save { generation } => {
            let order = Order { generation: *generation, confirmed: false };
            session.print(&session.client.post::<_, Saved>("/v1/config/save", &order).await?)
        }
        Command::Revert(how) => ask(session, "/v1/config/revert", &order(*how)).await,
    }
}

/// Reads lbd's file again.
pub(super) async fn reload(session: &Session, how: How) -> Result<Outcome> {
    ask(session, "/v1/config/reload", &order(how)).await
}

/// Says what a file would change.
pub(super) async fn plan(session: &Session, plan: &Plan) -> Result<Outcome> {
    let (file, text) = read(&plan.file)?;
    let wanted = Wanted { file, text, ..Wanted::default() };
    let changed: Changed = session.client.post("/v1/config/plan", &wanted).await?;
    session.print(&changed)?;
    Ok(if changed.changes.is_empty() { Outcome::Done } else { Outcome::Changes })
}

/// Makes a file's content the running configuration.
pub(super) async fn apply(session: &Session, apply: &Apply) -> Result<Outcome> {
    let (file, text) = read(&apply.file)?;
    let How { yes, generation } = apply.how;
    let wanted = Wanted { file, text, generation, confirmed: yes };
    let changed = session.client.post("/v1/config/apply", &wanted).await.map_err(with_remedy)?;
    let unreached = if apply.no_wait { Vec::new() } else { wait(session).await? };
    session.print(&Applied { changed, unreached })
}

/// Waits until it is known of every backend whether it can be reached. Returns those that can't.
async fn wait(session: &Session) -> Result<Vec<Unreached>> {
    let end = Instant::now() + PATIENCE;
    loop {
        let shown: Shown = session.client.get("/v1/config").await?;
        if shown.pending.is_empty() || Instant::now() >= end {
            break;
        }
        sleep(PAUSE).await;
    }
    let backends: Vec<Backend> = session.client.get("/v1/backends").await?;
    let unreached = backends.into_iter().filter_map(|backend| {
        let Backend { service, name, reason, .. } = backend;
        Some(Unreached { service, backend: name, reason: reason? })
    });
    Ok(unreached.collect())
}

fn order(how: How) -> Order {
    Order { generation: how.generation, confirmed: how.yes }
}

/// A file's name and text.
fn read(file: &Path) -> Result<(String, String)> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        return Ok(("standard input".into(), text));
    }
    Ok((file.display().to_string(), Config::text(file)?))
}

/// A configuration's text.
#[derive(Serialize)]
struct Text {
    generation: u64,
    file: String,
    yaml: String,
}

impl Tabular for Text {
    fn table(&self, _: Look) -> String {
        format!("# generation {}, from {}\n{}", self.generation, self.file, self.yaml.trim_end())
    }
}

#[derive(Serialize)]
struct Checked {
    file: String,
}

impl Tabular for Checked {
    fn table(&self, _: Look) -> String {
        format!("{}: valid", self.file)
    }
}

#[derive(Serialize)]
struct Differences {
    generation: u64,
    file: String,
    changes: Vec<Change>,
}

impl Tabular for Differences {
    fn table(&self, _: Look) -> String {
        if self.changes.is_empty() {
            return format!("{} says what runs.", self.file);
        }
        lines(&self.changes).trim_end().to_owned()
    }
}

impl Tabular for Saved {
    fn table(&self, _: Look) -> String {
        let Saved { file, former, changes, rewritten } = self;
        let Some(former) = former else { return format!("{file} says what runs; nothing was written.") };
        let mut text = lines(changes);
        // A string takes all.
        let _ = write!(text, "Saved: {file}. The former one is {former}");
        text.push_str(if *rewritten { ", with the comments and the layout, which were lost." } else { "." });
        text
    }
}

#[derive(Serialize)]
struct Applied {
    #[serde(flatten)]
    changed: Changed,
    /// Backends that can't be reached.
    unreached: Vec<Unreached>,
}

impl Tabular for Applied {
    fn table(&self, look: Look) -> String {
        let mut text = self.changed.table(look);
        for Unreached { service, backend, reason } in &self.unreached {
            // A string takes all.
            let _ = write!(text, "\n{service} runs without {backend}: {reason}");
        }
        text
    }
}
