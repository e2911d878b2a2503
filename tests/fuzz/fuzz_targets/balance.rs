//! The load balancer's datapath: a script of packets, each of which must obey the laws.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod target {
    use std::sync::atomic::{AtomicU8, Ordering};

    use lb_tests::datapath::{laws, play::play, script::Script, services::Case};

    /// More than there are verdicts.
    const VERDICTS: usize = 32;

    /// Which ends the packets of each service came to, and those of none: worth reaching as new code is.
    #[used]
    // SAFETY: libFuzzer reads and clears what lies in this section as octets, which these are.
    #[unsafe(link_section = "__libfuzzer_extra_counters")]
    static ENDS: [[AtomicU8; VERDICTS]; Case::ALL.len() + 1] =
        [const { [const { AtomicU8::new(0) }; VERDICTS] }; Case::ALL.len() + 1];

    libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
        play(&Script::read(octets), |outcome| {
            let service = outcome.counted.services.first_key_value();
            let row = service.map_or(Case::ALL.len(), |(service, _)| *service as usize);
            ENDS[row][laws::verdict_of(&outcome.counted).counter()].store(1, Ordering::Relaxed);
        });
    });
}

#[cfg(not(fuzzing))]
fn main() {}
