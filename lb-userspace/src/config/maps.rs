//! How much the datapath's maps have room for.

use std::ops::RangeInclusive;

use serde_saphyr::Spanned;

use super::file;
use super::section::Section;
use super::value;

/// Services: each one's lookup table is mapped into the daemon's memory, and a process has 65,530 mappings
/// (`vm.max_map_count`).
const SERVICES: RangeInclusive<u32> = 1..=32_768;

/// Backends: a slot names its backend in 16 bits, of which the lowest and the highest number mean something else.
const BACKENDS: RangeInclusive<u32> = 1..=lb_common::slot::BackendIndex::MAX.0 as u32;

/// Fragmented packets. The kernel keeps free entries in a list for each CPU, up to 128: with fewer entries in all, it
/// would forget packets whose parts are still coming in.
const FRAGMENTS: RangeInclusive<u32> = 1_024..=1_048_576;

/// Pinned flows, of 8 octets each: up to 1 GiB.
const FLOWS: RangeInclusive<u32> = 1_024..=1 << 27;

/// How much the maps have room for. They are made at the start, and keep their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSizes {
    /// Services, and VIPs: there are never more of these. 1 to 32,768.
    pub services: u32,
    /// Backends of all services together, 1 to 65,534.
    pub backends: u32,
    /// Fragmented packets that are followed at a time, 1,024 to 1,048,576.
    pub fragments: u32,
    /// Flows that are pinned at a time, 1,024 to 134,217,728. The map has room for the next power of two.
    pub flows: u32,
}

impl Default for MapSizes {
    fn default() -> Self {
        MapSizes {
            services: lb_common::service::CAPACITY as u32,
            // The first entry stands for no backend.
            backends: lb_common::backend::CAPACITY as u32 - 1,
            fragments: lb_common::fragment::CAPACITY as u32,
            flows: lb_common::pin::CAPACITY as u32,
        }
    }
}

impl MapSizes {
    /// What to do about more services than there is room for.
    pub(super) fn too_many_services(self) -> String {
        too_many(self.services, &SERVICES, "maps.services")
    }

    /// What to do about more backends than there is room for.
    pub(super) fn too_many_backends(self) -> String {
        too_many(self.backends, &BACKENDS, "maps.backends")
    }
}

fn too_many(room: u32, possible: &RangeInclusive<u32>, setting: &str) -> String {
    if room < *possible.end() {
        format!("the maps have room for {room}, raise {setting}")
    } else {
        format!("more than {room} are not possible, remove some")
    }
}

/// None if one is wrong; then it has been reported.
pub(super) fn from_written(root: &mut Section, written: Option<&Spanned<file::Maps>>) -> Option<MapSizes> {
    let default = MapSizes::default();
    let Some(written) = written else { return Some(default) };
    let mut section = root.field("maps", written);
    let file::Maps { services, backends, fragments, flows } = &written.value;
    let services = section
        .optional("services", services.as_ref(), default.services, |text| value::number(text, &SERVICES));
    let backends = section
        .optional("backends", backends.as_ref(), default.backends, |text| value::number(text, &BACKENDS));
    let fragments = section
        .optional("fragments", fragments.as_ref(), default.fragments, |text| value::number(text, &FRAGMENTS));
    let flows = section.optional("flows", flows.as_ref(), default.flows, |text| value::number(text, &FLOWS));
    Some(MapSizes { services: services?, backends: backends?, fragments: fragments?, flows: flows? })
}
