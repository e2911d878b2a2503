//! Ctrl-C and its relatives: noted when they come, obeyed where we wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// From now on these signals no longer end the process: the waiting functions return an error instead, and what was
/// started is stopped on the way out.
///
/// # Errors
/// The kernel refuses a signal handler.
pub fn watch() -> Result<()> {
    if SIGNAL.get().is_some() {
        return Ok(());
    }
    let signal = Arc::clone(SIGNAL.get_or_init(Arc::default));
    for number in [SIGHUP, SIGINT, SIGTERM] {
        let value = number.unsigned_abs() as usize;
        signal_hook::flag::register_usize(number, Arc::clone(&signal), value).context("signal handler")?;
    }
    Ok(())
}

/// # Errors
/// A signal has asked us to end.
pub fn check() -> Result<()> {
    match number() {
        Some(number) => bail!("interrupted by signal {number}"),
        None => Ok(()),
    }
}

/// Waits for a signal.
pub fn wait() {
    while number().is_none() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// The exit code of a program that a signal has ended, as shells count: 130 after Ctrl-C.
#[must_use]
pub fn exit_code() -> Option<u8> {
    Some(128 + number()?)
}

static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

fn number() -> Option<u8> {
    let number = SIGNAL.get()?.load(Ordering::Relaxed);
    (number != 0).then_some(number as u8)
}
