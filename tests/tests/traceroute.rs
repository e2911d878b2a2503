//! The way to a VIP, as an operator looks at it. Needs root.

use std::net::IpAddr;

use anyhow::Result;
use lb_tests::traceroute::{Probe, trace};
use lb_tests::{Backend, Balancer, Entry, Host, Lab, SERVICES, Service, balancer, entry, topology};

/// Both versions of IP, without a tunnel and with one.
const WAYS: [Service; 4] = [SERVICES[0], SERVICES[1], SERVICES[2], SERVICES[7]];

#[test]
fn the_way_to_a_vip_leads_over_router_and_load_balancer() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    // Nobody listens at the ports that datagrams are sent to: the backend's kernel says so, as the VIP.
    let any_port = WAYS.map(|service| Entry::beside(&service, None, "udp", &Host::BACKENDS));
    let yaml = entry::added(&balancer::configure(lab.directory(), &WAYS), &any_port);
    let balancer = Balancer::start_with(&lab, &yaml)?;
    balancer.wait_until_active()?;

    for Service { name, vip, .. } in WAYS {
        let (router, node): (IpAddr, IpAddr) = match vip {
            IpAddr::V4(_) => (topology::CLIENT_GATEWAY_V4.into(), Host::Balancer.ipv4().into()),
            IpAddr::V6(_) => (topology::CLIENT_GATEWAY_V6.into(), Host::Balancer.ipv6().into()),
        };
        for probe in [Probe::Tcp(80), Probe::Udp] {
            let hops = trace(&lab, vip, probe)?;
            assert_eq!(hops, [Some(router), Some(node), Some(vip)], "{name}, {probe:?}");
        }
        // The load balancer answers for the VIP itself.
        let hops = trace(&lab, vip, Probe::Echo)?;
        assert_eq!((hops.first(), hops.last()), (Some(&Some(router)), Some(&Some(vip))), "{name}: {hops:?}");
        assert!(hops.len() <= 3, "{name}: {hops:?}");
    }
    Ok(())
}
