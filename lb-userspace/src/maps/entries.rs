//! How many entries each map gets.

use lb_common::{directory, pin};

use crate::config::MapSizes;

/// Maps that aren't made as large as the program says, and how many entries they get instead.
pub fn entries(sizes: MapSizes) -> [(&'static str, u32); 14] {
    let MapSizes { services, backends, fragments, flows: _ } = sizes;
    let places = directory_places(sizes);
    [
        ("VIPS", places),
        ("PREFIXES", services),
        ("SERVICES", places),
        ("TABLES", services),
        ("USUAL_TABLES", services),
        ("SERVICE_COUNTERS", services),
        // The first entry stands for no backend.
        ("BACKENDS", backends + 1),
        ("BACKEND_COUNTERS", backends + 1),
        ("STANDINGS", backends + 1),
        ("SYMPTOMS", backends + 1),
        ("TURNS", services),
        ("PINS", 1 << pin_bits(sizes)),
        ("QUIC_SERVERS", backends),
        ("FRAGMENTS", fragments),
    ]
}

/// Places in each directory.
pub fn directory_places(sizes: MapSizes) -> u32 {
    directory::places(sizes.services as usize)
}

/// Logarithm of the buckets in the connection table.
pub fn pin_bits(sizes: MapSizes) -> u32 {
    pin::bits(sizes.flows as usize)
}
