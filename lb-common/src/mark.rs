//! Marks of packets that are checks of backends, sent to a VIP (`SO_MARK`).
//!
//! What is to be known of them is where they go: to one backend, whichever the lookup table names.

use crate::slot::BackendIndex;

/// The high half of the mark of every check that is sent to a VIP: "LB". Nothing else on the node may use marks with it.
pub const CHECK: u32 = 0x4c42_0000;

const HIGH_HALF: u32 = 0xffff_0000;

/// The mark of the packets that are to reach this backend.
#[inline(always)]
#[must_use]
pub const fn toward(backend: BackendIndex) -> u32 {
    CHECK | backend.0 as u32
}

/// The backend that a packet with this mark is to reach; `None` if it isn't a check's.
#[inline(always)]
#[must_use]
pub const fn backend(mark: u32) -> Option<BackendIndex> {
    if mark & HIGH_HALF == CHECK { Some(BackendIndex(mark as u16)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_its_backend_and_no_other_mark_does() {
        for number in [0, 1, 0x1234, u16::MAX] {
            assert_eq!(backend(toward(BackendIndex(number))), Some(BackendIndex(number)));
        }
        for mark in [0, 1, 0x4c41_0001, 0x4c43_0001, 0x0001_4c42, u32::MAX] {
            assert_eq!(backend(mark), None, "{mark:#x}");
        }
    }
}
