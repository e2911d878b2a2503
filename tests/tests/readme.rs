//! What README.md quotes is what the programs say.

use std::fs;
use std::path::{Path, PathBuf};

use lb_userspace::config::Config;
use lb_userspace::trace::{Datagram, Link, Packet};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(workspace().join("README.md")).unwrap()
}

#[test]
fn the_configuration_error_is_a_real_one() {
    let (workspace, readme) = (workspace(), readme());
    let quoted = readme.lines().find(|line| line.starts_with("lbd: lb.yaml:")).unwrap();

    let example = fs::read_to_string(workspace.join("deploy/lb.yaml")).unwrap();
    let mistaken = example.replacen("forwarding: l2", "forwarding: ip-ip", 1);
    let errors = Config::parse(&mistaken, Path::new("lb.yaml")).unwrap_err();
    assert_eq!(quoted, format!("lbd: {errors}"));
}

#[test]
fn packets_are_shown_like_that() {
    let datagram = |ends: [&str; 2], protocol: &str, ports: Option<[u16; 2]>, fragment| Datagram {
        source: ends[0].parse().unwrap(),
        destination: ends[1].parse().unwrap(),
        protocol: protocol.into(),
        source_port: ports.map(|ports| ports[0]),
        destination_port: ports.map(|ports| ports[1]),
        fragment,
    };
    let flow = ["203.0.113.2", "192.0.2.1"];
    let forwarded = Packet {
        time: "2026-01-01T00:00:01.500000Z".into(),
        verdict: "forwarded".into(),
        reason: None,
        service: Some("web".into()),
        backend: Some("alpha".into()),
        forwarding: Some("ipip".into()),
        ingress: "eth0".into(),
        egress: Some("eth0".into()),
        length: 94,
        link: Some(Link {
            source: "02:00:00:00:00:02".into(),
            destination: "02:00:00:00:00:03".into(),
            ethertype: "0x0800".into(),
        }),
        outer: Some(datagram(["198.51.100.10", "198.51.100.1"], "4", None, None)),
        packet: Some(datagram(flow, "tcp", Some([40_000, 80]), None)),
        octets: String::new(),
    };
    let dropped = Packet {
        verdict: "dropped".into(),
        reason: Some("unknown_fragment".into()),
        service: None,
        backend: None,
        forwarding: None,
        egress: None,
        length: 206,
        outer: None,
        packet: Some(datagram(flow, "tcp", None, Some(48))),
        ..forwarded.clone()
    };
    let readme = readme();
    let quoted: Vec<_> = readme.lines().filter(|line| line.starts_with(&forwarded.time)).collect();
    assert_eq!(quoted, [forwarded.to_string(), dropped.to_string()]);
}
