//! VIPs that are none.

use super::{edited, lines};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "a word for a VIP",
        "vip: 192.0.2.1",
        "vip: localhost",
        &[
            "lb.yaml:6:10: services[0].vip: localhost is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
        ],
    ),
    (
        "an empty VIP",
        "vip: 192.0.2.1",
        "vip: ''",
        &[
            "lb.yaml:6:10: services[0].vip: \"\" is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
        ],
    ),
    (
        "a VIP with line ends",
        "vip: 192.0.2.1",
        "vip: |\n      192.0.2.1\n      192.0.2.2",
        &[
            "lb.yaml:7:7: services[0].vip: \"192.0.2.1\\n192.0.2.2\\n\" is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
        ],
    ),
    (
        "an unspecified VIP",
        "vip: 192.0.2.1",
        "vip: 0.0.0.0",
        &[
            "lb.yaml:6:10: services[0].vip: 0.0.0.0 is the unspecified address; write the address that clients connect to",
        ],
    ),
    (
        "an unspecified IPv6 VIP",
        "vip: 192.0.2.1",
        "vip: '::'",
        &[
            "lb.yaml:6:10: services[0].vip: :: is the unspecified address; write the address that clients connect to",
        ],
    ),
    (
        "a loopback VIP",
        "vip: 192.0.2.1",
        "vip: 127.0.0.1",
        &[
            "lb.yaml:6:10: services[0].vip: 127.0.0.1 is a loopback address; write the address that clients connect to",
        ],
    ),
    (
        "a multicast VIP",
        "vip: 192.0.2.1",
        "vip: ff02::1",
        &[
            "lb.yaml:6:10: services[0].vip: ff02::1 is a multicast address; write the address that clients connect to",
        ],
    ),
    (
        "a broadcast VIP",
        "vip: 192.0.2.1",
        "vip: 255.255.255.255",
        &[
            "lb.yaml:6:10: services[0].vip: 255.255.255.255 is the broadcast address; write the address that clients connect to",
        ],
    ),
    (
        "an IPv4 VIP written as IPv6",
        "vip: 192.0.2.1",
        "vip: ::ffff:192.0.2.1",
        &[
            "lb.yaml:6:10: services[0].vip: ::ffff:192.0.2.1 is an IPv4 address written as IPv6; write 192.0.2.1",
        ],
    ),
    (
        "bits behind the prefix",
        "vip: 192.0.2.1",
        "vip: 192.0.2.1/24",
        &[
            "lb.yaml:6:10: services[0].vip: 192.0.2.1/24 has bits set behind the prefix; write 192.0.2.0/24, or 192.0.2.1 alone",
        ],
    ),
    (
        "bits behind an IPv6 prefix",
        "vip: 192.0.2.1",
        "vip: 2001:db8::1/64",
        &[
            "lb.yaml:6:10: services[0].vip: 2001:db8::1/64 has bits set behind the prefix; write 2001:db8::/64, or 2001:db8::1 alone",
        ],
    ),
    (
        "a prefix of a word",
        "vip: 192.0.2.1",
        "vip: localhost/8",
        &[
            "lb.yaml:6:10: services[0].vip: localhost/8 is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
        ],
    ),
    (
        "a prefix without a length",
        "vip: 192.0.2.1",
        "vip: 192.0.2.0/",
        &[
            "lb.yaml:6:10: services[0].vip: \"\" is not a decimal number; the length of an IPv4 prefix is 8 to 32",
        ],
    ),
    (
        "a netmask",
        "vip: 192.0.2.1",
        "vip: 192.0.2.0/255.255.255.0",
        &[
            "lb.yaml:6:10: services[0].vip: 255.255.255.0 is not a decimal number; the length of an IPv4 prefix is 8 to 32",
        ],
    ),
    (
        "two lengths",
        "vip: 192.0.2.1",
        "vip: 192.0.2.0/24/24",
        &[
            "lb.yaml:6:10: services[0].vip: 24/24 is not a decimal number; the length of an IPv4 prefix is 8 to 32",
        ],
    ),
    (
        "a prefix too long",
        "vip: 192.0.2.1",
        "vip: 192.0.2.0/33",
        &["lb.yaml:6:10: services[0].vip: 33 is out of range; the length of an IPv4 prefix is 8 to 32"],
    ),
    (
        "a prefix too short",
        "vip: 192.0.2.1",
        "vip: 0.0.0.0/0",
        &["lb.yaml:6:10: services[0].vip: 0 is out of range; the length of an IPv4 prefix is 8 to 32"],
    ),
    (
        "an IPv6 prefix too long",
        "vip: 192.0.2.1",
        "vip: 2001:db8::/129",
        &["lb.yaml:6:10: services[0].vip: 129 is out of range; the length of an IPv6 prefix is 16 to 128"],
    ),
    (
        "an IPv6 prefix too short",
        "vip: 192.0.2.1",
        "vip: 2001::/15",
        &["lb.yaml:6:10: services[0].vip: 15 is out of range; the length of an IPv6 prefix is 16 to 128"],
    ),
    (
        "the length of no octet",
        "vip: 192.0.2.1",
        "vip: 192.0.2.0/256",
        &["lb.yaml:6:10: services[0].vip: 256 is out of range; the length of an IPv4 prefix is 8 to 32"],
    ),
    (
        "a prefix with the unspecified address",
        "vip: 192.0.2.1",
        "vip: 0.0.0.0/8",
        &[
            "lb.yaml:6:10: services[0].vip: 0.0.0.0/8 contains the unspecified address; write the address that clients connect to",
        ],
    ),
    (
        "an IPv6 prefix with the unspecified address",
        "vip: 192.0.2.1",
        "vip: ::/96",
        &[
            "lb.yaml:6:10: services[0].vip: ::/96 contains the unspecified address; write the address that clients connect to",
        ],
    ),
    (
        "a prefix of loopback addresses",
        "vip: 192.0.2.1",
        "vip: 127.1.0.0/16",
        &[
            "lb.yaml:6:10: services[0].vip: 127.1.0.0/16 contains a loopback address; write the address that clients connect to",
        ],
    ),
    (
        "a prefix of multicast addresses",
        "vip: 192.0.2.1",
        "vip: 224.0.0.0/8",
        &[
            "lb.yaml:6:10: services[0].vip: 224.0.0.0/8 contains a multicast address; write the address that clients connect to",
        ],
    ),
    (
        "a prefix of IPv6 multicast addresses",
        "vip: 192.0.2.1",
        "vip: ff02::/16",
        &[
            "lb.yaml:6:10: services[0].vip: ff02::/16 contains a multicast address; write the address that clients connect to",
        ],
    ),
    (
        "a prefix with the broadcast address",
        "vip: 192.0.2.1",
        "vip: 255.0.0.0/8",
        &[
            "lb.yaml:6:10: services[0].vip: 255.0.0.0/8 contains the broadcast address; write the address that clients connect to",
        ],
    ),
    (
        "an IPv4 prefix written as IPv6",
        "vip: 192.0.2.1",
        "vip: ::ffff:192.0.2.0/120",
        &[
            "lb.yaml:6:10: services[0].vip: ::ffff:192.0.2.0/120 is an IPv4 prefix written as IPv6; write it as IPv4",
        ],
    ),
    (
        "a prefix of one forbidden address",
        "vip: 192.0.2.1",
        "vip: 127.0.0.1/32",
        &[
            "lb.yaml:6:10: services[0].vip: 127.0.0.1 is a loopback address; write the address that clients connect to",
        ],
    ),
    (
        "a prefix of one address is that address",
        "backends: []\n",
        "backends: []\n  - {name: c, vip: 192.0.2.1/32, port: 80, protocol: tcp, forwarding: l2, backends: []}\n",
        &["lb.yaml:19:20: services[2].vip: 192.0.2.1:80/tcp is listed twice (first on line 6); remove one"],
    ),
    (
        "a prefix twice",
        "backends: []\n",
        "backends: []\n  - {vip: '2001:db8::/64', port: 5, protocol: udp, forwarding: l2, backends: []}\n  - {vip: '2001:db8:0::/64', port: 5, protocol: udp, forwarding: l2, backends: []}\n",
        &[
            "lb.yaml:20:11: services[3].vip: [2001:db8::/64]:5/udp is listed twice (first on line 19); remove one",
        ],
    ),
];

#[test]
fn faults_of_vips() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}
