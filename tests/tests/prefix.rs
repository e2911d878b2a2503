//! A VIP that is a prefix: all of its addresses are served. Needs root.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::Result;
use lb_tests::curl::{self, Request};
use lb_tests::process::Process;
use lb_tests::snapshot::Snapshot;
use lb_tests::{Balancer, Entry, Host, Lab, accounts, agent, balancer, entry, nginx};

const VIPS: [&str; 2] = ["192.0.2.64/28", "2001:db8:f:0:1::/80"];

/// The first and the last of each prefix, and one between.
const SERVED: [&str; 6] = [
    "192.0.2.64",
    "192.0.2.70",
    "192.0.2.79",
    "2001:db8:f:0:1::",
    "2001:db8:f:0:1::5",
    "2001:db8:f:0:1:ffff:ffff:ffff",
];

#[test]
fn every_address_of_a_prefix_is_served_through_a_tunnel() -> Result<()> {
    let lab = Lab::new()?;
    let start = |backend| Ok([nginx::start(&lab, backend)?, agent::start(&lab, backend, &VIPS)?]);
    let _backends: Vec<[Process; 2]> = Host::BACKENDS.into_iter().map(start).collect::<Result<_>>()?;
    let entries = VIPS.map(|vip| Entry {
        vip: vip.into(),
        port: Some(80),
        protocol: "tcp",
        forwarding: "ipip",
        backends: Host::BACKENDS.map(|backend| backend.ipv4().into()).into(),
    });
    let yaml = entry::added(&balancer::configure(lab.directory(), &[]), &entries);
    let balancer = Balancer::start_with(&lab, &yaml)?;
    balancer.wait_until_active()?;

    let before = Snapshot::take(&balancer)?;
    let requests = 40;
    for served in SERVED {
        let address: IpAddr = served.parse()?;
        let replies = curl::fetch(&lab, &vec![Request::to_address(address, "/"); requests])?;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), requests, "{served}");
        let backends: BTreeSet<_> = replies.into_iter().map(|reply| reply.first_line).collect();
        assert_eq!(backends, Host::BACKENDS.map(Host::name).map(String::from).into(), "{served}");
    }
    let counted = Snapshot::take(&balancer)?.since(&before);
    assert_eq!(accounts::sums(&counted), Vec::<String>::new(), "{counted:#?}");
    assert_eq!(accounts::total(&counted.node.dropped), 0, "{counted:#?}");
    Ok(())
}
