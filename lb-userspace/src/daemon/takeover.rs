//! What a start finds in bpffs, and how it goes on with it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use lb_common::LAYOUT;
use lb_common::clock::epochs;
use lb_common::pin::{self, Pin};
use lb_common::siphash::HashKey;
use tracing::{info, warn};

use super::memory::Memory;
use crate::config::{Config, Service};
use crate::image::Image;
use crate::instance::{Instance, Layout};
use crate::kernel_clock;
use crate::maps::{self, Balancer};
use crate::planner::{self, Planner, plan};

/// Maps, and what is known of them.
pub(super) struct Takeover {
    /// Complete, but on no interface yet.
    pub balancer: Balancer,
    pub planner: Planner,
    /// What the maps hold.
    pub present: Image,
    pub memory: Memory,
    /// A former process's maps, by which packets are still balanced.
    former: Option<Balancer>,
    /// Whether the maps are to be put in the place of the former ones.
    is_new: bool,
    /// Identifies the maps.
    id: u32,
}

impl Takeover {
    /// Goes on with the maps of a former process, or begins anew. Packets don't notice yet.
    ///
    /// # Errors
    /// The kernel refuses something; flows would be lost.
    pub fn prepare(config: &Config, instance: &Instance, key: HashKey) -> Result<Self> {
        let layout = Layout { version: LAYOUT, key: key.check() };
        let file = Memory::file(&config.state_directory, instance.name());
        let now = kernel_clock::now()?;
        let Some((pins, found)) = instance.maps()? else {
            return Takeover::anew(config, instance, key, &layout, None);
        };
        ensure!(
            found.as_ref().is_none_or(|found| found.key == layout.key),
            "the hash key isn't the one by which packets are balanced here, so that every flow would move; restore the key, or \
             let go of the flows with lbd detach"
        );
        if found.as_ref() != Some(&layout) {
            let found = found.map_or_else(|| "an unknown one".to_owned(), |found| found.version.to_string());
            warn!(
                "the maps in place are of layout {found} instead of {LAYOUT}: new ones are built from the configuration"
            );
            return Takeover::anew(config, instance, key, &layout, None);
        }
        let id = maps::id(&pins)?;
        let Some(kept) = Memory::read(&file, id)? else {
            warn!(
                "{} tells nothing of the maps in place: new ones are built from the configuration, without the flows that were pinned",
                file.display()
            );
            return Takeover::anew(config, instance, key, &layout, None);
        };
        if let Some(reason) = maps::unfit(&pins, config.maps)? {
            let former = Balancer::open(key, maps::sizes(&pins)?, &pins)?;
            info!("new maps take over from those in place: {reason}");
            return Takeover::anew(config, instance, key, &layout, Some((former, kept, id)));
        }
        let mut balancer = Balancer::load_at(key, config.maps, Some(&pins))?;
        let present = balancer.image()?;
        let planner = Planner::restore(&kept, config.maps, &present, now).with_context(|| {
            format!("{} contradicts itself; let go of the flows with lbd detach", file.display())
        })?;
        if let Some(reason) = resized(config, &planner, &present) {
            warn!("new maps take over from those in place: {reason}, so that most of its flows move");
            return Takeover::anew(config, instance, key, &layout, Some((balancer, kept, id)));
        }
        let memory = Memory::begin(file, [id].into(), false)?;
        info!("goes on with the maps in place: {} services", present.services.len());
        Ok(Takeover { balancer, planner, present, memory, former: None, is_new: false, id })
    }

