//! The balancer's program and maps in the kernel: the only writer of maps.

mod definitions;
mod directory;
mod entries;
mod events;
mod mapped;
mod plain;
mod reading;
mod slots;
mod table_pins;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, DevMapHash, HashMap, LpmTrie, Map, MapData, PerCpuArray};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use lb_common::backend::Backend;
use lb_common::directory::{ServiceEntry, VipEntry};
use lb_common::pin::Bucket;
use lb_common::service::QuicKey;
use lb_common::settings::Settings;
use lb_common::siphash::{HashKey, Keyed};
use lb_common::slot::BackendIndex;
use lb_common::standing::Standing;
use lb_common::symptom::{Signs, Symptoms};
use lb_common::verdict::{NODE_COUNTERS, NodeCounters, ServiceCounters, Traffic};
use lb_common::vip::Vip;

use crate::config::MapSizes;
use crate::image::{Counters, Image};
use crate::planner::Write;
use crate::programs;
pub use definitions::{id, sizes, unfit};
use directory::Directory;
pub use events::Events;
use mapped::Mapped;
use plain::Plain;
use table_pins::TablePins;
use tables::SlotTables;

/// The program that forwards checks, by its name in the object.
pub const CHECK_PROGRAM: &str = "tc_check";

/// The loaded program with its maps. They live as long as this does.
pub struct Balancer {
    ebpf: Ebpf,
    keyed: Keyed,
    settings: Array<MapData, Plain<Settings>>,
    vips: Directory<VipEntry>,
    prefixes: LpmTrie<MapData, [u8; 16], Plain<Vip>>,
    services: Directory<ServiceEntry>,
    quic: HashMap<MapData, Plain<QuicKey>, u32>,
    tables: SlotTables,
    backends: Array<MapData, Plain<Backend>>,
    standings: Mapped<Standing>,
    symptoms: Mapped<Symptoms>,
    pins: Mapped<Bucket>,
    interfaces: DevMapHash<MapData>,
    node_counters: PerCpuArray<MapData, NodeCounters>,
    service_counters: PerCpuArray<MapData, Plain<ServiceCounters>>,
    backend_counters: PerCpuArray<MapData, Plain<Traffic>>,
    /// What became of checks; none of a former process's are known.
    checks: PerCpuArray<MapData, NodeCounters>,
    events: Option<Events>,
}

impl Balancer {
    /// Loads the program into the kernel; it isn't attached to anything yet.
    ///
    /// # Errors
    /// The kernel refuses a map or the program; the error holds the verifier's words.
    pub fn load(hash_key: HashKey, sizes: MapSizes) -> Result<Self> {
        Balancer::load_at(hash_key, sizes, None)
    }

    /// The same, with maps that are pinned in a directory: those that are there, which must [fit](unfit), else new
    /// ones.
    ///
    /// # Errors
    /// As [`load`](Balancer::load).
    pub fn load_at(hash_key: HashKey, sizes: MapSizes, pins: Option<&Path>) -> Result<Self> {
        Balancer::build(hash_key, sizes, pins, true)
    }

