//! What the BPF programs share: access to a frame, and the licence.
//!
//! Each program is a binary of its own, so that an object holds only the maps it needs. Built for any other target,
//! this crate is empty: the workspace can be checked and tested as a whole.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![cfg(target_arch = "bpf")]

pub mod packet;
pub mod prefix;

/// What the kernel is told when it loads a program, in the words of its `include/linux/license.h`. It lets only those
/// under the GPL call certain helpers.
#[used]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The verifier refuses a program that can get here.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
