//! The content of the maps as the datapath sees it, without a kernel.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use lb_common::address::Address;
use lb_common::backend::Backend;
use lb_common::clock::Tick;
use lb_common::datapath::Tables;
use lb_common::directory::{Glance, ServiceEntry};
use lb_common::event::{Event, Sampling};
use lb_common::flow::IpVersion;
use lb_common::fragment::{FragmentKey, FragmentRoute};
use lb_common::pin::Bucket;
use lb_common::ration::{self, Ration};
use lb_common::service::{QuicKey, Service, ServiceKey};
use lb_common::siphash::{HashKey, Keyed};
use lb_common::slot::{BackendIndex, Slot};
use lb_common::standing::Standing;
use lb_common::symptom::{Sign, Syn};
use lb_common::verdict::{DropReason, NODE_COUNTERS, NodeCounters, PinEvent, RECEIVED};
use lb_common::vip::Vip;

use crate::image::{Counters, Image};
use crate::planner::{self, Write};

/// An image that packets can be walked through, with what they leave behind.
pub struct HostTables {
    image: Image,
    /// Its services, as the kernel's directory has them.
    entries: BTreeMap<ServiceKey, ServiceEntry>,
    keyed: Keyed,
    standings: BTreeMap<BackendIndex, Standing>,
    pins: Vec<Bucket>,
    turns: RefCell<BTreeMap<u32, u32>>,
    random: Cell<u64>,
    /// A clock that stands still until it is set.
    now: Cell<Tick>,
    fragments: RefCell<BTreeMap<FragmentKey, FragmentRoute>>,
    errors_sent: RefCell<BTreeMap<Address, Tick>>,
    /// The last SYN at each place.
    syns: RefCell<BTreeMap<u32, u32>>,
    ration: RefCell<Ration>,
    counters: RefCell<Counters>,
    /// Of the node, since the start.
    numbers: RefCell<NodeCounters>,
    ingress: u32,
    sampling: Sampling,
    events: RefCell<Vec<Event>>,
}

impl HostTables {
    /// All counters start at zero, and so does the clock; no packet is told of. The connection table has 2^`pin_bits`
    /// buckets.
    #[must_use]
    pub fn new(image: &Image, hash_key: HashKey, pin_bits: u32) -> Self {
        let mut tables = HostTables {
            image: Image::default(),
            entries: BTreeMap::new(),
            keyed: Keyed::new(hash_key),
            standings: BTreeMap::new(),
            pins: (0..1 << pin_bits).map(|_| Bucket::default()).collect(),
            turns: RefCell::default(),
            random: Cell::default(),
            now: Cell::default(),
            fragments: RefCell::default(),
            errors_sent: RefCell::default(),
            syns: RefCell::default(),
            ration: RefCell::default(),
            counters: RefCell::default(),
            numbers: RefCell::new([0; NODE_COUNTERS]),
            ingress: 0,
            sampling: Sampling::OFF,
            events: RefCell::default(),
        };
        planner::plan(&Image::default(), image).iter().for_each(|write| tables.apply(write));
        tables
    }

    /// The content of the maps.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The connection table.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.pins
    }

    /// Does one write of a plan.
    pub fn apply(&mut self, write: &Write) {
        match write {
            Write::Role(index, role) => self.standings.entry(*index).or_default().set(*role),
            Write::Service(key, service) => {
                let entry = ServiceEntry::new(*key, *service, key.hash(service.flags, self.keyed));
                self.entries.insert(*key, entry);
            }
            Write::NoService(key) => drop(self.entries.remove(key)),
            _ => {}
        }
        planner::write(&mut self.image, write);
    }

    /// Sets the interface that packets come in by.
    pub fn set_ingress(&mut self, index: u32) {
        self.ingress = index;
    }

    /// Sets which packets are told of: all of those that are due, however many at a time.
    pub fn set_sampling(&mut self, sampling: Sampling) {
        self.sampling = sampling;
    }

    /// What packets were told of since this was last asked. Time stands still.
    pub fn take_events(&self) -> Vec<Event> {
        self.events.take()
    }

    /// Forgets what packets left behind, and what they counted.
    pub fn forget(&mut self) {
        self.pins.iter_mut().for_each(|bucket| *bucket = Bucket::default());
        self.standings.values().for_each(|standing| standing.set_flows(0));
        self.turns.take();
        self.random.take();
        self.fragments.take();
        self.errors_sent.take();
        self.syns.take();
        self.ration.take();
        self.counters.take();
        *self.numbers.borrow_mut() = [0; NODE_COUNTERS];
        self.events.take();
    }

    /// Sets the clock.
    pub fn set_time(&self, now: Tick) {
        self.now.set(now);
    }

    /// What was counted since this was last asked.
    pub fn take_counters(&self) -> Counters {
        self.counters.take()
    }
}