    /// The maps that are pinned in a directory, without a program.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(hash_key: HashKey, sizes: MapSizes, pins: &Path) -> Result<Self> {
        Balancer::build(hash_key, sizes, Some(pins), false)
    }

    fn build(hash_key: HashKey, sizes: MapSizes, pins: Option<&Path>, is_loaded: bool) -> Result<Self> {
        let places = entries::directory_places(sizes);
        let keyed = Keyed::new(hash_key);
        let global = Plain(keyed);
        let mut loader = EbpfLoader::new();
        let pin_bits = entries::pin_bits(sizes);
        loader
            .override_global("KEYED", &global, true)
            .override_global("DIRECTORY_PLACES", &places, true)
            .override_global("PIN_BITS", &pin_bits, true);
        for (map, entries) in entries::entries(sizes) {
            loader.map_max_entries(map, entries);
        }
        let names = definitions::names()?;
        if let Some(pins) = pins {
            for name in &names {
                loader.map_pin_path(name, pins.join(name));
            }
        }
        let mut ebpf = loader.load(programs::BALANCER).context("the kernel refuses the maps")?;
        let mut take =
            |name: &str| ebpf.take_map(name).with_context(|| format!("the object has no map {name}"));
        let settings = Array::try_from(take("SETTINGS")?)?;
        let vips = Directory::new(array(take("VIPS")?)?, places)?;
        let prefixes = LpmTrie::try_from(take("PREFIXES")?)?;
        let services = Directory::new(array(take("SERVICES")?)?, places)?;
        let quic = HashMap::try_from(take("QUIC_SERVERS")?)?;
        let pinned = pins.map(pins_of_tables);
        let tables = SlotTables::new(take("USUAL_TABLES")?, take("TABLES")?, pinned)?;
        let backends = Array::try_from(take("BACKENDS")?)?;
        // Held until the program is loaded, which knows them by their descriptors.
        let of_flows = [array(take("STANDINGS")?)?, array(take("PINS")?)?, array(take("SYMPTOMS")?)?];
        let standings = Mapped::new(&of_flows[0], sizes.backends as usize + 1)?;
        let pins = Mapped::new(&of_flows[1], 1 << pin_bits)?;
        let symptoms = Mapped::new(&of_flows[2], sizes.backends as usize + 1)?;
        let interfaces = DevMapHash::try_from(take("INTERFACES")?)?;
        let node_counters = PerCpuArray::try_from(take("NODE_COUNTERS")?)?;
        let service_counters = PerCpuArray::try_from(take("SERVICE_COUNTERS")?)?;
        let backend_counters = PerCpuArray::try_from(take("BACKEND_COUNTERS")?)?;
        let checks = PerCpuArray::try_from(take(definitions::CHECKS)?)?;
        let events = Some(Events::new(take)?);
        let mut balancer = Balancer {
            ebpf,
            keyed,
            settings,
            vips,
            prefixes,
            services,
            quic,
            tables,
            backends,
            standings,
            symptoms,
            pins,
            interfaces,
            node_counters,
            service_counters,
            backend_counters,
            checks,
            events,
        };
        if is_loaded {
            balancer.program()?.load().context("the kernel refuses the program")?;
        }
        Ok(balancer)
    }

    /// The program, to be attached or tried.
    ///
    /// # Errors
    /// The object is of another make.
    pub fn program(&mut self) -> Result<&mut Xdp> {
        let name = if programs::multi_buffer() { "xdp_lb_frags" } else { "xdp_lb" };
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    /// The program that forwards checks through the VIP, to be attached or tried. It is loaded when it is first asked for.
    ///
    /// # Errors
    /// The object is of another make; the kernel refuses the program.
    pub fn check_program(&mut self) -> Result<&mut SchedClassifier> {
        let program = self.ebpf.program_mut(CHECK_PROGRAM);
        let program = program.with_context(|| format!("the object has no program {CHECK_PROGRAM}"))?;
        let program: &mut SchedClassifier = program.try_into()?;
        if program.fd().is_err() {
            program.load().context("the kernel refuses the program of checks")?;
        }
        Ok(program)
    }

    /// What became of checks that were sent to VIPs, by this process's program, summed over the CPUs: received,
    /// forwarded, and dropped by reason.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn check_counters(&self) -> Result<NodeCounters> {
        Ok(sum(self.checks.get(&0, 0)?.iter()))
    }

    /// The pins have moved into another directory.
    pub fn follow_pins(&mut self, pins: &Path) {
        self.tables.follow_pins(pins_of_tables(pins));
    }

    /// What it tells of single packets, for whoever asks first.
    pub fn take_events(&mut self) -> Option<Events> {
        self.events.take()
    }

    /// Makes interfaces targets of redirects, before a backend's entry names them. Returns those that the kernel refuses,
    /// with its reasons.
    ///
    /// The kernel takes an interface out when it goes, so all that are in use are to be offered again and again.
    #[must_use]
    pub fn offer(&mut self, interfaces: &BTreeSet<u32>) -> BTreeMap<u32, String> {
        let mut refused = BTreeMap::new();
        for &index in interfaces {
            if self.interfaces.get(index, 0).is_err()
                && let Err(error) = self.interfaces.insert(index, index, None, 0)
            {
                // The innermost error holds the kernel's answer.
                let mut reason: &dyn Error = &error;
                while let Some(source) = reason.source() {
                    reason = source;
                }
                refused.insert(index, reason.to_string());
            }
        }
        refused
    }

    /// Takes out the interfaces that aren't in use any more.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn withdraw_all_but(&mut self, used: &BTreeSet<u32>) -> Result<()> {
        for &index in self.offered()?.difference(used) {
            // The kernel may have been faster.
            let _ = self.interfaces.remove(index);
        }
        Ok(())
    }

    /// The interfaces that are targets of redirects.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn offered(&self) -> Result<BTreeSet<u32>> {
        self.interfaces.keys().collect::<Result<_, _>>().context("interfaces")
    }

    /// Does what a plan says, in its order, and tells `done` of each write. The interfaces that it names were
    /// [offered](Balancer::offer).
    ///
    /// # Errors
    /// The kernel refuses a write: what `done` was told of stands, and nothing after it is named by anything.
    pub fn apply(&mut self, plan: &[Write], mut done: impl FnMut(&Write)) -> Result<()> {
        // New tables stand side by side in a plan, and together they take no longer than one.
        let tables = |write: &Write| matches!(write, Write::Table(..));
        for writes in plan.chunk_by(|write, next| tables(write) && tables(next)) {
            self.apply_alike(writes)?;
            writes.iter().for_each(&mut done);
        }
        Ok(())
    }

    /// Does either several writes of tables, or one write of any kind.
    fn apply_alike(&mut self, writes: &[Write]) -> Result<()> {
        if let [write] = writes {
            return self.apply_one(write);
        }
        let tables = writes.iter().filter_map(|write| {
            if let Write::Table(number, slots) = write { Some((*number, slots.as_slice())) } else { None }
        });
        self.tables.install(&tables.collect::<Vec<_>>())
    }

    fn apply_one(&mut self, write: &Write) -> Result<()> {
        match write {
            Write::Backend(index, backend) => self
                .backends
                .set(u32::from(index.0), Plain(*backend), 0)
                .with_context(|| format!("backend {}", index.0)),
            Write::Role(index, role) => {
                self.standings[usize::from(index.0)].set(*role);
                Ok(())
            }
            Write::Table(number, slots) => self.tables.install(&[(*number, slots)]),
            Write::NoTable(number) => self.tables.remove(*number),
            Write::NoVip(address) => {
                self.vips.remove(address);
                Ok(())
            }
            Write::NoPrefix((address, bits)) => {
                self.prefixes.remove(&Key::new(*bits, address.octets())).context("VIP")
            }
            Write::NoService(key) => {
                self.services.remove(key);
                Ok(())
            }
            Write::NoQuic(key) => self.quic.remove(&Plain(*key)).context("QUIC server ID"),
            Write::Slots(number, slots) => {
                let table =
                    self.tables.get(*number).with_context(|| format!("there is no lookup table {number}"))?;
                for &(place, slot) in slots {
                    table.store(place, slot);
                }
                Ok(())
            }
            Write::Service(key, service) => self
                .services
                .put(&ServiceEntry::new(*key, *service, key.hash(service.flags, self.keyed)))
                .with_context(|| format!("service {}", service.index)),
            Write::Quic(key, index) => {
                self.quic.insert(Plain(*key), u32::from(index.0), 0).context("QUIC server ID")
            }
            Write::Vip(address, vip) => {
                self.vips.put(&VipEntry::new(*address, *vip)).with_context(|| format!("VIP {}", vip.index))
            }
            Write::Prefix((address, bits), vip) => self
                .prefixes
                .insert(&Key::new(*bits, address.octets()), Plain(*vip), 0)
                .with_context(|| format!("VIP {}", vip.index)),
            Write::Settings(settings) => self.settings.set(0, Plain(*settings), 0).context("settings"),
        }
    }

    /// The connection table.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.pins
    }

    /// What backends do, and how busy they are, by their numbers.
    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// What was seen of a backend's flows, if its service is watched.
    #[must_use]
    pub fn signs(&self, index: BackendIndex) -> Signs {
        self.symptoms.get(usize::from(index.0)).map(Symptoms::signs).unwrap_or_default()
    }

    /// What the program has counted, summed over the CPUs, for the services and backends of an image.
    ///
    /// # Errors
    /// The kernel refuses to read a map.
    pub fn counters(&self, image: &Image) -> Result<Counters> {
        let mut counters =
            Counters { node: sum(self.node_counters.get(&0, 0)?.iter()), ..Counters::default() };
        // A service may have several names.
        let services: BTreeSet<u32> = image.services.values().map(|service| service.index).collect();
        for index in services {
            let sum = counters.services.entry(index).or_default();
            for Plain(cpu) in self.service_counters.get(&index, 0)?.iter() {
                add(&mut sum.forwarded, cpu.forwarded);
                sum.answered += cpu.answered;
                sum.dropped.iter_mut().zip(cpu.dropped).for_each(|(sum, cpu)| *sum += cpu);
                sum.pins.iter_mut().zip(cpu.pins).for_each(|(sum, cpu)| *sum += cpu);
            }
        }
        for &index in image.backends.keys() {
            let sum = counters.backends.entry(index).or_default();
            for Plain(cpu) in self.backend_counters.get(&u32::from(index.0), 0)?.iter() {
                add(sum, *cpu);
            }
            counters.signs.insert(index, self.signs(index));
        }
        counters.signs.retain(|_, signs| *signs != Signs::default());
        counters.services.retain(|_, sum| *sum != ServiceCounters::default());
        counters.backends.retain(|_: &BackendIndex, sum| *sum != Traffic::default());
        Ok(counters)
    }
}

fn pins_of_tables(pins: &Path) -> TablePins {
    TablePins::new(&pins.join("tables"))
}

fn array(map: Map) -> Result<MapData> {
    match map {
        Map::Array(map) => Ok(map),
        other => bail!("not an array: {other:?}"),
    }
}

fn sum<'cpu>(cpus: impl Iterator<Item = &'cpu NodeCounters>) -> NodeCounters {
    cpus.fold([0; NODE_COUNTERS], |mut sum, cpu| {
        sum.iter_mut().zip(cpu).for_each(|(sum, cpu)| *sum += cpu);
        sum
    })
}

fn add(sum: &mut Traffic, more: Traffic) {
    sum.packets += more.packets;
    sum.octets += more.octets;
}
