//! The load balancer between a client and real servers. Needs root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use lb_tests::accounts::{self, Tally};
use lb_tests::curl::{self, Reply, Request};
use lb_tests::ping::ping;
use lb_tests::run::{Finished, finish};
use lb_tests::snapshot::Snapshot;
use lb_tests::wait::{self, PATIENCE};
use lb_tests::{Backend, Balancer, Host, Lab, SERVICES, Service, balancer, xdp};

#[test]
fn every_service_is_answered_by_every_backend_and_every_packet_is_counted() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;

    let before = Snapshot::take(&balancer)?;
    let ask = |service: Service| -> Result<Tally> {
        let mut requests = vec![Request::to(&service, "/"); 60];
        requests.extend(vec![Request::to(&service, "/big"); 2]);
        Ok(Tally::of(service, &requests, &curl::fetch(&lab, &requests)?))
    };
    let tallies: Vec<_> = SERVICES.into_iter().map(ask).collect::<Result<_>>()?;
    let counted = Snapshot::take(&balancer)?.since(&before);

    assert_eq!(accounts::complaints(&tallies, &counted), Vec::<String>::new(), "{counted:#?}");
    for service in &counted.services {
        // SYN, acknowledgement, request, FIN, each by the client.
        assert!(service.packets >= 62 * 4, "{}: {} packets", service.name, service.packets);
    }
    let replies = accounts::octets(&tallies);
    assert!(counted.kernel.octets * 4 < replies, "{} of {replies} octets", counted.kernel.octets);
    Ok(())
}

#[test]
fn a_flow_stays_with_its_backend() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;

    for service in SERVICES {
        // Ports that the client does not choose by itself.
        let ports = 20_001..=20_060;
        let once = by_port(&lab, &service, ports.clone())?;
        let again = by_port(&lab, &service, ports.rev())?;
        assert_eq!(once, again, "{}", service.name);
        let backends: BTreeSet<_> = once.into_values().collect();
        assert_eq!(backends, Host::BACKENDS.map(Host::name).map(String::from).into(), "{}", service.name);
    }
    Ok(())
}

/// Which backend answers requests from each port.
fn by_port(lab: &Lab, service: &Service, ports: impl Iterator<Item = u16>) -> Result<BTreeMap<u16, String>> {
    let requests: Vec<_> = ports.map(|port| Request::to(service, "/").from_port(port)).collect();
    let replies = curl::fetch(lab, &requests)?;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 200).count(),
        requests.len(),
        "{}",
        service.name
    );
    Ok(replies.into_iter().map(|Reply { local_port, first_line, .. }| (local_port, first_line)).collect())
}

#[test]
fn what_is_no_services_goes_to_the_kernel() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    let client = lab.host(Host::Client);
    let before = Snapshot::take(&balancer)?;

    for address in [Host::Balancer.ipv4().into(), Host::Balancer.ipv6().into()] {
        ping(client, address)?;
        let closed = SocketAddr::new(address, 80);
        let error = client.enter(|| Ok(TcpStream::connect_timeout(&closed, PATIENCE).unwrap_err()))?;
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{closed}: {error}");
    }
    for service in SERVICES {
        // Nobody answers: the kernel of the load balancer does not have the VIP. One SYN is enough.
        let closed = SocketAddr::new(service.vip, 81);
        client.enter(|| Ok(TcpStream::connect_timeout(&closed, Duration::from_millis(1)).unwrap_err()))?;
    }

    // Those that went unanswered.
    let counted = wait::until("eight packets of no service", || {
        let counted = Snapshot::take(&balancer)?.since(&before);
        Ok((counted.node.passed.get("no_service") >= Some(&8)).then_some(counted))
    })?;
    let node = &counted.node;
    assert!(node.passed.get("not_a_vip") >= Some(&2), "echo requests: {node:?}");
    assert_eq!((node.forwarded, accounts::total(&node.dropped)), (0, 0), "{node:?}");
    assert_eq!(node.received, accounts::total(&node.passed), "{node:?}");
    Ok(())
}

