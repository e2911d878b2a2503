//! Configurations that are valid, the documented example first.

use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderValue, Method, Uri};

use lb_common::flow::Protocol;
use lb_common::siphash::HashKey;
use lb_common::wire::quic::ServerId;

use super::super::{
    Access, AdminState, Affinity, Api, Backend, Config, Datagrams, Flows, Forwarding, Fragments, Health,
    Interface, InterfaceField, Log, LogFormat, MapSizes, Position, Prefix, Service, Tls, TlsClient, Via,
};
use super::{BASE, edited, lines, parse};
use crate::attach::Mode;
use crate::health::probe::{Http, Means, Probe};
use crate::health::{
    Adaptive, Flapping, Interval, Limits, OnAllDown, Opening, Outliers, Percent, Settings, SlowStart,
    Threshold,
};

fn backend(name: &str, address: &str, weight: u32) -> Backend {
    Backend {
        name: name.into(),
        address: address.parse().unwrap(),
        quic_server_id: None,
        weight,
        state: AdminState::Active,
        drain_timeout: None,
        is_backup: false,
    }
}

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix { address: address.parse().unwrap(), length }
}

fn interface(name: &str, mode: Mode, name_at: (u64, u64), mode_at: (u64, u64)) -> Interface {
    let at = |(line, column)| Some(Position { line, column });
    Interface { name: name.into(), mode, name_at: at(name_at), mode_at: at(mode_at) }
}

fn health() -> Health {
    let ms = Duration::from_millis;
    let percent = Percent;
    let settings = Settings {
        interval: Interval {
            usual: ms(1000),
            jitter: 10,
            adaptive: Some(Adaptive { fast: ms(250), slow: ms(5000), stable_after: ms(60_000) }),
        },
        timeout: ms(500),
        limits: Limits { rise: 2, fall: 3 },
        slow_start: Some(SlowStart { time: ms(20_000), steps: 5 }),
        flapping: Some(Flapping { falls: 3, within: ms(300_000), hold: ms(60_000), longest: ms(600_000) }),
        panic: Some(Threshold { below: percent(30), until: percent(50) }),
        backups: Threshold { below: percent(50), until: percent(70) },
        on_all_down: OnAllDown::Forward,
        least_healthy: 1,
        outliers: Some(Outliers {
            share: percent(20),
            least_flows: 100,
            normal: 5,
            times: 3,
            opening: Opening { first: ms(30_000), longest: ms(300_000) },
            trial: percent(10),
        }),
    };
    let request = Http {
        method: Method::GET,
        path: Uri::from_static("/health"),
        host: HeaderValue::from_static("www.example.com"),
        statuses: vec![200..=299, 404..=404],
        body: b"ok".into(),
        tls: None,
    };
    let probe = Probe { means: Means::Http(request), timeout: ms(500) };
    Health { probe, via: Via::Direct, port: 8080, settings }
}

