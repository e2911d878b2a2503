//! What was told of services and their backends, so that only what is new is told.

use std::collections::BTreeMap;

use crate::api::BackendState;
use crate::config::{Config, Forwarding, Service};
use crate::events::Event;
use crate::next_hop::{Network, NextHops};
use crate::planner::{Desired, DesiredBackend, Obstacle};

/// What was told last, by the services' names.
#[derive(Debug, Default)]
pub(super) struct Told {
    services: BTreeMap<String, ToldService>,
}

#[derive(Debug)]
struct ToldService {
    is_settled: bool,
    backends: BTreeMap<String, ToldBackend>,
}

#[derive(Debug, PartialEq, Eq)]
struct ToldBackend {
    state: BackendState,
    reason: Option<String>,
    /// Whether it is there, but its checks fail.
    is_failing: bool,
}

impl Told {
    /// What is new. `way` is the way to a backend, as in `through eth0`, if there is one.
    pub fn news(
        &mut self,
        config: &Config,
        desired: &Desired,
        way: impl Fn(&Service, &DesiredBackend) -> Option<String>,
    ) -> Vec<Event> {
        let mut news = Vec::new();
        let present = || config.services.iter().zip(&desired.services);
        // Names are compared without copies: this is done every second while anything settles.
        if self.services.len() > present().count() {
            self.services.retain(|name, _| present().any(|(configured, _)| configured.name == *name));
        }
        for (configured, desired) in present() {
            let service = &configured.name;
            let is_settled = desired.progress.migrating == 0 && desired.progress.tracked == 0;
            if !self.services.contains_key(service) {
                let told = ToldService { is_settled, backends: BTreeMap::new() };
                self.services.insert(service.clone(), told);
            }
            let Some(told) = self.services.get_mut(service) else { continue };
            for backend in &desired.backends {
                told.backend(configured, backend, &way, &mut news);
            }
            told.backends.retain(|name, _| {
                let stays = desired.backends.iter().any(|backend| backend.id.name == *name);
                if !stays {
                    news.push(Event::BackendGone { service: service.clone(), backend: name.clone() });
                }
                stays
            });
            if is_settled && !told.is_settled {
                news.push(Event::Settled { service: service.clone(), generation: desired.generation });
            }
            told.is_settled = is_settled;
        }
        news
    }
}

impl ToldService {
    fn backend(
        &mut self,
        service: &Service,
        backend: &DesiredBackend,
        way: impl Fn(&Service, &DesiredBackend) -> Option<String>,
        news: &mut Vec<Event>,
    ) {
        let told = self.backends.get(&backend.id.name);
        let state = BackendState::from(backend.state);
        let reason = backend.obstacle.as_ref().map(ToString::to_string);
        let is_failing = matches!(backend.obstacle, Some(Obstacle::Failing(_)));
        let present = ToldBackend { state, reason, is_failing };
        if told == Some(&present) {
            return;
        }
        let (service_name, name) = (service.name.clone(), backend.id.name.clone());
        if told.is_some_and(|told| told.is_failing) && state == BackendState::Active {
            // What is used although its checks fail is told of as the service's news.
            if !backend.is_failing {
                news.push(Event::Recovered { service: service_name, backend: name.clone() });
            }
            self.backends.insert(name, present);
            return;
        }
        let way = match (told, &present.reason) {
            // It is told where it leads when it is found.
            (Some(ToldBackend { reason: None, .. }), None) | (_, Some(_)) => None,
            (_, None) => way(service, backend),
        };
        news.push(Event::Backend {
            service: service_name,
            backend: name.clone(),
            former: told.map(|told| told.state),
            state,
            reason: present.reason.clone(),
            way,
        });
        self.backends.insert(name, present);
    }
}

/// As in `through eth0, next hop 02:00:00:00:00:01, source 198.51.100.10`.
pub(super) fn way(
    config: &Config,
    network: &Network,
    next_hops: &NextHops,
    service: &Service,
    backend: &DesiredBackend,
) -> Option<String> {
    let hop = next_hops.get(&backend.id.address)?.as_ref().ok()?;
    let way = format!("through {}, next hop {}", network.name(hop.link.egress), hop.mac());
    Some(match service.forwarding {
        Forwarding::L2 => way,
        Forwarding::Ipip | Forwarding::Gue { .. } => {
            format!("{way}, source {}", config.tunnel_source(hop.source))
        }
    })
}
