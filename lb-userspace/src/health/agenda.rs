//! What is to be done when.

use std::collections::{BTreeMap, BTreeSet};

use super::moment::Moment;

/// Things to be done, each at one time.
#[derive(Clone, Debug)]
pub struct Agenda<K> {
    times: BTreeMap<K, Moment>,
    order: BTreeSet<(Moment, K)>,
}

impl<K: Ord + Clone> Agenda<K> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Agenda { times: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Enters something for a time; it was perhaps entered for another.
    pub fn put(&mut self, key: K, due: Moment) {
        self.remove(&key);
        self.order.insert((due, key.clone()));
        self.times.insert(key, due);
    }

    /// Crosses something out.
    pub fn remove(&mut self, key: &K) {
        if let Some(due) = self.times.remove(key) {
            self.order.remove(&(due, key.clone()));
        }
    }

    /// Takes what has been due for the longest time, and when it was; none if nothing is due.
    pub fn take_due(&mut self, now: Moment) -> Option<(K, Moment)> {
        self.next().filter(|&due| due <= now)?;
        let (due, key) = self.order.pop_first()?;
        self.times.remove(&key);
        Some((key, due))
    }

    /// When the next thing is due.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.order.first().map(|(due, _)| *due)
    }

    /// When something is due.
    #[must_use]
    pub fn due(&self, key: &K) -> Option<Moment> {
        self.times.get(key).copied()
    }
}

impl<K: Ord + Clone> Default for Agenda<K> {
    fn default() -> Self {
        Agenda::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn things_are_due_in_order_and_once() {
        let at = |seconds| Moment(Duration::from_secs(seconds));
        let mut agenda = Agenda::new();
        for (key, second) in [("a", 5), ("b", 3), ("c", 4), ("a", 2), ("d", 3), ("b", 9)] {
            agenda.put(key, at(second));
        }
        agenda.remove(&"d");
        assert_eq!((agenda.next(), agenda.due(&"b"), agenda.due(&"d")), (Some(at(2)), Some(at(9)), None));
        assert_eq!(agenda.take_due(at(1)), None);
        assert_eq!(agenda.take_due(at(6)), Some(("a", at(2))));
        assert_eq!(agenda.take_due(at(6)), Some(("c", at(4))));
        assert_eq!(agenda.take_due(at(6)), None);
        assert_eq!(agenda.take_due(at(9)), Some(("b", at(9))));
        assert_eq!(agenda.next(), None);
    }
}
