//! From the configuration and what was observed to what the maps should hold, and how to get there.
//!
//! Pure: no I/O, no clock. What the past says, the planner remembers; the time is an argument.

mod course;
mod plan;
mod tables;
#[cfg(test)]
mod tests;
mod vips;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lb_common::clock::{Tick, epochs};
use lb_common::pin::Bucket;
use lb_common::settings::Settings;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::standing::{Role, Takes};
use serde::{Deserialize, Serialize};

use crate::address::of_ip;
use crate::census::{Census, Pinning, Question};
use crate::config::{self, Config, MapSizes};
use crate::fitness::{Fitness, Fitnesses, UNDECIDED};
use crate::health::Condition;
use crate::image::Image;
use crate::next_hop::NextHops;
use crate::roster::{self, BackendId, Member, Roster, ServiceId, State};

pub use course::Progress;
use course::{Courses, Generation, Wanted};
pub use plan::{Write, plan, write};
pub use tables::Tables;
pub use way::Obstacle;

/// What the maps should hold, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Their content.
    pub image: Image,
    /// The services in the order of the configuration.
    pub services: Vec<DesiredService>,
    /// The lookup tables by what they were built for.
    pub tables: Tables,
}

/// How a service came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredService {
    /// Number of its counters.
    pub index: u32,
    /// Of the lookup table that is wanted; see [`Table::fingerprint`](crate::maglev::Table).
    pub fingerprint: u64,
    /// Of what its slots should be: goes up with every change.
    pub generation: u64,
    /// How far its slots are on their way to it.
    pub progress: Progress,
    /// Its backends in the order of the configuration, then those that are leaving.
    pub backends: Vec<DesiredBackend>,
}

/// How a backend came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBackend {
    /// Its name and address.
    pub id: BackendId,
    /// Its share of new flows.
    pub weight: u32,
    /// Its number.
    pub index: BackendIndex,
    /// Which flows it takes, and why.
    pub state: State,
    /// How many of its service's slots are to be its own.
    pub slots: u32,
    /// How many still lead known flows to it, although they are to be another one's.
    pub former_slots: u32,
    /// Why it takes no new flows, unless its operator wants it so.
    pub obstacle: Option<Obstacle>,
    /// Whether its checks fail; it may be used all the same.
    pub is_failing: bool,
}

/// What was observed.
#[derive(Clone, Copy)]
pub struct Observed<'a> {
    /// The ways to the backends.
    pub next_hops: &'a NextHops,
    /// What health decides of the backends.
    pub fitnesses: &'a Fitnesses,
    /// A look through the connection table that began after the slots were as they are, if there was one.
    pub census: Option<&'a Census>,
    /// Pins that were refused since the start, by the services' numbers.
    pub refused: &'a BTreeMap<u32, u64>,
    /// The present.
    pub now: Tick,
}

/// What the planner knows of the past.
#[derive(Clone, Debug)]
pub struct Planner {
    roster: Roster,
    courses: Courses,
    tables: Tables,
}

/// What of the past must outlive the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    roster: roster::Kept,
    generations: BTreeMap<u32, Generation>,
}

impl Kept {
    /// Whether the same things have the same numbers.
    #[must_use]
    pub fn has_numbers_of(&self, other: &Kept) -> bool {
        self.roster.has_numbers_of(&other.roster)
    }
}

/// What the maps should hold at first.
#[must_use]
pub fn desired(config: &Config, next_hops: &NextHops) -> Desired {
    let observed =
        Observed { next_hops, fitnesses: &UNDECIDED, census: None, refused: &BTreeMap::new(), now: Tick(0) };
    Planner::new(config.maps).desired(config, &Image::default(), observed)
}

impl Planner {
    /// Knows nothing yet; for maps of those sizes.
    #[must_use]
    pub fn new(sizes: MapSizes) -> Self {
        Planner {
            roster: Roster::new(sizes.services, sizes.backends + 1),
            courses: Courses::default(),
            tables: Tables::default(),
        }
    }

    /// Goes on where a former process was, whose maps hold `image`. None if what was kept has no room in maps of those sizes, or
    /// contradicts itself.
    #[must_use]
    pub fn restore(kept: &Kept, sizes: MapSizes, image: &Image, now: Tick) -> Option<Self> {
        Some(Planner {
            roster: Roster::restore(&kept.roster, sizes.services, sizes.backends + 1, &image.backends)?,
            courses: Courses::restore(image, kept.generations.clone(), now),
            tables: Tables::default(),
        })
    }

