//! An array of the kernel's, mapped into this process.
//!
//! What stands in it changes while packets pass, without a call into the kernel: a store takes a nanosecond, a system
//! call 600. So its elements are atomics.

use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

use anyhow::{Context, Result};
use aya::maps::MapData;
use lb_common::pin::Bucket;
use lb_common::standing::Standing;
use lb_common::symptom::Symptoms;
use memmap2::{MmapOptions, MmapRaw};

/// What may be changed by others while it is looked at.
///
/// # Safety
/// Made of atomics alone, and every bit pattern is a value.
pub unsafe trait Shared {}

macro_rules! shared {
    ($($type:ty),*) => { $(
        // SAFETY: atomic integers, or made of nothing else.
        unsafe impl Shared for $type {}
    )* };
}

shared!(AtomicU32, AtomicU64, Bucket, Standing, Symptoms);

// SAFETY: as its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// The elements of an array that was created with `BPF_F_MMAPABLE`. The mapping keeps the map.
pub struct Mapped<T> {
    memory: MmapRaw,
    length: usize,
    elements: PhantomData<T>,
}

impl<T: Shared> Mapped<T> {
    /// Maps an array of `length` elements.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new(map: &MapData, length: usize) -> Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() <= 4096) };
        let memory = MmapOptions::new().len(length * size_of::<T>()).map_raw(map.fd().as_fd().as_raw_fd());
        let memory = memory.context("mapping it into memory")?;
        Ok(Mapped { memory, length, elements: PhantomData })
    }
}

impl<T: Shared> Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds `length` elements from the begin of a page on, and lives as long as `self`; what the
        // kernel and other processes do to them at the same time is what atomics are for.
        unsafe { slice::from_raw_parts(self.memory.as_ptr().cast(), self.length) }
    }
}
