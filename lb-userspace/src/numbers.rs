//! Numbers that the maps know things by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Who has which number. A number that was given back isn't given to another one before it is released.
#[derive(Clone, Debug)]
pub struct Numbers<K> {
    held: BTreeMap<K, u32>,
    /// Given back; something may still name them.
    returned: BTreeSet<u32>,
    free: BTreeSet<u32>,
    /// Those that nobody ever had.
    fresh: Range<u32>,
}

impl<K: Ord + Clone> Numbers<K> {
    /// Numbers from a range.
    #[must_use]
    pub fn new(range: Range<u32>) -> Self {
        Numbers { held: BTreeMap::new(), returned: BTreeSet::new(), free: BTreeSet::new(), fresh: range }
    }

    /// Numbers from a range, of which these are held, and those were given back and not released. None if one isn't in the
    /// range, or is there twice.
    #[must_use]
    pub fn restore(
        range: Range<u32>,
        held: impl IntoIterator<Item = (K, u32)>,
        returned: &BTreeSet<u32>,
    ) -> Option<Self> {
        let held: BTreeMap<K, u32> = held.into_iter().collect();
        let mut used = returned.clone();
        let all_new = held.values().all(|&number| used.insert(number));
        if !all_new || !used.iter().all(|number| range.contains(number)) {
            return None;
        }
        let fresh = used.last().map_or(range.start, |last| last + 1);
        let free = (range.start..fresh).filter(|number| !used.contains(number)).collect();
        Some(Numbers { held, returned: returned.clone(), free, fresh: fresh..range.end })
    }

    /// Who has which number.
    pub fn held(&self) -> impl Iterator<Item = (&K, u32)> {
        self.held.iter().map(|(key, &number)| (key, number))
    }

    /// Numbers that were given back and that aren't free yet.
    #[must_use]
    pub fn returned(&self) -> &BTreeSet<u32> {
        &self.returned
    }

    /// The number of `key`: the one that it has, else the lowest that is free. `None` if none is.
    pub fn of(&mut self, key: &K) -> Option<u32> {
        if let Some(&number) = self.held.get(key) {
            return Some(number);
        }
        let number = self.free.pop_first().or_else(|| self.fresh.next())?;
        self.held.insert(key.clone(), number);
        Some(number)
    }

    /// Takes the number from `key`; it isn't free before it is released.
    pub fn give_back(&mut self, key: &K) {
        self.returned.extend(self.held.remove(key));
    }

    /// Frees the numbers that were given back and that nothing names any more.
    pub fn release(&mut self, is_named: impl Fn(u32) -> bool) {
        let (named, free) =
            std::mem::take(&mut self.returned).into_iter().partition(|&number| is_named(number));
        self.returned = named;
        self.free.extend::<BTreeSet<u32>>(free);
    }

    /// Whether each of these keys has a number or could get one now.
    #[must_use]
    pub fn has_room(&self, keys: &BTreeSet<K>) -> bool {
        let new = keys.iter().filter(|key| !self.held.contains_key(key)).count();
        new <= self.free.len() + self.fresh.len()
    }

    /// Whether numbers were given back that aren't free yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.returned.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_waits_until_nothing_names_it() {
        let mut numbers = Numbers::new(1..4);
        assert_eq!(
            ["a", "b", "a", "c", "d"].map(|key| numbers.of(&key)),
            [Some(1), Some(2), Some(1), Some(3), None]
        );
        numbers.give_back(&"b");
        numbers.give_back(&"never there");
        assert_eq!((numbers.of(&"d"), numbers.waits()), (None, true));
        assert!(numbers.has_room(&["a", "c"].into()) && !numbers.has_room(&["a", "d"].into()));
        numbers.release(|number| number == 2);
        assert_eq!((numbers.of(&"d"), numbers.waits()), (None, true));
        numbers.release(|_| false);
        assert_eq!((numbers.of(&"d"), numbers.of(&"b"), numbers.waits()), (Some(2), None, false));
    }

    #[test]
    fn numbers_are_restored_as_they_were() {
        let mut numbers = Numbers::restore(1..6, [("a", 2), ("b", 4)], &[1].into()).unwrap();
        assert_eq!(["c", "d", "e"].map(|key| numbers.of(&key)), [Some(3), Some(5), None]);
        numbers.release(|_| false);
        assert_eq!(numbers.of(&"e"), Some(1));
        assert!(Numbers::restore(1..4, [("a", 2), ("b", 4)], &[].into()).is_none());
        assert!(Numbers::restore(1..6, [("a", 2), ("b", 4)], &[4].into()).is_none());
    }
}
