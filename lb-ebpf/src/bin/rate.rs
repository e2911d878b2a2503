//! For benchmarks alone: sends packets, as fast as they are taken, and counts what arrives behind what forwards them.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::bindings::xdp_action;
    use aya_ebpf::btf_maps::{Array, PerCpuArray};
    use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_redirect};
    use aya_ebpf::macros::{btf_map, xdp};
    use aya_ebpf::programs::XdpContext;
    use lb_common::course::{ARRIVALS, Course, MOST_FLOWS, RESTORED, Shot, VIP_NETWORK};
    use lb_common::packet::{Octets as _, Packet};
    use lb_common::wire;
    use lb_common::wire::{ethernet, ipv4};
    use lb_ebpf::packet::XdpPacket;

    /// The frame.
    #[btf_map]
    static COURSE: Array<Course, 1> = Array::new();

    /// The flows.
    #[btf_map]
    static SHOTS: Array<Shot, MOST_FLOWS> = Array::new();

    /// What arrived.
    #[btf_map]
    static ARRIVED: PerCpuArray<u64, ARRIVALS> = PerCpuArray::new();

    const NETWORK_CHECKSUM: usize = ethernet::LENGTH + 10;
    const CLIENT: usize = ethernet::LENGTH + 12;
    const VIP: usize = ethernet::LENGTH + 16;
    const PORTS: usize = ethernet::LENGTH + ipv4::LENGTH;

    /// Makes the next packet and sends it by the course's interface.
    #[xdp]
    fn xdp_send(context: XdpContext) -> u32 {
        send(&mut XdpPacket::<false>::new(context)).unwrap_or(xdp_action::XDP_ABORTED)
    }

    #[inline(always)]
    fn send(packet: &mut impl Packet) -> Option<u32> {
        // SAFETY: one course is run at a time.
        let course = unsafe { &mut *COURSE.get_ptr_mut(0)? };
        let shot = SHOTS.get(course.next)?;
        course.next += 1;
        if course.next >= course.flows {
            course.next = 0;
        }
        // Pages come back with what receivers made of the headers.
        wire::copy(packet.octets_mut::<RESTORED>(0)?, &course.octets);
        *packet.octets_mut(CLIENT)? = shot.client.to_ne_bytes();
        *packet.octets_mut(PORTS)? = shot.ports.to_ne_bytes();
        *packet.octets_mut(NETWORK_CHECKSUM)? = shot.network_checksum.to_ne_bytes();
        *packet.octets_mut((course.checksum_at & 0x3f) as usize)? = shot.transport_checksum.to_ne_bytes();
        if course.sent == course.first {
            course.began = now();
        }
        if course.sent == course.last {
            course.ended = now();
        }
        course.sent += 1;
        // SAFETY: takes numbers alone.
        Some(unsafe { bpf_redirect(course.egress, 0) } as u32)
    }

    #[inline(always)]
    fn now() -> u64 {
        // SAFETY: reads a clock.
        unsafe { bpf_ktime_get_ns() }
    }

    /// Counts IPv4 packets and drops them.
    #[xdp]
    fn xdp_arrive(context: XdpContext) -> u32 {
        arrive(&XdpPacket::<false>::new(context)).unwrap_or(xdp_action::XDP_PASS)
    }

    #[inline(always)]
    fn arrive(packet: &impl Packet) -> Option<u32> {
        let link = packet.octets::<{ ethernet::LENGTH }>(0)?;
        if link[12..14] != [8, 0] {
            return None;
        }
        let is_vip = packet.octets::<4>(VIP)?[0] == VIP_NETWORK;
        let place = u32::from(link[5] & 15) + if is_vip { 16 } else { 0 };
        // SAFETY: this processor's own.
        unsafe { *ARRIVED.get_ptr_mut(place)? += 1 };
        Some(xdp_action::XDP_DROP)
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
