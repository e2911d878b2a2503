//! A lookup table in the kernel, mapped into this process.
//!
//! Each slot is complete in its one word, so a table may be changed while packets are read through it: they see the
//! former slot or the new one.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use aya::maps::MapData;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use aya_obj::generated::{BPF_F_INNER_MAP, BPF_F_MMAPABLE};
use lb_common::slot::{Slot, SlotPair, is_usual, pairs};

use super::mapped::Mapped;

/// One table: an array of pairs of slots.
pub struct SlotTable {
    memory: Mapped<[AtomicU32; 2]>,
    slots: u32,
}

impl SlotTable {
    /// Creates a table with that content, and the map that it is; no program sees it yet.
    pub fn create(slots: &[Slot]) -> Result<(Self, MapData)> {
        let (entries, pairs) = (slots.len() as u32, pairs(slots.len() as u32) as usize);
        let flags = if is_usual(entries) { BPF_F_MMAPABLE } else { BPF_F_INNER_MAP | BPF_F_MMAPABLE };
        let definition = aya_obj::Map::new_from_params(
            BPF_MAP_TYPE_ARRAY as u32,
            size_of::<u32>() as u32,
            size_of::<SlotPair>() as u32,
            pairs as u32,
            flags,
        );
        let map = MapData::create(definition, "slots", None)?;
        let table = SlotTable { memory: Mapped::new(&map, pairs)?, slots: entries };
        (0..).zip(slots).for_each(|(place, &slot)| table.store(place, slot));
        Ok((table, map))
    }

    /// The table in a map that another process has made. It is as long as the map: what counts of it, its service says.
    pub fn open(map: &MapData) -> Result<Self> {
        let pairs = map.info()?.max_entries();
        Ok(SlotTable { memory: Mapped::new(map, pairs as usize)?, slots: pairs * 2 })
    }

    /// Its slots as they are now.
    pub fn slots(&self) -> Vec<Slot> {
        let words = self.memory.iter().flatten().map(|word| Slot(word.load(Ordering::Relaxed)));
        words.take(self.slots as usize).collect()
    }

    /// Changes one slot; programs see it at once.
    ///
    /// # Panics
    /// There is no such slot.
    pub fn store(&self, place: u32, slot: Slot) {
        assert!(place < self.slots, "slot {place} of {}", self.slots);
        let [even, odd] = &self.memory[place as usize / 2];
        let word = if place.is_multiple_of(2) { even } else { odd };
        word.store(slot.0, Ordering::Relaxed);
    }
}
