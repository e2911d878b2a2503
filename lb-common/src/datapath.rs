//! The walk of a packet through the balancer.
//!
//! network → which VIP, or not ours → datagram → which service → select a backend → rewrite → count → tell of it. Most
//! packets don't go through all of it: see [`fast`].

mod answer;
pub mod check;
mod datagram;
pub mod decapsulate;
pub mod fast;
mod network;
pub mod pinned;
mod quoted;
mod rewrite;
mod sample;
pub mod schedule;
mod select;
pub mod watch;

use crate::address::Address;
use crate::backend::Backend;
use crate::clock::Tick;
use crate::directory::{Glance, ServiceEntry};
use crate::event::{Event, NO_SERVICE, Sampling};
use crate::flow::{Flow, IpVersion, Protocol};
use crate::fragment::{FragmentKey, FragmentRoute};
use crate::packet::Packet;
use crate::pin::Bucket;
use crate::service::{QuicKey, Service, ServiceKey};
use crate::siphash::Keyed;
use crate::slot::{BackendIndex, Slot};
use crate::standing::Standing;
use crate::symptom::{Sign, Syn};
use crate::verdict::{DropReason, End, PassReason, PinEvent, Verdict};
use crate::vip::{Vip, VipFlags};
use crate::wire::icmp;
use crate::wire::ports::Ports;
use datagram::Datagram;
use pinned::Question;
use watch::Sighting;

/// What the datapath asks of its maps, and where it counts.
pub trait Tables {
    /// The hash of flows, under the node's key.
    fn keyed(&self) -> Keyed;

    /// The hash of a flow.
    ///
    /// In the kernel this is a function of its own, as [`pinned`](Tables::pinned) is.
    #[inline(always)]
    fn hash(&self, flow: &Flow) -> u64 {
        flow.hash(self.keyed())
    }

    /// The VIP of that address.
    fn vip(&self, address: &Address) -> Option<Vip>;

    /// The service of that name.
    fn service(&self, key: &ServiceKey) -> Option<&Service>;

    /// The service of that name, where it takes one step to know.
    fn glance_service(&self, key: &ServiceKey) -> Glance<&ServiceEntry>;

    /// Whether it takes one step to know that this isn't a VIP's address.
    fn is_no_vip(&self, address: &Address) -> bool;

    /// An entry of a service's lookup table; `None` if there is no such table or entry.
    fn slot(&self, service: &Service, number: u32) -> Option<Slot>;

    /// A bucket of the connection table, by the lowest bits of `number`.
    fn pins(&self, number: u32) -> Option<&Bucket>;

    /// Which flows a backend takes.
    fn standing(&self, index: BackendIndex) -> Option<&Standing>;

    /// The backend of a flow whose slot alone doesn't say it.
    ///
    /// In the kernel this is a function of its own: the verifier looks at it once, and not once for each way that leads
    /// to it.
    #[inline(always)]
    fn pinned(&self, question: &Question) -> BackendIndex
    where
        Self: Sized,
    {
        pinned::backend(self, question)
    }

    /// The same number, of which nothing is known; see [`Packet::forget`].
    #[must_use]
    fn forget(&self, number: u64) -> u64 {
        number
    }

    /// The same number. What stands behind this is read behind it too: the compiler would read what it can beforehand, and
    /// keep it on the stack.
    #[must_use]
    fn settle(&self, number: u64) -> u64 {
        number
    }

    /// The next number of a service, for those who go by turns.
    fn turn(&self, service: u32) -> u32;

    /// Any number.
    fn random(&self) -> u32;

    /// The backend that has that server ID.
    fn quic(&self, key: &QuicKey) -> Option<BackendIndex>;

    /// The backend of that number; its entry may be empty.
    fn backend(&self, index: BackendIndex) -> Option<&Backend>;

    /// Where the first part of a packet went.
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentRoute>;

    /// Remembers where the first part of a packet goes.
    fn remember_fragment(&self, key: &FragmentKey, route: FragmentRoute);

    /// The node's own address of that version, which errors to clients come from.
    fn own_address(&self, version: IpVersion) -> Option<Address>;

