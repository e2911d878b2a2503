//! Checks through the VIP, on their way out of an interface.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::macros::{btf_map, classifier};
use aya_ebpf::programs::TcContext;
use lb_common::backend::{Backend, Forwarding};
use lb_common::datapath::Tables;
use lb_common::datapath::check::{check, reset_for};
use lb_common::mark;
use lb_common::slot::BackendIndex;
use lb_common::verdict::{DropReason, End, NodeCounters, RECEIVED, Verdict};
use lb_common::wire::ethernet::Vlan;
use lb_ebpf::packet::socket_buffer::SocketBuffer;

use crate::maps::{BACKENDS, KEYED, Maps, mine};

/// What became of checks, as of traffic; received are those with the mark.
#[btf_map]
static CHECKS: PerCpuArray<NodeCounters, 1> = PerCpuArray::new();

/// Octets of the headers in a segment, at most: IPv6 without extensions and TCP with all of its options, IPv6 and UDP
/// outside.
const SEGMENT_HEADERS: u32 = 40 + 60 + 40 + 8;

/// Forwards a check that was sent to a VIP, and drops what the kernel says on its behalf afterwards; every other packet goes
/// on untouched.
#[classifier]
fn tc_check(context: TcContext) -> i32 {
    // SAFETY: the pointer is the context that the kernel gave to the program.
    let mark = unsafe { (*context.skb.skb).mark };
    match mark::backend(mark) {
        Some(backend) => forward(context, backend),
        None if is_left_over(context) => TC_ACT_SHOT,
        None => TC_ACT_UNSPEC,
    }
}

/// Whether the kernel answers what came for a check that has ended.
#[inline(always)]
fn is_left_over(context: TcContext) -> bool {
    let packet = SocketBuffer::new(context, Forwarding::NONE);
    packet.is_the_kernels_own()
        && reset_for(&packet).is_some_and(|destination| Maps { ingress: 0 }.vip(&destination).is_some())
}

#[inline(always)]
fn forward(context: TcContext, index: BackendIndex) -> i32 {
    let skb = context.skb.skb;
    // SAFETY: the pointer is the context that the kernel gave to the program.
    let here = unsafe { (*skb).ifindex };
    // Whatever interface it meets from now on, it is on its way.
    context.set_mark(0);
    let verdict = match BACKENDS.get(u32::from(index.0)) {
        Some(backend) => rewrite(context, backend),
        None => Verdict::Drop(DropReason::NoBackend),
    };
    let end = End::of(verdict);
    count(end.counter());
    match end.egress() {
        Some(egress) if egress == here => TC_ACT_UNSPEC,
        // SAFETY: takes numbers.
        Some(egress) => unsafe { bpf_redirect(egress, 0) as i32 },
        None => TC_ACT_SHOT,
    }
}

#[inline(always)]
fn rewrite(context: TcContext, entry: &Backend) -> Verdict {
    let mut packet = SocketBuffer::new(context, entry.forwarding);
    let mut backend = *entry;
    // The kernel writes the tag itself.
    backend.vlan = Vlan::NONE;
    let segment = packet.segment();
    if segment > 0 {
        // It isn't the packet that has to fit, but each of its segments.
        let fits = segment.saturating_add(SEGMENT_HEADERS) <= u32::from(backend.mtu);
        backend.mtu = if fits { u16::MAX } else { 0 };
    }
    if packet.without_tags().is_none() {
        return Verdict::Drop(DropReason::BadHeader);
    }
    let verdict = check(&mut packet, &backend, KEYED.load());
    if let Verdict::Forward { .. } = verdict
        && packet.with_tag(entry.vlan).is_none()
    {
        return Verdict::Drop(DropReason::NoHeadroom);
    }
    verdict
}

#[inline(always)]
fn count(counter: usize) {
    let Some(counters) = mine(&CHECKS, 0) else { return };
    counters[RECEIVED] = counters[RECEIVED].wrapping_add(1);
    if let Some(counter) = counters.get_mut(counter) {
        *counter = counter.wrapping_add(1);
    }
}
