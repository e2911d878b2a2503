//! Where the slots of each service should go, and how far they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lb_common::clock::{Tick, ticks};
use lb_common::datapath::schedule::MOST_ASKED;
use lb_common::service::Scheduler;
use lb_common::slot::{BackendIndex, Slot, State};
use lb_common::standing::Takes;
use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::config::{self, Datagrams};
use crate::image::Image;
use crate::maglev;
use crate::roster::{BackendId, Member as Enlisted, Roll};
use crate::rotation::{TURNS, rotation};
use crate::transition::{Course, Journey};

/// What a service's slots should be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    table: Arc<maglev::Table>,
    /// The numbers of the table's members.
    numbers: Vec<BackendIndex>,
    /// Members by their places, in the order of their turns, where the scheduler goes by turns.
    rotation: Vec<usize>,
}

impl Wanted {
    /// Of the members that take new flows, by their weights.
    pub fn of(
        service: &config::Service,
        members: &[(&BackendId, &Enlisted)],
        table: impl FnOnce(&[maglev::Member], u32) -> Arc<maglev::Table>,
    ) -> Self {
        let weight = |member: &Enlisted| {
            if member.taking.has(Takes::NEW) { member.current_weight } else { 0 }
        };
        let configured: Vec<_> = members.iter().filter(|(_, member)| !member.is_leaving()).collect();
        let weighted: Vec<_> = configured
            .iter()
            .map(|(id, member)| maglev::Member { name: &id.name, weight: weight(member) })
            .collect();
        let weights: Vec<u32> = weighted.iter().map(|member| member.weight).collect();
        let rotation = match service.flows.scheduler {
            Scheduler::HASH => Vec::new(),
            Scheduler::LEAST_CONNECTIONS => {
                let with_weight = (0..weights.len()).filter(|&place| weights[place] > 0);
                with_weight.take(MOST_ASKED as usize).collect()
            }
            _ => rotation(&weights, TURNS),
        };
        Wanted {
            table: table(&weighted, service.table_size),
            numbers: configured.iter().map(|(_, member)| member.number).collect(),
            rotation,
        }
    }

    pub fn fingerprint(&self) -> u64 {
        self.table.fingerprint
    }

    /// Entries of the rotation.
    pub fn turns(&self) -> u32 {
        self.rotation.len() as u32
    }

    /// How many slots are to be a backend's.
    pub fn share(&self, backend: BackendIndex) -> u32 {
        let place = self.numbers.iter().position(|&number| number == backend);
        place.and_then(|place| self.table.shares.get(place)).copied().unwrap_or_default()
    }

    /// The backend of each slot.
    fn slots(&self, size: u32) -> Vec<BackendIndex> {
        let mut slots: Vec<_> = self.table.slots.iter().map(|&place| self.numbers[place as usize]).collect();
        slots.resize(size as usize, BackendIndex::NONE);
        slots
    }
}

/// How far the slots of a service are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Slots whose flows all belong to one backend.
    pub stable: u32,
    /// Slots on their way from one backend to another.
    pub migrating: u32,
    /// Slots some of whose flows are still pinned to another backend.
    pub tracked: u32,
    /// Ticks until the last slot that migrates has settled, if nothing more changes.
    pub remaining: u32,
    /// Slots that still lead known flows to a backend, by its number.
    pub former: BTreeMap<BackendIndex, u32>,
}

/// The journeys of all services' slots, by the services' numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Courses {
    journeys: BTreeMap<u32, Journey>,
    /// What each service's slots were last led to: where nothing changed and all are stable, there is nothing to do.
    led_to: BTreeMap<u32, LedTo>,
    unsettled: BTreeSet<u32>,
    refused: BTreeMap<u32, (u64, Tick)>,
    /// Where a former process led the slots of services that weren't looked at yet.
    kept: BTreeMap<u32, Generation>,
}

/// A change of what a service's slots should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    /// How many there were up to it.
    number: u64,
    /// Of the lookup table.
    fingerprint: u64,
}

#[derive(Clone, Debug)]
struct LedTo {
    wanted: Wanted,
    keeps: Vec<bool>,
    generation: u64,
}

impl Courses {
    /// Goes on where a former process was, whose slots the maps hold: those on their way begin anew.
    pub fn restore(image: &Image, kept: BTreeMap<u32, Generation>, now: Tick) -> Self {
        let mut courses = Courses { kept, ..Courses::default() };
        for (&number, slots) in &image.tables {
            let journey = Journey::adopt(slots, now);
            courses.journeys.insert(number, journey);
        }
        courses
    }

    /// What must outlive the process.
    pub fn generations(&self) -> BTreeMap<u32, Generation> {
        let led_to = self.led_to.iter().map(|(&number, led_to)| {
            let fingerprint = led_to.wanted.fingerprint();
            (number, Generation { number: led_to.generation, fingerprint })
        });
        self.kept.iter().map(|(&number, &generation)| (number, generation)).chain(led_to).collect()
    }