    /// The present moment.
    fn now(&self) -> Tick;

    /// When that client was last sent an error.
    fn error_sent(&self, client: &Address) -> Option<Tick>;

    /// Remembers that a client is sent an error now; `false` if it can't.
    fn remember_error(&self, client: &Address, now: Tick) -> bool;

    /// Takes an error from what is sent now in all; `false` if nothing is left.
    fn take_error(&self, now: Tick) -> bool;

    /// Makes ready to send a packet out of that interface; `false` if it isn't there.
    fn can_send(&self, egress: u32) -> bool;

    /// Index of the interface that the packet came in by.
    fn ingress(&self) -> u32;

    /// Counts a packet received, and its verdict: returns what this CPU has counted there.
    fn count(&self, counter: usize) -> u64;

    /// Counts a packet that a service's backend is sent.
    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16);

    /// Counts a packet of a service that was answered with an error.
    fn count_answered(&self, service: u32);

    /// Counts a packet that a service dropped.
    fn count_dropped(&self, service: u32, reason: DropReason);

    /// Counts what happened to the pin of one of a service's flows.
    fn count_pin(&self, service: u32, event: PinEvent);

    /// Counts what a segment of a watched service shows.
    ///
    /// In the kernel this is a function of its own, as [`pinned`](Tables::pinned) is.
    #[inline(always)]
    fn watch(&self, sighting: &Sighting)
    where
        Self: Sized,
    {
        watch::count(self, sighting);
    }

    /// Remembers a SYN; says whether it was the last one at its place.
    fn remember_syn(&self, syn: Syn) -> bool;

    /// Counts a sign of how a backend does.
    fn count_sign(&self, backend: BackendIndex, sign: Sign);

    /// Which packets are told of.
    fn sampling(&self) -> Option<&Sampling>;

    /// Takes an event from the `most` that may be told now of that counter; `false` if nothing is left.
    fn take_event(&self, counter: usize, most: u32) -> bool;

    /// Tells of a packet what `fill` makes of an event that has its time; `false` if there is no room.
    fn tell(&self, fill: impl FnOnce(&mut Event)) -> bool;

    /// Counts a packet that should have been told of.
    fn count_lost(&self, counter: usize);
}

/// Why a packet isn't forwarded.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Refusal {
    /// It is the kernel's.
    Pass(PassReason),
    /// It is nobody's.
    Drop(DropReason),
    /// It asks whether the VIP is there.
    Echo,
    /// Its sender should hear that it may pass no further router.
    TimeExceeded,
    /// Its sender should hear that nobody serves.
    Reject,
    /// Its sender should hear how long it may be.
    TooBig {
        /// Octets of the longest IP packet.
        mtu: u32,
    },
}

/// What a packet belongs to.
#[derive(Clone, Copy)]
struct Owner<'tables> {
    service: &'tables Service,
    flow_hash: u64,
    /// Whether the packet isn't the flow's own, but about one.
    is_related: bool,
}

impl<'tables> Owner<'tables> {
    /// Of a packet of that flow.
    #[inline(always)]
    fn of(tables: &impl Tables, service: &'tables Service, flow: &Flow) -> Self {
        Owner { service, flow_hash: tables.hash(&flow.reduced(service.flags)), is_related: false }
    }
}

/// Where a packet goes.
#[derive(Clone, Copy)]
struct Route {
    /// Number of the service's counters.
    service: u32,
    backend: BackendIndex,
    flow_hash: u64,
}

/// What is known of a packet when its walk ends.
#[derive(Clone, Copy)]
struct Trail {
    /// Number of the service's counters, or [`NO_SERVICE`].
    service: u32,
    /// The backend that the frame was rewritten for.
    backend: BackendIndex,
}

/// Decides what happens to a packet, and does all of it but sending.
#[inline(always)]
pub fn balance<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> End {
    match fast::path(packet, tables) {
        Some(end) => end,
        None => walk(packet, tables),
    }
}

/// The same for any packet, also for those that the fast path takes.
#[inline(always)]
pub fn walk<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> End {
    let mut trail = Trail { service: NO_SERVICE, backend: BackendIndex::NONE };
    let verdict = decide(packet, tables, &mut trail);
    let end = End::of(verdict).forgotten(packet);
    let number = tables.count(end.counter());
    sample::sample(packet, tables, end, trail, number);
    end
}

