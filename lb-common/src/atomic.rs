//! Words of maps that several CPUs and userspace change at the same time.
//!
//! The standard library has compare-and-swap and 32-bit atomics for the host only, although the kernel's programs have
//! them since Linux 5.12.

#[cfg(not(target_arch = "bpf"))]
mod words {
    use core::sync::atomic::Ordering::Relaxed;
    use core::sync::atomic::{AtomicU32, AtomicU64};

    /// A word of 64 bits.
    #[repr(transparent)]
    #[derive(Debug, Default)]
    pub struct Word64(AtomicU64);

    impl Word64 {
        /// Reads it.
        pub fn load(&self) -> u64 {
            self.0.load(Relaxed)
        }

        /// Makes `present` of it if it is `former`, and says whether it was.
        pub fn exchange(&self, former: u64, present: u64) -> bool {
            self.0.compare_exchange(former, present, Relaxed, Relaxed).is_ok()
        }
    }

    /// A word of 32 bits.
    #[repr(transparent)]
    #[derive(Debug, Default)]
    pub struct Word32(AtomicU32);

    impl Word32 {
        /// Reads it.
        pub fn load(&self) -> u32 {
            self.0.load(Relaxed)
        }

        /// Writes it.
        pub fn store(&self, value: u32) {
            self.0.store(value, Relaxed);
        }

        /// Adds to it, and says what it was. It comes around.
        pub fn add(&self, value: u32) -> u32 {
            self.0.fetch_add(value, Relaxed)
        }
    }
}

#[cfg(target_arch = "bpf")]
mod words {
    use core::cell::UnsafeCell;
    use core::intrinsics::AtomicOrdering::{AcqRel, Relaxed};
    use core::intrinsics::{atomic_cxchg, atomic_xadd};
    use core::ptr;

    /// A word of 64 bits.
    #[repr(transparent)]
    #[derive(Default)]
    pub struct Word64(UnsafeCell<u64>);

    // SAFETY: every access is one instruction on an aligned word, which no CPU sees half done.
    unsafe impl Sync for Word64 {}

    impl Word64 {
        #[inline(always)]
        pub fn load(&self) -> u64 {
            // SAFETY: the reference shows that the word is there and aligned.
            unsafe { ptr::read_volatile(self.0.get()) }
        }

        #[inline(always)]
        pub fn exchange(&self, former: u64, present: u64) -> bool {
            // SAFETY: as above.
            unsafe { atomic_cxchg::<u64, { Relaxed }, { Relaxed }>(self.0.get(), former, present) }.1
        }
    }

    /// A word of 32 bits.
    #[repr(transparent)]
    #[derive(Default)]
    pub struct Word32(UnsafeCell<u32>);

    // SAFETY: as for words of 64 bits.
    unsafe impl Sync for Word32 {}

    impl Word32 {
        #[inline(always)]
        pub fn load(&self) -> u32 {
            // SAFETY: the reference shows that the word is there and aligned.
            unsafe { ptr::read_volatile(self.0.get()) }
        }

        #[inline(always)]
        pub fn store(&self, value: u32) {
            // SAFETY: as above.
            unsafe { ptr::write_volatile(self.0.get(), value) }
        }

        /// Of a relaxed addition the compiler (LLVM 22) makes an instruction that doesn't say what was there, also where
        /// that is asked for.
        #[inline(always)]
        pub fn add(&self, value: u32) -> u32 {
            // SAFETY: as above.
            unsafe { atomic_xadd::<u32, u32, { AcqRel }>(self.0.get(), value) }
        }
    }
}

pub use words::{Word32, Word64};
