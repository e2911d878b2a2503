//! What the program tells of single packets: which, and the ring that it writes them to.

use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData, PerCpuArray, RingBuf};
use aya::util::online_cpus;
use lb_common::event::{Event, Sampling};
use lb_common::verdict::{NODE_COUNTERS, NodeCounters};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::plain::Plain;

/// The maps of events.
pub struct Events {
    sampling: Array<MapData, Plain<Sampling>>,
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, NodeCounters>,
}

impl Events {
    /// Takes the maps by their names. No packet is told of yet.
    pub(super) fn new(mut take: impl FnMut(&str) -> Result<Map>) -> Result<Self> {
        let mut events = Events {
            sampling: Array::try_from(take("SAMPLING")?)?,
            ring: RingBuf::try_from(take("EVENTS")?)?,
            lost: PerCpuArray::try_from(take("EVENTS_LOST")?)?,
        };
        events.sample(&Sampling::OFF)?;
        Ok(events)
    }

    /// Lets tasks wait for events.
    ///
    /// # Errors
    /// The kernel doesn't let the ring be waited for.
    pub fn awaited(self) -> Result<AsyncFd<Events>> {
        // SAFETY: the file is that of the ring, which `self` owns, never replaces, and closes when it is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        registered.map_err(|refused| refused.into_parts().1).context("ring of events")
    }

    /// Sets which packets are told of from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn sample(&mut self, sampling: &Sampling) -> Result<()> {
        self.sampling.set(0, Plain(*sampling), 0).context("sampling")
    }

    /// How many CPUs tell.
    #[must_use]
    pub fn cpus(&self) -> usize {
        online_cpus().map_or(1, |cpus| cpus.len())
    }

    /// The next event, if there is one.
    pub fn next_event(&mut self) -> Option<Event> {
        // The program writes nothing else.
        self.ring.next().and_then(|memory| Event::from_memory(&memory))
    }

    /// How many packets should have been told of and weren't, by verdict, since the program was loaded.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn lost(&self) -> Result<NodeCounters> {
        let mut sum = [0; NODE_COUNTERS];
        for cpu in self.lost.get(&0, 0).context("lost events")?.iter() {
            (0..NODE_COUNTERS).for_each(|i| sum[i] += cpu[i]);
        }
        Ok(sum)
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}
