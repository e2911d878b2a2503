//! The life of `lbd`: one task owns the maps, hears of changes, and answers questions.

mod report;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tracing::{info, warn};

use crate::api::Question;
use crate::attach::{Attachment, attach, check};
use crate::config::Config;
use crate::hash_key;
use crate::image::Image;
use crate::maps::Balancer;
use crate::next_hop::{NextHops, Resolver, Unresolved, keep_known};
use crate::planner::{self, Desired, desired, plan};

/// How long a start waits for neighbours that the kernel has to ask for: it asks once a second.
const NEIGHBOURS_AT_START: Duration = Duration::from_millis(1500);

/// Changes of the network come in bursts.
const BURST: Duration = Duration::from_millis(50);

/// How often the kernel is told that the neighbours are in use: well within the time after which it doubts one that
/// it heard of (`base_reachable_time`, 30 s).
const KEEP_NEIGHBOURS: Duration = Duration::from_secs(5);

/// A running balancer.
pub struct Daemon {
    config: Config,
    balancer: Balancer,
    attachments: Vec<Attachment>,
    resolver: Resolver,
    next_hops: NextHops,
    /// What the maps hold.
    present: Image,
    /// What they should hold.
    desired: Desired,
}

impl Daemon {
    /// Fills the maps, then attaches the program: the first packet finds everything in place.
    ///
    /// # Errors
    /// What is wrong; nothing is attached then.
    pub async fn start(config: Config) -> Result<Self> {
        for interface in &config.interfaces {
            check(&interface.name)?;
        }
        let key = match config.hash_key {
            Some(key) => key,
            None => hash_key::kept(&config.state_directory)?,
        };
        let mut daemon = Daemon {
            balancer: Balancer::load(key)?,
            attachments: Vec::new(),
            resolver: Resolver::new()?,
            next_hops: NextHops::new(),
            present: Image::default(),
            desired: Desired::default(),
            config,
        };
        daemon.meet_neighbours().await?;
        daemon.update()?;
        for interface in &daemon.config.interfaces {
            let attachment = attach(daemon.balancer.program()?, &interface.name, interface.mode)?;
            announce(&attachment);
            daemon.attachments.push(attachment);
        }
        Ok(daemon)
    }

    /// Follows the network and answers questions, until nobody can ask any more.
    ///
    /// # Errors
    /// The kernel refuses a write to a map.
    pub async fn run(mut self, mut questions: mpsc::Receiver<Question>) -> Result<()> {
        let mut tick = interval(KEEP_NEIGHBOURS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                question = questions.recv() => match question {
                    // Whoever asked may have gone.
                    Some(question) => drop(question.send(self.report())),
                    None => return Ok(()),
                },
                () = self.resolver.changed() => {
                    sleep(BURST).await;
                    self.follow_network().await?;
                }
                _ = tick.tick() => self.follow_network().await?,
            }
        }
    }

    /// Resolves every backend, waiting a moment for neighbours that the kernel has to ask for.
    async fn meet_neighbours(&mut self) -> Result<()> {
        let deadline = Instant::now() + NEIGHBOURS_AT_START;
        loop {
            self.next_hops = self.resolver.resolve(&self.addresses()).await?;
            let pending = |found: &Result<_, _>| matches!(found, Err(Unresolved::Pending { .. }));
            if !self.next_hops.values().any(pending) {
                return Ok(());
            }
            if timeout_at(deadline, self.resolver.changed()).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn follow_network(&mut self) -> Result<()> {
        let mut found = self.resolver.resolve(&self.addresses()).await?;
        keep_known(&self.next_hops, &mut found);
        if found != self.next_hops {
            self.next_hops = found;
            self.update()?;
        }
        Ok(())
    }

    /// Brings the maps to what they should hold.
    fn update(&mut self) -> Result<()> {
        let desired = desired(&self.config, &self.next_hops);
        self.log_changes(&desired);
        for write in plan(&self.present, &desired.image) {
            self.balancer.apply(&write)?;
            planner::write(&mut self.present, &write);
        }
        self.desired = desired;
        Ok(())
    }

    fn log_changes(&self, desired: &Desired) {
        for (i, (service, configured)) in desired.services.iter().zip(&self.config.services).enumerate() {
            let former = self.desired.services.get(i);
            for (j, (backend, configured_backend)) in
                service.backends.iter().zip(&configured.backends).enumerate()
            {
                let former = former.map(|service| &service.backends[j].obstacle);
                let (service, name) = (&configured.name, &configured_backend.name);
                match (&backend.obstacle, former) {
                    (obstacle, Some(former)) if obstacle == former => {}
                    (Some(obstacle), _) => warn!("service {service} runs without backend {name}: {obstacle}"),
                    (None, Some(_)) => info!("service {service}: backend {name} can be reached"),
                    (None, None) => {}
                }
            }
        }
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        let backends = self.config.services.iter().flat_map(|service| &service.backends);
        backends.map(|backend| backend.address).collect()
    }
}

fn announce(attachment: &Attachment) {
    let (interface, mode) = (&attachment.interface, attachment.mode.name());
    if let Some(note) = &attachment.note {
        warn!("attached to {interface} in {mode} mode: {note}");
    } else {
        info!("attached to {interface} in {mode} mode");
    }
}
