//! How much the datapath's maps have room for.

use std::ops::RangeInclusive;

use super::field::{Field, Fields, Number, Scalar};
use super::section::Section;

/// Services: each one's lookup table is mapped into the daemon's memory, and a process has 65,530 mappings
/// (`vm.max_map_count`).
const SERVICES_RANGE: RangeInclusive<u32> = 1..=32_768;

/// Backends: a slot names its backend in 16 bits, of which the lowest and the highest number mean something else.
const BACKENDS_RANGE: RangeInclusive<u32> = 1..=lb_common::slot::BackendIndex::MAX.0 as u32;

/// Fragmented packets. The kernel keeps free entries in a list for each CPU, up to 128: with fewer entries in all, it
/// would forget packets whose parts are still coming in.
const FRAGMENTS_RANGE: RangeInclusive<u32> = 1_024..=1_048_576;

/// Pinned flows, of 8 octets each: up to 1 GiB.
const FLOWS_RANGE: RangeInclusive<u32> = 1_024..=1 << 27;

static SERVICES: Scalar<Number<u32>> = Scalar {
    name: "services",
    about: "Services. Default: 1024.",
    remedy: None,
    form: Number(SERVICES_RANGE),
};

static BACKENDS: Scalar<Number<u32>> = Scalar {
    name: "backends",
    about: "Backends of all services together. Default: 16383.",
    remedy: None,
    form: Number(BACKENDS_RANGE),
};

static FRAGMENTS: Scalar<Number<u32>> = Scalar {
    name: "fragments",
    about: "Fragmented packets whose parts are followed at a time. Default: 16384.",
    remedy: None,
    form: Number(FRAGMENTS_RANGE),
};

static FLOWS: Scalar<Number<u32>> = Scalar {
    name: "flows",
    about: "Flows that are remembered at a time, rounded up to a power of two. Default: 1048576.",
    remedy: None,
    form: Number(FLOWS_RANGE),
};

/// The fields of `maps`.
pub(super) static FIELDS: Fields = &[&[
    Field::Scalar(&SERVICES),
    Field::Scalar(&BACKENDS),
    Field::Scalar(&FRAGMENTS),
    Field::Scalar(&FLOWS),
]];

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
        too_many(self.services, &SERVICES_RANGE, "maps.services")
    }

    /// What to do about more backends than there is room for.
    pub(super) fn too_many_backends(self) -> String {
        too_many(self.backends, &BACKENDS_RANGE, "maps.backends")
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
pub(super) fn read(root: &mut Section) -> Option<MapSizes> {
    let default = MapSizes::default();
    let Some(maps) = root.section("maps") else { return Some(default) };
    Some(MapSizes {
        services: maps.optional(&SERVICES, default.services)?,
        backends: maps.optional(&BACKENDS, default.backends)?,
        fragments: maps.optional(&FRAGMENTS, default.fragments)?,
        flows: maps.optional(&FLOWS, default.flows)?,
    })
}
