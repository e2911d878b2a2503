//! What the maps hold, in ordinary collections.
//!
//! The planner makes such an image, the applier writes it to the kernel, and the datapath can walk packets through
//! one without a kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;

use lb_common::backend::Backend;
use lb_common::datapath::Tables;
use lb_common::service::{Service, ServiceKey};
use lb_common::siphash::HashKey;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::verdict::{DropReason, NODE_COUNTERS, NodeCounters, ServiceCounters, Traffic};

/// The content of the balancer's maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Services by VIP, port and protocol.
    pub services: BTreeMap<ServiceKey, Service>,
    /// Lookup tables by number.
    pub tables: BTreeMap<u32, Vec<Slot>>,
    /// Backends by number.
    pub backends: BTreeMap<BackendIndex, Backend>,
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

/// An image that packets can be walked through.
pub struct HostTables<'image> {
    image: &'image Image,
    hash_key: HashKey,
    counters: RefCell<Counters>,
}

impl<'image> HostTables<'image> {
    /// All counters start at zero.
    #[must_use]
    pub fn new(image: &'image Image, hash_key: HashKey) -> Self {
        HostTables { image, hash_key, counters: RefCell::default() }
    }

    /// What was counted so far.
    #[must_use]
    pub fn into_counters(self) -> Counters {
        self.counters.into_inner()
    }
}

impl Tables for HostTables<'_> {
    fn hash_key(&self) -> HashKey {
        self.hash_key
    }

    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.image.services.get(key).copied()
    }

    fn slot(&self, table: u32, slot: u32) -> Option<Slot> {
        self.image.tables.get(&table)?.get(slot as usize).copied()
    }

    fn backend(&self, index: BackendIndex) -> Option<&Backend> {
        self.image.backends.get(&index)
    }

    fn count(&self, counter: usize) {
        self.counters.borrow_mut().node[counter] += 1;
    }

    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().forwarded.add(octets);
        counters.backends.entry(backend).or_default().add(octets);
    }

    fn count_dropped(&self, service: u32, reason: DropReason) {
        let mut counters = self.counters.borrow_mut();
        counters.services.entry(service).or_default().dropped[reason as usize] += 1;
    }
}