impl Tables for HostTables {
    fn keyed(&self) -> Keyed {
        self.keyed
    }

    fn vip(&self, address: &Address) -> Option<Vip> {
        let exact = self.image.vips.get(address);
        let longest = || {
            let prefixes = self.image.prefixes.iter();
            let matching = prefixes.filter(|((prefix, bits), _)| prefix.shares_prefix(*address, *bits));
            matching.max_by_key(|((_, bits), _)| *bits).map(|(_, vip)| vip)
        };
        exact.or_else(longest).copied()
    }

    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.image.services.get(key)
    }

    fn glance_service(&self, key: &ServiceKey) -> Glance<&ServiceEntry> {
        self.entries.get(key).map_or(Glance::Nothing, Glance::Entry)
    }

    fn is_no_vip(&self, address: &Address) -> bool {
        self.vip(address).is_none()
    }

    fn slot(&self, service: &Service, number: u32) -> Option<Slot> {
        self.image.tables.get(&service.table)?.get(number as usize).copied()
    }

    fn pins(&self, number: u32) -> Option<&Bucket> {
        self.pins.get(number as usize % self.pins.len())
    }

    fn standing(&self, index: BackendIndex) -> Option<&Standing> {
        self.standings.get(&index)
    }

    fn turn(&self, service: u32) -> u32 {
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry(service).or_default();
        *turn += 1;
        *turn - 1
    }

    /// Numbers that come again in every run.
    fn random(&self) -> u32 {
        let next = self.random.get().wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.random.set(next);
        (next >> 32) as u32
    }

    fn quic(&self, key: &QuicKey) -> Option<BackendIndex> {
        self.image.quic.get(key).copied()
    }

    fn backend(&self, index: BackendIndex) -> Option<&Backend> {
        self.image.backends.get(&index)
    }

    fn fragment(&self, key: &FragmentKey) -> Option<FragmentRoute> {
        self.fragments.borrow().get(key).copied()
    }

    fn remember_fragment(&self, key: &FragmentKey, route: FragmentRoute) {
        self.fragments.borrow_mut().insert(*key, route);
    }

    fn own_address(&self, version: IpVersion) -> Option<Address> {
        self.image.settings.own_address(version)
    }

    fn now(&self) -> Tick {
        self.now.get()
    }

    fn error_sent(&self, client: &Address) -> Option<Tick> {
        self.errors_sent.borrow().get(client).copied()
    }

    fn remember_error(&self, client: &Address, now: Tick) -> bool {
        self.errors_sent.borrow_mut().insert(*client, now);
        true
    }

    fn take_error(&self, now: Tick) -> bool {
        self.ration.borrow_mut().take(now, ration::ERRORS)
    }

    fn can_send(&self, _egress: u32) -> bool {
        true
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn count(&self, counter: usize) -> u64 {
        let node = &mut self.counters.borrow_mut().node;
        node[RECEIVED] += 1;
        node[counter] += 1;
        let number = &mut self.numbers.borrow_mut()[counter];
        *number += 1;
        *number
    }

    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().forwarded.add(octets);
        counters.backends.entry(backend).or_default().add(octets);
    }

    fn count_answered(&self, service: u32) {
        self.counters.borrow_mut().services.entry(service).or_default().answered += 1;
    }

    fn count_pin(&self, service: u32, event: PinEvent) {
        self.counters.borrow_mut().services.entry(service).or_default().pins[event as usize] += 1;
    }

    fn count_dropped(&self, service: u32, reason: DropReason) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().dropped[reason as usize] += 1;
    }

    fn remember_syn(&self, syn: Syn) -> bool {
        // The kernel's map holds zeros at first.
        self.syns.borrow_mut().insert(syn.place, syn.fingerprint).unwrap_or_default() == syn.fingerprint
    }

    fn count_sign(&self, backend: BackendIndex, sign: Sign) {
        self.counters.borrow_mut().signs.entry(backend).or_default().count(sign);
    }

    fn sampling(&self) -> Option<&Sampling> {
        Some(&self.sampling)
    }

    fn take_event(&self, _counter: usize, most: u32) -> bool {
        most > 0
    }

    fn tell(&self, fill: impl FnOnce(&mut Event)) -> bool {
        let mut event = Event::EMPTY;
        fill(&mut event);
        self.events.borrow_mut().push(event);
        true
    }

    fn count_lost(&self, _counter: usize) {}
}
