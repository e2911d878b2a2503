//! All lookup tables in the kernel.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::maps::{ArrayOfMaps, Map, MapData};
use aya_obj::generated::bpf_attr;
use aya_obj::generated::bpf_cmd::{self, BPF_MAP_DELETE_ELEM, BPF_MAP_UPDATE_BATCH};
use lb_common::slot::Slot;

use super::slots::SlotTable;

/// Tables that are installed together. Each holds a file open meanwhile, of which a process may have 1,024.
const TOGETHER: usize = 64;

/// The kernel's answer to batches where it has none for this type of map (Linux before 5.19). Not among libc's.
const ENOTSUPP: i32 = 524;

/// The tables by their numbers.
pub struct SlotTables {
    map: ArrayOfMaps<MapData>,
    /// The same map, for what aya doesn't offer.
    fd: OwnedFd,
    tables: BTreeMap<u32, SlotTable>,
}

impl SlotTables {
    /// Tables in that map; it is empty.
    pub fn new(map: Map) -> Result<Self> {
        let Map::ArrayOfMaps(data) = &map else { bail!("not an array of maps: {map:?}") };
        let fd = data.fd().as_fd().try_clone_to_owned().context("another handle of the map")?;
        Ok(SlotTables { map: map.try_into()?, fd, tables: BTreeMap::new() })
    }

    /// Installs new tables.
    ///
    /// After an error some of them may be in place.
    pub fn install(&mut self, tables: &[(u32, &[Slot])]) -> Result<()> {
        for tables in tables.chunks(TOGETHER) {
            let created: Vec<_> = tables
                .iter()
                .map(|(number, slots)| {
                    SlotTable::create(slots).with_context(|| format!("lookup table {number}"))
                })
                .collect::<Result<_>>()?;
            let numbers: Vec<u32> = tables.iter().map(|(number, _)| *number).collect();
            let maps: Vec<&MapData> = created.iter().map(|(_, map)| map).collect();
            self.set(&numbers, &maps)?;
            // From now on the array and the mappings keep the maps.
            self.tables.extend(numbers.into_iter().zip(created.into_iter().map(|(table, _)| table)));
        }
        Ok(())
    }

    /// Takes a table out. Packets that are on their way through it find it still.
    pub fn remove(&mut self, number: u32) -> Result<()> {
        delete(self.fd.as_fd(), number).with_context(|| format!("lookup table {number}"))?;
        self.tables.remove(&number);
        Ok(())
    }

    /// A table that was installed.
    pub fn get(&self, number: u32) -> Option<&SlotTable> {
        self.tables.get(&number)
    }

    fn set(&mut self, numbers: &[u32], maps: &[&MapData]) -> Result<()> {
        if numbers.len() > 1 {
            let fds: Vec<i32> = maps.iter().map(|map| map.fd().as_fd().as_raw_fd()).collect();
            match update_together(self.fd.as_fd(), numbers, &fds) {
                Err(error) if error.raw_os_error() == Some(ENOTSUPP) => {}
                done => return done.with_context(|| format!("lookup tables from {} on", numbers[0])),
            }
        }
        for (&number, map) in numbers.iter().zip(maps) {
            self.map.set(number, map, 0).with_context(|| format!("lookup table {number}"))?;
        }
        Ok(())
    }
}

/// Puts inner maps into an array of maps, in one system call.
///
/// The kernel waits in each such call for the packets that are on their way, 8 ms and more; with all maps in one call it
/// does so once.
fn update_together(array: BorrowedFd, indices: &[u32], maps: &[i32]) -> io::Result<()> {
    assert_eq!(indices.len(), maps.len());
    let mut attributes = no_attributes();
    attributes.batch.map_fd = array.as_raw_fd().cast_unsigned();
    attributes.batch.keys = indices.as_ptr() as u64;
    attributes.batch.values = maps.as_ptr() as u64;
    attributes.batch.count = indices.len() as u32;
    // SAFETY: the kernel reads `count` keys and values of four octets each, as many as the slices hold.
    unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attributes) }
}

/// Takes an inner map out of an array of maps.
fn delete(array: BorrowedFd, index: u32) -> io::Result<()> {
    let mut attributes = no_attributes();
    attributes.__bindgen_anon_2.map_fd = array.as_raw_fd().cast_unsigned();
    attributes.__bindgen_anon_2.key = &raw const index as u64;
    // SAFETY: the kernel reads the key, of four octets.
    unsafe { bpf(BPF_MAP_DELETE_ELEM, &mut attributes) }
}

fn no_attributes() -> bpf_attr {
    // SAFETY: made of integers alone, of which all may be zero.
    unsafe { std::mem::zeroed() }
}

/// The system call that aya makes too, for commands that it doesn't offer.
///
/// # Safety
/// What the attributes point to is as long as the command says.
unsafe fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<()> {
    // SAFETY: the kernel reads and writes the attributes, and what they point to by the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
