//! All lookup tables in the kernel.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::maps::{ArrayOfMaps, Map, MapData};
use lb_common::slot::Slot;

use super::slots::SlotTable;
use super::table_pins::TablePins;
use crate::syscall;

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
    pins: Option<TablePins>,
}

impl SlotTables {
    /// The tables in that map. Those that another process has made are found by their pins.
    pub fn new(map: Map, pins: Option<TablePins>) -> Result<Self> {
        let Map::ArrayOfMaps(data) = &map else { bail!("not an array of maps: {map:?}") };
        let fd = data.fd().as_fd().try_clone_to_owned().context("another handle of the map")?;
        let mut tables = BTreeMap::new();
        if let Some(pins) = &pins {
            for (number, map) in pins.find(|number| syscall::inner_map_id(fd.as_fd(), number))? {
                let table = SlotTable::open(&map).with_context(|| format!("lookup table {number}"))?;
                tables.insert(number, table);
            }
        }
        Ok(SlotTables { map: map.try_into()?, fd, tables, pins })
    }

    /// The numbers of all tables.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.tables.keys().copied()
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
            let pinned: Vec<_> = numbers.iter().copied().zip(maps.iter().copied()).collect();
            if let Some(pins) = &self.pins {
                pins.announce(&pinned)?;
            }
            self.set(&numbers, &maps)?;
            if let Some(pins) = &self.pins {
                pins.confirm(&numbers)?;
            }
            // From now on the array and the mappings keep the maps.
            self.tables.extend(numbers.into_iter().zip(created.into_iter().map(|(table, _)| table)));
        }
        Ok(())
    }

    /// Takes a table out. Packets that are on their way through it find it still.
    pub fn remove(&mut self, number: u32) -> Result<()> {
        syscall::delete_inner_map(self.fd.as_fd(), number)
            .with_context(|| format!("lookup table {number}"))?;
        self.tables.remove(&number);
        self.pins.as_ref().map_or(Ok(()), |pins| pins.remove(number))
    }

    /// A table that was installed.
    pub fn get(&self, number: u32) -> Option<&SlotTable> {
        self.tables.get(&number)
    }

    fn set(&mut self, numbers: &[u32], maps: &[&MapData]) -> Result<()> {
        if numbers.len() > 1 {
            let fds: Vec<i32> = maps.iter().map(|map| map.fd().as_fd().as_raw_fd()).collect();
            match syscall::update_inner_maps(self.fd.as_fd(), numbers, &fds) {
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
