//! The load balancer's program and its maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
#[path = "balancer/maps.rs"]
mod maps;

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::bindings::xdp_action;
    use aya_ebpf::macros::xdp;
    use aya_ebpf::programs::XdpContext;
    use lb_common::datapath::balance;
    use lb_common::verdict::Verdict;
    use lb_ebpf::packet::XdpPacket;

    use crate::maps::{self, Maps};

    /// Balances one frame.
    #[xdp]
    fn xdp_lb(context: XdpContext) -> u32 {
        let mut packet = XdpPacket::new(context);
        match balance(&mut packet, &Maps) {
            Verdict::Transmit { egress } if egress == packet.ingress() => xdp_action::XDP_TX,
            Verdict::Transmit { egress } => maps::redirect(egress),
            Verdict::Pass(_) => xdp_action::XDP_PASS,
            Verdict::Drop(_) => xdp_action::XDP_DROP,
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
