//! All that is measured.

use lb_common::flow::IpVersion;

use super::case::{Case, Kind, Mix, Node, Slots, Traffic};

/// One service over IPv4, ten backends, tunnels.
const NODE: Node = Node {
    version: IpVersion::V4,
    forwarding: "ipip",
    outer: IpVersion::V4,
    scheduler: "maglev",
    is_any_port: false,
    services: 1,
    backends: 10,
    table_size: 65_537,
    slots: Slots::Stable,
    flows: lb_common::pin::CAPACITY,
};

const V6: Node = Node { version: IpVersion::V6, outer: IpVersion::V6, ..NODE };

/// With room for the pins of a million flows.
const ROOMY: usize = 4 * lb_common::pin::CAPACITY;

const NUMBERS: [(&str, usize); 4] = [("1", 1), ("1k", 1_000), ("100k", 100_000), ("1M", 1_000_000)];

/// The cases, in the order in which they are measured.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = with_goals();
    cases.extend(mixes());
    cases.extend(ways());
    cases.extend(sizes());
    cases.extend(memories());
    cases.extend(others());
    cases
}

/// Those of the speed table.
fn with_goals() -> Vec<Case> {
    let goal = |name: &str, node, kind, flows, mix, goal| Case {
        goal: Some(goal),
        is_quick: true,
        ..case(name, node, kind, flows, mix)
    };
    let migrating = Node { slots: Slots::Migrating, ..NODE };
    let many = Node { services: 1_000, ..NODE };
    let gue = Node { forwarding: "gue", ..NODE };
    vec![
        goal("tcp4/ipip/established/1", NODE, Kind::Tcp, 1, Mix::Established, 35.0),
        goal("tcp4/ipip/established/1k", NODE, Kind::Tcp, 1_000, Mix::Established, 40.0),
        goal("tcp4/ipip/established/100k", NODE, Kind::Tcp, 100_000, Mix::Established, 55.0),
        goal("tcp4/ipip/established/1M", NODE, Kind::Tcp, 1_000_000, Mix::Established, 60.0),
        goal("tcp6/ipip/established/1k", V6, Kind::Tcp, 1_000, Mix::Established, 40.0),
        goal("tcp6/ipip/established/1M", V6, Kind::Tcp, 1_000_000, Mix::Established, 60.0),
        goal("udp4/ipip/established/1k", NODE, Kind::Udp, 1_000, Mix::Established, 40.0),
        goal("udp4/ipip/established/1M", NODE, Kind::Udp, 1_000_000, Mix::Established, 60.0),
        goal("tcp4/ipip/syn-flood", NODE, Kind::Tcp, 1, Mix::Flood, 60.0),
        goal("tcp4/ipip/syn-flood/migrating", migrating, Kind::Tcp, 1, Mix::Flood, 250.0),
        goal("tcp4/ipip/services-1000/100k", many, Kind::Tcp, 100_000, Mix::Established, 120.0),
        goal("tcp4/gue/established/1k", gue, Kind::Tcp, 1_000, Mix::Established, 45.0),
        goal("not-ours/tcp4", NODE, Kind::NotOurs, 1_000, Mix::Established, 12.0),
    ]
}

fn mixes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, flows) in [("100k", 100_000), ("1M", 1_000_000)] {
        cases.push(case(&format!("tcp4/ipip/tenth-new/{name}"), NODE, Kind::Tcp, flows, Mix::TenthNew));
        cases.push(case(&format!("tcp4/ipip/zipf/{name}"), NODE, Kind::Tcp, flows, Mix::Zipf));
    }
    for (name, flows) in [NUMBERS[0], NUMBERS[2]] {
        cases.push(case(&format!("tcp6/ipip/established/{name}"), V6, Kind::Tcp, flows, Mix::Established));
        cases.push(case(&format!("udp4/ipip/established/{name}"), NODE, Kind::Udp, flows, Mix::Established));
    }
    cases.push(case("tcp6/ipip/syn-flood", V6, Kind::Tcp, 1, Mix::Flood));
    cases
}

