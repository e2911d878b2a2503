//! Which backends there are, by which numbers the maps know them, and which flows they take at this moment.
//!
//! Pure: what was observed and the time are arguments.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lb_common::backend::Backend as Way;
use lb_common::clock::{Tick, ticks};
use lb_common::slot::BackendIndex;
use lb_common::standing::{Role, Takes};
use serde::{Deserialize, Serialize};

use crate::config::{self, AdminState, Config, DownFlows, Prefix};
use crate::fitness::{Fit, Fitness, Fitnesses};
use crate::health::{Condition, OnAllDown, WHOLE};
use crate::numbers::Numbers;
use crate::planner::Obstacle;
pub use kept::Kept;

/// The largest weight.
const HEAVIEST: u32 = 65_535;

/// Names a service: VIP, port and protocol, which are what clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceId {
    vip: Prefix,
    port: Option<u16>,
    protocol: u8,
}

impl ServiceId {
    /// The name of a configured service.
    #[must_use]
    pub fn of(service: &config::Service) -> Self {
        ServiceId { vip: service.vip, port: service.port, protocol: service.protocol.0 }
    }
}

/// Names a backend of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackendId {
    /// The name in the lookup table.
    pub name: String,
    /// Its own address.
    pub address: IpAddr,
}

impl BackendId {
    /// The name of a configured backend.
    #[must_use]
    pub fn of(backend: &config::Backend) -> Self {
        BackendId { name: backend.name.clone(), address: backend.address }
    }
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the maps.
    pub number: BackendIndex,
    /// Its share of new flows, relative to the other backends', as its operator wants it.
    pub weight: u32,
    /// The same at this moment, 0 to 65,535, relative to the other backends' at this moment.
    pub current_weight: u32,
    /// The way to it, as last known.
    pub way: Option<Way>,
    /// Why it takes no new flows, unless its operator wants it so.
    pub obstacle: Option<Obstacle>,
    /// What health decides of it.
    fitness: Fitness,
    /// What the operator wants of it.
    wanted: AdminState,
    /// Seconds for which it keeps its flows when it drains or leaves.
    drain_timeout: u32,
    /// Since when it drains.
    draining_since: Option<Tick>,
    /// Since when it can't be reached, or can't serve.
    down_since: Option<Tick>,
    /// Since when it isn't in the configuration.
    leaving_since: Option<Tick>,
    /// Which flows it takes, as of the last update.
    pub taking: Takes,
    /// Whether it let go of its flows, and pins to it may be left: it takes nothing until there was a look through all of
    /// them.
    is_void: bool,
}

/// A service's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The service's number in the maps.
    pub number: u32,
    /// Its backends, those that are leaving too.
    pub members: BTreeMap<BackendId, Member>,
}

/// All backends of all services.
#[derive(Clone, Debug)]
pub struct Roster {
    rolls: BTreeMap<ServiceId, Roll>,
    vips: Numbers<Prefix>,
    services: Numbers<ServiceId>,
    backends: Numbers<(ServiceId, BackendId)>,
}

/// How a backend of a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes all flows.
    Active,
    /// It takes no new flows.
    Draining,
    /// It can't be reached, or can't serve.
    Down,
    /// It takes no new flows, because others are to be preferred.
    Standby,
    /// It takes nothing, because the operator wants it so.
    Disabled,
    /// It isn't in the configuration any more, and keeps its flows for a while.
    Leaving,
}

impl Roster {
    /// Nobody yet; with room for so many services and backends.
    #[must_use]
    pub fn new(services: u32, backends: u32) -> Self {
        Roster {
            rolls: BTreeMap::new(),
            vips: Numbers::new(0..services),
            services: Numbers::new(0..services),
            backends: Numbers::new(1..backends),
        }
    }

    /// A service's roll.
    #[must_use]
    pub fn roll(&self, service: &config::Service) -> Option<&Roll> {
        self.rolls.get(&ServiceId::of(service))
    }

    /// Takes over what the configuration says, the ways to the backends, and what health decides of them. Where it hasn't
    /// decided yet, what it did last counts.
    ///
    /// Of services that aren't there any more, nothing is kept.
    pub fn update(
        &mut self,
        config: &Config,
        way: impl Fn(&config::Service, IpAddr) -> Result<Way, Obstacle>,
        fitnesses: &Fitnesses,
        now: Tick,
    ) {
        let mut former = std::mem::take(&mut self.rolls);
        for service in &config.services {
            let id = ServiceId::of(service);
            let Some(number) = self.services.of(&id) else { continue };
            let mut roll = former.remove(&id).unwrap_or_else(|| Roll { number, members: BTreeMap::new() });
            for member in roll.members.values_mut() {
                member.leaving_since.get_or_insert(now);
            }
            let fitnesses = fitnesses.get(&id);
            let are_known = roll.has_known(service);
            for backend in &service.backends {
                let key = BackendId::of(backend);
                let fitness = fitnesses.and_then(|fitnesses| fitnesses.backends.get(&key));
                let Some(number) = self.backends.of(&(id, key.clone())) else { continue };
                let number = BackendIndex(number as u16);
                let member = roll.members.entry(key).or_insert_with(|| Member::beside(are_known, number));
                member.follow(service, backend, now);
                if service.health.is_none() {
                    member.fitness = Fitness::default();
                } else if let Some(fitness) = fitness {
                    member.fitness = fitness.clone();
                }
            }
            for (key, member) in &mut roll.members {
                member.reach(way(service, key.address), now);
            }
            roll.stand_in(service);
            roll.members.values_mut().for_each(|member| member.decide(service, now));
            roll.weigh();
            self.rolls.insert(id, roll);
        }
        for (id, roll) in former {
            roll.members.into_keys().for_each(|key| self.backends.give_back(&(id, key)));
            self.services.give_back(&id);
            if !config.services.iter().any(|service| service.vip == id.vip) {
                self.vips.give_back(&id.vip);
            }
        }
    }

