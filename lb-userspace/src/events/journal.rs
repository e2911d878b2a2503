//! The events that are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

use super::event::{Event, Level};

/// Events that may wait for one who reads slowly.
const WAITING: usize = 1024;

/// An event, and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Goes up by one with each, from 1 when lbd starts.
    pub number: u64,
    /// In UTC (RFC 3339).
    pub time: String,
    /// How much someone should look at it.
    pub level: Level,
    /// For people.
    pub message: String,
    /// For programs.
    pub event: Event,
}

/// The last events, and those to come.
#[derive(Debug)]
pub struct Journal {
    most: usize,
    past: Mutex<Past>,
    news: broadcast::Sender<Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Past {
    entries: VecDeque<Arc<Entry>>,
    number: u64,
}

impl Journal {
    /// Keeps so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Journal { most, past: Mutex::default(), news: broadcast::Sender::new(WAITING) }
    }

    /// Keeps an event, in place of the oldest if there is no more room.
    pub fn keep(&self, time: String, event: Event) {
        let mut past = self.past();
        past.number += 1;
        let (level, message) = (event.level(), event.to_string());
        let entry = Arc::new(Entry { number: past.number, time, level, message, event });
        if past.entries.len() >= self.most {
            past.entries.pop_front();
        }
        past.entries.push_back(entry.clone());
        // Perhaps nobody listens. Under the lock, so that nobody misses it or hears it twice.
        let _ = self.news.send(entry);
    }

    /// Those that are kept, and from where the ones behind them will come.
    #[must_use]
    pub fn read(&self) -> (Vec<Arc<Entry>>, broadcast::Receiver<Arc<Entry>>) {
        let past = self.past();
        (past.entries.iter().cloned().collect(), self.news.subscribe())
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_none_is_missed() {
        let journal = Journal::new(3);
        let lost = |interface: &str| Event::InterfaceLost { interface: interface.into() };
        for number in 1..=5 {
            journal.keep(String::new(), lost(&format!("eth{number}")));
        }
        let (past, mut news) = journal.read();
        journal.keep(String::new(), lost("eth6"));
        let numbers: Vec<_> = past.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [3, 4, 5]);
        let next = news.try_recv().unwrap();
        assert_eq!((next.number, &next.event), (6, &lost("eth6")));
        assert!(news.try_recv().is_err());
    }

    #[test]
    fn an_entry_is_written_and_read() {
        let journal = Journal::new(1);
        journal.keep("2026-01-01T00:00:00.000000Z".into(), Event::Trouble { reason: "full".into() });
        let entry = journal.read().0[0].as_ref().clone();
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            text,
            "{\"number\":1,\"time\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"warn\",\"message\":\"the maps stay as they are: \
             full; trying again\",\"event\":{\"kind\":\"trouble\",\"reason\":\"full\"}}"
        );
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}
