//! A frame as XDP shows it; [`socket_buffer`] has those of the kernel's own. The only file that compares packet pointers.

pub mod socket_buffer;

use core::arch::asm;
use core::ptr::{self, NonNull};

use aya_ebpf::EbpfContext as _;
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::XdpContext;
use lb_common::packet::{Octets, Packet};

/// See [`Packet::forget`].
#[btf_map]
static FORGOTTEN: PerCpuArray<u64, 1> = PerCpuArray::new();

/// The frame that a program was called for.
///
/// With `MULTI_BUFFER` it may be in several pieces, of which the first, with all of the headers, can be looked at. Only
/// programs that say so may ask for the length of all of them (Linux 5.18).
pub struct XdpPacket<const MULTI_BUFFER: bool> {
    context: XdpContext,
}

impl<const MULTI_BUFFER: bool> XdpPacket<MULTI_BUFFER> {
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

    #[inline(always)]
    fn window<const N: usize>(&self, offset: usize) -> Option<NonNull<[u8; N]>> {
        window(self.context.data(), self.context.data_end(), offset)
    }

    #[inline(always)]
    fn first_piece(&self) -> usize {
        self.context.data_end() - self.context.data()
    }

    #[inline(always)]
    fn adjust_head(&mut self, by: i32) -> Option<()> {
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_xdp_adjust_head(self.context.as_ptr().cast(), by) };
        (status == 0).then_some(())
    }
}

/// The `N` octets at `offset` of a frame from `data` to `end`.
///
/// The verifier learns a range from nothing but a comparison of two pointers, and forgets it when the compiler computes the
/// pointer anew. So the pointer is computed once, out of the compiler's sight.
#[inline(always)]
fn window<const N: usize>(data: usize, end: usize, offset: usize) -> Option<NonNull<[u8; N]>> {
    // The compiler knows that the context has pointers of 32 bits, and would move and compare them as such.
    let (start, end) = (opaque(opaque(data) + offset), opaque(end));
    // SAFETY: no frame is at address 0.
    (start + N <= end).then(|| unsafe { NonNull::new_unchecked(start as *mut [u8; N]) })
}

/// The same number, computed here and nowhere else.
#[inline(always)]
fn opaque(mut number: usize) -> usize {
    // SAFETY: does nothing.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}

/// The same number. Behind this, memory could be any, for all that the compiler knows.
#[inline(always)]
#[must_use]
pub fn settle(mut number: u64) -> u64 {
    // SAFETY: does nothing.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(nostack, preserves_flags)) };
    number
}

/// The same number: what is read from a map could be any.
#[inline(always)]
#[must_use]
pub fn forget(number: u64) -> u64 {
    let Some(place) = FORGOTTEN.get_ptr_mut(0) else { return 0 };
    // SAFETY: this CPU's own place, written and read at once.
    unsafe { ptr::write_volatile(place, number) };
    // SAFETY: as above.
    unsafe { ptr::read_volatile(place) }
}

impl<const MULTI_BUFFER: bool> Octets for XdpPacket<MULTI_BUFFER> {
    #[inline(always)]
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        // SAFETY: `window` is inside the frame, which stays where it is while `self` is borrowed.
        self.window(offset).map(|window| unsafe { window.as_ref() })
    }

    #[inline(always)]
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        // SAFETY: as above, and the borrow is unique.
        self.window(offset).map(|mut window| unsafe { window.as_mut() })
    }
}

impl<const MULTI_BUFFER: bool> Packet for XdpPacket<MULTI_BUFFER> {
    #[inline(always)]
    fn length(&self) -> usize {
        if MULTI_BUFFER {
            // SAFETY: the pointer is the context that the kernel gave to the program.
            return unsafe { bpf_xdp_get_buff_len(self.context.as_ptr().cast()) } as usize;
        }
        self.first_piece()
    }

    /// Most frames are in one piece: the kernel is asked only when that isn't enough.
    #[inline(always)]
    fn reaches(&self, end: usize) -> bool {
        self.first_piece() >= end || MULTI_BUFFER && self.length() >= end
    }

    /// Most frames end where their packet does, and the kernel isn't asked. So padding stays that begins with a piece.
    #[inline(always)]
    fn is_padded(&self, end: usize) -> bool {
        let first_piece = self.first_piece();
        first_piece > end || MULTI_BUFFER && first_piece < end && self.length() > end
    }

    /// Through a map.
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        forget(number)
    }

    #[inline(always)]
    fn cut(&mut self, length: usize) -> Option<()> {
        let by = length as i32 - self.length() as i32;
        if by > 0 {
            return None;
        }
        // SAFETY: the pointer is the context that the kernel gave to the program.
        let status = unsafe { bpf_xdp_adjust_tail(self.context.as_ptr().cast(), by) };
        (status == 0).then_some(())
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