#[inline(always)]
fn decide<P: Packet, T: Tables>(packet: &mut P, tables: &T, trail: &mut Trail) -> Verdict {
    let network = match network::parse(packet) {
        Ok(network) => network,
        Err(reason) => return Verdict::Pass(reason),
    };
    let Some(vip) = tables.vip(&network.destination) else {
        return Verdict::Pass(PassReason::NotAVip);
    };
    let datagram = match datagram::parse(packet, network) {
        Ok(datagram) => datagram,
        Err(reason) => return Verdict::Drop(reason),
    };
    let mut service = None;
    let forwarded = match route(packet, tables, vip, &datagram, &mut service) {
        Ok(_) if datagram.network.hop_limit <= 1 => Err(Refusal::TimeExceeded),
        Ok(route) => forward(packet, tables, &datagram, route, trail),
        Err(refusal) => Err(refusal),
    };
    if let Some(service) = service {
        trail.service = service;
    }
    match forwarded {
        Ok(egress) => Verdict::Forward { egress },
        Err(refusal) => refuse(packet, tables, &datagram, refusal, service),
    }
}

/// Where a packet for a VIP goes, whose IP headers are legal. Names the service once it is known.
#[inline(always)]
fn route<P: Packet, T: Tables>(
    packet: &P,
    tables: &T,
    vip: Vip,
    datagram: &Datagram,
    named: &mut Option<u32>,
) -> Result<Route, Refusal> {
    if datagram.is_later_of_transport()
        && let Some(first) = first_part(tables, datagram)
    {
        if first.is_to_kernel() {
            return Err(Refusal::Pass(PassReason::NoService));
        }
        *named = Some(first.service);
        let flow_hash = tables.hash(&datagram.flow(0, 0));
        return Ok(Route { service: first.service, backend: first.backend(), flow_hash });
    }
    let owner = owner(packet, tables, vip, datagram)?;
    *named = Some(owner.service.index);
    if datagram.begins_transport() {
        datagram.check_transport()?;
    }
    let route = select::route(packet, tables, datagram, &owner)?;
    if datagram.begins_transport() && datagram.fragment.is_part() {
        let first = FragmentRoute::new(route.service, route.backend, tables.now());
        tables.remember_fragment(&datagram.fragment_key(), first);
    }
    Ok(route)
}

/// Where the first part of a packet went, of which this is a later one.
#[inline(always)]
fn first_part<T: Tables>(tables: &T, datagram: &Datagram) -> Option<FragmentRoute> {
    tables.fragment(&datagram.fragment_key()).filter(|first| first.holds(tables.now()))
}

/// The service and the flow of a packet.
#[inline(always)]
fn owner<'tables, P: Packet, T: Tables>(
    packet: &P,
    tables: &'tables T,
    vip: Vip,
    datagram: &Datagram,
) -> Result<Owner<'tables>, Refusal> {
    if datagram.is_later_of_transport() {
        return of_later_fragment(tables, vip, datagram);
    }
    match (datagram.protocol, datagram.network.version) {
        (Protocol::TCP | Protocol::UDP, _) => of_transport(packet, tables, vip, datagram),
        (Protocol::ICMP, IpVersion::V4) | (Protocol::ICMPV6, IpVersion::V6) => {
            of_control(packet, tables, vip, datagram)
        }
        _ => Err(Refusal::Pass(PassReason::OtherProtocol)),
    }
}

/// TCP or UDP, with its ports.
#[inline(always)]
fn of_transport<'tables, P: Packet, T: Tables>(
    packet: &P,
    tables: &'tables T,
    vip: Vip,
    datagram: &Datagram,
) -> Result<Owner<'tables>, Refusal> {
    let ports = Ports::at(packet, datagram.offset).ok_or(Refusal::Drop(DropReason::BadLength))?;
    let flow = datagram.flow(ports.source(), ports.destination());
    match service_of(tables, vip, &flow) {
        Some(service) => Ok(Owner::of(tables, service, &flow)),
        None => Err(unserved(tables, datagram)),
    }
}

