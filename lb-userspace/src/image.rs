//! What the maps hold, in ordinary collections.
//!
//! The planner makes such an image, and the applier writes it to the kernel.

use std::collections::BTreeMap;
use std::sync::Arc;

use lb_common::address::Address;
use lb_common::backend::Backend;
use lb_common::service::{QuicKey, Service, ServiceKey};
use lb_common::settings::Settings;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::standing::Role;
use lb_common::symptom::Signs;
use lb_common::verdict::{NODE_COUNTERS, NodeCounters, ServiceCounters, Traffic};
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
    pub tables: BTreeMap<u32, Arc<Vec<Slot>>>,
    /// Backends by number.
    pub backends: BTreeMap<BackendIndex, Backend>,
    /// What backends do in their services, by their numbers.
    pub roles: BTreeMap<BackendIndex, Role>,
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
    /// What watched services' flows showed, by the backends' numbers.
    pub signs: BTreeMap<BackendIndex, Signs>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            node: [0; NODE_COUNTERS],
            services: BTreeMap::new(),
            backends: BTreeMap::new(),
            signs: BTreeMap::new(),
        }
    }
}