#[test]
fn the_example_means_what_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lb.yaml");
    let web = Service {
        name: "web".into(),
        vip: Prefix::of_one("192.0.2.1".parse().unwrap()),
        port: Some(80),
        protocol: Protocol::TCP,
        forwarding: Forwarding::L2,
        affinity: Affinity::Flow,
        fragments: Fragments::Follow,
        quic_server_id_length: 0,
        flows: Flows::default_of(Protocol::TCP),
        table_size: 65_537,
        health: Some(health()),
        backends: vec![
            backend("alpha", "198.51.100.1", 2),
            Backend {
                state: AdminState::Draining,
                drain_timeout: Some(600),
                ..backend("beta", "198.51.100.2", 1)
            },
            Backend { is_backup: true, ..backend("gamma", "198.51.100.3", 0) },
        ],
    };
    let dns = Service {
        name: "[2001:db8::53]:53/udp".into(),
        vip: Prefix::of_one("2001:db8::53".parse().unwrap()),
        port: Some(53),
        protocol: Protocol::UDP,
        forwarding: Forwarding::Ipip,
        affinity: Affinity::Flow,
        fragments: Fragments::Follow,
        quic_server_id_length: 0,
        flows: Flows { datagrams: Datagrams::Stateless, ..Flows::default_of(Protocol::UDP) },
        table_size: 65_537,
        health: None,
        backends: vec![
            backend("2001:db8:1::1", "2001:db8:1::1", 1),
            backend("198.51.100.4", "198.51.100.4", 1),
        ],
    };
    let quic_backend = |address, octets| Backend {
        quic_server_id: Some(ServerId { configuration: 0, octets }),
        ..backend(address, address, 1)
    };
    let video = Service {
        name: "video".into(),
        vip: prefix("203.0.113.0", 24),
        port: None,
        protocol: Protocol::UDP,
        forwarding: Forwarding::Gue { port: 6080 },
        affinity: Affinity::Flow,
        fragments: Fragments::Follow,
        quic_server_id_length: 2,
        flows: Flows::default_of(Protocol::UDP),
        table_size: 65_537,
        health: None,
        backends: vec![quic_backend("198.51.100.5", 0x010a), quic_backend("198.51.100.6", 0x020a)],
    };
    let api = Api {
        socket: "/run/lb/lbd.sock".into(),
        write_group: Some("lb-admin".into()),
        read_group: Some("lb".into()),
        tls: Some(Tls {
            listen: "192.0.2.10:9443".parse().unwrap(),
            certificate: "/etc/lb/tls/lbd.pem".into(),
            key: "/etc/lb/tls/lbd.key".into(),
            client_ca: "/etc/lb/tls/clients.pem".into(),
            clients: vec![
                TlsClient { name: "admin.example.com".into(), access: Access::Write },
                TlsClient { name: "monitor.example.com".into(), access: Access::Read },
            ],
        }),
    };
    let meant = Config {
        file: file.clone(),
        interfaces: vec![
            interface("eth0", Mode::Driver, (18, 11), (23, 11)),
            interface("eth1", Mode::Auto, (24, 11), (24, 11)),
        ],
        instance: "default".into(),
        api,
        log: Log { level: tracing::Level::INFO, format: LogFormat::Text },
        state_directory: "/var/lib/lb".into(),
        hash_key: Some(HashKey::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
        answer_echo: true,
        tunnel_sources: vec![prefix("172.16.0.0", 16), prefix("2001:db8:99::", 64)],
        maps: MapSizes { services: 1_024, backends: 16_383, fragments: 16_384, flows: 1_048_576 },
        services: vec![web, dns, video],
    };
    assert_eq!(Config::read(&file), Ok(meant));
}

#[test]
fn what_is_not_written_has_its_default() {
    let config = parse(BASE).unwrap();
    assert_eq!(config.interfaces, [interface("eth0", Mode::Auto, (3, 11), (3, 11))]);
    assert_eq!(
        (config.instance.as_str(), &config.api, config.log),
        ("default", &Api::default(), Log::default())
    );
    assert_eq!(config.state_directory, Path::new("/var/lib/lb"));
    assert_eq!(config.hash_key, None);
    let names: Vec<_> = config.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["web", "[2001:db8::1]:53/udp"]);
    assert_eq!(config.services[0].backends[1], backend("10.0.0.2", "10.0.0.2", 1));
    assert!(!config.answer_echo);
    assert_eq!(config.tunnel_sources, []);
    assert_eq!(
        config.maps,
        MapSizes { services: 1_024, backends: 16_383, fragments: 16_384, flows: 1_048_576 }
    );
    let web = &config.services[0];
    assert_eq!(web.table_size, 65_537);
    assert_eq!((web.affinity, web.fragments), (Affinity::Flow, Fragments::Follow));
    assert_eq!(web.quic_server_id_length, 0);
    assert_eq!(config.services[1].backends, []);
}

