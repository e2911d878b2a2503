//! For benchmarks alone: plays a trace of packets to a program, and takes the time.
//!
//! Each run of an entry point here makes one packet ready (head and length of the frame as they were, headers written
//! anew, fields of the next step of the trace) and then jumps into the program under test, from which nothing returns.
//! So the clock is read before the first of the packets that count and after the last one, and what one packet took
//! includes this program and the kernel's loop: the same played to `xdp_transmit` takes just those.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod program {
    use core::ptr;

    use aya_ebpf::EbpfContext as _;
    use aya_ebpf::bindings::xdp_action;
    use aya_ebpf::btf_maps::{Array, ProgramArray};
    use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_xdp_adjust_head, bpf_xdp_adjust_tail};
    use aya_ebpf::macros::{btf_map, xdp};
    use aya_ebpf::programs::XdpContext;
    use lb_common::atomic::Word32;
    use lb_common::packet::{Octets as _, Packet};
    use lb_common::replay::{LONGEST, Progress, RESTORED, Stage, Step};
    use lb_common::wire::ethernet::{self, EtherType};
    use lb_common::wire::ip::Header as _;
    use lb_common::wire::{self, ipv4, ipv6, ports};
    use lb_ebpf::packet::XdpPacket;

    /// The frame.
    #[btf_map]
    static STAGE: Array<Stage, 1> = Array::new();

    /// The trace.
    #[btf_map]
    static STEPS: Array<Step, LONGEST> = Array::new();

    /// How far it is.
    #[btf_map]
    static PROGRESS: Array<Progress, 1> = Array::new();

    /// The program under test, then those that it is compared with.
    #[btf_map]
    static PROGRAMS: ProgramArray<3> = ProgramArray::new();

    /// Octets of a frame in which fields may begin.
    const PLACES: usize = 0x7f;

    /// Plays a packet to the program under test.
    #[xdp(frags)]
    fn play_case(context: XdpContext) -> u32 {
        play::<0>(context)
    }

    /// Plays a packet to `xdp_transmit`.
    #[xdp(frags)]
    fn play_baseline(context: XdpContext) -> u32 {
        play::<1>(context)
    }

    /// Plays a packet to `xdp_floor`.
    #[xdp(frags)]
    fn play_floor(context: XdpContext) -> u32 {
        play::<2>(context)
    }

    /// The program is a constant each time, so that the jump is a plain one.
    #[inline(always)]
    fn play<const PROGRAM: u32>(context: XdpContext) -> u32 {
        if make_ready(&context).is_some() {
            // SAFETY: nothing here waits to be dropped.
            unsafe { PROGRAMS.tail_call(&context, PROGRAM) };
        }
        xdp_action::XDP_ABORTED
    }

    #[inline(always)]
    fn make_ready(context: &XdpContext) -> Option<()> {
        let stage = STAGE.get(0)?;
        // SAFETY: one series of packets is played at a time.
        let progress = unsafe { &mut *PROGRESS.get_ptr_mut(0)? };
        // Stored as a pointer, and read again as a number, with which one can calculate.
        // SAFETY: a word of the map's.
        unsafe { ptr::write_volatile(&raw mut progress.start, context.data() as u64) };
        // SAFETY: as above.
        let start = unsafe { ptr::read_volatile(&raw const progress.start) };
        if progress.home == 0 {
            progress.home = start;
        }
        let away = progress.home.wrapping_sub(start);
        // SAFETY: the pointer is the context that the kernel gave to the program.
        unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), away as i32) };
        let length = (context.data_end() - context.data()) as u32;
        if length != stage.length {
            // SAFETY: as above.
            unsafe { bpf_xdp_adjust_tail(context.as_ptr().cast(), stage.length.wrapping_sub(length) as i32) };
        }

        let step = STEPS.get(progress.next)?;
        progress.next += 1;
        if progress.next >= stage.steps {
            progress.next = 0;
        }
        let mut packet = XdpPacket::<true>::new(XdpContext::new(context.as_ptr().cast()));
        // In pieces of which each holds whole fields of any header: a read across two fresh stores has to wait for both.
        let (link, network) = stage.octets.split_first_chunk::<{ ethernet::LENGTH - 8 }>()?;
        wire::copy(packet.octets_mut(0)?, link);
        wire::copy(
            packet.octets_mut(ethernet::LENGTH - 8)?,
            network.first_chunk::<{ RESTORED - ethernet::LENGTH + 8 }>()?,
        );
        // The highest bit says that the flow never came before.
        let salt = progress.salt & (step.control.cast_signed() >> 31).cast_unsigned();
        put(&mut packet, stage.client_at, step.client ^ salt)?;
        put(&mut packet, stage.vip_at, step.vip)?;
        put(&mut packet, stage.ports_at, step.ports)?;
        *packet.octets_mut(stage.control_at as usize & PLACES)? = [step.control as u8];

        // All of that has reached the cache when the program under test begins, as a packet from a network card has.
        // SAFETY: a word of the map's, aligned.
        let played = unsafe { &*(&raw const progress.played).cast::<Word32>() }.add(1);
        if played == progress.first {
            progress.began = now();
        }
        if played == progress.last {
            progress.ended = now();
        }
        Some(())
    }

    #[inline(always)]
    fn put(packet: &mut impl Packet, place: u32, word: u32) -> Option<()> {
        *packet.octets_mut(place as usize & PLACES)? = word.to_ne_bytes();
        Some(())
    }

    #[inline(always)]
    fn now() -> u64 {
        // SAFETY: reads a clock.
        unsafe { bpf_ktime_get_ns() }
    }

    /// Only transmits.
    #[xdp(frags)]
    fn xdp_transmit(_context: XdpContext) -> u32 {
        xdp_action::XDP_TX
    }

    /// The least that a balancer with tunnels does: looks at addresses and ports, and writes an outer header, always the
    /// same, before the packet.
    #[xdp(frags)]
    fn xdp_floor(context: XdpContext) -> u32 {
        let mut packet = XdpPacket::<true>::new(context);
        match encapsulate(&mut packet) {
            Some(()) => xdp_action::XDP_TX,
            None => xdp_action::XDP_DROP,
        }
    }

    #[inline(always)]
    fn encapsulate(packet: &mut impl Packet) -> Option<()> {
        let payload = ethernet::payload(packet)?;
        let stage = STAGE.get(0)?;
        match payload.ethertype {
            EtherType::IPV4 => {
                let ip = ipv4::Ipv4::at(packet, ethernet::LENGTH)?;
                let offset = ethernet::LENGTH + ip.header_length();
                let is_served = ip.is_version_4() && ip.destination().v4_word() != 0;
                let ports = ports::Ports::at(packet, offset)?;
                if !is_served || ports.destination() == 0 {
                    return None;
                }
                packet.grow_head(ipv4::LENGTH)?;
                wire::copy(
                    packet.octets_mut(0)?,
                    stage.octets.first_chunk::<{ ethernet::LENGTH + ipv4::LENGTH }>()?,
                );
            }
            _ => {
                let ip = ipv6::Ipv6::at(packet, ethernet::LENGTH)?;
                let is_served = ip.is_version_6() && ip.destination().words()[0] != 0;
                let ports = ports::Ports::at(packet, ethernet::LENGTH + ipv6::LENGTH)?;
                if !is_served || ports.destination() == 0 {
                    return None;
                }
                packet.grow_head(ipv6::LENGTH)?;
                wire::copy(
                    packet.octets_mut(0)?,
                    stage.octets.first_chunk::<{ ethernet::LENGTH + ipv6::LENGTH }>()?,
                );
            }
        }
        Some(())
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
