//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// How long anything may take that takes milliseconds on an idle machine.
///
/// Long enough for a busy or emulated one; a test that fails is the only one that waits so long.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(3);

/// Waits until `condition` gives a value.
///
/// # Errors
/// The condition's own error, at once; that it did not come true within [`PATIENCE`]; Ctrl-C.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        interrupt::check()?;
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if Instant::now() > end {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        thread::sleep(PAUSE);
    }
}

/// Waits, even after Ctrl-C, until `condition` gives a value; `None` if it didn't within `limit`.
pub fn while_cleaning_up<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let value = condition();
        if value.is_some() || Instant::now() > end {
            return value;
        }
        thread::sleep(PAUSE);
    }
}
