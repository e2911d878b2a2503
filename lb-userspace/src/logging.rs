//! What daemons log: lines for people, on standard error.

use std::io::{self, IsTerminal};

/// Starts it, once in a process. A file or the journal gets no colours.
pub fn start() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
