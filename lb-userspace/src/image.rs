//! What the maps hold, in ordinary collections.
//!
//! The planner makes such an image, the applier writes it to the kernel, and the datapath can walk packets through
//! one without a kernel.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use lb_common::address::Address;
use lb_common::backend::Backend;
use lb_common::clock::Tick;
use lb_common::datapath::Tables;
use lb_common::flow::IpVersion;
use lb_common::fragment::{FragmentKey, FragmentRoute};
use lb_common::ration::Ration;
use lb_common::service::{QuicKey, Service, ServiceKey};
use lb_common::settings::Settings;
use lb_common::siphash::HashKey;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::verdict::{DropReason, NODE_COUNTERS, NodeCounters, ServiceCounters, Traffic};
use lb_common::vip::Vip;

/// The content of the balancer's maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// VIPs by address.
    pub vips: BTreeMap<Address, Vip>,
    /// VIPs that are prefixes: address, and bits of its 128 that count.
    pub prefixes: BTreeMap<(Address, u32), Vip>,
    /// Services by VIP, port and protocol.
    pub services: BTreeMap<ServiceKey, Service>,
    /// Lookup tables by number.
    pub tables: BTreeMap<u32, Vec<Slot>>,
    /// Backends by number.
    pub backends: BTreeMap<BackendIndex, Backend>,
    /// Backends by QUIC server ID.
    pub quic: BTreeMap<QuicKey, BackendIndex>,
    /// What is known of the node.
    pub settings: Settings,
}

/// What the datapath counted: only services and backends that counted anything are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Of the node, see [`NodeCounters`].
    pub node: NodeCounters,
    /// By the services' numbers.
    pub services: BTreeMap<u32, ServiceCounters>,
    /// By the backends' numbers.
    pub backends: BTreeMap<BackendIndex, Traffic>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { node: [0; NODE_COUNTERS], services: BTreeMap::new(), backends: BTreeMap::new() }
    }
}

/// An image that packets can be walked through, with what they leave behind.
pub struct HostTables<'image> {
    image: &'image Image,
    hash_key: HashKey,
    /// A clock that stands still until it is set.
    now: Cell<Tick>,
    fragments: RefCell<BTreeMap<FragmentKey, FragmentRoute>>,
    errors_sent: RefCell<BTreeMap<Address, Tick>>,
    ration: RefCell<Ration>,
    counters: RefCell<Counters>,
}

impl<'image> HostTables<'image> {
    /// All counters start at zero, and so does the clock.
    #[must_use]
    pub fn new(image: &'image Image, hash_key: HashKey) -> Self {
        HostTables {
            image,
            hash_key,
            now: Cell::default(),
            fragments: RefCell::default(),
            errors_sent: RefCell::default(),
            ration: RefCell::default(),
            counters: RefCell::default(),
        }
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

impl Tables for HostTables<'_> {
    fn hash_key(&self) -> HashKey {
        self.hash_key
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

    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.image.services.get(key).copied()
    }

    fn slot(&self, table: u32, slot: u32) -> Option<Slot> {
        self.image.tables.get(&table)?.get(slot as usize).copied()
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
        self.ration.borrow_mut().take(now)
    }

    fn can_send(&self, _egress: u32) -> bool {
        true
    }

    fn count(&self, counter: usize) {
        self.counters.borrow_mut().node[counter] += 1;
    }

    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().forwarded.add(octets);
        counters.backends.entry(backend).or_default().add(octets);
    }

    fn count_answered(&self, service: u32) {
        self.counters.borrow_mut().services.entry(service).or_default().answered += 1;
    }

    fn count_dropped(&self, service: u32, reason: DropReason) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().dropped[reason as usize] += 1;
    }
}
