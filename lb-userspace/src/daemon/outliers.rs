//! What the datapath has seen of backends' troubles, as their health is told it.

use std::collections::BTreeMap;
use std::time::Duration;

use lb_common::slot::BackendIndex;
use lb_common::symptom::Signs;

use crate::config::Config;
use crate::health::Traffic;
use crate::planner::Desired;
use crate::roster::{BackendId, ServiceId};

/// How often that is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// What was seen between two looks, of the services that ask for it.
pub(super) type Look = BTreeMap<ServiceId, BTreeMap<BackendId, Traffic>>;

/// What had been seen at the last look.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<BackendIndex, Signs>);

impl Seen {
    /// What was seen since the last look. Of a backend that wasn't there then, nothing.
    pub fn look(
        &mut self,
        config: &Config,
        desired: &Desired,
        signs: impl Fn(BackendIndex) -> Signs,
    ) -> Look {
        let former = std::mem::take(&mut self.0);
        let mut look = Look::new();
        for (service, desired) in config.services.iter().zip(&desired.services) {
            if service.health.as_ref().is_none_or(|health| health.settings.outliers.is_none()) {
                continue;
            }
            let traffic = desired.backends.iter().map(|backend| {
                let present = signs(backend.index);
                self.0.insert(backend.index, present);
                let Signs { begun, again, resets } =
                    former.get(&backend.index).map(|&former| present.since(former)).unwrap_or_default();
                (backend.id.clone(), Traffic { flows: begun, troubles: again.saturating_add(resets) })
            });
            look.insert(ServiceId::of(service), traffic.collect());
        }
        look
    }
}