/// What becomes of a packet to a port without a service: the kernel's, with all of its parts.
#[inline(always)]
fn unserved<T: Tables>(tables: &T, datagram: &Datagram) -> Refusal {
    if datagram.fragment.is_part() {
        tables.remember_fragment(&datagram.fragment_key(), FragmentRoute::to_kernel(tables.now()));
    }
    Refusal::Pass(PassReason::NoService)
}

/// A part of a packet without ports, whose first part wasn't seen: only a service that all parts go to takes it.
#[inline(always)]
fn of_later_fragment<'tables, T: Tables>(
    tables: &'tables T,
    vip: Vip,
    datagram: &Datagram,
) -> Result<Owner<'tables>, Refusal> {
    let flow = datagram.flow(0, 0);
    let service = tables.service(&ServiceKey::fragments(vip.name(flow.destination), flow.protocol));
    let service = service.ok_or(Refusal::Drop(DropReason::UnknownFragment))?;
    Ok(Owner::of(tables, service, &flow))
}

/// ICMP: errors about a flow go where the flow goes, echo requests are answered if the VIP does that.
#[inline(always)]
fn of_control<'tables, P: Packet, T: Tables>(
    packet: &P,
    tables: &'tables T,
    vip: Vip,
    datagram: &Datagram,
) -> Result<Owner<'tables>, Refusal> {
    let not_ours = Refusal::Pass(PassReason::Icmp);
    if datagram.fragment.is_part() {
        return Err(not_ours);
    }
    datagram.check_transport()?;
    match icmp::kind(packet, datagram.offset, datagram.network.version) {
        Some(icmp::Kind::EchoRequest) if vip.flags.has(VipFlags::ANSWERS_ECHO) => Err(Refusal::Echo),
        Some(icmp::Kind::Error) => {
            let flow = quoted::flow(packet, datagram).ok_or(not_ours)?;
            let service = service_of(tables, vip, &flow).ok_or(not_ours)?;
            Ok(Owner { is_related: true, ..Owner::of(tables, service, &flow) })
        }
        _ => Err(not_ours),
    }
}

#[inline(always)]
fn service_of<'tables, T: Tables>(tables: &'tables T, vip: Vip, flow: &Flow) -> Option<&'tables Service> {
    let name = vip.name(flow.destination);
    let exact = tables.service(&ServiceKey::new(name, flow.destination_port, flow.protocol));
    if exact.is_none() && vip.flags.has(VipFlags::HAS_ANY_PORT) {
        return tables.service(&ServiceKey::any_port(name, flow.protocol));
    }
    exact
}

/// Returns the interface to send the packet out of.
#[inline(always)]
fn forward<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    datagram: &Datagram,
    route: Route,
    trail: &mut Trail,
) -> Result<u32, Refusal> {
    let backend = tables.backend(route.backend).ok_or(Refusal::Drop(DropReason::NoBackend))?;
    rewrite::toward(packet, datagram, backend, backend.vlan, route.flow_hash)?;
    trail.backend = route.backend;
    if !tables.can_send(backend.egress) {
        return Err(Refusal::Drop(DropReason::NoInterface));
    }
    tables.count_forwarded(route.service, route.backend, datagram.network.length);
    Ok(backend.egress)
}

#[inline(always)]
fn refuse<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    datagram: &Datagram,
    refusal: Refusal,
    service: Option<u32>,
) -> Verdict {
    let verdict = match refusal {
        Refusal::Pass(reason) => Verdict::Pass(reason),
        Refusal::Drop(reason) => Verdict::Drop(reason),
        Refusal::Echo => answer::echo(packet, datagram),
        Refusal::TimeExceeded | Refusal::Reject | Refusal::TooBig { .. } => {
            answer::error(packet, tables, datagram, refusal)
        }
    };
    match (verdict, service) {
        (Verdict::Drop(reason), Some(service)) => tables.count_dropped(service, reason),
        (Verdict::Answer(_), Some(service)) => tables.count_answered(service),
        _ => {}
    }
    verdict
}
