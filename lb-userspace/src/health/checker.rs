//! Checks backends at their times, no more than so many at once.

use std::collections::HashMap;
use std::future::pending;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::agenda::Agenda;
use super::moment::Moment;
use super::probe::{Probe, Report};
use super::target::Target;

/// The moment of a checker's start: what was known before it is older.
const BEFORE: Duration = Duration::from_hours(24 * 365);

/// Checks backends, named by `K`, at their times.
///
/// Each check takes a task and a socket, or a process, of which there are never more than its limit; checks that are due
/// then wait for others to end.
#[derive(Debug)]
pub struct Checker<K> {
    start: Instant,
    limit: usize,
    agenda: Agenda<K>,
    checks: HashMap<K, Check>,
    running: JoinSet<Ended<K>>,
    /// Counts what was put here, so that the end of a former check isn't taken for that of its successor.
    versions: u64,
}

/// A check that has ended. Its backend isn't checked again before [`Checker::again`] says when.
#[derive(Debug)]
pub struct Done<K> {
    /// Whose it was.
    pub key: K,
    /// What it came to.
    pub report: Report,
    /// When it began.
    pub began: Moment,
    /// How long after its time that was.
    pub late: Duration,
}

#[derive(Debug)]
struct Check {
    probe: Arc<Probe>,
    target: Target,
    version: u64,
    running: Option<AbortHandle>,
}

#[derive(Debug)]
struct Ended<K> {
    done: Done<K>,
    version: u64,
}

