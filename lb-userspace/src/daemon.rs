//! The life of `lbd`: one task owns the maps, is told of the network by another, and answers questions.

mod arguments;
mod attachments;
mod change;
mod fixed;
mod forecast;
mod health;
mod log;
mod meet;
mod memory;
mod outliers;
mod recent;
mod report;
pub mod running;
mod settle;
mod takeover;
mod through;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use lb_common::clock::Tick;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::warn;

use crate::api::{AskHealth, Request};
use crate::attach::Attachment;
use crate::census::Census;
use crate::checks::Checks;
use crate::config::Config;
use crate::events::{Event, tell};
use crate::hash_key;
use crate::image::Image;
use crate::instance::Instance;
use crate::kernel_clock;
use crate::maps::Balancer;
use crate::next_hop::{Network, NextHops, Resolver, Unresolved, egresses};
use crate::planner::{self, Desired, Observed, Planner, Write, desired, plan};
use crate::systemd::Watchdog;
use crate::trace::{self, Names};
pub use arguments::{Arguments, Command};
use attachments::Attachments;
use health::Health;
use meet::Meetings;
use memory::Memory;
use outliers::Seen;
use recent::Recent;
use running::{Candidate, Journal, Running};
use takeover::Takeover;
use through::Obstacles;
use told::Told;

/// How long a start waits for neighbours that the kernel has to ask for: it asks once a second.
const NEIGHBOURS_AT_START: Duration = Duration::from_millis(1500);

/// How often the network is looked at although nothing is heard of it, and the kernel is told that the neighbours are
/// in use: well within the time after which it doubts one that it heard of (`base_reachable_time`, 30 s).
const KEEP_NEIGHBOURS: Duration = Duration::from_secs(5);

/// How often slots that are on their way, and flows that ended, are looked after.
const SETTLE: Duration = Duration::from_secs(1);

/// A running balancer.
pub struct Daemon {
    config: Config,
    instance: Instance,
    balancer: Balancer,
    attachments: Attachments,
    /// The interfaces whose drivers run the program, by index.
    in_driver: Vec<u32>,
    looks: mpsc::Receiver<Result<Network>>,
    /// As of the last look.
    network: Network,
    /// Where packets can be sent.
    next_hops: NextHops,
    /// What the maps hold.
    present: Image,
    /// What they should hold.
    desired: Desired,
    planner: Planner,
    memory: Memory,
    /// When slots changed last.
    changed: Tick,
    /// The last look through the connection table.
    census: Census,
    /// Pins that were refused, by the services' numbers.
    refused: BTreeMap<u32, u64>,
    /// The backends that ways are asked for.
    addresses: watch::Sender<BTreeSet<IpAddr>>,
    /// What was told of services and backends.
    told: Told,
    /// Why the maps don't hold what they should, or the network isn't known.
    trouble: Option<String>,
    /// For those who are shown packets.
    names: watch::Sender<Arc<Names>>,
    tracer: mpsc::Sender<trace::Listen>,
    /// What `config` was read from.
    running: Running,
    journal: Journal,
    recent: Recent,
    meetings: Meetings,
    health: Health,
    /// At the last look at backends' troubles.
    seen: Seen,
    checks: Checks,
    obstacles: Obstacles,
    /// To be asked what checks came to.
    ask_health: mpsc::Sender<AskHealth>,
}

/// Checks what can be known of the interfaces before anything is touched.
///
/// # Errors
/// One doesn't exist or runs another's program: with its place in the file.
pub fn check(config: &Config, instance: &Instance) -> Result<()> {
    attachments::check(config, instance)
}

/// Takes the program off all interfaces and removes what the instance has pinned. `false` if there was nothing.
///
/// # Errors
/// A process has it; the kernel refuses.
pub fn detach(instance: &str, state_directory: &Path) -> Result<bool> {
    takeover::detach(Instance::take(instance)?, state_directory)
}

