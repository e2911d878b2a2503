//! Places for connections: so many in all, and so many for everyone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A user of this node.
    User(u32),
    /// Another node.
    Address(IpAddr),
}

/// Those that are taken.
#[derive(Clone, Debug)]
pub struct Places {
    /// In all.
    most: usize,
    /// For each source, so that one who takes all of theirs leaves some to the others.
    most_of_one: usize,
    taken: Arc<Mutex<BTreeMap<Source, usize>>>,
}

/// One place. Dropping it frees it.
#[derive(Debug)]
pub struct Place {
    source: Source,
    taken: Arc<Mutex<BTreeMap<Source, usize>>>,
}

impl Places {
    /// So many in all, and so many of one source.
    #[must_use]
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Places { most, most_of_one, taken: Arc::default() }
    }

    /// A place, if there is one left.
    #[must_use]
    pub fn take(&self, source: Source) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.most {
            return None;
        }
        let own = taken.entry(source).or_default();
        if *own >= self.most_of_one {
            return None;
        }
        *own += 1;
        Some(Place { source, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.source) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_takes_all_of_theirs_leaves_some_to_the_others() {
        let places = Places::new(5, 3);
        let (greedy, other) = (Source::User(1), Source::User(2));
        let mut taken: Vec<_> = (0..3).map(|_| places.take(greedy).unwrap()).collect();
        assert!(places.take(greedy).is_none());
        let others: Vec<_> = (0..2).map(|_| places.take(other).unwrap()).collect();
        assert!(places.take(other).is_none());
        taken.pop();
        assert!(places.take(greedy).is_some());
        drop((taken, others));
        assert_eq!(places.taken.lock().unwrap().len(), 0);
    }
}
