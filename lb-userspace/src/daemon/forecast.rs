//! What a configuration would do, before it does it.
//!
//! Pure: the planner that decides later is asked now, and nobody writes what it says.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::config::{BackendEffect, Effect, ServiceEffect, What};
use crate::config::{AdminState, Config, Service};
use crate::image::Image;
use crate::planner::{Desired, DesiredBackend, DesiredService, Observed, Planner, Tables, plan};
use crate::roster::{BackendId, ServiceId, State};

/// A configuration beside the one that runs, both as they come out at this moment.
pub(super) struct Forecast<'a> {
    present: &'a Config,
    next: &'a Config,
    before: Desired,
    after: Desired,
    writes: usize,
}

/// A service in both of them.
struct Pair<'a> {
    before: Option<(&'a Service, &'a DesiredService)>,
    after: Option<(&'a Service, &'a DesiredService)>,
}

impl<'a> Forecast<'a> {
    /// Where the maps hold `image`.
    pub fn of(
        planner: &Planner,
        present: &'a Config,
        next: &'a Config,
        image: &Image,
        observed: Observed,
    ) -> Self {
        let before = planner.clone().desired(present, image, observed);
        let after = planner.clone().desired(next, image, observed);
        let writes = plan(image, &after.image).len();
        Forecast { present, next, before, after, writes }
    }

    /// The lookup tables that it needs.
    pub fn tables(self) -> Tables {
        self.after.tables
    }

    /// What changes.
    pub fn effect(&self) -> Effect {
        let services: Vec<_> = self.pairs().iter().filter_map(|pair| self.service(pair)).collect();
        Effect {
            slots_moved: services.iter().map(|service| service.slots_moved).sum(),
            settled_in: services.iter().map(|service| service.settled_in).max().unwrap_or_default(),
            services,
            writes: self.writes,
        }
    }

    /// What may do damage. `recent` are the packets that services had in the last `seconds`, by their numbers.
    pub fn dangers(&self, recent: &BTreeMap<u32, u64>, seconds: u64) -> Vec<String> {
        let mut dangers = Vec::new();
        for pair in self.pairs() {
            match (pair.before, pair.after) {
                (Some((service, desired)), None) => {
                    if let Some(packets) = recent.get(&desired.index) {
                        dangers.push(format!(
                            "service {} has had {packets} packets in the last {seconds} s; its flows end at once",
                            service.name
                        ));
                    }
                }
                (Some((_, before)), Some((service, after))) => {
                    let takers = |desired: &DesiredService| -> Vec<String> {
                        let takers = desired.backends.iter().filter(|backend| takes_new(backend));
                        takers.map(|backend| backend.id.name.clone()).collect()
                    };
                    if !takers(before).is_empty() && takers(after).is_empty() {
                        dangers.push(format!(
                            "service {} is left without a backend that takes new flows: {} was the last; new connections fail",
                            service.name,
                            takers(before).join(", ")
                        ));
                    }
                }
                (None, _) => {}
            }
        }
        dangers
    }

