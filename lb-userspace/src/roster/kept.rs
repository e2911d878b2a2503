//! What of the roster must outlive the process: by which numbers pinned maps know services and backends, and since when
//! things are as they are.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::backend::Backend as Way;
use lb_common::clock::Tick;
use lb_common::slot::BackendIndex;
use lb_common::standing::Takes;
use serde::{Deserialize, Serialize};

use super::{BackendId, Member, Roll, Roster, ServiceId};
use crate::config::{AdminState, Prefix};
use crate::fitness::Fitness;
use crate::numbers::Numbers;

/// The roster, to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    services: Vec<KeptService>,
    vips: Vec<(Prefix, u32)>,
    /// Numbers that were given back, and that something may still name.
    returned_services: BTreeSet<u32>,
    returned_vips: BTreeSet<u32>,
    returned_backends: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptService {
    #[serde(flatten)]
    id: ServiceId,
    number: u32,
    backends: Vec<KeptBackend>,
}

/// Moments are ticks of the kernel's clock, which begins anew when the maps do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptBackend {
    #[serde(flatten)]
    id: BackendId,
    number: u16,
    weight: u32,
    drain_timeout: u32,
    is_disabled: bool,
    draining_since: Option<u32>,
    down_since: Option<u32>,
    leaving_since: Option<u32>,
    taking: u32,
    is_void: bool,
    fitness: Fitness,
}

impl Kept {
    /// Whether the same things have the same numbers, and those that were given back are the same.
    #[must_use]
    pub fn has_numbers_of(&self, other: &Kept) -> bool {
        let numbers = |kept: &Kept| -> Vec<_> {
            let of_service = |service: &KeptService| {
                let backends = service.backends.iter().map(|backend| (backend.id.clone(), backend.number));
                (service.id, service.number, backends.collect::<Vec<_>>())
            };
            kept.services.iter().map(of_service).collect()
        };
        let others = |kept: &Kept| {
            (
                kept.vips.clone(),
                kept.returned_services.clone(),
                kept.returned_vips.clone(),
                kept.returned_backends.clone(),
            )
        };
        numbers(self) == numbers(other) && others(self) == others(other)
    }
}

impl Roster {
    /// What of it must outlive the process.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let services = self.rolls.iter().map(|(&id, roll)| KeptService {
            id,
            number: roll.number,
            backends: roll.members.iter().map(|(id, member)| KeptBackend::of(id, member)).collect(),
        });
        Kept {
            services: services.collect(),
            vips: self.vips.held().map(|(vip, number)| (*vip, number)).collect(),
            returned_services: self.services.returned().clone(),
            returned_vips: self.vips.returned().clone(),
            returned_backends: self.backends.returned().clone(),
        }
    }

    /// The roster that was kept, with room for so many services and backends, and with the ways that the maps hold. None if
    /// what was kept has no room, or contradicts itself.
    #[must_use]
    pub fn restore(
        kept: &Kept,
        services: u32,
        backends: u32,
        ways: &BTreeMap<BackendIndex, Way>,
    ) -> Option<Self> {
        let vips = kept.vips.iter().copied();
        let ids = kept.services.iter().map(|service| (service.id, service.number));
        let members = kept.services.iter().flat_map(|service| {
            let of_service =
                |backend: &KeptBackend| ((service.id, backend.id.clone()), backend.number.into());
            service.backends.iter().map(of_service)
        });
        let roll = |service: &KeptService| {
            let member = |backend: &KeptBackend| (backend.id.clone(), backend.member(ways));
            (
                service.id,
                Roll { number: service.number, members: service.backends.iter().map(member).collect() },
            )
        };
        Some(Roster {
            rolls: kept.services.iter().map(roll).collect(),
            vips: Numbers::restore(0..services, vips, &kept.returned_vips)?,
            services: Numbers::restore(0..services, ids, &kept.returned_services)?,
            backends: Numbers::restore(1..backends, members, &kept.returned_backends)?,
        })
    }
}

