//! How backends are checked: what is wrong, and what is taken from the defaults.

use std::time::Duration;

use super::super::{Config, Via};
use super::{edited, lines, parse};
use crate::health::probe::{Means, Tcp};
use crate::health::{Limits, Percent, Threshold};

/// What the row is about, what the first service's health says, and every line.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "no kind",
        "{interval: 1s}",
        &[
            "lb.yaml:10:13: services[0].health.kind: missing; write tcp, http, https, http2, grpc, udp, dns, icmp, exec or none",
        ],
    ),
    (
        "an unknown kind",
        "{kind: smtp}",
        &[
            "lb.yaml:10:20: services[0].health.kind: smtp is unknown; allowed: none, tcp, http, https, http2, grpc, udp, dns, icmp, exec",
        ],
    ),
    (
        "an unknown field",
        "{kind: tcp, intervall: 1s}",
        &[
            "lb.yaml:10:25: services[0].health.intervall: unknown field; did you mean interval? allowed here are kind, via, port, interval, timeout, jitter, rise, fall, adaptive, slow_start, flapping, panic, backups, on_all_down, min_healthy, outliers, send, expect, method, path, host, status, tls, grpc_service, query, record, rcode, program, arguments, environment",
        ],
    ),
    (
        "a time without a unit",
        "{kind: tcp, interval: 2}",
        &[
            "lb.yaml:10:35: services[0].health.interval: 2 is not a time with its unit; allowed are 1ms to 3600s, as in 500ms, 2s, 15m",
        ],
    ),
    (
        "times out of range",
        "{kind: tcp, interval: 2h, timeout: 0ms}",
        &[
            "lb.yaml:10:35: services[0].health.interval: 2h is out of range; allowed are 1ms to 3600s, as in 500ms, 2s, 15m",
            "lb.yaml:10:48: services[0].health.timeout: 0ms is out of range; allowed are 1ms to 600s, as in 500ms, 2s, 15m",
        ],
    ),
    (
        "fields of other kinds",
        "{kind: tcp, path: /, query: example.com}",
        &[
            "lb.yaml:10:31: services[0].health.path: a check of kind tcp has none, only http, https, http2; remove it",
            "lb.yaml:10:41: services[0].health.query: a check of kind tcp has none, only dns; remove it",
        ],
    ),
    (
        "values that mean nothing",
        "{kind: http, path: health, method: get, host: a b, status: [99, 300-200], expect: \"\\\\q\"}",
        &[
            "lb.yaml:10:32: services[0].health.path: health is not a path; write one such as /health",
            "lb.yaml:10:48: services[0].health.method: get is not a method; write one such as GET or HEAD",
            "lb.yaml:10:59: services[0].health.host: \"a b\" is not a host; write one such as www.example.com",
            "lb.yaml:10:73: services[0].health.status[0]: 99 is out of range; allowed are 100 to 599, as in 200 and 200-299",
            "lb.yaml:10:77: services[0].health.status[1]: 300-200 ends before it begins; allowed are 100 to 599, as in 200 and 200-299",
            "lb.yaml:10:95: services[0].health.expect: \\q is unknown; allowed are \\r, \\n, \\t, \\\\ and octets such as \\x00",
        ],
    ),
    (
        "a datagram without content",
        "{kind: udp}",
        &[
            "lb.yaml:10:13: services[0].health.send: missing; a check of kind udp needs it, write what is sent",
        ],
    ),
    (
        "a question without a name",
        "{kind: dns}",
        &[
            "lb.yaml:10:13: services[0].health.query: missing; a check of kind dns needs it, write the name that is asked for",
        ],
    ),
    (
        "no program",
        "{kind: exec}",
        &[
            "lb.yaml:10:13: services[0].health.program: missing; a check of kind exec needs it, write the program's absolute path",
        ],
    ),
    (
        "a program that isn't a path, with a variable that isn't one",
        "{kind: exec, program: check, environment: [x]}",
        &[
            "lb.yaml:10:35: services[0].health.program: check is not an absolute path; start it with /",
            "lb.yaml:10:56: services[0].health.environment[0]: x is not a variable; write one such as NAME=value",
        ],
    ),
    (
        "a certificate for nobody",
        "{kind: https}",
        &[
            "lb.yaml:10:13: services[0].health.tls.name: missing; write what the certificate is for, or verify: false",
        ],
    ),
    (
        "authorities that aren't there",
        "{kind: https, host: a.example, tls: {ca_file: /nowhere.pem}}",
        &[
            "lb.yaml:10:13: services[0].health.tls.ca_file: /nowhere.pem: I/O error: No such file or directory (os error 2); write the path of a file with certificates in PEM",
        ],
    ),
    (
        "thresholds that end before they begin",
        "{kind: tcp, panic: {below: 50, until: 40}}",
        &["lb.yaml:10:51: services[0].health.panic.until: 40 is less than below, which is 50; raise it"],
    ),
];

