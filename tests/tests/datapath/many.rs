//! As many services and backends as an edge host has.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lb_common::backend::Link;
use lb_common::flow::Protocol;
use lb_common::wire::ethernet::Vlan;
use lb_userspace::config::Config;
use lb_userspace::image::Image;
use lb_userspace::next_hop::{NextHop, NextHops};
use lb_userspace::planner::desired;

use crate::engine::{Action, Host, Kernel};
use crate::frames::packet_to;
use crate::memory::{self, Memory};
use crate::services::{INGRESS, NODE_MAC, NODE_V4, ip};

/// Services of a VIP.
const PORTS: usize = 4;

fn vip(service: usize) -> String {
    let number = service / PORTS;
    format!("192.0.{}.{}", number >> 8, number & 255)
}

fn port(service: usize) -> u16 {
    8000 + (service % PORTS) as u16
}

/// A backend's address and, but for its first two octets, its MAC address.
fn backend(number: usize) -> [u8; 4] {
    [10, (number >> 16) as u8, (number >> 8) as u8, number as u8]
}

/// The maps for so many services with so many backends each, all of them different; `more` is written into each service.
pub fn image(services: usize, backends: usize, more: &str) -> Image {
    let mut text = "version: 1\ninterfaces: [{name: lo}]\nservices:\n".to_owned();
    for service in 0..services {
        let (vip, port) = (vip(service), port(service));
        write!(text, "  - {{vip: {vip}, port: {port}, protocol: tcp, forwarding: l2, {more}backends: [")
            .unwrap();
        for number in service * backends..(service + 1) * backends {
            write!(text, "{{address: {}}}, ", Ipv4Addr::from(backend(number))).unwrap();
        }
        text.push_str("]}\n");
    }
    let config = Config::parse(&text, Path::new("lb.yaml")).unwrap();

    let hop = |number| {
        let mut addresses = [2; 12];
        addresses[2..6].copy_from_slice(&backend(number));
        addresses[6..].copy_from_slice(&NODE_MAC);
        let link = Link { egress: INGRESS, mtu: 1500, vlan: Vlan::NONE, addresses };
        (IpAddr::from(backend(number)), Ok(NextHop { link, source: ip(NODE_V4), gateway: None }))
    };
    let next_hops: NextHops = (0..services * backends).map(hop).collect();
    desired(&config, &next_hops).image
}

#[test]
fn a_thousand_services_and_ten_thousand_backends() {
    const SERVICES: usize = 1_000;
    const BACKENDS: usize = 10;
    let image = image(SERVICES, BACKENDS, "table_size: 1009, ");
    assert_eq!((image.services.len(), image.backends.len()), (SERVICES, SERVICES * BACKENDS));
    let host = Host::new(&image);
    let mut kernel = Kernel::load(image.clone());

    for service in [0, 1, 499, 996, 999] {
        let frame = packet_to(&vip(service), port(service), Protocol::TCP, 10);
        let outcome = kernel.run(&frame);
        assert_eq!(outcome, host.run(&frame), "service {service}");
        assert_eq!(outcome.action, Action::Transmit, "service {service}");
        let mut own = (0..BACKENDS).map(|number| backend(service * BACKENDS + number));
        assert!(own.any(|own| outcome.frame[2..6] == own), "service {service}: {:?}", &outcome.frame[..6]);
    }
    let none = packet_to(&vip(SERVICES), port(SERVICES), Protocol::TCP, 10);
    assert_eq!(kernel.run(&none).action, Action::Pass);

    let memory = Memory::of(&mut kernel);
    assert_eq!(memory.tables.len(), SERVICES);
    assert!(memory.sum() < memory::MOST, "{} octets: {:?}", memory.sum(), memory.maps);
}
