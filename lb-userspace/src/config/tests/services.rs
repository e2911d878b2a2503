//! Services that are missing, wrong or there twice.

use super::{BASE, edited, lines};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "no services",
        BASE,
        "version: 1\ninterfaces: [{name: eth0}]\n",
        &["lb.yaml:1:1: services: missing; write services: [] if there are none yet"],
    ),
    (
        "a service of which nothing is written",
        "backends: []\n",
        "backends: []\n  - {}\n",
        &[
            "lb.yaml:19:5: services[2].vip: missing; write the service's IP address or prefix",
            "lb.yaml:19:5: services[2].port: missing; write 1 to 65535, or any",
            "lb.yaml:19:5: services[2].protocol: missing; write tcp or udp",
            "lb.yaml:19:5: services[2].backends: missing; write backends: [] if there are none yet",
            "lb.yaml:19:5: services[2].forwarding: missing; write l2, ipip or gue",
        ],
    ),
    (
        "an empty service name",
        "name: web",
        "name: ''",
        &[
            "lb.yaml:5:11: services[0].name: the name is empty; allowed are 1 to 255 octets without control characters",
        ],
    ),
    (
        "a control character in a name",
        "name: web",
        "name: \"we\\tb\"",
        &[
            "lb.yaml:5:11: services[0].name: \"we\\tb\" contains a control character; allowed are 1 to 255 octets without control characters",
        ],
    ),
    (
        "a service name twice",
        "vip: 2001:db8::1",
        "name: web\n    vip: 2001:db8::1",
        &["lb.yaml:14:11: services[1].name: web is listed twice (first on line 5); rename one"],
    ),
    (
        "a service named as another is by default",
        "name: web",
        "name: '[2001:db8::1]:53/udp'",
        &[
            "lb.yaml:14:10: services[1].name: [2001:db8::1]:53/udp is listed twice (first on line 5); rename one",
        ],
    ),
    (
        "a service twice",
        "vip: 2001:db8::1\n    port: 53\n    protocol: udp",
        "vip: 192.0.2.1\n    port: 80\n    protocol: tcp",
        &["lb.yaml:14:10: services[1].vip: 192.0.2.1:80/tcp is listed twice (first on line 6); remove one"],
    ),
    (
        "an unnamed service twice is one fault",
        "backends: []\n",
        "backends: []\n  - {vip: '2001:db8:0::1', port: 53, protocol: udp, forwarding: l2, backends: []}\n",
        &[
            "lb.yaml:19:11: services[2].vip: [2001:db8::1]:53/udp is listed twice (first on line 14); remove one",
        ],
    ),
    (
        "port 0",
        "port: 80",
        "port: 0",
        &["lb.yaml:7:11: services[0].port: 0 is out of range; allowed are 1 to 65535, and any"],
    ),
    (
        "a port too high",
        "port: 80",
        "port: 65536",
        &["lb.yaml:7:11: services[0].port: 65536 is out of range; allowed are 1 to 65535, and any"],
    ),
    (
        "a port that no integer holds",
        "port: 80",
        "port: 99999999999999999999999",
        &[
            "lb.yaml:7:11: services[0].port: 99999999999999999999999 is out of range; allowed are 1 to 65535, and any",
        ],
    ),
    (
        "a negative port",
        "port: 80",
        "port: -80",
        &["lb.yaml:7:11: services[0].port: -80 is out of range; allowed are 1 to 65535, and any"],
    ),
    (
        "a port's name",
        "port: 80",
        "port: http",
        &["lb.yaml:7:11: services[0].port: http is not a decimal number; allowed are 1 to 65535, and any"],
    ),
    (
        "an octal port",
        "port: 80",
        "port: 0120",
        &["lb.yaml:7:11: services[0].port: 0120 begins with a zero; allowed are 1 to 65535, and any"],
    ),
    (
        "a fraction",
        "port: 80",
        "port: 80.0",
        &["lb.yaml:7:11: services[0].port: 80.0 is not a decimal number; allowed are 1 to 65535, and any"],
    ),
    (
        "any port twice",
        "backends: []\n",
        "backends: []\n  - {vip: 192.0.2.0/24, port: any, protocol: udp, forwarding: l2, backends: []}\n  - {name: b, vip: 192.0.2.0/24, port: any, protocol: udp, forwarding: l2, backends: []}\n",
        &[
            "lb.yaml:20:20: services[3].vip: 192.0.2.0/24:any/udp is listed twice (first on line 19); remove one",
        ],
    ),
    (
        "any port in capitals",
        "port: 80",
        "port: Any",
        &["lb.yaml:7:11: services[0].port: Any is not a decimal number; allowed are 1 to 65535, and any"],
    ),
    (
        "an unknown protocol",
        "protocol: tcp",
        "protocol: sctp",
        &["lb.yaml:8:15: services[0].protocol: sctp is unknown; allowed: tcp, udp"],
    ),
    (
        "a protocol in capitals",
        "protocol: tcp",
        "protocol: TCP",
        &["lb.yaml:8:15: services[0].protocol: TCP is unknown; allowed: tcp, udp"],
    ),
    (
        "an unknown forwarding",
        "forwarding: ipip",
        "forwarding: nat",
        &["lb.yaml:17:17: services[1].forwarding: nat is unknown; allowed: l2, ipip, gue"],
    ),
    (
        "a GUE port without GUE",
        "forwarding: ipip",
        "forwarding: ipip\n    gue_port: 6080",
        &[
            "lb.yaml:18:15: services[1].gue_port: it is given, but packets are forwarded by ipip; remove it, or write forwarding: gue",
        ],
    ),
    (
        "a GUE port out of range",
        "forwarding: ipip",
        "forwarding: gue\n    gue_port: 0",
        &["lb.yaml:18:15: services[1].gue_port: 0 is out of range; allowed are 1 to 65535"],
    ),
    (
        "a GUE port that is none is one fault, whatever the forwarding",
        "forwarding: ipip",
        "forwarding: l2\n    gue_port: any",
        &["lb.yaml:18:15: services[1].gue_port: any is not a decimal number; allowed are 1 to 65535"],
    ),
    (
        "an unknown affinity",
        "forwarding: ipip",
        "forwarding: ipip\n    affinity: client",
        &["lb.yaml:18:15: services[1].affinity: client is unknown; allowed: flow, source"],
    ),
    (
        "an unknown treatment of fragments",
        "forwarding: ipip",
        "forwarding: ipip\n    fragments: drop",
        &["lb.yaml:18:16: services[1].fragments: drop is unknown; allowed: follow, by-addresses"],
    ),
    (
        "fragments by addresses in two services of a VIP and protocol",
        "backends: []\n",
        "fragments: by-addresses\n    backends: []\n  - vip: 2001:db8:0::1\n    port: any\n    protocol: udp\n    forwarding: ipip\n    fragments: by-addresses\n    backends: []\n",
        &[
            "lb.yaml:24:16: services[2].fragments: [2001:db8::1]:any/udp and [2001:db8::1]:53/udp are both by-addresses, but fragments name no port; write follow in one",
        ],
    ),
    (
        "a service twice with fragments by addresses is one fault",
        "backends: []\n",
        "fragments: by-addresses\n    backends: []\n  - vip: 2001:db8::1\n    port: 53\n    protocol: udp\n    forwarding: ipip\n    fragments: by-addresses\n    backends: []\n",
        &[
            "lb.yaml:20:10: services[2].vip: [2001:db8::1]:53/udp is listed twice (first on line 14); remove one",
        ],
    ),
    (
        "an unknown scheduler",
        "forwarding: ipip",
        "forwarding: ipip\n    scheduler: rr",
        &[
            "lb.yaml:18:16: services[1].scheduler: rr is unknown; allowed: maglev, source_hash, round_robin, weighted_round_robin, random, two_choices, least_connections",
        ],
    ),
    (
        "a table that is not a prime",
        "forwarding: ipip",
        "forwarding: ipip\n    table_size: 65536",
        &["lb.yaml:18:17: services[1].table_size: 65536 is not a prime; the next one is 65537"],
    ),
    (
        "a table just below the largest",
        "forwarding: ipip",
        "forwarding: ipip\n    table_size: 4194300",
        &["lb.yaml:18:17: services[1].table_size: 4194300 is not a prime; the next one is 4194301"],
    ),
    (
        "a table too small",
        "forwarding: ipip",
        "forwarding: ipip\n    table_size: 241",
        &[
            "lb.yaml:18:17: services[1].table_size: 241 is out of range; allowed are primes from 251 to 4194301",
        ],
    ),
    (
        "a table too large",
        "forwarding: ipip",
        "forwarding: ipip\n    table_size: 4194304",
        &[
            "lb.yaml:18:17: services[1].table_size: 4194304 is out of range; allowed are primes from 251 to 4194301",
        ],
    ),
    (
        "no list of backends",
        "    backends: []\n",
        "",
        &["lb.yaml:14:5: services[1].backends: missing; write backends: [] if there are none yet"],
    ),
    (
        "a list of backends without entries",
        "backends: []",
        "backends:",
        &["lb.yaml:14:5: services[1].backends: missing; write backends: [] if there are none yet"],
    ),
];

#[test]
fn faults_of_services() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}
