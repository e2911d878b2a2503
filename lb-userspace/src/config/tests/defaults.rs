//! What services have that say nothing else.

use lb_common::service::Scheduler;

use super::super::{Affinity, Datagrams, DownFlows, Flows, Forwarding, Fragments, Service};
use super::{BASE, edited, lines, parse};

/// The base document with a field `defaults` on its second line.
fn with_defaults(defaults: &str) -> String {
    edited("version: 1\n", &format!("version: 1\ndefaults: {defaults}\n"))
}

fn services(text: &str) -> Vec<Service> {
    parse(text).unwrap_or_else(|errors| panic!("{errors}")).services
}

#[test]
fn every_field_cascades() {
    let written =
        "{forwarding: gue, gue_port: 6081, affinity: source, fragments: by-addresses, table_size: 251,
        scheduler: round_robin, udp: stateless, idle_timeout: 10s, drain_timeout: 20s, down_grace: 40s,
        down_flows: keep}";
    let text = with_defaults(written).replacen("    forwarding: l2\n", "", 1).replacen(
        "    forwarding: ipip\n",
        "",
        1,
    );
    for service in services(&text) {
        assert_eq!(service.forwarding, Forwarding::Gue { port: 6081 });
        assert_eq!((service.affinity, service.fragments), (Affinity::Source, Fragments::ByAddresses));
        assert_eq!(service.table_size, 251);
        let flows = Flows {
            scheduler: Scheduler::ROUND_ROBIN,
            idle_timeout: 10,
            drain_timeout: 20,
            down_grace: 40,
            down_flows: DownFlows::Keep,
            datagrams: Datagrams::Stateless,
        };
        assert_eq!(service.flows, flows);
    }
}

#[test]
fn what_a_service_says_itself_wins() {
    let written =
        "{forwarding: gue, gue_port: 6081, affinity: source, scheduler: source_hash, idle_timeout: 10s}";
    let own = "forwarding: l2\n    affinity: flow\n    scheduler: maglev\n    idle_timeout: 20s";
    let services = services(&with_defaults(written).replacen("forwarding: l2", own, 1));
    // The port of GUE is for those that use it.
    assert_eq!(services[0].forwarding, Forwarding::L2);
    assert_eq!((services[0].affinity, services[0].flows.idle_timeout), (Affinity::Flow, 20));
    assert_eq!(services[1].forwarding, Forwarding::Ipip);
    assert_eq!((services[1].affinity, services[1].flows.idle_timeout), (Affinity::Source, 10));
}

#[test]
fn none_are_no_different() {
    let expected = services(BASE);
    for written in ["", "{}", "{affinity: flow, table_size: }"] {
        assert_eq!(services(&with_defaults(written)), expected);
    }
}

#[test]
fn faults_of_defaults() {
    let rows: [(&str, &[&str]); 4] = [
        // Once, and not for each service.
        (
            "{affinity: client}",
            &["lb.yaml:2:22: defaults.affinity: client is unknown; allowed: flow, source"],
        ),
        (
            "{vip: 192.0.2.1}",
            &[
                "lb.yaml:2:12: defaults.vip: unknown field; allowed here are forwarding, gue_port, affinity, fragments, table_size, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, health",
            ],
        ),
        (
            "{gue_port: [6080], table_size: 1000}",
            &[
                "lb.yaml:2:22: defaults.gue_port: a single value is expected here; write it without dashes, brackets and braces",
                "lb.yaml:2:42: defaults.table_size: 1000 is not a prime; the next one is 1009",
            ],
        ),
        ("l2", &["lb.yaml:2:11: defaults: fields are expected here; write them as name: value, one a line"]),
    ];
    for (written, expected) in rows {
        assert_eq!(lines(&with_defaults(written)), expected, "{written}");
    }
}

#[test]
fn services_that_the_defaults_bring_into_conflict() {
    let text = with_defaults("{fragments: by-addresses}").replacen(
        "vip: 2001:db8::1\n    port: 53\n    protocol: udp",
        "vip: 192.0.2.1\n    port: 443\n    protocol: tcp",
        1,
    );
    assert_eq!(
        lines(&text),
        [
            "lb.yaml:15:5: services[1].fragments: 192.0.2.1:443/tcp and 192.0.2.1:80/tcp are both by-addresses, but fragments name no port; write follow in one"
        ]
    );
}