    /// What must outlive the process, so that another one can go on with its maps.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept { roster: self.roster.kept(), generations: self.courses.generations() }
    }

    /// What the maps should hold now, where they hold `present`.
    #[must_use]
    pub fn desired(&mut self, config: &Config, present: &Image, observed: Observed) -> Desired {
        let Observed { next_hops, fitnesses, census, refused, now } = observed;
        let way = |service: &_, address| way::way(config, service, address, next_hops);
        self.roster.update(config, way, fitnesses, now);
        self.courses.note_refusals(refused, now);
        let mut desired = Desired::default();
        let vips = vips::place(config, &mut self.roster, &mut desired.image);
        for service in &config.services {
            let Some(roll) = self.roster.roll(service) else { continue };
            let members: Vec<(&BackendId, &Member)> = roll.members.iter().collect();
            let wanted = Wanted::of(service, &members, |members, size| {
                desired.tables.table(&self.tables, members, size)
            });
            let former = present.tables.get(&roll.number);
            let slots = self.courses.advance(service, roll, &wanted, former, census, now);
            let all_down = fitnesses.get(&ServiceId::of(service)).and_then(|fitness| fitness.all_down);
            vips::place_service(
                &mut desired.image,
                vips[&service.vip],
                service,
                roll,
                wanted.turns(),
                all_down,
            );
            place_backends(&mut desired.image, roll.number, &members);
            let progress = self.courses.progress(service, roll.number, &slots, now);
            desired.image.tables.insert(roll.number, slots.clone());
            desired.services.push(DesiredService {
                index: roll.number,
                fingerprint: wanted.fingerprint(),
                generation: self.courses.generation(roll.number),
                backends: backends(service, &members, &wanted, &progress),
                progress,
            });
        }
        desired.image.settings = settings(&desired.image, next_hops);
        self.courses.keep_only(&desired.image);
        self.tables = desired.tables.clone();
        desired
    }

    /// Takes note of a look through the connection table, after the maps hold `present`.
    pub fn looked(&mut self, config: &Config, present: &Image, census: &Census) {
        let names = |slots: &[Slot], index| {
            slots.iter().any(|slot| slot.current() == index || slot.previous() == Some(index))
        };
        let has_slot = |service: Option<u32>, index| match service {
            Some(number) => present.tables.get(&number).is_some_and(|slots| names(slots, index)),
            None => present.tables.values().any(|slots| names(slots, index)),
        };
        self.roster.looked(config, |index| census.pins(index) > 0, has_slot);
    }

    /// Takes over lookup tables that were built for a question, so that the answer needs no building again.
    pub fn expect(&mut self, tables: Tables) {
        self.tables = tables;
    }

    /// Whether a configuration can be taken over now.
    #[must_use]
    pub fn has_room(&self, config: &Config) -> bool {
        self.roster.has_room(config)
    }

    /// Whether time, or a look through the connection table, would change something.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.roster.waits() || self.courses.wait()
    }

    /// A service's number, if it has one.
    #[must_use]
    pub fn number(&self, service: &config::Service) -> Option<u32> {
        self.roster.roll(service).map(|roll| roll.number)
    }

    /// What health decided last of a service's backend.
    #[must_use]
    pub fn fitness(&self, service: &config::Service, backend: &BackendId) -> Option<&Fitness> {
        self.roster.roll(service)?.members.get(backend).map(Member::fitness)
    }

    /// Addresses of all backends, those that are leaving too.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.roster.addresses()
    }
}

/// A look through the whole connection table, for the services that `config` and `services` tell of.
#[must_use]
pub fn look(
    config: &Config,
    services: &[DesiredService],
    present: &Image,
    buckets: &[Bucket],
    now: Tick,
) -> Census {
    let pinnings: BTreeMap<u32, Pinning> = config
        .services
        .iter()
        .zip(services)
        .filter_map(|(service, desired)| {
            let slots = present.tables.get(&desired.index)?.get(..service.table_size as usize)?;
            let idle = epochs(service.flows.idle_timeout);
            Some((desired.index, Pinning { slots, idle, pins_all: service.flows.are_pinned() }))
        })
        .collect();
    let keepers = present.roles.iter().filter(|(_, role)| role.takes.has(Takes::KNOWN));
    let keepers = keepers.map(|(&index, role)| (index, role.service)).collect();
    let mut census = Census::default();
    census.look(buckets, &Question { services: &pinnings, keepers: &keepers, now: now.epoch() });
    census
}

/// Adds the ways to a service's backends, and what each does.
fn place_backends(image: &mut Image, service: u32, members: &[(&BackendId, &Member)]) {
    for (_, member) in members {
        image.backends.extend(member.way.map(|way| (member.number, way)));
        let role = member.role(service);
        // One that does nothing at all needs no entry.
        image.roles.extend((role != Role::default()).then_some((member.number, role)));
    }
}

fn backends(
    service: &config::Service,
    members: &[(&BackendId, &Member)],
    wanted: &Wanted,
    progress: &Progress,
) -> Vec<DesiredBackend> {
    let place = |id: &BackendId| service.backends.iter().position(|backend| BackendId::of(backend) == *id);
    let mut backends: Vec<_> = members
        .iter()
        .map(|&(id, member)| {
            let desired = DesiredBackend {
                id: id.clone(),
                weight: member.weight,
                index: member.number,
                state: member.state(),
                slots: wanted.share(member.number),
                former_slots: progress.former.get(&member.number).copied().unwrap_or_default(),
                obstacle: member.obstacle.clone(),
                is_failing: member.fitness().condition == Condition::Down,
            };
            (place(id).unwrap_or(usize::MAX), desired)
        })
        .collect();
    backends.sort_by_key(|(place, _)| *place);
    backends.into_iter().map(|(_, backend)| backend).collect()
}

fn settings(image: &Image, next_hops: &NextHops) -> Settings {
    let own = |is_version: fn(&IpAddr) -> bool| {
        let sources = next_hops.values().flatten().map(|hop| hop.source);
        sources.filter(is_version).map(of_ip).min().unwrap_or_default()
    };
    Settings {
        own_v4: own(IpAddr::is_ipv4),
        own_v6: own(IpAddr::is_ipv6),
        has_prefixes: u64::from(!image.prefixes.is_empty()),
    }
}