impl<K: Ord + Hash + Clone + Send + 'static> Checker<K> {
    /// Nothing is checked yet; never more than `limit`, which is at least 1, at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Checker {
            start: Instant::now(),
            limit: limit.max(1),
            agenda: Agenda::new(),
            checks: HashMap::new(),
            running: JoinSet::new(),
            versions: 0,
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(BEFORE + self.start.elapsed())
    }

    /// Checks a backend from some time on. What was to be checked under this name before isn't any more.
    pub fn put(&mut self, key: K, probe: Arc<Probe>, target: Target, at: Moment) {
        self.remove(&key);
        self.versions += 1;
        self.checks.insert(key.clone(), Check { probe, target, version: self.versions, running: None });
        self.agenda.put(key, at);
    }

    /// Doesn't check a backend any more. A check that is running ends, and isn't told.
    pub fn remove(&mut self, key: &K) {
        self.agenda.remove(key);
        if let Some(running) = self.checks.remove(key).and_then(|check| check.running) {
            running.abort();
        }
    }

    /// Checks a backend again at some time, unless it was removed or is being checked.
    pub fn again(&mut self, key: &K, at: Moment) {
        if self.checks.get(key).is_some_and(|check| check.running.is_none()) {
            self.agenda.put(key.clone(), at);
        }
    }

    /// When a backend is checked next; none if it isn't, or is being checked.
    #[must_use]
    pub fn due(&self, key: &K) -> Option<Moment> {
        self.agenda.due(key)
    }

    /// Waits for the next check to end, and begins those that are due meanwhile. Nothing is lost if nobody waits any more.
    pub async fn next(&mut self) -> Done<K> {
        loop {
            self.begin_due();
            let has_room = self.running.len() < self.limit;
            let wake = self
                .agenda
                .next()
                .filter(|_| has_room)
                .map(|next| self.start + next.0.saturating_sub(BEFORE));
            let wake = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Some(ended) = self.running.join_next() => {
                    if let Some(done) = self.end(ended) {
                        return done;
                    }
                }
                () = wake => {}
            }
        }
    }

    fn begin_due(&mut self) {
        let now = self.now();
        while self.running.len() < self.limit
            && let Some((key, due)) = self.agenda.take_due(now)
        {
            let Some(check) = self.checks.get_mut(&key) else { continue };
            let (probe, target, version) = (check.probe.clone(), check.target, check.version);
            let began = now;
            check.running = Some(self.running.spawn(async move {
                let checked = AssertUnwindSafe(probe.run(&target)).catch_unwind().await;
                let report = checked.unwrap_or_else(|_| Report::broken());
                Ended { done: Done { key, report, began, late: began.since(due) }, version }
            }));
        }
    }

    /// What a task came to; none if nobody asks any more.
    fn end(&mut self, ended: Result<Ended<K>, JoinError>) -> Option<Done<K>> {
        let Ended { done, version } = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // It was removed.
            Err(_) => return None,
        };
        let check = self.checks.get_mut(&done.key).filter(|check| check.version == version)?;
        check.running = None;
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::super::probe::{Means, Tcp};
    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    fn probe(expect: &str, timeout: Duration) -> Arc<Probe> {
        Arc::new(Probe { means: Means::Tcp(Tcp { send: vec![], expect: expect.into() }), timeout })
    }

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn each_is_checked_at_its_time_and_again() {
        run(async {
            let (_listener, address) = listen().await;
            let mut checker = Checker::new(10);
            let later = checker.now() + Duration::from_millis(100);
            checker.put("later", probe("", LONG), Target::direct(address), later);
            checker.put("soon", probe("", LONG), Target::direct(address), checker.now());
            let done = checker.next().await;
            assert_eq!((done.key, done.report.result.is_ok()), ("soon", true));
            assert_eq!(checker.due(&"soon"), None);
            checker.again(&"soon", later + Duration::from_millis(100));
            let done = checker.next().await;
            assert_eq!(done.key, "later");
            assert!(done.began >= later, "{done:?}");
            assert_eq!(checker.next().await.key, "soon");
        });
    }

    #[test]
    fn no_more_than_the_limit_at_once_and_all_in_the_end() {
        run(async {
            const LIMIT: usize = 4;
            let (listener, address) = listen().await;
            let server = tokio::spawn(async move {
                // The most connections that were open together.
                let (mut open, mut most) = (JoinSet::new(), 0);
                let mut seen = 0;
                while seen < 20 || !open.is_empty() {
                    tokio::select! {
                        biased;
                        Some(_) = open.join_next() => {}
                        stream = listener.accept() => {
                            let (mut stream, _) = stream.unwrap();
                            open.spawn(async move { stream.read(&mut [0]).await });
                            seen += 1;
                            most = most.max(open.len());
                        }
                    }
                }
                most
            });
            let mut checker = Checker::new(LIMIT);
            let silent = probe("never", Duration::from_millis(50));
            (0..20)
                .for_each(|key| checker.put(key, silent.clone(), Target::direct(address), Moment::default()));
            let mut keys = Vec::new();
            for _ in 0..20 {
                let done = checker.next().await;
                assert!(checker.running.len() < LIMIT);
                keys.push(done.key);
            }
            keys.sort_unstable();
            assert_eq!(keys, (0..20).collect::<Vec<_>>());
            let most = server.await.unwrap();
            assert!((1..=2 * LIMIT).contains(&most), "{most} at once");
        });
    }

    #[test]
    fn what_is_removed_or_replaced_ends_and_is_not_told() {
        run(async {
            let (listener, address) = listen().await;
            let mut checker = Checker::new(10);
            checker.put("a", probe("never", LONG), Target::direct(address), Moment::default());
            checker.put("b", probe("never", LONG), Target::direct(address), Moment::default());
            let mut streams = Vec::new();
            for _ in 0..2 {
                tokio::select! {
                    done = checker.next() => panic!("{done:?}"),
                    stream = listener.accept() => streams.push(stream.unwrap().0),
                }
            }
            checker.remove(&"a");
            checker.again(&"a", Moment::default());
            checker.put("b", probe("", LONG), Target::direct(address), Moment::default());
            assert_eq!(checker.next().await.key, "b");
            for mut stream in streams {
                // Reset, or closed.
                assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
            }
            assert!(checker.running.is_empty() && checker.checks.len() == 1);
        });
    }
}
