//! The backend's program, which unpacks what load balancers send, and its maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::bindings::xdp_action;
    use aya_ebpf::btf_maps::{HashMap, PerCpuArray};
    use aya_ebpf::macros::{btf_map, xdp};
    use aya_ebpf::programs::XdpContext;
    use lb_common::address::Address;
    use lb_common::datapath::decapsulate::{CAPACITY, Outcome, Tunnels, decapsulate};
    use lb_ebpf::packet::XdpPacket;

    /// Addresses that load balancers send from.
    #[btf_map]
    static BALANCERS: HashMap<Address, u8, CAPACITY> = HashMap::new();

    /// VIPs that this host serves.
    #[btf_map]
    static VIPS: HashMap<Address, u8, CAPACITY> = HashMap::new();

    /// Packets by outcome.
    #[btf_map]
    static OUTCOMES: PerCpuArray<u64, { Outcome::ALL.len() }> = PerCpuArray::new();

    struct Maps;

    impl Tunnels for Maps {
        #[inline(always)]
        fn is_balancer(&self, source: &Address) -> bool {
            BALANCERS.get_ptr(source).is_some()
        }

        #[inline(always)]
        fn is_vip(&self, destination: &Address) -> bool {
            VIPS.get_ptr(destination).is_some()
        }

        #[inline(always)]
        fn count(&self, outcome: Outcome) {
            if let Some(counter) = OUTCOMES.get_ptr_mut(outcome as u32) {
                // SAFETY: no other CPU writes here, and on this one the program is not interrupted by itself.
                unsafe { *counter += 1 };
            }
        }
    }

    /// Unpacks one frame.
    #[xdp]
    fn xdp_agent(context: XdpContext) -> u32 {
        match decapsulate(&mut XdpPacket::new(context), &Maps) {
            Outcome::NotATunnel | Outcome::Stranger | Outcome::Decapsulated => xdp_action::XDP_PASS,
            Outcome::Refused | Outcome::Malformed => xdp_action::XDP_DROP,
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