#[test]
fn sigterm_detaches_the_program() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(Host::Balancer);
    let balancer = Balancer::start(&lab, &SERVICES)?;
    assert!(xdp::attached(host, "eth0")?.is_some());
    assert_eq!(host.processes()?.len(), 1);

    let status = balancer.stop()?;
    assert_eq!(status.code(), Some(0));
    assert_eq!(xdp::attached(host, "eth0")?, None);
    assert_eq!(host.processes()?, Vec::<i32>::new());
    // As before it was started.
    let balancer = Balancer::start(&lab, &SERVICES)?;
    assert_eq!(balancer.stop()?.code(), Some(0));
    Ok(())
}

#[test]
fn an_unknown_interface_is_named() -> Result<()> {
    let lab = Lab::new()?;
    let yaml = balancer::configure(lab.directory(), &SERVICES).replace("name: eth0", "name: eth7");
    let error = refusal(&lab, &yaml)?;
    let file = lab.directory().join("lb.yaml");
    let place = format!("lbd: {}:3:11: interfaces[0].name: there is no interface eth7 here;", file.display());
    assert!(error.starts_with(&place), "{error}");
    Ok(())
}

#[test]
fn a_foreign_program_is_named_and_left_alone() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(Host::Balancer);
    let foreign = xdp::attach_pass(host, "eth0")?;
    let error = refusal(&lab, &balancer::configure(lab.directory(), &SERVICES))?;
    assert!(error.contains("eth0") && error.contains("xdp_pass"), "{error}");
    assert!(error.contains(&foreign.id.to_string()), "program {}: {error}", foreign.id);
    assert_eq!(xdp::attached(host, "eth0")?, Some(foreign.id));
    Ok(())
}

#[test]
fn a_broken_configuration_is_refused_with_its_line() -> Result<()> {
    let lab = Lab::new()?;
    let good = balancer::configure(lab.directory(), &SERVICES[..1]);
    let rows = [
        ("not YAML", "services:", "services: [", 9),
        ("an unknown setting", "port: 80", "prot: 80", 11),
        ("a port that is none", "port: 80", "port: 80000", 11),
        ("an address that is none", "198.51.100.12", "198.51.100.300", 18),
        ("more backends than there is room for", "services:", "maps: {backends: 2}\nservices:", 20),
    ];
    for (what, good_words, bad_words, line) in rows {
        let error = refusal(&lab, &good.replace(good_words, bad_words)).context(what)?;
        assert!(error.contains(&format!("lb.yaml:{line}:")), "{what}: {error}");
        assert_eq!(xdp::attached(lab.host(Host::Balancer), "eth0")?, None, "{what}");
    }
    Ok(())
}

#[test]
fn maps_are_as_large_as_the_configuration_says() -> Result<()> {
    // By these sizes they are told from those of other programs on this machine.
    let own = std::process::id() % 10_000;
    let [services, backends, fragments] = [2_000 + own, 20_000 + own, 40_000 + own];
    let sizes =
        format!("maps: {{services: {services}, backends: {backends}, fragments: {fragments}}}\nservices:");
    let of_that_size = || -> BTreeSet<String> {
        // One that goes meanwhile isn't of this test.
        let maps = aya::maps::loaded_maps().flatten();
        let alike = maps.filter(|map| [services, backends, fragments].contains(&map.max_entries()));
        alike.filter_map(|map| map.name_as_str().map(String::from)).collect()
    };
    let lab = Lab::new()?;
    let yaml = balancer::configure(lab.directory(), &SERVICES).replacen("services:", &sizes, 1);
    assert_eq!(of_that_size(), BTreeSet::new());
    let balancer = Balancer::start_with(&lab, &yaml)?;
    let names =
        ["FRAGMENTS", "PREFIXES", "QUIC_SERVERS", "SERVICE_COUNTER", "TABLES", "TURNS", "USUAL_TABLES"];
    assert_eq!(of_that_size(), names.map(String::from).into());
    assert!(balancer.stop()?.success());
    Ok(())
}

/// Runs `lbd` with a configuration that it must refuse, and gives the one line that it says.
fn refusal(lab: &Lab, yaml: &str) -> Result<String> {
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, yaml)?;
    let Finished { status, stdout, stderr } = finish(&mut balancer::command(lab, &file)?, PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert_eq!(stdout, "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    Ok(stderr)
}