#[test]
fn what_services_are_called_by_default() {
    let rows = [
        ("2001:db8::1", "53", "[2001:db8::1]:53/udp"),
        ("192.0.2.0/24", "53", "192.0.2.0/24:53/udp"),
        ("192.0.2.0/24", "any", "192.0.2.0/24:any/udp"),
        ("192.0.2.9/32", "any", "192.0.2.9:any/udp"),
        ("2001:db8::/64", "any", "[2001:db8::/64]:any/udp"),
    ];
    for (vip, port, expected) in rows {
        let written = format!("vip: {vip}\n    port: {port}");
        let config = parse(&edited("vip: 2001:db8::1\n    port: 53", &written)).unwrap();
        assert_eq!(config.services[1].name, expected);
    }
}

#[test]
fn states_and_times_of_backends() {
    let rows = [
        ("state: active", (AdminState::Active, None)),
        ("state: draining\n        drain_timeout: 2h", (AdminState::Draining, Some(7200))),
        ("state: disabled", (AdminState::Disabled, None)),
    ];
    for (written, expected) in rows {
        // Of both backends: a service may be taken out of service as a whole.
        let text = BASE.replacen("name: alpha", &format!("name: alpha\n        {written}"), 1).replacen(
            "address: 10.0.0.2",
            &format!("address: 10.0.0.2\n        {written}"),
            1,
        );
        for backend in &parse(&text).unwrap().services[0].backends {
            assert_eq!((backend.state, backend.drain_timeout), expected);
        }
    }
}

#[test]
fn affinity_and_fragments() {
    let rows = [
        ("affinity: source", (Affinity::Source, Fragments::Follow)),
        ("fragments: by-addresses", (Affinity::Flow, Fragments::ByAddresses)),
        ("affinity: source\n    fragments: by-addresses", (Affinity::Source, Fragments::ByAddresses)),
        ("affinity: flow\n    fragments: follow", (Affinity::Flow, Fragments::Follow)),
    ];
    for (written, expected) in rows {
        let config = parse(&edited("backends: []", &format!("{written}\n    backends: []"))).unwrap();
        let service = &config.services[1];
        assert_eq!((service.affinity, service.fragments), expected, "{written}");
    }
}

#[test]
fn gue_has_a_port() {
    for (written, port) in [("gue", 6080), ("gue\n    gue_port: 6081", 6081)] {
        let config = parse(&edited("forwarding: ipip", &format!("forwarding: {written}"))).unwrap();
        assert_eq!(config.services[1].forwarding, Forwarding::Gue { port });
    }
}

#[test]
fn what_is_seen_later_is_said_with_its_place_too() {
    let text = edited("  - name: eth0", "  - name: lo\n  - name: eth7\n    mode: driver");
    let config = parse(&text).unwrap();
    let said = |index, field| config.interface_error(index, field, "it is none".into()).to_string();
    assert_eq!(said(1, InterfaceField::Name), "lb.yaml:4:11: interfaces[1].name: it is none");
    assert_eq!(said(1, InterfaceField::Mode), "lb.yaml:5:11: interfaces[1].mode: it is none");
    assert_eq!(said(0, InterfaceField::Mode), "lb.yaml:3:11: interfaces[0].mode: it is none");
}

/// A YAML reader that guesses types makes a number of such a key, and another key of that number.
#[test]
fn a_key_of_decimal_digits_is_text() {
    for written in ["01234567890123456789012345678901", "\"01234567890123456789012345678901\""] {
        let config = parse(&format!("{BASE}hash_key: {written}\n")).unwrap();
        let key = 0x0123_4567_8901_2345_6789_0123_4567_8901_u128;
        assert_eq!(config.hash_key, Some(HashKey::new(key.to_be_bytes())));
    }
}

