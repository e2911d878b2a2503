//! Passes every packet: a veth accepts what its peer transmits from XDP only while it runs a program itself.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
#[cfg(target_arch = "bpf")]
use lb_ebpf as _;

#[cfg(target_arch = "bpf")]
#[xdp]
fn xdp_pass(_packet: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// For MTUs above a page (Linux 5.18).
#[cfg(target_arch = "bpf")]
#[xdp(frags)]
fn xdp_pass_frags(_packet: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
