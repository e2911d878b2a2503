//! The agent's datapath: one frame, which must obey the laws.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|frame: &[u8]| {
    use lb_tests::datapath::{agent::unpack, laws};
    let (outcome, unpacked) = unpack(frame);
    laws::check_unpacked(frame, outcome, &unpacked);
});

#[cfg(not(fuzzing))]
fn main() {}
