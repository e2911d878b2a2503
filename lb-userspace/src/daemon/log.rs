//! What the daemon tells of interfaces and tables.

use std::path::Path;

use super::{Attachment, Config, Desired};
use crate::events::{Event, tell};

/// Where the program runs now.
pub(super) fn attached(attachment: &Attachment) {
    let Attachment { interface, mode, note, .. } = attachment;
    tell(Event::Attached { interface: interface.clone(), mode: *mode, note: note.clone() });
}

/// An interface that has gone, and the program with it.
pub(super) fn lost(interface: &str) {
    tell(Event::InterfaceLost { interface: interface.into() });
}

/// A former process's program, on an interface that isn't in the configuration any more.
pub(super) fn left(link: &Path) {
    let interface = link.file_name().unwrap_or_default().to_string_lossy().replace(':', ".");
    tell(Event::Detached { interface });
}

/// Why the program isn't on an interface that is back.
pub(super) fn obstacle(obstacle: &str) {
    tell(Event::NotAttached { reason: obstacle.into() });
}

/// Services that start without some of their backends: other nodes may have another table.
pub(super) fn incomplete_tables(config: &Config, desired: &Desired) {
    for (configured, desired) in config.services.iter().zip(&desired.services) {
        let backends = configured.backends.iter().zip(&desired.backends);
        let missing: Vec<_> = backends
            .filter(|(_, desired)| desired.obstacle.is_some())
            .map(|(configured, _)| configured.name.clone())
            .collect();
        if !missing.is_empty() {
            tell(Event::IncompleteTable { service: configured.name.clone(), missing });
        }
    }
}
