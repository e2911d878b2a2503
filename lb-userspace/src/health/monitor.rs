//! The backends of all services, checked for as long as they are there.

use std::collections::BTreeMap;
use std::future::pending;
use std::hash::Hash;
use std::sync::Arc;

use tokio::time::sleep;

use super::agenda::Agenda;
use super::checker::{Checker, Done};
use super::course::Kept;
use super::moment::Moment;
use super::outlier::Traffic;
use super::pool::{Decision, Member, Pool};
use super::probe::Probe;
use super::record::Record;
use super::settings::Settings;
use super::streak::{Condition, Outcome};
use super::target::Target;

/// The backends of all services, those named by `K` and these by `S`.
#[derive(Debug)]
pub struct Monitor<S, K> {
    services: BTreeMap<S, Watched<K>>,
    checker: Checker<(S, K)>,
    /// When time alone changes what is decided.
    changes: Agenda<S>,
}

/// A service whose backends are checked.
#[derive(Clone, Debug)]
pub struct Service<K> {
    /// Whether checks can't leave this node: then those that fail don't count.
    pub is_obstructed: bool,
    /// How it goes by their health.
    pub settings: Settings,
    /// How they are checked. The same one as before unless it has changed: then they are checked anew.
    pub probe: Arc<Probe>,
    /// Each with where it is checked.
    pub backends: BTreeMap<K, (Member, Target)>,
}

#[derive(Debug)]
struct Watched<K> {
    service: Service<K>,
    pool: Pool<K>,
    decision: Decision<K>,
    records: BTreeMap<K, Record>,
}

