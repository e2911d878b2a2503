//! Maps of other sizes than by default.

use std::collections::BTreeMap;

use lb_common::address::Address;
use lb_common::directory::{PROBES, ServiceEntry, home, places};
use lb_common::flow::Protocol;
use lb_common::service::{Service, ServiceKey};
use lb_common::siphash::HashKey;
use lb_userspace::config::MapSizes;
use lb_userspace::image::Image;
use lb_userspace::maps::Balancer;
use lb_userspace::planner::plan;

use crate::engine::{Host, Kernel};
use crate::frames::packet;
use crate::services::{Case, HASH_KEY, image};

/// Entries of the maps that have a size of their own, and what they would be for those sizes.
fn entries(kernel: &mut Kernel, sizes: MapSizes) -> [BTreeMap<String, u32>; 2] {
    let MapSizes { services, backends, fragments, flows } = sizes;
    let places = 16 * services.next_power_of_two();
    let expected = BTreeMap::from([
        ("VIPS", places),
        ("SERVICES", places),
        ("PREFIXES", services),
        ("TABLES", services),
        ("USUAL_TABLES", services),
        ("BACKENDS", backends + 1),
        ("STANDINGS", backends + 1),
        ("SYMPTOMS", backends + 1),
        ("TURNS", services),
        ("PINS", flows.div_ceil(16).next_power_of_two()),
        ("QUIC_SERVERS", backends),
        ("FRAGMENTS", fragments),
        // The kernel cuts names off after 15 octets.
        ("SERVICE_COUNTER", services),
        ("BACKEND_COUNTER", backends + 1),
    ]);
    let expected = expected.into_iter().map(|(name, entries)| (name.to_owned(), entries));
    let expected: BTreeMap<_, _> = expected.collect();
    let maps = kernel.maps().into_iter();
    let found = maps.map(|map| (map.name_as_str().unwrap().to_owned(), map.max_entries()));
    [found.filter(|(name, _)| expected.contains_key(name)).collect(), expected.clone()]
}

#[test]
fn packets_go_the_same_way_whatever_the_maps_sizes() {
    let image = image();
    let just_enough = MapSizes {
        services: Case::ALL.len() as u32,
        backends: u32::from(image.backends.keys().next_back().unwrap().0),
        fragments: 1_024,
        flows: 1_024,
    };
    let many = MapSizes { services: 5_000, backends: 65_534, fragments: 100_000, flows: 5_000_000 };
    for sizes in [just_enough, MapSizes::default(), many] {
        let host = Host::new(&image);
        let mut kernel = Kernel::load_with(image.clone(), sizes);
        let [found, expected] = entries(&mut kernel, sizes);
        assert_eq!(found, expected);
        for case in Case::ALL {
            let frame = packet(case, 10);
            assert_eq!(kernel.run(&frame), host.run(&frame), "{case:?}, {sizes:?}");
        }
    }
}

/// One more than there are places for them, all with the same home.
fn crowd(sizes: MapSizes) -> Image {
    let key = |port| ServiceKey::new(Address::default(), port, Protocol::TCP);
    let home = |port| home::<ServiceEntry>(&key(port), places(sizes.services as usize));
    let crowd = (1..).filter(|&port| home(port) == home(1)).take(PROBES as usize + 1);
    let service = |port| (key(port), Service { index: 7, ..Service::default() });
    Image { services: crowd.map(service).collect(), ..Image::default() }
}

#[test]
fn a_directory_with_no_room_near_a_place_names_the_setting() {
    let sizes = MapSizes { services: 2, ..MapSizes::default() };
    let image = crowd(sizes);
    let apply = |sizes| {
        let mut balancer = Balancer::load(HashKey::new(HASH_KEY), sizes).unwrap();
        balancer.apply(&plan(&Image::default(), &image), |_| {})
    };
    let error = apply(sizes).unwrap_err();
    let expected = "service 7: no room near its place; raise maps.services in the configuration";
    assert_eq!(format!("{error:#}"), expected);
    // As it says.
    apply(MapSizes { services: 1_000, ..sizes }).unwrap();
}
