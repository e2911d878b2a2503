//! Keys of tries of address prefixes.

use aya_ebpf::btf_maps::lpm_trie::Key;
use lb_common::address::Address;

/// A whole address, whose octets stand in two aligned words: the verifier wants them so.
#[repr(C, align(8))]
pub struct WholeAddress {
    before: u32,
    /// The key.
    pub key: Key<[u8; 16]>,
}

impl WholeAddress {
    /// The key that finds the longest prefix of an address.
    #[inline(always)]
    #[must_use]
    pub const fn new(address: &Address) -> Self {
        WholeAddress { before: 0, key: Key::new(128, address.octets()) }
    }
}
