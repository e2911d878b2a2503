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
    use aya_ebpf::bindings::xdp_action;
    use aya_ebpf::macros::xdp;
    use aya_ebpf::programs::XdpContext;
    use lb_common::datapath::balance;
    use lb_ebpf::packet::XdpPacket;

    use crate::maps::Maps;

    /// Balances one frame.
    #[xdp]
    #[inline(always)]
    fn xdp_lb(context: XdpContext) -> u32 {
        run(XdpPacket::<false>::new(context))
    }

    /// Balances one frame that may be in several pieces: for MTUs above a page (Linux 5.18).
    #[xdp(frags)]
    #[inline(always)]
    fn xdp_lb_frags(context: XdpContext) -> u32 {
        run(XdpPacket::<true>::new(context))
    }

    #[inline(always)]
    fn run<const MULTI_BUFFER: bool>(mut packet: XdpPacket<MULTI_BUFFER>) -> u32 {
        let maps = Maps { ingress: packet.ingress() };
        let end = balance(&mut packet, &maps);
        match end.egress() {
            Some(egress) if egress == maps.ingress => xdp_action::XDP_TX,
            Some(_) => xdp_action::XDP_REDIRECT,
            None if end.is_answered() => xdp_action::XDP_TX,
            None if end.is_passed() => xdp_action::XDP_PASS,
            None => xdp_action::XDP_DROP,
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