impl Daemon {
    /// Fills the maps, then attaches the program: the first packet finds everything in place. Where a former process's program
    /// is, the new one takes its place between two packets.
    ///
    /// # Errors
    /// What is wrong; packets are balanced then as they were before.
    pub async fn start(candidate: Candidate, mut journal: Journal, instance: Instance) -> Result<Self> {
        let Candidate { running, config } = candidate;
        journal.keep(&running)?;
        let key = match config.hash_key {
            Some(key) => key,
            None => hash_key::kept(&config.state_directory)?,
        };
        let takeover = Takeover::prepare(&config, &instance, key)?;
        let (mut balancer, planner, present, memory, remainder) = takeover.part();
        fixed::room(&config, &planner)?;
        let mut addresses = addresses(&config);
        addresses.extend(planner.addresses());
        addresses.extend(through::vips(&config));
        let mut resolver = Resolver::new()?;
        let network = meet_neighbours(&mut resolver, &addresses).await?;
        // One look at most waits to be taken: the next is made after that.
        let (found, looks) = mpsc::channel(1);
        let (sender, receiver) = watch::channel(addresses);
        let events = balancer.take_events().context("its events are taken already")?;
        let (names, of_now) = watch::channel(Arc::default());
        let (tracer, to_listen) = mpsc::channel(1);
        let (ask_health, asked) = mpsc::channel(1);
        let mut daemon = Daemon {
            planner,
            memory,
            in_driver: attachments::held_in_driver(&config, &instance)?,
            changed: kernel_clock::now()?,
            census: Census::default(),
            refused: BTreeMap::new(),
            addresses: sender,
            balancer,
            attachments: Attachments::default(),
            instance,
            looks,
            network,
            next_hops: NextHops::new(),
            present,
            desired: desired(&config, &NextHops::new()),
            told: Told::default(),
            trouble: None,
            names,
            tracer,
            config,
            running,
            journal,
            recent: Recent::default(),
            meetings: Meetings::default(),
            health: Health::start(asked)?,
            seen: Seen::default(),
            checks: Checks::default(),
            obstacles: Obstacles::new(),
            ask_health,
        };
        daemon.update()?;
        remainder.catch_up(&daemon.balancer);
        daemon.attachments = Attachments::all(&daemon.config, &daemon.instance, daemon.balancer.program()?)?;
        remainder.finish(&daemon.instance, &mut daemon.balancer, &mut daemon.memory)?;
        // Where packets can be sent depends on the modes.
        daemon.in_driver = daemon.attachments.in_driver();
        daemon.update()?;
        daemon.follow_checks();
        daemon.check_health()?;
        log::incomplete_tables(&daemon.config, &daemon.desired);
        tokio::spawn(follow(resolver, receiver, found));
        tokio::spawn(async {
            if let Err(error) = trace::run(events, of_now, to_listen).await {
                warn!("packets can't be shown any more: {error:#}");
            }
        });
        Ok(daemon)
    }

    /// Who shows packets to those who ask.
    #[must_use]
    pub fn tracer(&self) -> mpsc::Sender<trace::Listen> {
        self.tracer.clone()
    }

    /// Who tells what checks came to.
    #[must_use]
    pub fn checks(&self) -> mpsc::Sender<AskHealth> {
        self.ask_health.clone()
    }

