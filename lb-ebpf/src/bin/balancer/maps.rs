//! The maps, as userspace knows them by name, and the datapath's view of them.

use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::btf_maps::{
    Array, ArrayOfMaps, DevMapHash, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf,
};
use aya_ebpf::helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use aya_ebpf::macros::btf_map;
use lb_common::address::Address;
use lb_common::atomic::Word32;
use lb_common::backend::{self, Backend};
use lb_common::clock::Tick;
use lb_common::datapath::Tables;
use lb_common::datapath::pinned::{self, Question};
use lb_common::datapath::watch::{self, Sighting};
use lb_common::directory::{self, Glance, ServiceEntry, VipEntry, find, glance};
use lb_common::event::{Event, Sampling};
use lb_common::flow::{Flow, IpVersion, Protocol};
use lb_common::fragment::{self, FragmentKey, FragmentRoute};
use lb_common::pin::{self, Bucket};
use lb_common::ration::{self, Ration};
use lb_common::service::{self, QuicKey, Service, ServiceFlags, ServiceKey};
use lb_common::settings::Settings;
use lb_common::siphash::{HashKey, Keyed};
use lb_common::slot::{self, BackendIndex, Slot, SlotPair};
use lb_common::standing::Standing;
use lb_common::symptom::{self, Sign, Symptoms, Syn};
use lb_common::verdict::{self, DropReason, NodeCounters, PinEvent, RECEIVED, ServiceCounters, Traffic};
use lb_common::vip::Vip;
use lb_ebpf::packet;
use lb_ebpf::prefix::WholeAddress;

/// Like all sizes here, one that userspace changes before loading, where the configuration asks for another.
const PLACES: usize = directory::places(service::CAPACITY) as usize;

/// The hash of flows, a constant of the loaded program.
#[unsafe(no_mangle)]
pub static KEYED: Global<Keyed> = Global::new(Keyed::new(HashKey::new([0; 16])));

/// Places in each of both directories, a constant of the loaded program.
#[unsafe(no_mangle)]
static DIRECTORY_PLACES: Global<u32> = Global::new(PLACES as u32);

/// What changes while the program runs, in one entry.
#[btf_map]
static SETTINGS: Array<Settings, 1> = Array::new();

/// VIPs by address.
#[btf_map]
static VIPS: Array<VipEntry, PLACES, { BPF_F_MMAPABLE as usize }> = Array::new();

/// VIPs that are prefixes of addresses.
#[btf_map]
static PREFIXES: LpmTrie<[u8; 16], Vip, { service::CAPACITY }, { BPF_F_NO_PREALLOC as usize }> =
    LpmTrie::new();

/// Services by VIP, port and protocol.
#[btf_map]
static SERVICES: Array<ServiceEntry, PLACES, { BPF_F_MMAPABLE as usize }> = Array::new();

/// Lookup tables of the usual size.
#[btf_map]
static USUAL_TABLES: ArrayOfMaps<
    Array<SlotPair, { slot::USUAL_PAIRS }, { BPF_F_MMAPABLE as usize }>,
    { service::CAPACITY },
> = ArrayOfMaps::new();

/// All others. They differ in size, which the flag for inner maps allows (Linux 5.10).
#[btf_map]
static TABLES: ArrayOfMaps<Array<SlotPair, 1, { TABLE_FLAGS }>, { service::CAPACITY }> = ArrayOfMaps::new();
const TABLE_FLAGS: usize = (BPF_F_INNER_MAP | BPF_F_MMAPABLE) as usize;

/// Backends by number. The flag has the kernel begin them at a page: each stands in one cache line.
#[btf_map]
pub static BACKENDS: Array<Backend, { backend::CAPACITY }, { BPF_F_MMAPABLE as usize }> = Array::new();

/// Logarithm of the buckets in the connection table, a constant of the loaded program.
#[unsafe(no_mangle)]
static PIN_BITS: Global<u32> = Global::new(BUCKETS.ilog2());
const BUCKETS: usize = 1 << pin::bits(pin::CAPACITY);

/// The connection table.
#[btf_map]
static PINS: Array<Bucket, BUCKETS, { BPF_F_MMAPABLE as usize }> = Array::new();

