//! Which backends there are, by which numbers the maps know them, and which flows they take at this moment.
//!
//! Pure: what was observed and the time are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lb_common::backend::Backend as Way;
use lb_common::clock::{Tick, ticks};
use lb_common::slot::BackendIndex;
use lb_common::standing::{Role, Takes};

use crate::config::{self, Config, DownFlows, Prefix};
use crate::numbers::Numbers;
use crate::planner::Obstacle;

/// Names a service: VIP, port and protocol, which are what clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What an operator has ordered of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take no new flows, and let go of the old ones at that moment.
    Drain {
        /// Then.
        until: Tick,
    },
    /// Take nothing.
    Disable,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the maps.
    pub number: BackendIndex,
    /// Its share of new flows, relative to the other backends'.
    pub weight: u32,
    /// The way to it, as last known.
    pub way: Option<Way>,
    /// Why it can't be reached, if it can't.
    pub obstacle: Option<Obstacle>,
    /// What the operator wants of it.
    pub order: Option<Order>,
    /// Since when it can't be reached.
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
    /// It can't be reached.
    Down,
    /// It takes nothing, by order.
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

    /// Takes over what the configuration says, and the ways to the backends.
    ///
    /// Of services that aren't there any more, nothing is kept.
    pub fn update(
        &mut self,
        config: &Config,
        way: impl Fn(&config::Service, IpAddr) -> Result<Way, Obstacle>,
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
            for backend in &service.backends {
                let key = BackendId::of(backend);
                let Some(number) = self.backends.of(&(id, key.clone())) else { continue };
                let number = BackendIndex(number as u16);
                let member = roll.members.entry(key).or_insert_with(|| Member::new(number));
                member.leaving_since = None;
                member.weight = backend.weight;
            }
            for (key, member) in &mut roll.members {
                member.reach(way(service, key.address), now);
                let had_flows = member.taking != Takes::NONE;
                member.is_void |= had_flows && member.wants(service, now) == Takes::NONE;
                member.taking = member.takes(service, now);
            }
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

    /// Gives an order, or takes it back. `false` if there is no such backend.
    pub fn order(&mut self, service: &config::Service, backend: &BackendId, order: Option<Order>) -> bool {
        let roll = self.rolls.get_mut(&ServiceId::of(service));
        let member = roll.and_then(|roll| roll.members.get_mut(backend));
        let known = member.is_some();
        if let Some(member) = member {
            member.order = order;
        }
        known
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

impl Member {
    fn new(number: BackendIndex) -> Self {
        Member {
            number,
            weight: 0,
            way: None,
            obstacle: None,
            order: None,
            down_since: None,
            leaving_since: None,
            taking: Takes::NONE,
            is_void: false,
        }
    }

    fn reach(&mut self, way: Result<Way, Obstacle>, now: Tick) {
        match way {
            Ok(way) => {
                self.way = Some(way);
                self.obstacle = None;
                self.down_since = None;
            }
            Err(obstacle) => {
                self.obstacle = Some(obstacle);
                self.down_since.get_or_insert(now);
            }
        }
    }

    /// Which flows of its service it takes now.
    #[must_use]
    pub fn takes(&self, service: &config::Service, now: Tick) -> Takes {
        if self.is_void { Takes::NONE } else { self.wants(service, now) }
    }

    /// Whether time, or a look through the connection table, would change what it takes.
    fn waits(&self) -> bool {
        let is_limited = self.down_since.is_some() || matches!(self.order, Some(Order::Drain { .. }));
        self.is_void || self.leaving_since.is_some() || is_limited && self.taking != Takes::NONE
    }

    fn wants(&self, service: &config::Service, now: Tick) -> Takes {
        let flows = &service.flows;
        let within =
            |since: Option<Tick>, seconds| since.is_none_or(|since| now.since(since) <= ticks(seconds));
        let is_cut = match self.order {
            Some(Order::Disable) => true,
            Some(Order::Drain { until }) => now.since(until) > 0,
            None => false,
        };
        let is_lost = flows.down_flows == DownFlows::Reset && !within(self.down_since, flows.down_grace);
        let has_left = !within(self.leaving_since, flows.drain_timeout);
        if self.way.is_none() || is_cut || is_lost || has_left {
            return Takes::NONE;
        }
        let is_active = self.order.is_none()
            && self.down_since.is_none()
            && self.leaving_since.is_none()
            && self.weight > 0;
        if is_active { Takes::ALL } else { Takes::OLD_ONLY }
    }

    /// What it does in its service now.
    #[must_use]
    pub fn role(&self, service: &config::Service, number: u32, now: Tick) -> Role {
        Role { service: number, takes: self.takes(service, now), weight: self.weight }
    }

    /// Whether it isn't in the configuration any more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving_since.is_some()
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.order, self.leaving_since, self.down_since) {
            (Some(Order::Disable), ..) => State::Disabled,
            (_, Some(_), _) => State::Leaving,
            (_, _, Some(_)) => State::Down,
            (Some(Order::Drain { .. }), ..) => State::Draining,
            (None, None, None) => State::Active,
        }
    }
}