    /// Follows the network and answers questions, until nobody can ask any more.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut settle = interval(SETTLE);
        settle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(outliers::EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watchdog = Watchdog::new();
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.answer_all(request, &mut requests),
                    None => return,
                },
                () = watchdog.tell() => {}
                _ = settle.tick() => {
                    if let Err(error) = self.settle().and_then(|()| self.note_traffic()) {
                        self.note(Some(error));
                    }
                    self.follow_meetings();
                }
                _ = look.tick() => {
                    let signs = |index| self.balancer.signs(index);
                    self.health.look(self.seen.look(&self.config, &self.desired, signs));
                }
                () = self.health.changed() => {
                    self.health.take(&self.config);
                    let updated = self.update();
                    self.note(updated.err());
                }
                Some(look) = self.looks.recv() => {
                    let learnt = look.and_then(|network| self.learn(network));
                    self.note(learnt.err());
                    self.follow_meetings();
                }
            }
        }
    }

    /// Takes over what a look has found.
    ///
    /// An error is of this time: the next look tries again.
    fn learn(&mut self, network: Network) -> Result<()> {
        self.attachments.follow(&self.config, &self.instance, self.balancer.program()?, &network.devices);
        self.in_driver = self.attachments.in_driver();
        self.network = network;
        // Those that the last update left unused: by now no packet is on its way to them.
        self.balancer.withdraw_all_but(&self.egresses(&self.next_hops))?;
        self.update()?;
        if self.follow_checks() { self.check_health() } else { Ok(()) }
    }

    /// Brings the maps to what they should hold.
    fn update(&mut self) -> Result<()> {
        self.update_after(None)
    }

    /// The same, after a look through the connection table.
    fn update_after(&mut self, census: Option<&Census>) -> Result<()> {
        let mut next_hops = self.network.reachable_from(&self.in_driver);
        // Nobody is sent packets there: only checks leave by the kernel's routes.
        let vips = through::vips(&self.config);
        next_hops.retain(|address, _| !vips.contains(address));
        let refused = self.balancer.offer(&self.egresses(&next_hops));
        self.network.refuse(&mut next_hops, &refused);
        let now = kernel_clock::now()?;
        let observed = Observed {
            next_hops: &next_hops,
            fitnesses: self.health.fitnesses(),
            census,
            refused: &self.refused,
            now,
        };
        let desired = self.planner.desired(&self.config, &self.present, observed);
        let news = self.told.news(&self.config, &desired, |service, backend| {
            told::way(&self.config, &self.network, &next_hops, service, backend)
        });
        news.into_iter().for_each(tell);
        self.next_hops = next_hops;
        self.desired = desired;
        self.ask_for_ways();
        // First whom the numbers stand for: another process may have to go on from here at any moment.
        if let Err(error) = self.memory.keep(self.planner.kept()) {
            if self.memory.has_other_numbers(&self.planner.kept()) {
                return Err(error);
            }
            // What it doesn't know is since when backends are down or drain: no reason to send them packets.
            self.note(Some(error));
        }
        let plan = plan(&self.present, &self.desired.image);
        if plan.iter().any(|write| matches!(write, Write::Slots(..) | Write::Table(..) | Write::Role(..))) {
            self.changed = now;
        }
        self.names.send_replace(Arc::new(Names::of(&self.config, &self.desired, &self.network)));
        self.balancer.apply(&plan, |write| planner::write(&mut self.present, write))
    }

    /// Has those backends checked that the configuration says.
    fn check_health(&mut self) -> Result<()> {
        let now = kernel_clock::now()?;
        self.health.follow(&self.config, &self.desired, &self.planner, &self.obstacles, now);
        Ok(())
    }

    /// Tells whose ways are to be known: those of backends, and of some that are about to come.
    fn ask_for_ways(&self) {
        self.addresses.send_if_modified(|addresses| {
            let mut present = self.planner.addresses();
            present.extend(self.meetings.addresses());
            present.extend(through::vips(&self.config));
            let differ = *addresses != present;
            *addresses = present;
            differ
        });
    }

    /// The interfaces that packets leave by, those towards backends that are down now too.
    fn egresses(&self, next_hops: &NextHops) -> BTreeSet<u32> {
        let former = self.present.roles.keys().filter_map(|index| self.present.backends.get(index));
        former.map(|backend| backend.egress).chain(egresses(next_hops)).collect()
    }

    /// Tells what went wrong, once for as long as it lasts.
    fn note(&mut self, error: Option<Error>) {
        let trouble = error.map(|error| format!("{error:#}"));
        if trouble != self.trouble {
            tell(match &trouble {
                Some(trouble) => Event::Trouble { reason: trouble.clone() },
                None => Event::TroubleOver,
            });
            self.trouble = trouble;
        }
    }
}

/// Resolves every backend, waiting a moment for neighbours that the kernel has to ask for.
async fn meet_neighbours(resolver: &mut Resolver, addresses: &BTreeSet<IpAddr>) -> Result<Network> {
    let deadline = Instant::now() + NEIGHBOURS_AT_START;
    loop {
        let network = resolver.look(addresses).await?;
        let pending = |found: &Result<_, _>| matches!(found, Err(Unresolved::Pending { .. }));
        if !network.next_hops.values().any(pending) || Instant::now() >= deadline {
            return Ok(network);
        }
        // When the time is over, the last look is the one that counts.
        let _ = timeout_at(deadline, resolver.changed()).await;
    }
}

/// Looks at the network after every burst of changes, and every now and then.
async fn follow(
    mut resolver: Resolver,
    mut addresses: watch::Receiver<BTreeSet<IpAddr>>,
    found: mpsc::Sender<Result<Network>>,
) {
    let mut tick = interval(KEEP_NEIGHBOURS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = resolver.changed() => {}
            _ = tick.tick() => {}
            changed = addresses.changed() => if changed.is_err() { return },
        }
        let asked = addresses.borrow_and_update().clone();
        if found.send(resolver.look(&asked).await).await.is_err() {
            return;
        }
    }
}

fn addresses(config: &Config) -> BTreeSet<IpAddr> {
    let backends = config.services.iter().flat_map(|service| &service.backends);
    backends.map(|backend| backend.address).collect()
}