impl<S, K> Monitor<S, K>
where
    S: Ord + Hash + Clone + Send + 'static,
    K: Ord + Hash + Clone + Send + 'static,
{
    /// Nobody yet; never more than `limit` are checked at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Monitor { services: BTreeMap::new(), checker: Checker::new(limit), changes: Agenda::new() }
    }

    /// Takes over which services and backends there are. Of those that stay everything is known that was; of new ones what
    /// `kept` knows from before a restart.
    pub fn follow(&mut self, services: BTreeMap<S, Service<K>>, kept: impl Fn(&S, &K) -> Option<Kept>) {
        let now = self.checker.now();
        let mut former = std::mem::take(&mut self.services);
        for (id, service) in services {
            let (mut pool, before, mut records) = match former.remove(&id) {
                Some(Watched { service, pool, records, .. }) => (pool, Some(service), records),
                None => (Pool::new(service.settings), None, BTreeMap::new()),
            };
            let members = service.backends.iter().map(|(key, &(member, _))| (key.clone(), member)).collect();
            pool.follow(service.settings, &members, |key| kept(&id, key), now);
            records.retain(|key, _| service.backends.contains_key(key));
            self.check(&id, before.as_ref(), &service, now);
            let decision = pool.decide(now);
            self.note(&id, decision.next);
            self.services.insert(id, Watched { service, pool, decision, records });
        }
        for (id, Watched { service, .. }) in former {
            self.changes.remove(&id);
            service.backends.into_keys().for_each(|key| self.checker.remove(&(id.clone(), key)));
        }
    }

    /// Checks a service's backends as it says now, without a change to those whose checks stay the same.
    fn check(&mut self, id: &S, before: Option<&Service<K>>, service: &Service<K>, now: Moment) {
        for key in before.iter().flat_map(|before| before.backends.keys()) {
            if !service.backends.contains_key(key) {
                self.checker.remove(&(id.clone(), key.clone()));
            }
        }
        for (key, &(_, target)) in &service.backends {
            let is_same = before.is_some_and(|before| {
                let former = before.backends.get(key).map(|&(_, target)| target);
                former == Some(target)
                    && Arc::ptr_eq(&before.probe, &service.probe)
                    && before.settings.interval == service.settings.interval
            });
            if !is_same {
                let at = now + service.settings.interval.first(fastrand::u32(..));
                self.checker.put((id.clone(), key.clone()), service.probe.clone(), target, at);
            }
        }
    }

    /// Waits until checks or time have changed who takes new flows of a service, and says of which. Nothing is lost if nobody
    /// waits any more.
    pub async fn changed(&mut self) -> S {
        loop {
            let now = self.checker.now();
            let next = self.changes.next();
            let wake = async {
                match next {
                    Some(next) => sleep(next.since(now)).await,
                    None => pending().await,
                }
            };
            let id = tokio::select! {
                done = self.checker.next() => self.take(done),
                () = wake => self.changes.take_due(self.checker.now()).map(|(id, _)| id),
            };
            if let Some(id) = id
                && self.decide(&id)
            {
                return id;
            }
        }
    }

    /// Takes over what a check came to; says of which service, if its backend's condition has changed.
    fn take(&mut self, done: Done<(S, K)>) -> Option<S> {
        let Done { key, report, began, .. } = done;
        let now = self.checker.now();
        let (id, backend) = &key;
        let watched = self.services.get_mut(id)?;
        let outcome = if report.result.is_ok() { Outcome::Passed } else { Outcome::Failed };
        let former = watched.pool.course(backend)?.condition();
        // What this node can't do says nothing of the backend.
        let counts =
            !report.result.as_ref().is_err_and(|failure| watched.service.is_obstructed || failure.is_local());
        let changed = counts && watched.pool.count(backend, outcome, now);
        let course = watched.pool.course(backend)?;
        let record = watched.records.entry(backend.clone()).or_default();
        if changed {
            record.reason = (course.condition() == Condition::Down).then(|| report.to_string());
            record.transitions += u64::from(former != Condition::Unknown);
        }
        record.add(report, now);
        let next = began + course.next_check(&watched.service.settings, now, fastrand::u32(..));
        self.checker.again(&key, next.max(now));
        changed.then_some(key.0)
    }

    /// Whether something is decided otherwise now.
    fn decide(&mut self, id: &S) -> bool {
        let now = self.checker.now();
        let Some(watched) = self.services.get_mut(id) else { return false };
        let decision = watched.pool.decide(now);
        let changed = decision != watched.decision;
        let next = decision.next;
        watched.decision = decision;
        self.note(id, next);
        changed
    }

    fn note(&mut self, id: &S, next: Option<Moment>) {
        match next {
            Some(next) => self.changes.put(id.clone(), next),
            None => self.changes.remove(id),
        }
    }

    /// Who takes new flows of a service.
    #[must_use]
    pub fn decision(&self, id: &S) -> Option<&Decision<K>> {
        self.services.get(id).map(|watched| &watched.decision)
    }

    /// A service's backends over time.
    #[must_use]
    pub fn pool(&self, id: &S) -> Option<&Pool<K>> {
        self.services.get(id).map(|watched| &watched.pool)
    }

    /// What is remembered of a backend's checks; none before the first one has ended.
    #[must_use]
    pub fn record(&self, id: &S, backend: &K) -> Option<&Record> {
        self.services.get(id)?.records.get(backend)
    }

    /// The services, as they were last told.
    pub fn services(&self) -> impl Iterator<Item = (&S, &Service<K>)> {
        self.services.iter().map(|(id, watched)| (id, &watched.service))
    }

    /// When a backend is checked next; none if it isn't, or is being checked.
    #[must_use]
    pub fn due(&self, id: &S, backend: &K) -> Option<Moment> {
        self.checker.due(&(id.clone(), backend.clone()))
    }

    /// Takes note of what was seen of a service's traffic since the last look; says whether something is decided otherwise.
    pub fn look(&mut self, id: &S, traffic: &BTreeMap<K, Traffic>) -> bool {
        let now = self.checker.now();
        let Some(watched) = self.services.get_mut(id) else { return false };
        watched.pool.look(traffic, now);
        self.decide(id)
    }

    /// The present, by the clock of all decisions.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.checker.now()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpSocket};

    use super::super::probe::{Means, Tcp};
    use super::super::tests::SETTINGS;
    use super::super::{Interval, SlowStart, Status, WHOLE};
    use super::*;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Who takes new flows.
    fn takers(monitor: &Monitor<&'static str, u8>) -> Vec<u8> {
        let parts = &monitor.decision(&"web").unwrap().parts;
        parts.iter().filter(|(_, part)| part.takes_new).map(|(key, _)| *key).collect()
    }

    async fn until(monitor: &mut Monitor<&'static str, u8>, first: Status) {
        while monitor.decision(&"web").unwrap().parts[&1].status != first {
            assert_eq!(monitor.changed().await, "web");
        }
    }

    #[test]
    fn a_server_that_stops_is_left_out_until_it_is_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let interval = Interval { usual: Duration::from_millis(20), jitter: 10, adaptive: None };
            let slow_start = SlowStart { time: Duration::from_millis(300), steps: 3 };
            let settings = Settings { interval, slow_start: Some(slow_start), ..SETTINGS };
            let probe = Probe { means: Means::Tcp(Tcp::default()), timeout: Duration::from_mins(1) };
            let (first, second) = (listen().await, listen().await);
            let member = Member { weight: 1, is_backup: false };
            let backends = BTreeMap::from([
                (1, (member, Target::direct(first.1))),
                (2, (member, Target::direct(second.1))),
            ]);
            let service = Service { settings, probe: Arc::new(probe), is_obstructed: false, backends };
            let mut monitor = Monitor::new(10);
            monitor.follow(BTreeMap::from([("web", service.clone())]), |_, _| None);
            assert_eq!(takers(&monitor), [1, 2], "nothing is known");

            until(&mut monitor, Status::Up).await;
            drop(first.0);
            until(&mut monitor, Status::Down).await;
            assert_eq!(takers(&monitor), [2]);
            let said = monitor.record(&"web", &1).unwrap().reason.clone().unwrap();
            assert!(said.starts_with("connection refused after "), "{said}");

            let back = TcpSocket::new_v4().unwrap();
            back.set_reuseaddr(true).unwrap();
            back.bind(first.1).unwrap();
            let _back = back.listen(10).unwrap();
            until(&mut monitor, Status::Up).await;
            let share =
                |monitor: &Monitor<&'static str, u8>| monitor.decision(&"web").unwrap().parts[&1].share;
            assert_eq!((takers(&monitor), share(&monitor)), (vec![1, 2], WHOLE / 4 + 1), "it begins gently");
            while share(&monitor) != WHOLE {
                assert_eq!(monitor.changed().await, "web");
            }

            // Who stays is known, and who leaves isn't checked any more.
            let fewer =
                Service { backends: BTreeMap::from([(1, (member, Target::direct(first.1)))]), ..service };
            monitor.follow(BTreeMap::from([("web", fewer)]), |_, _| None);
            assert_eq!(takers(&monitor), [1]);
            assert_eq!(monitor.decision(&"web").unwrap().parts[&1].status, Status::Up);
            monitor.follow(BTreeMap::new(), |_, _| None);
            assert!(monitor.decision(&"web").is_none() && monitor.checker.due(&("web", 1)).is_none());
        });
    }
}