    /// The number of a VIP.
    pub fn vip(&mut self, vip: Prefix) -> Option<u32> {
        self.vips.of(&vip)
    }

    /// Addresses of all backends.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.rolls.values().flat_map(|roll| roll.members.keys()).map(|id| id.address).collect()
    }

    /// Whether there are numbers for all that a configuration names, those of former services and backends not counted that
    /// something may still name.
    #[must_use]
    pub fn has_room(&self, config: &Config) -> bool {
        let ids = config.services.iter().map(ServiceId::of);
        let backends = config.services.iter().flat_map(|service| {
            service.backends.iter().map(|backend| (ServiceId::of(service), BackendId::of(backend)))
        });
        self.services.has_room(&ids.collect()) && self.backends.has_room(&backends.collect())
    }

    /// Takes note of a look through the connection table, after which `is_pinned` says to whom pins are left and
    /// `has_slot` who has slots of a service, or of any: those who are leaving and have nothing left are gone, and numbers are
    /// free again.
    ///
    /// Slots are many, so that they are asked for only where the answer counts.
    pub fn looked(
        &mut self,
        config: &Config,
        is_pinned: impl Fn(BackendIndex) -> bool,
        has_slot: impl Fn(Option<u32>, BackendIndex) -> bool,
    ) {
        let index = |number: u32| BackendIndex(number as u16);
        for service in &config.services {
            let id = ServiceId::of(service);
            let Some(roll) = self.rolls.get_mut(&id) else { continue };
            let (backends, service) = (&mut self.backends, Some(roll.number));
            roll.members.retain(|key, member| {
                if !member.is_void && !member.is_leaving() {
                    return true;
                }
                let is_named = is_pinned(member.number) || has_slot(service, member.number);
                member.is_void &= is_named;
                let is_gone = member.is_leaving() && !is_named;
                if is_gone {
                    backends.give_back(&(id, key.clone()));
                }
                !is_gone
            });
        }
        self.backends.release(|number| is_pinned(index(number)) || has_slot(None, index(number)));
        if !self.backends.waits() {
            self.services.release(|_| false);
            self.vips.release(|_| false);
        }
    }

    /// Whether time, or a look through the connection table, would change something.
    #[must_use]
    pub fn waits(&self) -> bool {
        let members = || self.rolls.values().flat_map(|roll| roll.members.values());
        self.backends.waits() || self.services.waits() || self.vips.waits() || members().any(Member::waits)
    }
}

impl Roll {
    /// Whether there are backends that checks have shown to be up, and that stay.
    fn has_known(&self, service: &config::Service) -> bool {
        let stays = |backend: &&config::Backend| backend.state == AdminState::Active && backend.weight > 0;
        let mut staying = service.backends.iter().filter(stays);
        service.health.is_some()
            && staying.any(|backend| {
                let member = self.members.get(&BackendId::of(backend));
                member.is_some_and(|member| member.fitness.condition == Condition::Up)
            })
    }

    /// Where nobody would take new flows by what health has decided, those do that are only not preferred; if there are none,
    /// and new flows are to be forwarded all the same, those whose checks fail.
    ///
    /// Health decides anew as soon as it knows of a change, and doesn't know who can't be reached: flows don't wait for that.
    fn stand_in(&mut self, service: &config::Service) {
        let Some(health) = &service.health else { return };
        if self.members.values().any(Member::would_take) {
            return;
        }
        let can = |obstacle: fn(&Obstacle) -> bool| {
            move |member: &&mut Member| member.is_wanted() && member.obstacle.as_ref().is_some_and(obstacle)
        };
        let standby = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Standby(_));
        let failing = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Failing(_));
        let mut found: Vec<&mut Member> = self.members.values_mut().filter(can(standby)).collect();
        if found.is_empty() && health.settings.on_all_down == OnAllDown::Forward {
            found = self.members.values_mut().filter(can(failing)).collect();
        }
        for member in found {
            (member.obstacle, member.down_since) = (None, None);
        }
    }

    /// Shares of a weight of 1 are no whole numbers: where one has only a part of its weight, all are as large as they can
    /// be. Tables go by their ratios alone.
    fn weigh(&mut self) {
        let are_whole = self.members.values().all(|member| member.fitness.share == WHOLE);
        let heaviest = self.members.values().map(|member| member.weight).max().unwrap_or_default();
        let scale = if are_whole { 1 } else { HEAVIEST / heaviest.clamp(1, HEAVIEST) };
        for member in self.members.values_mut() {
            let whole = u64::from(member.weight.min(HEAVIEST) * scale);
            let share = u64::from(member.fitness.share.min(WHOLE));
            member.current_weight = (whole * share).div_ceil(WHOLE.into()) as u32;
        }
    }
}

