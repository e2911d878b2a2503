//! Backends that are missing, wrong or there twice.

use super::{edited, lines};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "a backend without an address",
        "- address: 10.0.0.2",
        "- name: beta",
        &["lb.yaml:13:9: services[0].backends[1].address: missing; write the backend's IP address"],
    ),
    (
        "a word for an address",
        "address: 10.0.0.2",
        "address: beta.example",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: beta.example is not an IP address; write it alone, such as 192.0.2.1 or 2001:db8::1",
        ],
    ),
    (
        "an unspecified address",
        "address: 10.0.0.2",
        "address: '::'",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: :: is the unspecified address; write the backend's address on the network",
        ],
    ),
    (
        "a loopback address",
        "address: 10.0.0.2",
        "address: ::1",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: ::1 is a loopback address; write the backend's address on the network",
        ],
    ),
    (
        "a multicast address",
        "address: 10.0.0.2",
        "address: 224.0.0.1",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 224.0.0.1 is a multicast address; write the backend's address on the network",
        ],
    ),
    (
        "a broadcast address",
        "address: 10.0.0.2",
        "address: 255.255.255.255",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 255.255.255.255 is the broadcast address; write the backend's address on the network",
        ],
    ),
    (
        "an IPv4 address written as IPv6",
        "address: 10.0.0.2",
        "address: ::ffff:10.0.0.2",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: ::ffff:10.0.0.2 is an IPv4 address written as IPv6; write 10.0.0.2",
        ],
    ),
    (
        "the service's own VIP",
        "address: 10.0.0.2",
        "address: 192.0.2.1",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 192.0.2.1 is the service's VIP; write the backend's own address",
        ],
    ),
    (
        "an address inside the service's VIP",
        "vip: 192.0.2.1",
        "vip: 10.0.0.2/31",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 10.0.0.2 is inside the service's VIP 10.0.0.2/31; write the backend's own address",
        ],
    ),
    (
        "an unknown state",
        "name: alpha",
        "name: alpha\n        state: drain",
        &[
            "lb.yaml:13:16: services[0].backends[0].state: drain is unknown; allowed: active, draining, disabled",
        ],
    ),
    (
        "a drain time that is none",
        "name: alpha",
        "name: alpha\n        drain_timeout: 8d",
        &[
            "lb.yaml:13:24: services[0].backends[0].drain_timeout: 8d is out of range; allowed are 0s to 604800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a prefix for an address",
        "address: 10.0.0.2",
        "address: 10.0.0.2/32",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 10.0.0.2/32 is not an IP address; write it alone, such as 192.0.2.1 or 2001:db8::1",
        ],
    ),
    (
        "an address twice",
        "address: 10.0.0.2",
        "address: 10.0.0.1",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 10.0.0.1 is listed twice (first on line 11); remove one",
        ],
    ),
    (
        "an unnamed address three times",
        "name: alpha\n      - address: 10.0.0.2",
        "weight: 1\n      - address: 10.0.0.1\n      - address: 10.0.0.1",
        &[
            "lb.yaml:13:18: services[0].backends[1].address: 10.0.0.1 is listed twice (first on line 11); remove one",
            "lb.yaml:14:18: services[0].backends[2].address: 10.0.0.1 is listed twice (first on line 11); remove one",
        ],
    ),
    (
        "a name twice",
        "address: 10.0.0.2",
        "address: 10.0.0.2\n        name: alpha",
        &[
            "lb.yaml:14:15: services[0].backends[1].name: alpha is listed twice (first on line 12); rename one",
        ],
    ),
    (
        "a name that is another's address",
        "name: alpha",
        "name: 10.0.0.2",
        &[
            "lb.yaml:13:18: services[0].backends[1].name: 10.0.0.2 is listed twice (first on line 12); rename one",
        ],
    ),
    (
        "an empty name",
        "name: alpha",
        "name: ''",
        &[
            "lb.yaml:12:15: services[0].backends[0].name: the name is empty; allowed are 1 to 255 octets without control characters",
        ],
    ),
    (
        "a weight too high",
        "name: alpha",
        "weight: 65536",
        &["lb.yaml:12:17: services[0].backends[0].weight: 65536 is out of range; allowed are 0 to 65535"],
    ),
    (
        "a negative weight",
        "name: alpha",
        "weight: -1",
        &["lb.yaml:12:17: services[0].backends[0].weight: -1 is out of range; allowed are 0 to 65535"],
    ),
    (
        "a weight that is a share",
        "name: alpha",
        "weight: 50%",
        &[
            "lb.yaml:12:17: services[0].backends[0].weight: 50% is not a decimal number; allowed are 0 to 65535",
        ],
    ),
    (
        "weight 0 everywhere",
        "name: alpha\n      - address: 10.0.0.2",
        "weight: 0\n      - address: 10.0.0.2\n        weight: 0",
        &[
            "lb.yaml:11:7: services[0].backends: every backend has weight 0, so none would take a flow; give one a weight of at least 1",
        ],
    ),
    (
        "all faults at once, in the order of the file",
        "port: 80\n    protocol: tcp\n    forwarding: l2\n    backends:\n      - address: 10.0.0.1\n        name: alpha",
        "port: 0\n    protocol: ip\n    backends:\n      - address: 10.0.0\n        weight: x",
        &[
            "lb.yaml:5:5: services[0].forwarding: missing; write l2, ipip or gue",
            "lb.yaml:7:11: services[0].port: 0 is out of range; allowed are 1 to 65535, and any",
            "lb.yaml:8:15: services[0].protocol: ip is unknown; allowed: tcp, udp",
            "lb.yaml:10:18: services[0].backends[0].address: 10.0.0 is not an IP address; write it alone, such as 192.0.2.1 or 2001:db8::1",
            "lb.yaml:11:17: services[0].backends[0].weight: x is not a decimal number; allowed are 0 to 65535",
        ],
    ),
];

#[test]
fn faults_of_backends() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}
