//! A lookup table in the kernel, mapped into this process.
//!
//! Each slot is complete in its one word, so a table may be changed while packets are read through it: they see the
//! former slot or the new one. A store through the mapping takes a nanosecond, where a system call would take 600.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use aya::maps::MapData;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use aya_obj::generated::{BPF_F_INNER_MAP, BPF_F_MMAPABLE};
use lb_common::slot::{Slot, SlotPair};
use memmap2::{MmapOptions, MmapRaw};

/// One table: an array of pairs of slots.
///
/// The mapping keeps the map.
pub struct SlotTable {
    memory: MmapRaw,
    slots: u32,
}

impl SlotTable {
    /// Creates a table with that content, and the map that it is; no program sees it yet.
    pub fn create(slots: &[Slot]) -> Result<(Self, MapData)> {
        let pairs = slots.len().div_ceil(2);
        let definition = aya_obj::Map::new_from_params(
            BPF_MAP_TYPE_ARRAY as u32,
            size_of::<u32>() as u32,
            size_of::<SlotPair>() as u32,
            pairs as u32,
            BPF_F_INNER_MAP | BPF_F_MMAPABLE,
        );
        let map = MapData::create(definition, "slots", None)?;
        let memory = MmapOptions::new()
            .len(pairs * size_of::<SlotPair>())
            .map_raw(map.fd().as_fd().as_raw_fd())
            .context("mapping it into memory")?;
        let table = SlotTable { memory, slots: slots.len() as u32 };
        (0..).zip(slots).for_each(|(place, &slot)| table.store(place, slot));
        Ok((table, map))
    }

    /// Changes one slot; programs see it at once.
    ///
    /// # Panics
    /// There is no such slot.
    pub fn store(&self, place: u32, slot: Slot) {
        assert!(place < self.slots, "slot {place} of {}", self.slots);
        let octet = self.memory.as_mut_ptr().wrapping_add(place as usize * size_of::<AtomicU32>());
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins on a page")]
        let word = octet.cast::<AtomicU32>();
        // SAFETY: the mapping holds at least `slots` words, aligned, and lives as long as `self`; what other processes
        // and the kernel do to them at the same time is what atomics are for.
        let word = unsafe { &*word };
        word.store(slot.0, Ordering::Relaxed);
    }
}