#[test]
fn faults_of_health() {
    for (name, health, expected) in ROWS {
        let text = edited("    backends:\n", &format!("    health: {health}\n    backends:\n"));
        assert_eq!(lines(&text), *expected, "{name}");
    }
}

#[test]
fn a_service_of_any_port_says_which_is_checked() {
    let text = edited("port: 80", "port: any").replacen(
        "    backends:\n",
        "    health: {kind: tcp}\n    backends:\n",
        1,
    );
    let expected = "lb.yaml:10:13: services[0].health.port: missing; the service has any port, write the one that is checked";
    assert_eq!(lines(&text), [expected]);
    let text = text.replace("kind: tcp", "kind: tcp, port: 81");
    assert_eq!(parse(&text).unwrap().services[0].health.as_ref().unwrap().port, 81);
}

#[test]
fn datagrams_show_no_outliers() {
    let text =
        edited("    forwarding: ipip\n", "    forwarding: ipip\n    health: {kind: tcp, outliers: {}}\n");
    let expected =
        "lb.yaml:18:35: services[1].health.outliers: the service is of UDP, which shows none; remove it";
    assert_eq!(lines(&text), [expected]);
}

/// The document with defaults, and with what the first service says itself.
fn with_defaults(defaults: &str, own: &str) -> Config {
    let text = edited("services:\n", &format!("defaults:\n  health: {defaults}\nservices:\n"));
    parse(&text.replacen("    backends:\n", &format!("{own}    backends:\n"), 1)).unwrap()
}

#[test]
fn what_a_service_does_not_say_the_defaults_do() {
    let defaults = "{kind: tcp, interval: 5s, fall: 7, via: direct, panic: {below: 20, until: 40}}";
    let all = with_defaults(defaults, "");
    let health = all.services[1].health.as_ref().unwrap();
    assert_eq!((health.port, health.via, health.kind()), (53, Via::Direct, "tcp"));
    assert_eq!(health.probe.means, Means::Tcp(Tcp::default()));
    assert_eq!(health.settings.interval.usual, Duration::from_secs(5));

    let own = with_defaults(defaults, "    health: {kind: http, fall: 2, panic: {below: 10}}\n");
    let health = own.services[0].health.as_ref().unwrap();
    assert_eq!((health.kind(), health.settings.limits), ("http", Limits { rise: 2, fall: 2 }));
    assert_eq!(health.settings.interval.usual, Duration::from_secs(5));
    let panic = Threshold { below: Percent(10), until: Percent(40) };
    assert_eq!(health.settings.panic, Some(panic));

    let none = with_defaults(defaults, "    health: {kind: none}\n");
    assert_eq!(none.services[0].health, None);
    let without_kind = with_defaults("{interval: 5s}", "");
    assert!(without_kind.services.iter().all(|service| service.health.is_none()));
}

#[test]
fn faults_of_the_defaults_are_told_once() {
    let text = edited("services:\n", "defaults:\n  health: {kind: tcp, path: /}\nservices:\n");
    let expected = "lb.yaml:5:29: defaults.health.path: a check of kind tcp has none, only http, https, http2; remove it";
    assert_eq!(lines(&text), [expected]);
}
