//! How services keep their flows: what is wrong.

use super::{edited, lines};

/// What the row is about, the field of the second service, and every line.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "a time without a number",
        "idle_timeout: h",
        &[
            "lb.yaml:18:19: services[1].idle_timeout: h is not a time; allowed are 10s to 64800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a time in two units",
        "idle_timeout: 1h30m",
        &[
            "lb.yaml:18:19: services[1].idle_timeout: 1h30m is not a time; allowed are 10s to 64800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a time that begins with a zero",
        "down_grace: 010s",
        &[
            "lb.yaml:18:17: services[1].down_grace: 010s is not a time; allowed are 0s to 604800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a time too short",
        "idle_timeout: 9s",
        &[
            "lb.yaml:18:19: services[1].idle_timeout: 9s is out of range; allowed are 10s to 64800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a time too long",
        "drain_timeout: 8d",
        &[
            "lb.yaml:18:20: services[1].drain_timeout: 8d is out of range; allowed are 0s to 604800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "a time that no integer holds",
        "drain_timeout: 4294967295d",
        &[
            "lb.yaml:18:20: services[1].drain_timeout: 4294967295d is out of range; allowed are 0s to 604800s, also as in 90s, 15m, 2h, 1d",
        ],
    ),
    (
        "an unknown end of flows",
        "down_flows: drop",
        &["lb.yaml:18:17: services[1].down_flows: drop is unknown; allowed: reset, keep"],
    ),
    (
        "an unknown kind of datagrams",
        "udp: none",
        &["lb.yaml:18:10: services[1].udp: none is unknown; allowed: sticky, stateless"],
    ),
];

#[test]
fn faults_of_flows() {
    for (name, field, expected) in ROWS {
        let text = edited("forwarding: ipip", &format!("forwarding: ipip\n    {field}"));
        assert_eq!(lines(&text), *expected, "{name}");
    }
}

#[test]
fn tcp_has_no_datagrams() {
    let text = edited("forwarding: l2", "forwarding: l2\n    udp: sticky");
    let expected = "lb.yaml:10:10: services[0].udp: the service is of TCP, which has none; remove it";
    assert_eq!(lines(&text), [expected]);
}
