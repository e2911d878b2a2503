//! A directory in the kernel, mapped into this process; see `lb_common::directory`.

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use aya::maps::MapData;
use lb_common::directory::{Entry, WORDS, place_for, place_of, removed};
use memmap2::{MmapOptions, MmapRaw};

/// One directory.
pub struct Directory<E> {
    memory: MmapRaw,
    bits: u32,
    // The mapping keeps the map alive, but a map that nobody holds is harder to find for those who look into it.
    _map: MapData,
    entries: PhantomData<E>,
}

impl<E: Entry> Directory<E> {
    /// The directory in a map of 2^`bits` entries.
    pub fn new(map: MapData, bits: u32) -> Result<Self> {
        let memory = MmapOptions::new()
            .len((1 << bits) * size_of::<E>())
            .map_raw(map.fd().as_fd().as_raw_fd())
            .context("mapping it into memory")?;
        Ok(Directory { memory, bits, _map: map, entries: PhantomData })
    }

    /// Enters or changes an entry.
    ///
    /// Programs find a new entry only when it is complete. Of a changed one, each word changes at once, but not all of them
    /// together.
    pub fn put(&self, entry: &E) -> Result<()> {
        let Some(place) = place_for(&entry.key(), self.bits, |place| self.entry(place)) else {
            bail!("no room near its place; raise maps.services in the configuration")
        };
        let words = entry.words();
        for word in (0..WORDS).filter(|&word| word != E::FLAGS_WORD) {
            self.word(place, word).store(words[word], Ordering::Relaxed);
        }
        self.word(place, E::FLAGS_WORD).store(words[E::FLAGS_WORD], Ordering::Release);
        Ok(())
    }

    /// Takes an entry out.
    pub fn remove(&self, key: &E::Key) {
        if let Some(place) = place_of::<E>(key, self.bits, |place| self.entry(place)) {
            self.word(place, E::FLAGS_WORD).store(removed(), Ordering::Release);
        }
    }

    fn entry(&self, place: u32) -> E {
        E::from_words(std::array::from_fn(|word| self.word(place, word).load(Ordering::Relaxed)))
    }

    fn word(&self, place: u32, word: usize) -> &AtomicU64 {
        assert!(place < 1 << self.bits && word < WORDS, "word {word} of place {place}");
        let octet = place as usize * size_of::<E>() + word * size_of::<u64>();
        let octet = self.memory.as_mut_ptr().wrapping_add(octet);
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins on a page")]
        let word = octet.cast::<AtomicU64>();
        // SAFETY: the mapping holds 2^bits entries, aligned, and lives as long as `self`; what other processes and the
        // kernel do to them at the same time is what atomics are for.
        unsafe { &*word }
    }
}
