//! What the program tells of single packets: which, and the ring that it writes them to.

use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData, PerCpuArray, RingBuf};
use lb_common::event::{Event, Sampling};
use lb_common::verdict::{NODE_COUNTERS, NodeCounters};

use super::plain::Plain;

/// The maps of events. Ready to be read from when the file that it is says so.
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

    /// Sets which packets are told of from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn sample(&mut self, sampling: &Sampling) -> Result<()> {
        self.sampling.set(0, Plain(*sampling), 0).context("sampling")
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