impl KeptBackend {
    fn of(id: &BackendId, member: &Member) -> Self {
        KeptBackend {
            id: id.clone(),
            number: member.number.0,
            weight: member.weight,
            drain_timeout: member.drain_timeout,
            is_disabled: member.wanted == AdminState::Disabled,
            draining_since: member.draining_since.map(|since| since.0),
            down_since: member.down_since.map(|since| since.0),
            leaving_since: member.leaving_since.map(|since| since.0),
            taking: member.taking.0,
            is_void: member.is_void,
            fitness: member.fitness.clone(),
        }
    }

    fn member(&self, ways: &BTreeMap<BackendIndex, Way>) -> Member {
        let number = BackendIndex(self.number);
        Member {
            number,
            weight: self.weight,
            current_weight: self.weight,
            fitness: self.fitness.clone(),
            way: ways.get(&number).copied(),
            obstacle: None,
            wanted: match (self.is_disabled, self.draining_since) {
                (true, _) => AdminState::Disabled,
                (false, Some(_)) => AdminState::Draining,
                (false, None) => AdminState::Active,
            },
            drain_timeout: self.drain_timeout,
            draining_since: self.draining_since.map(Tick),
            down_since: self.down_since.map(Tick),
            leaving_since: self.leaving_since.map(Tick),
            taking: Takes(self.taking),
            is_void: self.is_void,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lb_common::clock::ticks;

    use super::*;
    use crate::config::Config;
    use crate::fitness::UNDECIDED;

    const WAY: Way = Way { egress: 7, ..Way::EMPTY };

    fn config(backends: &str) -> Config {
        let text = format!(
            "version: 1\ninterfaces: [{{name: eth0}}]\nservices: [{{vip: 192.0.2.1, port: 80, protocol: tcp, forwarding: l2, \
             drain_timeout: 100, backends: [{backends}]}}]\n"
        );
        Config::parse(&text, Path::new("lb.yaml")).unwrap()
    }

    #[test]
    fn a_roster_goes_on_as_it_was() {
        let both = config("{address: 10.0.0.1}, {address: 10.0.0.2, state: draining}, {address: 10.0.0.3}");
        let (mut roster, now) = (Roster::new(4, 8), Tick(1000));
        roster.update(&both, |_, _| Ok(WAY), &UNDECIDED, now);
        let fewer = config("{address: 10.0.0.2, state: draining}, {address: 10.0.0.3}");
        roster.update(&fewer, |_, _| Ok(WAY), &UNDECIDED, Tick(1000 + ticks(60)));

        let text = serde_json::to_string(&roster.kept()).unwrap();
        let ways = (1..4).map(|number| (BackendIndex(number), WAY)).collect();
        let kept: Kept = serde_json::from_str(&text).unwrap();
        let mut restored = Roster::restore(&kept, 4, 8, &ways).unwrap();
        assert_eq!(restored.rolls, roster.rolls);
        // Also what is still to come: the drained one lets go after 100 s, the one that left 60 s later.
        for seconds in [99, 101, 159, 161] {
            let now = Tick(1000 + ticks(seconds));
            roster.update(&fewer, |_, _| Ok(WAY), &UNDECIDED, now);
            restored.update(&fewer, |_, _| Ok(WAY), &UNDECIDED, now);
            assert_eq!((seconds, &restored.rolls), (seconds, &roster.rolls));
        }
        let more = config("{address: 10.0.0.2}, {address: 10.0.0.3}, {address: 10.0.0.4}");
        roster.update(&more, |_, _| Ok(WAY), &UNDECIDED, now);
        restored.update(&more, |_, _| Ok(WAY), &UNDECIDED, now);
        assert_eq!(restored.kept(), roster.kept());
    }

    #[test]
    fn numbers_without_room_or_given_twice_are_refused() {
        let mut roster = Roster::new(4, 8);
        roster.update(
            &config("{address: 10.0.0.1}, {address: 10.0.0.2}"),
            |_, _| Ok(WAY),
            &UNDECIDED,
            Tick(0),
        );
        let mut kept = roster.kept();
        assert!(Roster::restore(&kept, 4, 2, &BTreeMap::new()).is_none());
        assert!(Roster::restore(&kept, 4, 3, &BTreeMap::new()).is_some());
        kept.services[0].backends[0].number = kept.services[0].backends[1].number;
        assert!(Roster::restore(&kept, 4, 8, &BTreeMap::new()).is_none());
    }
}
