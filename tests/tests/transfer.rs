//! Transfers of megabytes, in packets as long as the client's network allows. Needs root.
//!
//! Every network has an MTU of 1500 octets, so in a tunnel the client's longest packets don't fit: the load balancer
//! has to tell it.

use std::fs;

use anyhow::Result;
use lb_tests::curl::{self, Request};
use lb_tests::iperf::{self, BLOCK, Transfer, UNCOUNTED};
use lb_tests::snapshot::Snapshot;
use lb_tests::{Backend, Balancer, Entry, Host, Lab, SERVICES, Service, accounts, balancer, entry, nginx};
use lb_userspace::config::Forwarding;

/// Who serves what takes more than one connection, which have to meet.
const SERVER: Host = Host::Backend1;

#[test]
fn a_long_transfer_passes_every_tunnel() -> Result<()> {
    const OCTETS: u64 = 16 << 20;
    /// Three fragments each.
    const DATAGRAMS: u64 = 20;
    const DATAGRAM: u64 = 4000;
    let lab = Lab::new()?;
    let _backend = Backend::start(&lab, SERVER)?;
    let entries = SERVICES.iter().flat_map(|service| {
        ["tcp", "udp"].map(|protocol| Entry::beside(service, Some(iperf::PORT), protocol, &[SERVER]))
    });
    let yaml = balancer::configure(lab.directory(), &[]);
    let balancer = Balancer::start_with(&lab, &entry::added(&yaml, &entries.collect::<Vec<_>>()))?;
    balancer.wait_until_active()?;

    for service in SERVICES {
        let name = service.name;
        let _server = iperf::serve(&lab, SERVER, service.vip)?;
        let before = Snapshot::take(&balancer)?;
        let tcp = iperf::send(&lab, service.vip, Transfer::Tcp { octets: OCTETS })?;
        assert!((OCTETS..=OCTETS + BLOCK).contains(&tcp.sent), "{name}: {tcp:?}");
        assert!((OCTETS - UNCOUNTED..=tcp.sent).contains(&tcp.received), "{name}: {tcp:?}");
        let counted = Snapshot::take(&balancer)?.since(&before);
        assert_eq!(accounts::sums(&counted), Vec::<String>::new(), "{name}: {counted:#?}");
        assert_told_what_fits(&service, &counted);

        // By now the client knows how long its fragments may be.
        let before = Snapshot::take(&balancer)?;
        let transfer = Transfer::Udp { datagrams: DATAGRAMS, octets: DATAGRAM };
        let udp = iperf::send(&lab, service.vip, transfer)?;
        assert!((DATAGRAMS..=DATAGRAMS + 1).contains(&(udp.sent / DATAGRAM)), "{name}: {udp:?}");
        assert_eq!(udp.lost, 0, "{name}: {udp:?}");
        let datagrams = udp.sent / DATAGRAM;
        assert!(udp.received > 0, "{name}");
        let counted = Snapshot::take(&balancer)?.since(&before);
        let udp = counted.services.iter().find(|other| other.protocol == "udp" && other.packets > 0);
        // One more, by which the client says that it is there.
        let packets = udp.filter(|udp| udp.vip == service.vip.to_string()).map(|udp| udp.packets);
        assert_eq!(packets, Some(3 * datagrams + 1), "{name}: {counted:#?}");
        assert_eq!(accounts::total(&counted.node.dropped), 0, "{name}: {counted:#?}");
    }
    Ok(())
}

#[test]
fn an_upload_arrives_as_it_was_sent() -> Result<()> {
    const OCTETS: u32 = 4 << 20;
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let file = lab.directory().join("upload");
    // No part of it is like another.
    let octets: Vec<u8> = (0..OCTETS / 4).flat_map(u32::to_be_bytes).collect();
    fs::write(&file, &octets)?;

    for service in SERVICES {
        let before = Snapshot::take(&balancer)?;
        let request = Request::to(&service, &format!("/upload/{}", service.name)).with_file(&file);
        let replies = curl::fetch(&lab, &[request])?;
        assert_eq!(replies.first().map(|reply| reply.status), Some(201), "{}: {replies:?}", service.name);
        let copies: Vec<_> = Host::BACKENDS
            .into_iter()
            .filter_map(|backend| fs::read(nginx::uploaded(&lab, backend, service.name)).ok())
            .collect();
        assert_eq!(copies.len(), 1, "{}", service.name);
        assert!(copies[0] == octets, "{}: {} octets, or others", service.name, copies[0].len());
        assert_told_what_fits(&service, &Snapshot::take(&balancer)?.since(&before));
    }
    Ok(())
}

/// The client heard of a tunnel's MTU, and lost nothing for another reason.
fn assert_told_what_fits(service: &Service, counted: &Snapshot) {
    let answers = counted.node.answered.get("too_big").copied().unwrap_or_default();
    if service.forwarding == Forwarding::L2 {
        assert_eq!(answers, 0, "{}: {counted:#?}", service.name);
    } else {
        assert!(answers > 0, "{}: {counted:#?}", service.name);
    }
    let other = |(reason, packets): &(&String, &u64)| **packets > 0 && *reason != "exceeds_mtu";
    assert_eq!(counted.node.dropped.iter().find(other), None, "{}", service.name);
}
