//! What happens to the daemon and around it: said in the log, and kept for those who ask later.
//!
//! As there is one log in a process, there is one journal.

mod event;
mod health;
mod journal;

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use crate::utc::utc;
pub use event::{Event, Level};
pub use health::HealthNews;
pub use journal::{Entry, Journal};

/// Events that are kept.
const KEPT: usize = 4096;

static JOURNAL: LazyLock<Journal> = LazyLock::new(|| Journal::new(KEPT));

/// Says an event in the log and keeps it.
pub fn tell(event: Event) {
    // What is wrong with a configuration has a line for each error.
    for line in event.to_string().lines() {
        match event.level() {
            Level::Info => info!("{line}"),
            Level::Warn => warn!("{line}"),
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    JOURNAL.keep(utc(now), event);
}

/// The events of this process.
#[must_use]
pub fn journal() -> &'static Journal {
    &JOURNAL
}
