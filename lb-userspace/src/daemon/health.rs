//! The backends' health: asked for on a thread of its own, so that neither a large change of maps holds up checks nor checks
//! hold up anything else.

mod finding;
mod shown;
mod task;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use lb_common::clock::Tick;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tracing::error;

use super::outliers::Look;
use super::through::Obstacles;
use crate::api;
use crate::config::{Config, Service};
use crate::events::{Event, tell};
use crate::fitness::Fitnesses;
use crate::health::{Condition, Kept};
use crate::kernel_clock;
use crate::planner::{Desired, Planner};
use crate::roster::{BackendId, ServiceId};
use finding::{Findings, Pool};
use task::Order;
use wanted::{Probes, Wanted, wanted};

/// The most checks at once: each has a socket.
const AT_ONCE: usize = 1024;

/// Who has the backends checked, and knows what that came to.
pub(super) struct Health {
    orders: mpsc::UnboundedSender<Order>,
    findings: Arc<Findings>,
    probes: Probes,
    fitnesses: Fitnesses,
    pools: BTreeMap<ServiceId, Pool>,
}

impl Health {
    /// Nobody is checked yet. `ask` is where it is asked what checks came to.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(ask: mpsc::Receiver<api::AskHealth>) -> Result<Self> {
        // What a shell grants a process isn't enough for all checks and connections of the API.
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        let (orders, taken) = mpsc::unbounded_channel();
        let findings = Arc::new(Findings::default());
        let now = kernel_clock::now()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let told = Arc::clone(&findings);
        let work = move || {
            let _end = EndWithThis;
            runtime.block_on(task::run(taken, ask, &told, now));
        };
        thread::Builder::new().name("health".into()).spawn(work).context("starting a thread for checks")?;
        Ok(Health {
            orders,
            findings,
            probes: Probes::default(),
            fitnesses: Fitnesses::new(),
            pools: BTreeMap::new(),
        })
    }

    /// Has those checked that a configuration says, under the numbers that they have.
    pub fn follow(
        &mut self,
        config: &Config,
        desired: &Desired,
        planner: &Planner,
        obstacles: &Obstacles,
        now: Tick,
    ) {
        let services: BTreeMap<ServiceId, Wanted> = wanted(config, desired, obstacles, &mut self.probes);
        self.fitnesses.retain(|id, _| services.contains_key(id));
        self.pools.retain(|id, _| services.contains_key(id));
        let kept = config.services.iter().flat_map(|service| {
            let id = ServiceId::of(service);
            let of_backend = move |backend| {
                let backend = BackendId::of(backend);
                let fitness = planner.fitness(service, &backend)?;
                let is_known = fitness.condition != Condition::Unknown;
                let kept = Kept { condition: fitness.condition, seconds: fitness.seconds(now) };
                is_known.then_some(((id, backend), kept))
            };
            service.backends.iter().filter_map(of_backend)
        });
        let kept = kept.collect();
        // It ends only when this does.
        let _ = self.orders.send(Order::Follow { services, kept });
    }

    /// Tells what was seen of backends' troubles.
    pub fn look(&self, look: Look) {
        if !look.is_empty() {
            // It ends only when this does.
            let _ = self.orders.send(Order::Look(look));
        }
    }

    /// Waits until something is decided. Nothing is lost if nobody waits any more.
    pub async fn changed(&self) {
        self.findings.changed().await;
    }

    /// Takes over what was decided, and tells what is new about services.
    pub fn take(&mut self, config: &Config) {
        for (id, found) in self.findings.take() {
            let is_checked = |service: &&Service| ServiceId::of(service) == id && service.health.is_some();
            // It may have been decided before that changed.
            let Some(service) = config.services.iter().find(is_checked) else { continue };
            let former = self.pools.insert(id, found.pool).unwrap_or_default();
            for news in found.pool.news(former) {
                tell(Event::Health { service: service.name.clone(), news });
            }
            self.fitnesses.insert(id, found.fitness);
        }
    }

    /// What is decided.
    pub fn fitnesses(&self) -> &Fitnesses {
        &self.fitnesses
    }
}

/// Ends the process if this thread panics: packets are balanced as before, and whoever starts `lbd` starts it again. Without checks,
/// what is down would stay so for ever.
struct EndWithThis;

impl Drop for EndWithThis {
    fn drop(&mut self) {
        if thread::panicking() {
            error!("the checks' thread has panicked");
            std::process::abort();
        }
    }
}
