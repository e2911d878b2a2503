//! The task: from the ring to those who ask.

use std::array;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::Bytes;
use lb_common::event::Sampling;
use lb_common::verdict::{NODE_COUNTERS, NodeCounters};
use nix::time::{ClockId, clock_gettime};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::listeners::Listeners;
use super::names::Names;
use super::packet::Packet;
use super::wanted::{Query, Wanted};
use crate::maps::Events;

/// Packets of each verdict that all CPUs together tell of in a tick of the program's clock, 0.134 s: fewer than the ring
/// holds, and 7,600 a second.
const MOST: u32 = 1024;

/// What each CPU may tell at least, however many there are.
const LEAST: u32 = 16;

/// So many may listen at a time.
const MOST_LISTENERS: usize = 16;

/// Events that are read before others have their turn.
const BATCH: usize = 128;

/// How often those who listen are told what they have lost.
const TELL_OF_LOST: Duration = Duration::from_secs(1);

/// Asks to listen: answered with the lines, until they are dropped.
pub struct Listen {
    /// What is wanted.
    pub query: Query,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<mpsc::Receiver<Bytes>, Refusal>>,
}

/// Why somebody may not listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The query isn't right, and why.
    Query(String),
    /// This many listen already.
    TooMany(usize),
    /// The kernel refuses, with its reason.
    Kernel(String),
}

struct Tracer {
    events: AsyncFd<Events>,
    names: watch::Receiver<Arc<Names>>,
    listeners: Listeners,
    /// What the program was told to tell.
    sampling: Sampling,
    /// What it had lost when that was last looked at.
    lost: NodeCounters,
    /// Somebody has left.
    left: Arc<Notify>,
}

/// Answers requests until nobody can ask any more. While nobody listens, the program tells nothing.
///
/// # Errors
/// The kernel doesn't let the ring be waited for.
pub async fn run(
    events: Events,
    names: watch::Receiver<Arc<Names>>,
    mut requests: mpsc::Receiver<Listen>,
) -> Result<()> {
    let mut tracer = Tracer {
        events: events.awaited()?,
        names,
        listeners: Listeners::default(),
        sampling: Sampling::OFF,
        lost: [0; NODE_COUNTERS],
        left: Arc::default(),
    };
    let left = tracer.left.clone();
    let mut tick = interval(TELL_OF_LOST);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let listening = tracer.listeners.count() > 0;
        tokio::select! {
            request = requests.recv() => match request {
                Some(Listen { query, answer }) => {
                    // Whoever asked may have gone, and the lines with them.
                    let _ = answer.send(tracer.listen(&query));
                }
                None => return Ok(()),
            },
            () = left.notified() => tracer.forget_gone(),
            read = tracer.read(), if listening => read?,
            _ = tick.tick(), if listening => tracer.tell_of_lost(),
        }
    }
}

impl Tracer {
    fn listen(&mut self, query: &Query) -> Result<mpsc::Receiver<Bytes>, Refusal> {
        if self.listeners.count() >= MOST_LISTENERS {
            return Err(Refusal::TooMany(MOST_LISTENERS));
        }
        let wanted = Wanted::new(query, &self.names.borrow());
        let wanted = wanted.map_err(|error| Refusal::Query(format!("{error:#}")))?;
        if self.listeners.count() == 0 {
            self.begin().map_err(|error| Refusal::Kernel(format!("{error:#}")))?;
        }
        let (lines, sender) = self.listeners.add(wanted);
        let left = self.left.clone();
        tokio::spawn(async move {
            sender.closed().await;
            left.notify_one();
        });
        self.sample().map_err(|error| Refusal::Kernel(format!("{error:#}")))?;
        Ok(lines)
    }

    /// Leaves behind what was told to others before.
    fn begin(&mut self) -> Result<()> {
        while self.events.get_mut().next_event().is_some() {}
        self.lost = self.events.get_ref().lost()?;
        Ok(())
    }

    /// Lets the program tell what those who listen want.
    fn sample(&mut self) -> Result<()> {
        let cpus = self.events.get_ref().cpus() as u32;
        let most = if self.listeners.count() > 0 { (MOST / cpus.max(1)).max(LEAST) } else { 0 };
        self.sampling = self.listeners.sampling(most);
        match self.listeners.count() {
            0 => info!("packets aren't shown any more"),
            listeners => info!("packets are shown to {listeners}"),
        }
        self.events.get_mut().sample(&self.sampling)
    }

    fn forget_gone(&mut self) {
        if self.listeners.forget_gone()
            && let Err(error) = self.sample()
        {
            warn!("the program goes on telling of packets: {error:#}");
        }
    }

    /// Passes on what the program tells, some of it at a time.
    async fn read(&mut self) -> Result<()> {
        let mut ready = self.events.readable_mut().await.context("ring of events")?;
        let names = self.names.borrow().clone();
        let started = started();
        for _ in 0..BATCH {
            let Some(event) = ready.get_inner_mut().next_event() else {
                ready.clear_ready();
                return Ok(());
            };
            self.listeners.tell(&event, |event| Packet::new(event, &names, started));
        }
        yield_now().await;
        Ok(())
    }

    fn tell_of_lost(&mut self) {
        match self.events.get_ref().lost() {
            Ok(lost) => {
                let more = array::from_fn(|counter| lost[counter].wrapping_sub(self.lost[counter]));
                self.listeners.tell_of_lost(&more, &self.sampling);
                self.lost = lost;
            }
            Err(error) => warn!("how many packets weren't told of is unknown: {error:#}"),
        }
    }
}

/// The time from 1970 to the start of the clock that events have their time from. It changes when someone sets the
/// node's time.
fn started() -> Duration {
    let now = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    now(ClockId::CLOCK_REALTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}