    /// Takes note of how many pins were refused.
    pub fn note_refusals(&mut self, refused: &BTreeMap<u32, u64>, now: Tick) {
        for (&service, &count) in refused {
            let last = self.refused.entry(service).or_insert((count, Tick(0)));
            if last.0 != count {
                *last = (count, now);
            }
        }
    }

    /// The slots of a service, as far as they may go now from the `former` ones.
    pub fn advance(
        &mut self,
        service: &config::Service,
        roll: &Roll,
        wanted: &Wanted,
        former: Option<&Arc<Vec<Slot>>>,
        census: Option<&Census>,
        now: Tick,
    ) -> Arc<Vec<Slot>> {
        let number = roll.number;
        let keepers: BTreeSet<BackendIndex> = roll
            .members
            .values()
            .filter(|member| member.taking.has(Takes::KNOWN))
            .map(|member| member.number)
            .collect();
        let keeps: Vec<bool> = wanted.numbers.iter().map(|number| keepers.contains(number)).collect();
        let room = if service.flows.are_pinned() { TURNS as usize } else { 0 };
        let size = service.table_size as usize;
        let former = former.filter(|former| former.len() == size + room);
        if let (Some(former), Some(led_to)) = (former, self.led_to.get(&number))
            && !self.unsettled.contains(&number)
            && led_to.is(wanted, &keeps)
        {
            return Arc::clone(former);
        }
        let backends = wanted.slots(service.table_size);
        let at_once = service.flows.are_pinned() || service.flows.datagrams == Datagrams::Stateless;
        let mut slots = match former {
            Some(former) if !at_once => former[..size].to_vec(),
            _ => backends.iter().map(|&backend| Slot::stable(backend)).collect(),
        };
        let everywhere_else = vec![false; size];
        let elsewhere =
            census.map(|census| census.elsewhere.get(&number).unwrap_or(&everywhere_else).as_slice());
        self.journeys.entry(number).or_default().advance(
            &mut slots,
            &Course {
                wanted: &backends,
                keeps: &|backend| keepers.contains(&backend),
                settling: ticks(service.flows.idle_timeout),
                room_since: self.refused.get(&number).map_or(Tick(0), |(_, since)| *since),
                now,
                pinned_elsewhere: elsewhere,
            },
        );
        if slots.iter().all(|slot| slot.is_stable()) {
            self.unsettled.remove(&number);
        } else {
            self.unsettled.insert(number);
        }
        let turns = wanted.rotation.iter().map(|&place| Slot::stable(wanted.numbers[place]));
        slots.extend(turns.chain(std::iter::repeat(Slot::default())).take(room));
        let kept = self.kept.remove(&number);
        let generation = match (self.led_to.get(&number), kept) {
            (Some(led_to), _) => led_to.generation + u64::from(!led_to.is(wanted, &keeps)),
            (None, Some(kept)) => kept.number + u64::from(kept.fingerprint != wanted.fingerprint()),
            (None, None) => 1,
        };
        self.led_to.insert(number, LedTo { generation, wanted: wanted.clone(), keeps });
        match former {
            Some(former) if **former == slots => Arc::clone(former),
            _ => Arc::new(slots),
        }
    }

    /// How far a service's slots are.
    pub fn progress(&self, service: &config::Service, number: u32, slots: &[Slot], now: Tick) -> Progress {
        let slots = &slots[..service.table_size as usize];
        if !self.unsettled.contains(&number) {
            return Progress { stable: slots.len() as u32, ..Progress::default() };
        }
        let mut progress = Progress::default();
        for slot in slots {
            match slot.state() {
                State::Stable(_) => progress.stable += 1,
                State::Tracked(_) => progress.tracked += 1,
                State::Migrating { previous, .. } => {
                    progress.migrating += 1;
                    *progress.former.entry(previous).or_default() += 1;
                }
            }
        }
        if let Some(journey) = self.journeys.get(&number) {
            progress.remaining = journey.remaining(slots, ticks(service.flows.idle_timeout), now);
        }
        progress
    }

    /// How often a service's slots were to be others, the first time included.
    pub fn generation(&self, number: u32) -> u64 {
        self.led_to.get(&number).map_or(0, |led_to| led_to.generation)
    }

    /// Whether slots are on their way.
    pub fn wait(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// Forgets the services that aren't there any more.
    pub fn keep_only(&mut self, image: &Image) {
        let is_there = |number: &u32| image.tables.contains_key(number);
        self.journeys.retain(|number, _| is_there(number));
        self.led_to.retain(|number, _| is_there(number));
        self.unsettled.retain(is_there);
        self.refused.retain(|number, _| is_there(number));
        self.kept.retain(|number, _| is_there(number));
    }
}

impl LedTo {
    fn is(&self, wanted: &Wanted, keeps: &[bool]) -> bool {
        Arc::ptr_eq(&self.wanted.table, &wanted.table)
            && self.wanted.numbers == wanted.numbers
            && self.wanted.rotation == wanted.rotation
            && self.keeps == keeps
    }
}
