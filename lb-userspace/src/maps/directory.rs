//! A directory in the kernel, mapped into this process; see `lb_common::directory`.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};
use aya::maps::MapData;
use lb_common::directory::{Entry, MOST_WORDS, is_present, place_for, place_of, removed};

use super::mapped::Mapped;

/// One directory.
pub struct Directory<E> {
    memory: Mapped<AtomicU64>,
    places: u32,
    // The mapping keeps the map alive, but a map that nobody holds is harder to find for those who look into it.
    _map: MapData,
    entries: PhantomData<E>,
}

impl<E: Entry> Directory<E> {
    /// The directory in a map of so many entries.
    pub fn new(map: MapData, places: u32) -> Result<Self> {
        let words = E::WORDS * places as usize;
        Ok(Directory { memory: Mapped::new(&map, words)?, places, _map: map, entries: PhantomData })
    }

    /// Enters or changes an entry.
    ///
    /// Programs find a new entry only when it is complete. Of a changed one, each word changes at once, but not all of them
    /// together.
    pub fn put(&self, entry: &E) -> Result<()> {
        let Some(place) = place_for(&entry.key(), self.places, |place| self.entry(place)) else {
            bail!("no room near its place; raise maps.services in the configuration")
        };
        let words = entry.words();
        for word in (0..E::WORDS).filter(|&word| word != E::FLAGS_WORD) {
            self.word(place, word).store(words[word], Ordering::Relaxed);
        }
        self.word(place, E::FLAGS_WORD).store(words[E::FLAGS_WORD], Ordering::Release);
        Ok(())
    }

    /// Takes an entry out.
    pub fn remove(&self, key: &E::Key) {
        if let Some(place) = place_of::<E>(key, self.places, |place| self.entry(place)) {
            self.word(place, E::FLAGS_WORD).store(removed(), Ordering::Release);
        }
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = E> {
        (0..self.places).map(|place| self.entry(place)).filter(is_present)
    }

    fn entry(&self, place: u32) -> E {
        let mut words = [0; MOST_WORDS];
        for (number, word) in words.iter_mut().enumerate().take(E::WORDS) {
            *word = self.word(place, number).load(Ordering::Relaxed);
        }
        E::from_words(words)
    }

    fn word(&self, place: u32, word: usize) -> &AtomicU64 {
        &self.memory[place as usize * E::WORDS + word]
    }
}
