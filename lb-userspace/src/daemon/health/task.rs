//! The checks' thread.

use std::collections::BTreeMap;

use lb_common::clock::Tick;
use tokio::sync::mpsc;

use super::super::outliers::Look;
use super::AT_ONCE;
use super::finding::{Findings, Found, Pool, fitness};
use super::shown::shown;
use super::wanted::Wanted;
use crate::api::AskHealth;
use crate::config::Via;
use crate::fitness::ServiceFitness;
use crate::health::{Kept, Moment, Monitor};
use crate::roster::{BackendId, ServiceId};

/// What the checks' thread is told.
pub(super) enum Order {
    /// Who is to be checked from now on, and what is known of them from before.
    Follow { services: BTreeMap<ServiceId, Wanted>, kept: BTreeMap<(ServiceId, BackendId), Kept> },
    /// What was seen of backends' troubles.
    Look(Look),
}

/// What of a service the checks don't ask for.
pub(super) struct About {
    pub name: String,
    pub kind: &'static str,
    pub via: Via,
    pub obstacle: Option<String>,
}

/// Has backends checked and tells what is decided, until nobody orders anything any more. It is `start` by the datapath's clock.
pub(super) async fn run(
    mut orders: mpsc::UnboundedReceiver<Order>,
    mut ask: mpsc::Receiver<AskHealth>,
    findings: &Findings,
    start: Tick,
) {
    let mut monitor: Monitor<ServiceId, BackendId> = Monitor::new(AT_ONCE);
    let mut about = BTreeMap::new();
    let begin = monitor.now();
    // Wraps as ticks do.
    let tick = |moment: Moment| {
        let ticks = |moment: Moment| Tick::at_nanoseconds(moment.0.as_nanos() as u64).0;
        Tick(start.0.wrapping_add(ticks(moment)).wrapping_sub(ticks(begin)))
    };
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(Order::Follow { services, kept }) => {
                    about.clear();
                    let services = services.into_iter().map(|(id, Wanted { name, kind, via, obstacle, service })| {
                        about.insert(id, About { name, kind, via, obstacle });
                        (id, service)
                    });
                    let services: BTreeMap<_, _> = services.collect();
                    monitor.follow(services, |id, backend| kept.get(&(*id, backend.clone())).copied());
                    about.keys().for_each(|id| tell(&monitor, id, findings, tick));
                }
                Some(Order::Look(look)) => for (id, traffic) in &look {
                    if monitor.look(id, traffic) {
                        tell(&monitor, id, findings, tick);
                    }
                },
            },
            id = monitor.changed() => tell(&monitor, &id, findings, tick),
            Some(asked) = ask.recv() => {
                // Whoever asked may have gone.
                let _ = asked.send(shown(&monitor, &about));
            }
        }
    }
}

/// Tells what is decided of a service.
fn tell(
    monitor: &Monitor<ServiceId, BackendId>,
    id: &ServiceId,
    findings: &Findings,
    tick: impl Fn(Moment) -> Tick + Copy,
) {
    let (Some(decision), Some(pool)) = (monitor.decision(id), monitor.pool(id)) else { return };
    let backends = decision.parts.iter().filter_map(|(backend, part)| {
        let course = pool.course(backend)?;
        let record = monitor.record(id, backend);
        Some((backend.clone(), fitness(part, course, record, tick)))
    });
    let fitness = ServiceFitness { backends: backends.collect(), all_down: decision.all_down };
    findings.put(*id, Found { fitness, pool: Pool::of(decision) });
}