    /// The services of the present configuration, then those that come.
    fn pairs(&self) -> Vec<Pair<'_>> {
        let after: BTreeMap<ServiceId, _> = zipped(self.next, &self.after).collect();
        let before: BTreeSet<ServiceId> = self.present.services.iter().map(ServiceId::of).collect();
        let present = zipped(self.present, &self.before)
            .map(|(id, service)| Pair { before: Some(service), after: after.get(&id).copied() });
        let new = zipped(self.next, &self.after).filter(|(id, _)| !before.contains(id));
        present.chain(new.map(|(_, service)| Pair { before: None, after: Some(service) })).collect()
    }

    fn service(&self, pair: &Pair) -> Option<ServiceEffect> {
        let (what, (service, desired)) = match (pair.before, pair.after) {
            (Some(before), None) => (What::Removed, before),
            (None, Some(after)) => (What::Added, after),
            (Some(_), Some(after)) => (What::Changed, after),
            (None, None) => return None,
        };
        let backends = match what {
            What::Removed => Vec::new(),
            What::Added | What::Changed => backends(pair),
        };
        let slots_moved = match what {
            What::Changed => self.moved(desired.index, service.table_size),
            What::Added | What::Removed => 0,
        };
        let other =
            pair.before.map(|(before, _)| settings(before)) != pair.after.map(|(after, _)| settings(after));
        (other || slots_moved > 0 || !backends.is_empty()).then(|| ServiceEffect {
            service: service.name.clone(),
            what,
            slots: service.table_size,
            slots_moved,
            settled_in: if what == What::Changed { seconds(desired.progress.remaining) } else { 0 },
            backends,
        })
    }

    /// How many slots of a table give new flows to another backend.
    fn moved(&self, number: u32, size: u32) -> u32 {
        let table = |desired: &Desired| desired.image.tables.get(&number).cloned().unwrap_or_default();
        let (before, after) = (table(&self.before), table(&self.after));
        let slots = before.iter().zip(&*after).take(size as usize);
        slots.filter(|(before, after)| before.current() != after.current()).count() as u32
    }
}

fn zipped<'c>(
    config: &'c Config,
    desired: &'c Desired,
) -> impl Iterator<Item = (ServiceId, (&'c Service, &'c DesiredService))> {
    config.services.iter().zip(&desired.services).map(|pair| (ServiceId::of(pair.0), pair))
}

/// All that a service says but its backends.
fn settings(service: &Service) -> Service {
    Service { backends: Vec::new(), ..service.clone() }
}

/// Whether new flows go to it.
fn takes_new(backend: &DesiredBackend) -> bool {
    backend.state == State::Active && backend.weight > 0
}

/// The backends that come, go or are other ones.
fn backends(pair: &Pair) -> Vec<BackendEffect> {
    let Some((service, after)) = pair.after else { return Vec::new() };
    let before = pair.before.map_or(&[][..], |(_, before)| &before.backends);
    let before: BTreeMap<&BackendId, &DesiredBackend> =
        before.iter().map(|backend| (&backend.id, backend)).collect();
    let mut effects = Vec::new();
    for backend in &after.backends {
        let former = before.get(&backend.id).filter(|former| former.state != State::Leaving);
        let what = match (former, backend.state) {
            (None, State::Leaving) => continue,
            (Some(_), State::Leaving) => What::Removed,
            (None, _) => What::Added,
            (Some(former), _) => {
                let same = (former.weight, former.state, former.slots)
                    == (backend.weight, backend.state, backend.slots);
                if same {
                    continue;
                }
                What::Changed
            }
        };
        effects.push(BackendEffect {
            backend: backend.id.name.clone(),
            address: backend.id.address,
            what,
            slots_before: former.map_or(0, |former| former.slots),
            slots: backend.slots,
            note: note(service, backend, former.copied()),
        });
    }
    effects
}

/// What an operator should know of it.
fn note(service: &Service, backend: &DesiredBackend, former: Option<&DesiredBackend>) -> Option<String> {
    let configured = service.backends.iter().find(|configured| BackendId::of(configured) == backend.id);
    let own = configured.and_then(|configured| configured.drain_timeout);
    let drains = format!("it keeps its flows for {} s at most", own.unwrap_or(service.flows.drain_timeout));
    let changed = former.map(|former| former.state) != Some(backend.state);
    match backend.state {
        State::Leaving => Some(drains),
        State::Draining if changed => Some(drains),
        State::Disabled if changed => Some("it lets go of its flows at once".into()),
        State::Down | State::Standby => backend.obstacle.as_ref().map(ToString::to_string),
        State::Active | State::Draining | State::Disabled => {
            // Who is to be drained is so, reachable or not.
            let is_ordered = configured.is_some_and(|configured| configured.state != AdminState::Active);
            backend.obstacle.as_ref().filter(|_| !is_ordered).map(ToString::to_string)
        }
    }
}

/// A tick is 2^27 ns.
fn seconds(ticks: u32) -> u64 {
    (u64::from(ticks) << 27).div_ceil(1_000_000_000)
}
