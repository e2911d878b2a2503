//! QUIC's connection IDs.

use lb_common::wire::quic::ServerId;

use super::{edited, lines, parse};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "QUIC of TCP",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: tcp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 0001\n",
        &[
            "lb.yaml:17:11: services[1].quic: the service is not of UDP, so it has no QUIC; remove it, or write protocol: udp",
        ],
    ),
    (
        "no length",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {configuration: 1}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 0001\n",
        &["lb.yaml:17:11: services[1].quic.server_id_length: missing; write 1 to 8"],
    ),
    (
        "nothing in it",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {}\n    forwarding: ipip\n    backends: []\n",
        &["lb.yaml:17:11: services[1].quic.server_id_length: missing; write 1 to 8"],
    ),
    (
        "a length of 0",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 0}\n    forwarding: ipip\n    backends: []\n",
        &["lb.yaml:17:30: services[1].quic.server_id_length: 0 is out of range; allowed are 1 to 8"],
    ),
    (
        "a length too large, and the configuration of unroutable IDs",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 9, configuration: 7}\n    forwarding: ipip\n    backends: []\n",
        &[
            "lb.yaml:17:30: services[1].quic.server_id_length: 9 is out of range; allowed are 1 to 8",
            "lb.yaml:17:48: services[1].quic.configuration: 7 is out of range; allowed are 0 to 6",
        ],
    ),
    (
        "a backend without an ID",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 0001\n      - address: 10.0.0.2\n",
        &["lb.yaml:22:9: services[1].backends[1].quic_server_id: missing; write 4 hexadecimal digits"],
    ),
    (
        "an ID too short, one too long",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 001\n      - address: 10.0.0.2\n        quic_server_id: 000001\n",
        &[
            "lb.yaml:21:25: services[1].backends[0].quic_server_id: 001 has 3 digits; write 4 hexadecimal digits, as server_id_length says",
            "lb.yaml:23:25: services[1].backends[1].quic_server_id: 000001 has 6 digits; write 4 hexadecimal digits, as server_id_length says",
        ],
    ),
    (
        "an ID with a prefix",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 0x0001\n",
        &[
            "lb.yaml:21:25: services[1].backends[0].quic_server_id: 0x0001 contains 'x'; write 4 hexadecimal digits, as server_id_length says",
        ],
    ),
    (
        "an ID with a sign",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: +001\n",
        &[
            "lb.yaml:21:25: services[1].backends[0].quic_server_id: +001 contains '+'; write 4 hexadecimal digits, as server_id_length says",
        ],
    ),
    (
        "an empty ID",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 1}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: ''\n",
        &[
            "lb.yaml:21:25: services[1].backends[0].quic_server_id: \"\" has 0 digits; write 2 hexadecimal digits, as server_id_length says",
        ],
    ),
    (
        "an ID twice, once in capitals",
        "    protocol: udp\n    forwarding: ipip\n    backends: []\n",
        "    protocol: udp\n    quic: {server_id_length: 2}\n    forwarding: ipip\n    backends:\n      - address: 10.0.0.1\n        quic_server_id: 0a01\n      - address: 10.0.0.2\n        quic_server_id: 0A01\n",
        &[
            "lb.yaml:23:25: services[1].backends[1].quic_server_id: 0a01 is listed twice (first on line 21); change one",
        ],
    ),
    (
        "an ID in a service without QUIC",
        "name: alpha",
        "quic_server_id: 0001",
        &[
            "lb.yaml:12:25: services[0].backends[0].quic_server_id: the service has no quic; remove it, or give the service quic",
        ],
    ),
];

#[test]
fn faults_of_quic() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}

#[test]
fn the_first_octet_of_a_server_id_is_in_the_lowest_place() {
    let rows = [
        (1, 0, "0a", 0x0a),
        (2, 0, "0a01", 0x010a),
        (2, 0, "\"0001\"", 0x0100),
        (3, 6, "0A0b0C", 0x0c_0b0a),
        (8, 1, "0102030405060708", 0x0807_0605_0403_0201),
        (8, 1, "0000000000000000", 0),
    ];
    for (length, configuration, written, octets) in rows {
        let fields = format!("{{server_id_length: {length}, configuration: {configuration}}}");
        let backends = format!("[{{address: 10.0.0.1, quic_server_id: {written}}}]");
        let text = edited("backends: []", &format!("quic: {fields}\n    backends: {backends}"));
        let service = &parse(&text).unwrap().services[1];
        assert_eq!(service.quic_server_id_length, length, "{written}");
        let meant = Some(ServerId { configuration, octets });
        assert_eq!(service.backends[0].quic_server_id, meant, "{written}");
    }
}
