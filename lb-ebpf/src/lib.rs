//! What the BPF programs share: access to a frame.
//!
//! Each program is a binary of its own, so that an object holds only the maps it needs. Built for any other target,
//! this crate is empty: the workspace can be checked and tested as a whole.
#![no_std]
#![cfg(target_arch = "bpf")]

pub mod packet;

/// The verifier refuses a program that can get here.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