/// What the row is about, the passage of the base document, and what stands there instead.
pub(super) const VALID: &[(&str, &str, &str)] = &[
    ("a key with an exponent in it", "version: 1", "version: 1\nhash_key: 1234567890123456e789012345678901"),
    ("a key in capitals", "version: 1", "version: 1\nhash_key: 000102030405060708090A0B0C0D0E0F"),
    ("names that YAML readers take for something else", "name: alpha", "name: on"),
    ("a name with spaces and quotes", "name: alpha", "name: 'the \"first\" one'"),
    ("a field without a value has its default", "name: alpha", "name:"),
    ("the longest interface name", "name: eth0", "name: enp129s0f1np1.4"),
    ("the same address in two services", "backends: []", "backends: [{address: 10.0.0.1, name: alpha}]"),
    (
        "the same VIP and port in another protocol",
        "vip: 2001:db8::1\n    port: 53",
        "vip: 192.0.2.1\n    port: 80",
    ),
    (
        "the same VIP and protocol on another port",
        "2001:db8::1\n    port: 53\n    protocol: udp",
        "192.0.2.1\n    port: 443\n    protocol: tcp",
    ),
    (
        "any port beside a port",
        "2001:db8::1\n    port: 53\n    protocol: udp",
        "192.0.2.1\n    port: any\n    protocol: tcp",
    ),
    (
        "an address beside its prefix",
        "2001:db8::1\n    port: 53\n    protocol: udp",
        "192.0.2.0/24\n    port: 80\n    protocol: tcp",
    ),
    (
        "a prefix beside a longer one",
        "backends: []\n",
        "backends: []\n  - {vip: '2001:db8::/32', port: 53, protocol: udp, forwarding: l2, backends: []}\n  - {vip: '2001:db8::/33', port: 53, protocol: udp, forwarding: l2, backends: []}\n",
    ),
    ("the shortest prefix", "vip: 192.0.2.1", "vip: 192.0.0.0/8"),
    ("the shortest IPv6 prefix", "vip: 2001:db8::1", "vip: 2001::/16"),
    ("a backend beside the VIP's prefix", "vip: 192.0.2.1", "vip: 10.0.0.4/30"),
    (
        "fragments by addresses in another protocol",
        "forwarding: l2\n",
        "forwarding: l2\n    fragments: by-addresses\n    backends: []\n  - vip: 192.0.2.1\n    port: 80\n    protocol: udp\n    forwarding: l2\n    fragments: by-addresses\n",
    ),
    (
        "fragments by addresses beside services where they follow",
        "forwarding: l2\n",
        "forwarding: l2\n    fragments: by-addresses\n    backends: []\n  - vip: 192.0.2.1\n    port: 443\n    protocol: tcp\n    forwarding: l2\n    fragments: follow\n",
    ),
    (
        "fragments by addresses of all of a client's flows",
        "forwarding: l2",
        "forwarding: l2\n    fragments: by-addresses\n    affinity: source",
    ),
    ("the smallest table", "forwarding: l2", "forwarding: l2\n    table_size: 251"),
    ("the largest table", "forwarding: l2", "forwarding: l2\n    table_size: 4194301"),
    ("the largest weight", "name: alpha", "weight: 65535"),
    ("a weight of 0 beside another", "name: alpha", "weight: 0"),
    ("the largest port", "port: 80", "port: 65535"),
    ("values in quotes", "port: 80\n    protocol: tcp", "port: \"80\"\n    protocol: 'tcp'"),
    (
        "an anchor and its alias",
        "name: alpha\n      - address: 10.0.0.2",
        "weight: &w 3\n      - {address: 10.0.0.2, weight: *w}",
    ),
    ("a byte order mark", "version: 1", "\u{feff}version: 1"),
    ("Windows line ends", "version: 1\n", "version: 1\r\n"),
    ("no services yet", BASE, "version: 1\ninterfaces: [{name: eth0}]\nservices: []\n"),
];

#[test]
fn valid_documents() {
    for (name, from, to) in VALID {
        assert_eq!(lines(&edited(from, to)), [""; 0], "{name}");
    }
}
