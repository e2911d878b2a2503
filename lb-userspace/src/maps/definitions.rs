//! The maps as the object defines them, and whether pinned ones are the same.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use aya::maps::{MapData, MapInfo};
use aya_obj::Object;
use lb_common::pin;

use super::entries;
use crate::config::MapSizes;
use crate::programs;

/// What became of checks. It belongs to the process that makes them: it isn't pinned, and no layout depends on it.
pub const CHECKS: &str = "CHECKS";

/// The names of all maps that are pinned.
pub fn names() -> Result<Vec<String>> {
    Ok(defined()?.into_keys().collect())
}

/// Why a balancer with maps of those sizes can't go on with the ones that are pinned in a directory; none if it can.
///
/// # Errors
/// A pinned map can't be read.
pub fn unfit(pins: &Path, sizes: MapSizes) -> Result<Option<String>> {
    let entries: BTreeMap<_, _> = entries::entries(sizes).into();
    for (name, map) in defined()? {
        let path = pins.join(&name);
        if !path.exists() {
            return Ok(Some(format!("{} isn't there", path.display())));
        }
        let found = info(&path)?;
        let found_type = found.map_type().with_context(|| path.display().to_string())? as u32;
        let entries = entries.get(name.as_str()).copied().unwrap_or(map.max_entries());
        let parts = [
            ("type", map.map_type(), found_type),
            ("key", map.key_size(), found.key_size()),
            ("value", map.value_size(), found.value_size()),
        ];
        if let Some((part, wanted, found)) = parts.into_iter().find(|(_, wanted, found)| wanted != found) {
            return Ok(Some(format!("the map {name} has {part} {found} instead of {wanted}")));
        }
        if entries != 0 && entries != found.max_entries() {
            let found = found.max_entries();
            return Ok(Some(format!("the map {name} has {found} entries instead of {entries}")));
        }
    }
    Ok(None)
}

/// The sizes of the maps that are pinned in a directory.
///
/// # Errors
/// A map can't be read.
pub fn sizes(pins: &Path) -> Result<MapSizes> {
    let entries = |name: &str| Ok::<_, anyhow::Error>(info(&pins.join(name))?.max_entries());
    Ok(MapSizes {
        services: entries("TABLES")?,
        backends: entries("BACKENDS")? - 1,
        fragments: entries("FRAGMENTS")?,
        flows: entries("PINS")? * pin::PLACES as u32,
    })
}

/// Identifies the maps that are pinned in a directory: no others have had this number since the machine was started.
///
/// # Errors
/// They can't be read.
pub fn id(pins: &Path) -> Result<u32> {
    Ok(info(&pins.join("TABLES"))?.id())
}

fn info(pin: &Path) -> Result<MapInfo> {
    let shown = || pin.display().to_string();
    MapData::from_pin(pin).and_then(|map| map.info()).with_context(shown)
}

fn defined() -> Result<BTreeMap<String, aya_obj::Map>> {
    let object = Object::parse(programs::BALANCER).context("the object can't be read")?;
    let maps = object.maps.into_iter().filter(|(name, _)| !name.starts_with('.') && name != CHECKS);
    Ok(maps.collect())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// A change here makes [`lb_common::LAYOUT`] go up.
    const DEFINED: &str = "layout 3
BACKENDS: type 2, key 4, value 64
BACKEND_COUNTERS: type 6, key 4, value 16
ERRORS_SENT: type 9, key 16, value 4
EVENTS: type 27, key 0, value 0
EVENTS_LOST: type 6, key 4, value 184
EVENT_RATIONS: type 6, key 4, value 184
FORGOTTEN: type 6, key 4, value 8
FRAGMENTS: type 9, key 40, value 16
INTERFACES: type 25, key 4, value 8
NODE_COUNTERS: type 6, key 4, value 184
PINS: type 2, key 4, value 128
PREFIXES: type 11, key 20, value 8
QUIC_SERVERS: type 1, key 16, value 4
RATION: type 6, key 4, value 8
SAMPLING: type 2, key 4, value 100
SERVICES: type 2, key 4, value 64
SERVICE_COUNTERS: type 6, key 4, value 136
SETTINGS: type 2, key 4, value 40
STANDINGS: type 2, key 4, value 16
SYMPTOMS: type 2, key 4, value 16
SYNS: type 2, key 4, value 4
TABLES: type 12, key 4, value 4
TURNS: type 2, key 4, value 4
USUAL_TABLES: type 12, key 4, value 4
VIPS: type 2, key 4, value 32
";

    #[test]
    fn a_layout_has_these_maps() {
        let mut text = format!("layout {}\n", lb_common::LAYOUT);
        for (name, map) in defined().unwrap() {
            let (kind, key, value) = (map.map_type(), map.key_size(), map.value_size());
            writeln!(text, "{name}: type {kind}, key {key}, value {value}").unwrap();
        }
        assert_eq!(text, DEFINED);
    }
}