/// Of packets to backends.
fn ways() -> Vec<Case> {
    let mut cases = Vec::new();
    for (inside, version) in [("4", IpVersion::V4), ("6", IpVersion::V6)] {
        let mut add = |forwarding, outer, name: &str| {
            let node = Node { version, forwarding, outer, ..NODE };
            cases.push(case(
                &format!("tcp{inside}/{name}/established/1k"),
                node,
                Kind::Tcp,
                1_000,
                Mix::Established,
            ));
        };
        let (same, other) = match version {
            IpVersion::V4 => (IpVersion::V4, IpVersion::V6),
            IpVersion::V6 => (IpVersion::V6, IpVersion::V4),
        };
        add("l2", same, "l2");
        add("ipip", other, "ipip-other-version");
        add("gue", other, "gue-other-version");
        if version == IpVersion::V6 {
            add("gue", same, "gue");
        }
    }
    cases
}

fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for backends in [100, 1_000] {
        let node = Node { backends, ..NODE };
        for (name, flows) in [NUMBERS[1], NUMBERS[3]] {
            let name = format!("tcp4/ipip/backends-{backends}/{name}");
            cases.push(case(&name, node, Kind::Tcp, flows, Mix::Established));
        }
    }
    let many = Node { services: 1_000, ..NODE };
    cases.push(case("tcp4/ipip/services-1000/1k", many, Kind::Tcp, 1_000, Mix::Established));
    let small = Node { table_size: 1009, ..many };
    cases.push(case(
        "tcp4/ipip/services-1000/small-tables/100k",
        small,
        Kind::Tcp,
        100_000,
        Mix::Established,
    ));
    cases.push(case("tcp4/ipip/services-1000/zipf/1M", many, Kind::Tcp, 1_000_000, Mix::Zipf));
    cases
}

/// Where the connection table is asked: slots on their way, and schedulers that pin every flow.
fn memories() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, slots) in [("migrating", Slots::Migrating), ("tracked", Slots::Tracked)] {
        let node = Node { slots, flows: ROOMY, ..NODE };
        for (name, flows) in NUMBERS {
            let name = format!("tcp4/ipip/{word}/established/{name}");
            cases.push(case(&name, node, Kind::Tcp, flows, Mix::Established));
        }
        cases.push(case(
            &format!("tcp4/ipip/{word}/tenth-new/1M"),
            node,
            Kind::Tcp,
            1_000_000,
            Mix::TenthNew,
        ));
    }
    for scheduler in ["source_hash", "round_robin", "random", "two_choices", "least_connections"] {
        let node = Node { scheduler, flows: ROOMY, ..NODE };
        for (name, flows) in [NUMBERS[1], NUMBERS[3]] {
            let name = format!("tcp4/ipip/{scheduler}/established/{name}");
            cases.push(case(&name, node, Kind::Tcp, flows, Mix::Established));
        }
        cases.push(case(&format!("tcp4/ipip/{scheduler}/syn-flood"), node, Kind::Tcp, 1, Mix::Flood));
    }
    cases
}

/// Packets that aren't a flow's ordinary ones.
fn others() -> Vec<Case> {
    let established = |name: &str, node, kind| case(name, node, kind, 1_000, Mix::Established);
    vec![
        established("not-ours/tcp6", V6, Kind::NotOurs),
        established("fragments/udp4", NODE, Kind::Parts),
        established("icmp-error/v4", NODE, Kind::IcmpError),
        established("icmp-error/v6", V6, Kind::IcmpError),
        established("echo/v4", NODE, Kind::Echo),
        established("echo/v6", V6, Kind::Echo),
        established("tcp4/ipip/any-port/established/1k", Node { is_any_port: true, ..NODE }, Kind::Tcp),
    ]
}

fn case(name: &str, node: Node, kind: Kind, flows: usize, mix: Mix) -> Case {
    Case { name: name.to_owned(), node, traffic: Traffic { kind, flows, mix }, goal: None, is_quick: false }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_case_has_a_name_of_its_own() {
        let names: BTreeSet<String> = all().into_iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
