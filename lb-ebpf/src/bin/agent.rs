//! The backend's program, which unpacks what load balancers send, and its maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::Global;
    use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, xdp_action};
    use aya_ebpf::btf_maps::{LpmTrie, PerCpuArray};
    use aya_ebpf::macros::{btf_map, xdp};
    use aya_ebpf::programs::XdpContext;
    use lb_common::address::Address;
    use lb_common::datapath::decapsulate::{CAPACITY, Outcome, Tunnels, decapsulate};
    use lb_ebpf::packet::XdpPacket;
    use lb_ebpf::prefix::WholeAddress;

    /// Prefixes of addresses that load balancers send from.
    #[btf_map]
    static BALANCERS: LpmTrie<[u8; 16], u8, CAPACITY, { BPF_F_NO_PREALLOC as usize }> = LpmTrie::new();

    /// VIPs, or prefixes of VIPs, that this host serves.
    #[btf_map]
    static VIPS: LpmTrie<[u8; 16], u8, CAPACITY, { BPF_F_NO_PREALLOC as usize }> = LpmTrie::new();

    /// Packets by outcome.
    #[btf_map]
    static OUTCOMES: PerCpuArray<u64, { Outcome::ALL.len() }> = PerCpuArray::new();

    /// UDP port that load balancers send IP in UDP to, 0 for none; a constant of the loaded program.
    #[unsafe(no_mangle)]
    static GUE_PORT: Global<u16> = Global::new(0);

    struct Maps;

    impl Tunnels for Maps {
        #[inline(always)]
        fn is_balancer(&self, source: &Address) -> bool {
            BALANCERS.get(&WholeAddress::new(source).key).is_some()
        }

        #[inline(always)]
        fn is_vip(&self, destination: &Address) -> bool {
            VIPS.get(&WholeAddress::new(destination).key).is_some()
        }

        #[inline(always)]
        fn gue_port(&self) -> u16 {
            GUE_PORT.load()
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
        run(XdpPacket::<false>::new(context))
    }

    /// Unpacks one frame that may be in several pieces: for MTUs above a page (Linux 5.18).
    #[xdp(frags)]
    fn xdp_agent_frags(context: XdpContext) -> u32 {
        run(XdpPacket::<true>::new(context))
    }

    #[inline(always)]
    fn run<const MULTI_BUFFER: bool>(mut packet: XdpPacket<MULTI_BUFFER>) -> u32 {
        let outcome = decapsulate(&mut packet, &Maps);
        if outcome.passes() { xdp_action::XDP_PASS } else { xdp_action::XDP_DROP }
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
