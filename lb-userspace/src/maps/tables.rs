//! All lookup tables in the kernel.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::maps::{ArrayOfMaps, Map, MapData};
use lb_common::slot::{Slot, is_usual};

use super::slots::SlotTable;
use super::table_pins::TablePins;
use crate::syscall;

/// Tables that are installed together. Each holds a file open meanwhile, of which a process may have 1,024.
const TOGETHER: usize = 64;

/// The kernel's answer to batches where it has none for this type of map (Linux before 5.19). Not among libc's.
const ENOTSUPP: i32 = 524;

/// The tables by their numbers.
pub struct SlotTables {
    usual: Numbered,
    others: Numbered,
    tables: BTreeMap<u32, SlotTable>,
    pins: Option<TablePins>,
}

/// A map of tables by their numbers.
struct Numbered {
    map: ArrayOfMaps<MapData>,
    /// The same map, for what aya doesn't offer.
    fd: OwnedFd,
}

impl SlotTables {
    /// The tables in those maps: those of the usual size, and the others. Those that another process has made are found by
    /// their pins.
    pub fn new(usual: Map, others: Map, pins: Option<TablePins>) -> Result<Self> {
        let (usual, others) = (Numbered::new(usual)?, Numbered::new(others)?);
        let in_use = |number, id| Ok(usual.id(number)? == id || others.id(number)? == id);
        let tables = match &pins {
            Some(pins) => pins.open_each(in_use, SlotTable::open)?,
            None => BTreeMap::new(),
        };
        Ok(SlotTables { usual, others, tables, pins })
    }

    /// The pins are somewhere else now.
    pub fn follow_pins(&mut self, pins: TablePins) {
        self.pins = Some(pins);
    }

    /// The numbers of all tables.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.tables.keys().copied()
    }

    /// Installs new tables. After an error none of them is in place, but for those that replaced another one.
    pub fn install(&mut self, tables: &[(u32, &[Slot])]) -> Result<()> {
        let new: Vec<u32> = tables.iter().map(|(number, _)| *number).collect();
        let new: Vec<u32> = new.into_iter().filter(|number| !self.tables.contains_key(number)).collect();
        self.install_each(tables).inspect_err(|_| {
            for number in new {
                // The first error is the one that counts.
                let _ = self.remove(number);
            }
        })
    }

    fn install_each(&mut self, tables: &[(u32, &[Slot])]) -> Result<()> {
        let alike = tables.chunk_by(|(_, one), (_, next)| is_usual_table(one) == is_usual_table(next));
        for tables in alike.flat_map(|tables| tables.chunks(TOGETHER)) {
            let created: Vec<_> = tables
                .iter()
                .map(|(number, slots)| {
                    SlotTable::create(slots).with_context(|| format!("lookup table {number}"))
                })
                .collect::<Result<_>>()?;
            let numbers: Vec<u32> = tables.iter().map(|(number, _)| *number).collect();
            let maps: Vec<&MapData> = created.iter().map(|(_, map)| map).collect();
            if let Some(pins) = &self.pins {
                pins.announce(&numbers, &maps)?;
            }
            let map = if is_usual_table(tables[0].1) { &mut self.usual } else { &mut self.others };
            map.set(&numbers, &maps)?;
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
        for map in [&self.usual, &self.others] {
            let removed = syscall::delete_inner_map(map.fd.as_fd(), number);
            if let Err(error) = removed
                && error.kind() != ErrorKind::NotFound
            {
                return Err(error).with_context(|| format!("lookup table {number}"));
            }
        }
        self.tables.remove(&number);
        self.pins.as_ref().map_or(Ok(()), |pins| pins.remove(number))
    }

    /// A table that was installed.
    pub fn get(&self, number: u32) -> Option<&SlotTable> {
        self.tables.get(&number)
    }
}

fn is_usual_table(slots: &[Slot]) -> bool {
    is_usual(slots.len() as u32)
}

impl Numbered {
    fn new(map: Map) -> Result<Self> {
        let Map::ArrayOfMaps(data) = &map else { bail!("not an array of maps: {map:?}") };
        let fd = data.fd().as_fd().try_clone_to_owned().context("another handle of the map")?;
        Ok(Numbered { map: map.try_into()?, fd })
    }

    /// The identifier of a table's map; 0 if there is none.
    fn id(&self, number: u32) -> io::Result<u32> {
        syscall::inner_map_id(self.fd.as_fd(), number)
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
