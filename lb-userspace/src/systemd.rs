//! What systemd is told, if it is who started the program (`sd_notify(3)`): start, reloads, end, and that it still
//! works.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::warn;

/// The start, or a reload, is over. `status` is a line for people.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] says that it is over, however it went.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!("read the clock for systemd: {error}"),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!("tell systemd: {error}; check NOTIFY_SOCKET in the environment");
    }
}

/// Tells systemd again and again that the task which owns this still runs, if it wants to know (`WatchdogSec`).
#[derive(Debug)]
pub struct Watchdog(Option<Interval>);

impl Watchdog {
    /// Twice in the time that systemd waits.
    #[must_use]
    pub fn new() -> Self {
        let wanted = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        Watchdog(wanted.filter(|period| *period > Duration::ZERO).map(|period| {
            let mut due = interval(period);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            due
        }))
    }

    /// Waits until it is time, and tells. Never, if systemd doesn't want to know.
    pub async fn tell(&mut self) {
        match &mut self.0 {
            Some(due) => {
                due.tick().await;
                tell(&[NotifyState::Watchdog]);
            }
            None => std::future::pending().await,
        }
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new()
    }
}