impl Member {
    /// A new one; if others are known to be up, it waits for its first check.
    fn beside(are_known: bool, number: BackendIndex) -> Self {
        let mut member = Member::new(number);
        if are_known {
            member.fitness.fit = Fit::Old("not checked yet".into());
        }
        member
    }

    fn new(number: BackendIndex) -> Self {
        Member {
            number,
            weight: 0,
            current_weight: 0,
            fitness: Fitness::default(),
            way: None,
            obstacle: None,
            wanted: AdminState::Active,
            drain_timeout: 0,
            draining_since: None,
            down_since: None,
            leaving_since: None,
            taking: Takes::NONE,
            is_void: false,
        }
    }

    fn reach(&mut self, way: Result<Way, Obstacle>, now: Tick) {
        self.obstacle = match way {
            Ok(way) => {
                self.way = Some(way);
                match &self.fitness.fit {
                    Fit::All => None,
                    Fit::Old(reason) => Some(Obstacle::Standby(reason.clone())),
                    Fit::None(reason) => Some(Obstacle::Failing(reason.clone())),
                }
            }
            Err(obstacle) => Some(obstacle),
        };
        if self.obstacle.as_ref().is_some_and(Obstacle::is_down) {
            self.down_since.get_or_insert(now);
        } else {
            self.down_since = None;
        }
    }

    /// What health decided of it.
    #[must_use]
    pub fn fitness(&self) -> &Fitness {
        &self.fitness
    }

    /// Takes over what the configuration says of it.
    fn follow(&mut self, service: &config::Service, backend: &config::Backend, now: Tick) {
        self.leaving_since = None;
        self.weight = backend.weight;
        self.wanted = backend.state;
        self.drain_timeout = backend.drain_timeout.unwrap_or(service.flows.drain_timeout);
        match self.wanted {
            AdminState::Draining => drop(self.draining_since.get_or_insert(now)),
            AdminState::Active | AdminState::Disabled => self.draining_since = None,
        }
    }

    /// Decides which flows of its service it takes from now on.
    fn decide(&mut self, service: &config::Service, now: Tick) {
        let wants = self.wants(service, now);
        self.is_void |= self.taking != Takes::NONE && wants == Takes::NONE;
        self.taking = if self.is_void { Takes::NONE } else { wants };
    }

    /// Whether its operator wants it to take new flows.
    fn is_wanted(&self) -> bool {
        self.wanted == AdminState::Active && self.leaving_since.is_none() && self.weight > 0
    }

    /// Whether it takes new flows, as far as is known before it was decided.
    fn would_take(&self) -> bool {
        self.is_wanted() && self.obstacle.is_none()
    }

    /// Whether time, or a look through the connection table, would change what it takes.
    fn waits(&self) -> bool {
        let is_limited = self.down_since.is_some() || self.draining_since.is_some();
        self.is_void || self.leaving_since.is_some() || is_limited && self.taking != Takes::NONE
    }

    fn wants(&self, service: &config::Service, now: Tick) -> Takes {
        let flows = &service.flows;
        let within =
            |since: Option<Tick>, seconds| since.is_none_or(|since| now.since(since) <= ticks(seconds));
        let is_drained = !within(self.draining_since, self.drain_timeout);
        let is_lost = flows.down_flows == DownFlows::Reset && !within(self.down_since, flows.down_grace);
        let has_left = !within(self.leaving_since, self.drain_timeout);
        let is_disabled = self.wanted == AdminState::Disabled;
        if self.way.is_none() || is_disabled || is_drained || is_lost || has_left {
            return Takes::NONE;
        }
        if self.would_take() { Takes::ALL } else { Takes::OLD_ONLY }
    }

    /// What it does in its service now.
    #[must_use]
    pub fn role(&self, service: u32) -> Role {
        Role { service, takes: self.taking, weight: self.current_weight }
    }

    /// Whether it isn't in the configuration any more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving_since.is_some()
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.wanted, self.leaving_since, self.down_since) {
            (AdminState::Disabled, ..) => State::Disabled,
            (_, Some(_), _) => State::Leaving,
            (_, _, Some(_)) => State::Down,
            (AdminState::Draining, ..) => State::Draining,
            (AdminState::Active, None, None) if self.obstacle.is_some() => State::Standby,
            (AdminState::Active, None, None) => State::Active,
        }
    }
}
