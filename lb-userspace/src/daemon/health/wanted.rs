//! Who is to be checked, and how: from the configuration and from the numbers that backends have.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::through::{Obstacles, obstacle_of};
use crate::config::{self, AdminState, Config, Health, Via};
use crate::health::probe::Probe;
use crate::health::{Member, Service, Target};
use crate::planner::{Desired, DesiredService};
use crate::roster::{BackendId, ServiceId};

/// A service whose backends are to be checked.
pub(super) struct Wanted {
    /// Its name in the configuration.
    pub name: String,
    /// What kind of check it is, as it is written.
    pub kind: &'static str,
    /// Where checks are sent.
    pub via: Via,
    /// Why checks can't be sent there, if they can't.
    pub obstacle: Option<String>,
    pub service: Service<BackendId>,
}

/// The services' probes: the same one for as long as a service's checks stay the same.
#[derive(Default)]
pub(super) struct Probes(BTreeMap<ServiceId, Arc<Probe>>);

/// Who is to be checked.
pub(super) fn wanted(
    config: &Config,
    desired: &Desired,
    obstacles: &Obstacles,
    probes: &mut Probes,
) -> BTreeMap<ServiceId, Wanted> {
    let mut former = std::mem::take(&mut probes.0);
    let services = config.services.iter().zip(&desired.services).filter_map(|(service, desired)| {
        let (id, health) = (ServiceId::of(service), service.health.as_ref()?);
        let same = former.remove(&id).filter(|probe| **probe == health.probe);
        let probe = same.unwrap_or_else(|| Arc::new(health.probe.clone()));
        probes.0.insert(id, Arc::clone(&probe));
        let backends = backends(service, health, desired);
        let obstacle = obstacle_of(obstacles, service);
        let is_obstructed = obstacle.is_some();
        let wanted = Wanted {
            name: service.name.clone(),
            kind: health.kind(),
            via: health.via,
            obstacle,
            service: Service { settings: health.settings, probe, is_obstructed, backends },
        };
        Some((id, wanted))
    });
    services.collect()
}

fn backends(
    service: &config::Service,
    health: &Health,
    desired: &DesiredService,
) -> BTreeMap<BackendId, (Member, Target)> {
    let of_backend = |backend: &config::Backend| {
        let id = BackendId::of(backend);
        let weight = if backend.state == AdminState::Active { backend.weight } else { 0 };
        let member = Member { weight, is_backup: backend.is_backup };
        let at = |address: IpAddr| SocketAddr::new(address, health.port);
        let target = match health.via {
            Via::Direct => Target::direct(at(backend.address)),
            Via::Vip => {
                let number = desired.backends.iter().find(|desired| desired.id == id)?.index;
                Target::through(at(service.vip.address), number)
            }
        };
        Some((id, (member, target)))
    };
    service.backends.iter().filter_map(of_backend).collect()
}
