//! The maps, as userspace knows them by name, and the datapath's view of them.

use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, xdp_action};
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, DevMapHash, HashMap, PerCpuArray};
use aya_ebpf::macros::btf_map;
use lb_common::backend::{self, Backend};
use lb_common::datapath::Tables;
use lb_common::service::{self, Service, ServiceKey};
use lb_common::siphash::HashKey;
use lb_common::slot::{BackendIndex, Slot, SlotPair};
use lb_common::verdict::{DropReason, NodeCounters, ServiceCounters, Traffic};

/// Key of the flow hash, a constant of the loaded program.
#[unsafe(no_mangle)]
static HASH_KEY: Global<HashKey> = Global::new(HashKey::new([0; 16]));

/// Services by VIP, port and protocol.
#[btf_map]
static SERVICES: HashMap<ServiceKey, Service, { service::CAPACITY }> = HashMap::new();

/// Lookup tables. They differ in size, which the flag for inner maps allows (Linux 5.10).
#[btf_map]
static TABLES: ArrayOfMaps<Array<SlotPair, 1, { TABLE_FLAGS }>, { service::CAPACITY }> = ArrayOfMaps::new();
const TABLE_FLAGS: usize = (BPF_F_INNER_MAP | BPF_F_MMAPABLE) as usize;

/// Backends by number.
#[btf_map]
static BACKENDS: Array<Backend, { backend::CAPACITY }> = Array::new();

/// Interfaces that packets are redirected to, by their index.
#[btf_map]
static INTERFACES: DevMapHash<64> = DevMapHash::new();

/// What became of every packet of the node.
#[btf_map]
static NODE_COUNTERS: PerCpuArray<NodeCounters, 1> = PerCpuArray::new();

/// What became of a service's packets.
#[btf_map]
static SERVICE_COUNTERS: PerCpuArray<ServiceCounters, { service::CAPACITY }> = PerCpuArray::new();

/// What a backend was sent.
#[btf_map]
static BACKEND_COUNTERS: PerCpuArray<Traffic, { backend::CAPACITY }> = PerCpuArray::new();

/// The maps of the loaded program.
pub struct Maps;

impl Tables for Maps {
    #[inline(always)]
    fn hash_key(&self) -> HashKey {
        HASH_KEY.load()
    }

    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        // SAFETY: an entry that userspace replaces or removes stays readable until the program has ended (RCU), and
        // a service is copied out at once.
        unsafe { SERVICES.get(key) }.copied()
    }

    #[inline(always)]
    fn slot(&self, table: u32, slot: u32) -> Option<Slot> {
        let pair = TABLES.get(table)?.get(slot / 2)?;
        pair.get(slot as usize % 2).copied()
    }

    #[inline(always)]
    fn backend(&self, index: BackendIndex) -> Option<&Backend> {
        BACKENDS.get(u32::from(index.0))
    }

    #[inline(always)]
    fn count(&self, counter: usize) {
        if let Some(counter) = mine(&NODE_COUNTERS, 0).and_then(|counters| counters.get_mut(counter)) {
            *counter = counter.wrapping_add(1);
        }
    }

    #[inline(always)]
    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16) {
        if let Some(counters) = mine(&SERVICE_COUNTERS, service) {
            counters.forwarded.add(octets);
        }
        if let Some(counters) = mine(&BACKEND_COUNTERS, u32::from(backend.0)) {
            counters.add(octets);
        }
    }

    #[inline(always)]
    fn count_dropped(&self, service: u32, reason: DropReason) {
        let counter =
            mine(&SERVICE_COUNTERS, service).and_then(|counters| counters.dropped.get_mut(reason as usize));
        if let Some(counter) = counter {
            *counter = counter.wrapping_add(1);
        }
    }
}

/// This CPU's counters.
#[inline(always)]
fn mine<T, const N: usize>(map: &PerCpuArray<T, N>, index: u32) -> Option<&mut T> {
    // SAFETY: no other CPU writes here, and on this one the program is not interrupted by itself; the reference is
    // not kept beyond one counting.
    map.get_ptr_mut(index).map(|counters| unsafe { &mut *counters })
}

/// Sends the frame out of another interface; drops it if userspace didn't offer that interface.
#[inline(always)]
pub fn redirect(egress: u32) -> u32 {
    INTERFACES.redirect(egress, 0).unwrap_or(xdp_action::XDP_DROP)
}
