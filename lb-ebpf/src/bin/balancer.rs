//! The load balancer's programs and their maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
#[path = "balancer/checks.rs"]
mod checks;

#[cfg(target_arch = "bpf")]
#[path = "balancer/maps.rs"]
mod maps;

#[cfg(target_arch = "bpf")]
mod program {
    use core::ptr;

    use aya_ebpf::EbpfContext as _;
    use aya_ebpf::bindings::{xdp_action, xdp_md};
    use aya_ebpf::macros::xdp;
    use aya_ebpf::programs::XdpContext;
    use lb_common::datapath::{fast, walk};
    use lb_common::verdict::End;
    use lb_ebpf::packet::XdpPacket;

    use crate::maps::Maps;

    /// Balances one frame.
    #[xdp]
    #[inline(always)]
    fn xdp_lb(context: XdpContext) -> u32 {
        let frame = Kept::new(context.as_ptr().cast());
        take_fast_path(frame.get()).unwrap_or_else(|| lb_walk(frame.get()))
    }

    /// Balances one frame that may be in several pieces: for MTUs above a page (Linux 5.18).
    #[xdp(frags)]
    #[inline(always)]
    fn xdp_lb_frags(context: XdpContext) -> u32 {
        let frame = Kept::new(context.as_ptr().cast());
        take_fast_path(frame.get()).unwrap_or_else(|| lb_walk_frags(frame.get()))
    }

    /// The walk. A function of its own: see [`fast`].
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn lb_walk(frame: *mut xdp_md) -> u32 {
        walk_whole::<false>(frame)
    }

    /// The walk of a frame that may be in several pieces.
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn lb_walk_frags(frame: *mut xdp_md) -> u32 {
        walk_whole::<true>(frame)
    }

    /// A pointer that stays on the stack until it is needed. The compiler would have it in a register wherever the fast path
    /// may end, and read it anew after each lookup.
    struct Kept(*mut xdp_md);

    impl Kept {
        #[inline(always)]
        fn new(frame: *mut xdp_md) -> Self {
            let mut kept = Kept(ptr::null_mut());
            // SAFETY: a place on the stack.
            unsafe { ptr::write_volatile(&raw mut kept.0, frame) };
            kept
        }

        #[inline(always)]
        fn get(&self) -> *mut xdp_md {
            // SAFETY: as above.
            unsafe { ptr::read_volatile(&raw const self.0) }
        }
    }

    /// For all that it knows, a frame ends with its first piece: what doesn't is the walk's.
    #[inline(always)]
    fn take_fast_path(frame: *mut xdp_md) -> Option<u32> {
        let mut packet = XdpPacket::<false>::new(XdpContext::new(frame));
        let maps = Maps { ingress: packet.ingress() };
        fast::path(&mut packet, &maps).map(|end| action(end, maps.ingress))
    }

    #[inline(always)]
    fn walk_whole<const MULTI_BUFFER: bool>(frame: *mut xdp_md) -> u32 {
        let mut packet = XdpPacket::<MULTI_BUFFER>::new(XdpContext::new(frame));
        let maps = Maps { ingress: packet.ingress() };
        action(walk(&mut packet, &maps), maps.ingress)
    }

    #[inline(always)]
    fn action(end: End, ingress: u32) -> u32 {
        match end.egress() {
            Some(egress) if egress == ingress => xdp_action::XDP_TX,
            Some(_) => xdp_action::XDP_REDIRECT,
            None if end.is_answered() => xdp_action::XDP_TX,
            None if end.is_passed() => xdp_action::XDP_PASS,
            None => xdp_action::XDP_DROP,
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
