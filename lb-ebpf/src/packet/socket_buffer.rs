//! A frame that the kernel itself sends, as traffic control shows it on its way out.

use aya_ebpf::bindings::{
    __sk_buff, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6, BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
    bpf_adj_room_mode,
};
use aya_ebpf::helpers::generated::{
    bpf_sk_fullsock, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_vlan_pop, bpf_skb_vlan_push,
};
use aya_ebpf::programs::TcContext;
use lb_common::backend::Forwarding;
use lb_common::packet::{Octets, Packet};
use lb_common::wire::ethernet::{EtherType, Vlan};

use super::{forget, window};

/// The type of a connection's socket (`SOCK_STREAM`).
const STREAM: u32 = 1;

/// A frame that the kernel itself sends, on its way out of an interface, to be put into a tunnel of one kind or into none.
///
/// The kernel is told of the tunnel, so that it, or the network card, completes what was left open: the checksum inside, and
/// the segments of a packet that is longer than one.
pub struct SocketBuffer {
    context: TcContext,
    tunnel: u64,
}

impl SocketBuffer {
    /// The frame of a context, which will be forwarded in this way.
    #[inline(always)]
    #[must_use]
    pub fn new(context: TcContext, forwarding: Forwarding) -> Self {
        let tunnel = match forwarding {
            Forwarding::IPIP_V4 => BPF_F_ADJ_ROOM_ENCAP_L3_IPV4,
            Forwarding::IPIP_V6 => BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
            Forwarding::GUE_V4 => BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
            Forwarding::GUE_V6 => BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
            _ => 0,
        };
        SocketBuffer { context, tunnel: u64::from(tunnel) }
    }

    #[inline(always)]
    fn raw(&self) -> *mut __sk_buff {
        self.context.skb.skb
    }

    /// Takes off the tags of VLANs that the frame was to leave by; `None` if the kernel can't.
    #[inline(always)]
    #[must_use]
    pub fn without_tags(&mut self) -> Option<()> {
        // Two, as the datapath looks behind. Without any, nothing happens.
        for _ in 0..2 {
            // SAFETY: the pointer is the context that the kernel gave to the program.
            if unsafe { bpf_skb_vlan_pop(self.raw()) } != 0 {
                return None;
            }
        }
        Some(())
    }

    /// Has the frame leave with a tag; `None` if the kernel can't.
    #[inline(always)]
    #[must_use]
    pub fn with_tag(&mut self, tag: Vlan) -> Option<()> {
        if tag == Vlan::NONE {
            return Some(());
        }
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_skb_vlan_push(self.raw(), EtherType::VLAN.0.to_be(), tag.0) };
        (status == 0).then_some(())
    }

    /// Whether the kernel sends this on nobody's behalf: it wasn't received, and it isn't from a connection.
    #[inline(always)]
    #[must_use]
    pub fn is_the_kernels_own(&self) -> bool {
        // SAFETY: the pointer is the context that the kernel gave to the program.
        if unsafe { (*self.raw()).ingress_ifindex } != 0 {
            return false;
        }
        // SAFETY: as above; of the two, the context has the socket.
        let socket = unsafe { (*self.raw()).__bindgen_anon_2.sk };
        if socket.is_null() {
            return true;
        }
        // SAFETY: the socket is the kernel's, and lives as long as the frame.
        let socket = unsafe { bpf_sk_fullsock(socket) };
        // SAFETY: as above.
        socket.is_null() || unsafe { (*socket).type_ } != STREAM
    }

    /// Octets of the TCP payload in each segment that the kernel will make of this packet; 0 if it is one packet.
    #[inline(always)]
    #[must_use]
    pub fn segment(&self) -> u32 {
        // SAFETY: the pointer is the context that the kernel gave to the program.
        unsafe { (*self.raw()).gso_size }
    }
}

impl Octets for SocketBuffer {
    #[inline(always)]
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        let window = window(self.context.data(), self.context.data_end(), offset);
        // SAFETY: `window` is inside the frame, which stays where it is while `self` is borrowed.
        window.map(|window| unsafe { window.as_ref() })
    }

    #[inline(always)]
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        let window = window(self.context.data(), self.context.data_end(), offset);
        // SAFETY: as above, and the borrow is unique.
        window.map(|mut window| unsafe { window.as_mut() })
    }
}

impl Packet for SocketBuffer {
    #[inline(always)]
    fn length(&self) -> usize {
        self.context.len() as usize
    }

    /// Through a map.
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        forget(number)
    }

    #[inline(always)]
    fn cut(&mut self, length: usize) -> Option<()> {
        if length > self.length() {
            return None;
        }
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_skb_change_tail(self.raw(), length as u32, 0) };
        (status == 0).then_some(())
    }

    /// The room is behind the Ethernet header: all in front of the packet is to be written anyway.
    #[inline(always)]
    fn grow_head(&mut self, by: usize) -> Option<()> {
        let mode = bpf_adj_room_mode::BPF_ADJ_ROOM_MAC;
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_skb_adjust_room(self.raw(), by as i32, mode, self.tunnel) };
        (status == 0).then_some(())
    }

    /// The frame has no tags, so that no header in front of the packet gets shorter.
    #[inline(always)]
    fn shrink_head(&mut self, _by: usize) -> Option<()> {
        None
    }
}
