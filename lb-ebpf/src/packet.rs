//! A frame as XDP shows it: the only file that compares packet pointers.

use core::hint;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_xdp_adjust_head;
use aya_ebpf::programs::XdpContext;
use lb_common::packet::Packet;

/// The frame that a program was called for.
pub struct XdpPacket {
    context: XdpContext,
}

impl XdpPacket {
    /// The frame of a context.
    #[inline(always)]
    #[must_use]
    pub const fn new(context: XdpContext) -> Self {
        XdpPacket { context }
    }

    /// Index of the interface that the frame came in by.
    #[inline(always)]
    #[must_use]
    pub fn ingress(&self) -> u32 {
        self.context.ingress_ifindex() as u32
    }

    /// The verifier learns a range from nothing but a comparison of two pointers, and forgets it when the compiler
    /// computes the pointer anew. So the pointer is computed once, out of the compiler's sight.
    #[inline(always)]
    fn window<const N: usize>(&self, offset: usize) -> Option<*mut [u8; N]> {
        let start = hint::black_box(self.context.data() + offset);
        (start + N <= self.context.data_end()).then_some(start as *mut [u8; N])
    }

    #[inline(always)]
    fn adjust_head(&mut self, by: i32) -> Option<()> {
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_xdp_adjust_head(self.context.as_ptr().cast(), by) };
        (status == 0).then_some(())
    }
}

impl Packet for XdpPacket {
    #[inline(always)]
    fn length(&self) -> usize {
        self.context.data_end() - self.context.data()
    }

    #[inline(always)]
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        // SAFETY: `window` is inside the frame, which stays where it is while `self` is borrowed.
        self.window(offset).map(|window| unsafe { &*window })
    }

    #[inline(always)]
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        // SAFETY: as above, and the borrow is unique.
        self.window(offset).map(|window| unsafe { &mut *window })
    }

    #[inline(always)]
    fn grow_head(&mut self, by: usize) -> Option<()> {
        self.adjust_head(-(by as i32))
    }

    #[inline(always)]
    fn shrink_head(&mut self, by: usize) -> Option<()> {
        self.adjust_head(by as i32)
    }
}
