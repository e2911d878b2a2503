//! Where tunnels come from.

use super::super::Prefix;
use super::{BASE, edited, lines, parse};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "a prefix without a list",
        "version: 1",
        "version: 1\ntunnel_source: 172.16.0.0/16",
        &["lb.yaml:2:16: tunnel_source: a list is expected here; start each entry with a dash"],
    ),
    (
        "bits behind the prefix",
        "version: 1",
        "version: 1\ntunnel_source: [172.16.0.1/16]",
        &[
            "lb.yaml:2:17: tunnel_source[0]: 172.16.0.1/16 has bits set behind the prefix; write 172.16.0.0/16, or 172.16.0.1 alone",
        ],
    ),
    (
        "every wrong prefix",
        "version: 1",
        "version: 1\ntunnel_source: \n  - 127.0.0.0/8\n  - ff02::/16\n  - tunnel0",
        &[
            "lb.yaml:3:5: tunnel_source[0]: 127.0.0.0/8 contains a loopback address; write addresses that tunnels may come from",
            "lb.yaml:4:5: tunnel_source[1]: ff02::/16 contains a multicast address; write addresses that tunnels may come from",
            "lb.yaml:5:5: tunnel_source[2]: tunnel0 is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
        ],
    ),
    (
        "a single address of nobody",
        "version: 1",
        "version: 1\ntunnel_source: ['::']",
        &[
            "lb.yaml:2:17: tunnel_source[0]: :: is the unspecified address; write addresses that tunnels may come from",
        ],
    ),
    (
        "an entry without a value",
        "version: 1",
        "version: 1\ntunnel_source:\n  - 172.16.0.0/16\n  -",
        &["lb.yaml:4:4: tunnel_source[1]: a value is missing here; write it, or remove the entry"],
    ),
    (
        "two IPv4 prefixes",
        "version: 1",
        "version: 1\ntunnel_source: [172.16.0.0/16, '2001:db8:99::/64', 172.17.0.0/16]",
        &[
            "lb.yaml:2:52: tunnel_source[2]: 172.17.0.0/16 is IPv4 as 172.16.0.0/16 is, and one of each is allowed; remove one",
        ],
    ),
    (
        "an IPv6 prefix twice",
        "version: 1",
        "version: 1\ntunnel_source: ['2001:db8:99::/64', '2001:db8:99::/64']",
        &[
            "lb.yaml:2:37: tunnel_source[1]: 2001:db8:99::/64 is IPv6 as 2001:db8:99::/64 is, and one of each is allowed; remove one",
        ],
    ),
];

#[test]
fn faults_of_tunnel_sources() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}

#[test]
fn tunnel_sources() {
    let v4 = Prefix { address: "172.16.0.0".parse().unwrap(), length: 16 };
    let v6 = Prefix { address: "2001:db8:99::".parse().unwrap(), length: 64 };
    let one = Prefix::of_one("172.16.0.1".parse().unwrap());
    let rows: [(&str, &[Prefix]); 6] = [
        ("[]", &[]),
        ("", &[]),
        ("[172.16.0.0/16]", &[v4]),
        ("['2001:db8:99::/64', 172.16.0.0/16]", &[v6, v4]),
        ("\n  - 172.16.0.0/16\n  - 2001:db8:99::/64", &[v4, v6]),
        ("[172.16.0.1]", &[one]),
    ];
    for (written, expected) in rows {
        let config = parse(&format!("{BASE}tunnel_source: {written}\n")).unwrap();
        assert_eq!(config.tunnel_sources, expected, "{written}");
    }
}