/// Which flows backends take, by their number.
#[btf_map]
static STANDINGS: Array<Standing, { backend::CAPACITY }, { BPF_F_MMAPABLE as usize }> = Array::new();

/// Whose turn it is, by the services' numbers.
#[btf_map]
static TURNS: Array<Word32, { service::CAPACITY }> = Array::new();

/// Backends by the ID that they put into QUIC's connection IDs.
#[btf_map]
static QUIC_SERVERS: HashMap<QuicKey, u32, { backend::CAPACITY }, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

/// Where the first parts of fragmented packets went; the longest unused is forgotten.
#[btf_map]
static FRAGMENTS: LruHashMap<FragmentKey, FragmentRoute, { fragment::CAPACITY }> = LruHashMap::new();

/// When clients were last sent an error; the longest unused is forgotten.
#[btf_map]
static ERRORS_SENT: LruHashMap<Address, Tick, 4096> = LruHashMap::new();

/// What is left of the errors to all clients.
#[btf_map]
static RATION: PerCpuArray<Ration, 1> = PerCpuArray::new();

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

/// What is seen of backends' troubles, by their number.
#[btf_map]
static SYMPTOMS: Array<Symptoms, { backend::CAPACITY }, { BPF_F_MMAPABLE as usize }> = Array::new();

/// The last SYN at each place.
#[btf_map]
static SYNS: Array<Word32, { symptom::SYNS }> = Array::new();

/// Which packets are told of.
#[btf_map]
static SAMPLING: Array<Sampling, 1> = Array::new();

/// What is told of them (Linux 5.8).
#[btf_map]
static EVENTS: RingBuf<(), { 256 << 10 }> = RingBuf::new();

/// What is left of the events of each verdict.
#[btf_map]
static EVENT_RATIONS: PerCpuArray<[Ration; verdict::NODE_COUNTERS], 1> = PerCpuArray::new();

/// Packets that should have been told of, by verdict.
#[btf_map]
static EVENTS_LOST: PerCpuArray<NodeCounters, 1> = PerCpuArray::new();

/// The maps of the loaded program, for one packet.
pub struct Maps {
    /// Index of the interface that the packet came in by.
    pub ingress: u32,
}

impl Tables for Maps {
    #[inline(always)]
    fn keyed(&self) -> Keyed {
        KEYED.load()
    }

    #[inline(always)]
    fn hash(&self, flow: &Flow) -> u64 {
        let version = matches!(flow.version, IpVersion::V6);
        let rest = u64::from(flow.source_port)
            | u64::from(flow.destination_port) << 16
            | u64::from(flow.protocol.0) << 32
            | u64::from(version) << 40;
        let ([source, source_low], [destination, destination_low]) =
            (flow.source.words(), flow.destination.words());
        lb_hash(source, source_low, destination, destination_low, rest)
    }

