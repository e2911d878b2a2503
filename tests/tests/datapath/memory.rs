//! What the maps take of the kernel's memory, by its own account.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use aya::maps::{ArrayOfMaps, Map, MapData, MapInfo, MapType};
use aya_obj::Object;
use lb_userspace::programs;

use crate::engine::Kernel;
use crate::many::image;

/// All maps together, in octets.
pub const MOST: u64 = 150 << 20;

/// A service's lookup table, in octets: 256 KiB of slots. One more than 65,536 begins another page, and the kernel describes
/// the map in a page of its own.
const MOST_A_TABLE: u64 = (256 << 10) + 2 * 4096;

/// Octets that each map of the program takes, and each lookup table, by its number.
pub struct Memory {
    pub maps: BTreeMap<String, u64>,
    pub tables: Vec<u64>,
}

impl Memory {
    pub fn of(kernel: &mut Kernel) -> Self {
        let mut memory = Memory { maps: BTreeMap::new(), tables: Vec::new() };
        for map in kernel.maps() {
            memory.maps.insert(map.name_as_str().unwrap().to_string(), locked(&map));
            if map.map_type().unwrap() == MapType::ArrayOfMaps {
                let maps = Map::ArrayOfMaps(MapData::from_id(map.id()).unwrap());
                let tables = ArrayOfMaps::<MapData>::try_from(maps).unwrap();
                let filled = (0..tables.len()).map_while(|number| tables.get(&number, 0).ok());
                memory.tables.extend(filled.map(|table| locked(&table.info().unwrap())));
            }
        }
        memory
    }

    /// Octets of all together.
    pub fn sum(&self) -> u64 {
        self.maps.values().sum::<u64>() + self.tables.iter().sum::<u64>()
    }
}

/// Octets that the kernel says a map takes.
fn locked(map: &MapInfo) -> u64 {
    let fd = map.fd().unwrap();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).unwrap();
    let memory = info.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
    memory.trim().parse().unwrap()
}

/// The object's maps, by the names that they have in the kernel: at most 15 octets.
fn names() -> BTreeSet<String> {
    let object = Object::parse(programs::BALANCER).unwrap();
    // Of another program alone.
    let maps = object.maps.keys().filter(|name| *name != "CHECKS");
    maps.map(|name| name.chars().take(15).collect()).collect()
}

#[test]
fn by_default_all_maps_take_less_than_150_mib_and_a_lookup_table_256_kib() {
    let mut kernel = Kernel::load(image(1, 10, ""));
    let memory = Memory::of(&mut kernel);
    assert_eq!(memory.maps.keys().cloned().collect::<BTreeSet<_>>(), names());
    let [table] = memory.tables[..] else { panic!("{:?}", memory.tables) };
    assert!((65_537 * 4..=MOST_A_TABLE).contains(&table), "{table}");
    assert!(memory.sum() < MOST, "{} octets: {:?}", memory.sum(), memory.maps);
    println!("{} octets: {:?} {:?}", memory.sum(), memory.maps, memory.tables);
}
