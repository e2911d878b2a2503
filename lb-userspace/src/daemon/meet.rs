//! Backends that are about to come: the ways to them are asked for before anything changes, so that new flows go to them
//! at once, and slots move once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::next_hop::{NextHops, Unresolved};

/// How long whoever asks is kept waiting: the kernel asks neighbours once a second.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long the ways are asked for after that, while the change is on its way.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    meetings: Vec<Meeting>,
}

#[derive(Debug)]
struct Meeting {
    addresses: BTreeSet<IpAddr>,
    since: Instant,
    /// None once it was answered.
    reply: Option<oneshot::Sender<()>>,
}

impl Meetings {
    /// Someone wants to know the ways to `addresses`, of which `known` are asked for anyway.
    pub fn add(
        &mut self,
        addresses: &BTreeSet<IpAddr>,
        known: &BTreeSet<IpAddr>,
        reply: oneshot::Sender<()>,
    ) {
        let addresses: BTreeSet<_> = addresses.difference(known).copied().collect();
        if addresses.is_empty() {
            // Whoever asked may have gone.
            let _ = reply.send(());
        } else {
            self.meetings.push(Meeting { addresses, since: Instant::now(), reply: Some(reply) });
        }
    }

    /// Addresses that the ways are asked to for their sake.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.meetings.iter().flat_map(|meeting| meeting.addresses.iter().copied())
    }

    /// Answers those who know now, or have waited long enough.
    pub fn follow(&mut self, next_hops: &NextHops, now: Instant) {
        let is_open =
            |address: &IpAddr| matches!(next_hops.get(address), None | Some(Err(Unresolved::Pending { .. })));
        for meeting in &mut self.meetings {
            if (!meeting.addresses.iter().any(is_open) || now >= meeting.since + PATIENCE)
                && let Some(reply) = meeting.reply.take()
            {
                let _ = reply.send(());
            }
        }
        self.meetings.retain(|meeting| now < meeting.since + PATIENCE + AFTERWARDS);
    }
}