    #[inline(always)]
    fn vip(&self, address: &Address) -> Option<Vip> {
        match find(address, DIRECTORY_PLACES.load(), |place| VIPS.get(place)) {
            Some(place) => VIPS.get(place).map(|entry| entry.vip),
            None if SETTINGS.get(0)?.has_prefixes() => PREFIXES.get(&WholeAddress::new(address).key).copied(),
            None => None,
        }
    }

    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        let [high, low, rest] = key.words();
        SERVICES.get(lb_find_service(high, low, rest) as u32).map(|entry| &entry.service)
    }

    #[inline(always)]
    fn glance_service(&self, key: &ServiceKey) -> Glance<&ServiceEntry> {
        glance(key, DIRECTORY_PLACES.load(), |place| SERVICES.get(place))
    }

    #[inline(always)]
    fn is_no_vip(&self, address: &Address) -> bool {
        let glance = glance(address, DIRECTORY_PLACES.load(), |place| VIPS.get(place));
        matches!(glance, Glance::Nothing) && SETTINGS.get(0).is_some_and(|settings| !settings.has_prefixes())
    }

    #[inline(always)]
    fn slot(&self, service: &Service, number: u32) -> Option<Slot> {
        let pair = if service.flags.has(ServiceFlags::USUAL_TABLE) {
            USUAL_TABLES.get(service.table)?.get(number / 2)?
        } else {
            TABLES.get(service.table)?.get(number / 2)?
        };
        pair.get((number % 2) as usize).copied()
    }

    #[inline(always)]
    fn pins(&self, number: u32) -> Option<&Bucket> {
        PINS.get(number & ((1 << PIN_BITS.load()) - 1))
    }

    #[inline(always)]
    fn standing(&self, index: BackendIndex) -> Option<&Standing> {
        STANDINGS.get(u32::from(index.0))
    }

    #[inline(always)]
    fn pinned(&self, question: &Question) -> BackendIndex {
        let [first, second, third, fourth, fifth] = question.words();
        BackendIndex(lb_pinned(first, second, third, fourth, fifth) as u16)
    }

    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        packet::forget(number)
    }

    #[inline(always)]
    fn settle(&self, number: u64) -> u64 {
        packet::settle(number)
    }

    #[inline(always)]
    fn turn(&self, service: u32) -> u32 {
        TURNS.get(service).map_or(0, |turn| turn.add(1))
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        // SAFETY: returns a number.
        unsafe { bpf_get_prandom_u32() }
    }

    #[inline(always)]
    fn quic(&self, key: &QuicKey) -> Option<BackendIndex> {
        // SAFETY: the number is copied out; if userspace removes the entry meanwhile, it is at worst another server's.
        unsafe { QUIC_SERVERS.get(key) }.map(|&index| BackendIndex(index as u16))
    }

    /// While userspace replaces an entry, a packet may see parts of the former and of the new one: it is sent to a MAC
    /// address that was never a backend's, and sent again by its client.
    #[inline(always)]
    fn backend(&self, index: BackendIndex) -> Option<&Backend> {
        BACKENDS.get(u32::from(index.0))
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentRoute> {
        // SAFETY: the route is copied out at once; another packet's would at worst be read in its place.
        unsafe { FRAGMENTS.get(key) }.copied()
    }

    #[inline(always)]
    fn remember_fragment(&self, key: &FragmentKey, route: FragmentRoute) {
        // A full map forgets its oldest entry: an insertion that still isn't possible leaves later parts unknown, which
        // is counted when they come.
        let _ = FRAGMENTS.insert(key, route, 0);
    }

    #[inline(always)]
    fn own_address(&self, version: IpVersion) -> Option<Address> {
        SETTINGS.get(0)?.own_address(version)
    }

    #[inline(always)]
    fn now(&self) -> Tick {
        // SAFETY: reads a clock.
        Tick::at_nanoseconds(unsafe { bpf_ktime_get_coarse_ns() })
    }

    #[inline(always)]
    fn error_sent(&self, client: &Address) -> Option<Tick> {
        // SAFETY: the time is copied out at once.
        unsafe { ERRORS_SENT.get(client) }.copied()
    }

    #[inline(always)]
    fn remember_error(&self, client: &Address, now: Tick) -> bool {
        ERRORS_SENT.insert(client, now, 0).is_ok()
    }

    #[inline(always)]
    fn take_error(&self, now: Tick) -> bool {
        mine(&RATION, 0).is_some_and(|ration| ration.take(now, ration::ERRORS))
    }

    /// By the interface that a packet came in by, it also leaves. For another one the kernel remembers here where the
    /// program's "redirect" will lead.
    #[inline(always)]
    fn can_send(&self, egress: u32) -> bool {
        egress == self.ingress || INTERFACES.redirect(egress, 0).is_ok()
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        self.ingress
    }

    #[inline(always)]
    fn count(&self, counter: usize) -> u64 {
        let Some(counters) = mine(&NODE_COUNTERS, 0) else { return 0 };
        counters[RECEIVED] = counters[RECEIVED].wrapping_add(1);
        let Some(counter) = counters.get_mut(counter) else { return 0 };
        *counter = counter.wrapping_add(1);
        *counter
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
    fn count_answered(&self, service: u32) {
        if let Some(counters) = mine(&SERVICE_COUNTERS, service) {
            counters.answered = counters.answered.wrapping_add(1);
        }
    }

    #[inline(always)]
    fn count_pin(&self, service: u32, event: PinEvent) {
        let counter =
            mine(&SERVICE_COUNTERS, service).and_then(|counters| counters.pins.get_mut(event as usize));
        if let Some(counter) = counter {
            *counter = counter.wrapping_add(1);
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

    #[inline(always)]
    fn watch(&self, sighting: &Sighting) {
        let [first, second, third] = sighting.words();
        lb_watch(first, second, third);
    }

    #[inline(always)]
    fn remember_syn(&self, syn: Syn) -> bool {
        let Some(place) = SYNS.get(syn.place) else { return false };
        let former = place.load();
        place.store(syn.fingerprint);
        former == syn.fingerprint
    }

    #[inline(always)]
    fn count_sign(&self, backend: BackendIndex, sign: Sign) {
        if let Some(symptoms) = SYMPTOMS.get(u32::from(backend.0)) {
            symptoms.count(sign);
        }
    }

    #[inline(always)]
    fn sampling(&self) -> Option<&Sampling> {
        SAMPLING.get(0)
    }

    #[inline(always)]
    fn take_event(&self, counter: usize, most: u32) -> bool {
        let ration = mine(&EVENT_RATIONS, 0).and_then(|rations| rations.get_mut(counter));
        ration.is_some_and(|ration| ration.take(self.now(), most))
    }

    #[inline(always)]
    fn tell(&self, fill: impl FnOnce(&mut Event)) -> bool {
        let Some(mut entry) = EVENTS.reserve_untyped::<Event>(0) else { return false };
        // SAFETY: the kernel's memory, of integers alone: whatever stood there before is a value of each.
        let event = unsafe { entry.assume_init_mut() };
        // SAFETY: reads a clock.
        event.time = unsafe { bpf_ktime_get_ns() };
        fill(event);
        entry.submit(0);
        true
    }

    #[inline(always)]
    fn count_lost(&self, counter: usize) {
        if let Some(counter) = mine(&EVENTS_LOST, 0).and_then(|lost| lost.get_mut(counter)) {
            *counter = counter.wrapping_add(1);
        }
    }
}

/// The hash of a flow: see [`Tables::hash`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lb_hash(
    source: u64,
    source_low: u64,
    destination: u64,
    destination_low: u64,
    rest: u64,
) -> u64 {
    let flow = Flow {
        version: if rest >> 40 == 0 { IpVersion::V4 } else { IpVersion::V6 },
        source: Address::from_words([source, source_low]),
        destination: Address::from_words([destination, destination_low]),
        source_port: rest as u16,
        destination_port: (rest >> 16) as u16,
        protocol: Protocol((rest >> 32) as u8),
    };
    flow.hash(KEYED.load())
}

/// Where the entry of a service of that name stands; `u64::MAX` if there is none. A function of its own, as the walk asks
/// in several places.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lb_find_service(high: u64, low: u64, rest: u64) -> u64 {
    let key = ServiceKey::from_words([high, low, rest]);
    let place = find(&key, DIRECTORY_PLACES.load(), |place| SERVICES.get(place));
    place.map_or(u64::MAX, u64::from)
}

/// The backend of a flow whose slot alone doesn't say it: see [`Tables::pinned`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lb_pinned(first: u64, second: u64, third: u64, fourth: u64, fifth: u64) -> u64 {
    let question = Question::from_words([first, second, third, fourth, fifth]);
    u64::from(pinned::backend(&Maps { ingress: 0 }, &question).0)
}

/// Counts what a segment of a watched service shows: see [`Tables::watch`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lb_watch(first: u64, second: u64, third: u64) -> u64 {
    watch::count(&Maps { ingress: 0 }, &Sighting::from_words([first, second, third]));
    0
}

/// This CPU's counters.
#[inline(always)]
pub fn mine<T, const N: usize>(map: &PerCpuArray<T, N>, index: u32) -> Option<&mut T> {
    // SAFETY: no other CPU writes here, and on this one the program is not interrupted by itself; the reference is
    // not kept beyond one counting.
    map.get_ptr_mut(index).map(|counters| unsafe { &mut *counters })
}