    /// New maps, which hold what the former ones do.
    fn anew(
        config: &Config,
        instance: &Instance,
        key: HashKey,
        layout: &Layout,
        former: Option<(Balancer, planner::Kept, u32)>,
    ) -> Result<Self> {
        let file = Memory::file(&config.state_directory, instance.name());
        let pins = instance.make_maps(layout)?;
        let mut balancer = Balancer::load_at(key, config.maps, Some(&pins))?;
        let id = maps::id(&pins)?;
        let Some((mut former, kept, former_id)) = former else {
            let planner = Planner::new(config.maps);
            let memory = Memory::begin(file, [id].into(), true)?;
            return Ok(Takeover {
                balancer,
                planner,
                present: Image::default(),
                memory,
                former: None,
                is_new: true,
                id,
            });
        };
        let image = former.image()?;
        let Some(planner) = Planner::restore(&kept, config.maps, &image, kernel_clock::now()?) else {
            bail!(
                "the services and backends in place have no room in maps of these sizes; nothing was changed, raise them"
            );
        };
        let mut present = Image::default();
        balancer.apply(&plan(&present, &image), |write| planner::write(&mut present, write))?;
        if former.buckets().len() == balancer.buckets().len() {
            copy_pins(former.buckets(), balancer.buckets());
        } else {
            let idle = config.services.iter().map(|service| service.flows.idle_timeout).max().unwrap_or(0);
            let pinned = count_pins(former.buckets(), epochs(idle))?;
            ensure!(
                pinned == 0,
                "{pinned} flows are pinned in the connection table, so that its size can't change; nothing was changed, \
                 restore maps.flows, or let go of the flows with lbd detach"
            );
        }
        let both: BTreeSet<u32> = [former_id, id].into();
        let memory = Memory::begin(file, both, false)?;
        Ok(Takeover { balancer, planner, present, memory, former: Some(former), is_new: true, id })
    }
}

/// The first service whose lookup table is to be of another size than the one in place. A packet must not meet one with the
/// size of the other.
fn resized(config: &Config, planner: &Planner, present: &Image) -> Option<String> {
    config.services.iter().find_map(|service| {
        let number = planner.number(service)?;
        let former = present.services.values().find(|present| present.index == number)?.slots;
        let Service { name, table_size, .. } = service;
        (former != *table_size)
            .then(|| format!("service {name} has a table_size of {table_size} instead of {former}"))
    })
}

/// What is left to do once packets are balanced by the maps.
pub(super) struct Remainder {
    former: Option<Balancer>,
    is_new: bool,
    id: u32,
}

impl Takeover {
    /// What can go on now, and what is left to do when the program is on the interfaces.
    pub fn part(self) -> (Balancer, Planner, Image, Memory, Remainder) {
        let Takeover { balancer, planner, present, memory, former, is_new, id } = self;
        (balancer, planner, present, memory, Remainder { former, is_new, id })
    }
}

impl Remainder {
    /// Copies the pins that were made since the maps were.
    pub fn catch_up(&self, balancer: &Balancer) {
        if let Some(former) = &self.former
            && former.buckets().len() == balancer.buckets().len()
        {
            copy_pins(former.buckets(), balancer.buckets());
        }
    }

    /// Puts the maps and the program into their places.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn finish(self, instance: &Instance, balancer: &mut Balancer, memory: &mut Memory) -> Result<()> {
        self.catch_up(balancer);
        if self.is_new && self.former.is_none() {
            // Nobody can go on with the former ones from now on.
            memory.settle_on(self.id)?;
        }
        if self.is_new {
            balancer.follow_pins(&instance.exchange_maps()?);
        }
        memory.settle_on(self.id)?;
        let program = instance.program()?;
        balancer.program()?.pin(&program).with_context(|| program.display().to_string())
    }
}

/// Copies pins into places that are empty.
fn copy_pins(from: &[pin::Bucket], to: &[pin::Bucket]) {
    for (from, to) in from.iter().zip(to) {
        for (from, to) in from.places().iter().zip(to.places()) {
            let pin = Pin(from.load());
            if !pin.is_none() {
                pin::change(to, Pin::NONE, pin);
            }
        }
    }
}

fn count_pins(buckets: &[pin::Bucket], idle: u32) -> Result<usize> {
    let now = kernel_clock::now()?.epoch();
    let pins = buckets.iter().flat_map(pin::Bucket::places).map(|place| Pin(place.load()));
    Ok(pins.filter(|pin| !pin.is_none() && !pin.has_expired(idle, now)).count())
}

/// Removes all that an instance has pinned, and forgets what is known of it. `false` if there was nothing.
///
/// # Errors
/// A process has it; the kernel refuses.
pub(super) fn detach(instance: Instance, state_directory: &Path) -> Result<bool> {
    let memory = Memory::file(state_directory, instance.name());
    let was_there = instance.detach()?;
    if memory.exists() {
        std::fs::remove_file(&memory).with_context(|| memory.display().to_string())?;
    }
    Ok(was_there)
}
