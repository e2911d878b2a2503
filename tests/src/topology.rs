//! The network, as lines for `ip -batch` and settings of the kernel.
//!
//! ```text
//!  client ─────── router ── br0 ──┬── lb   198.51.100.10   2001:db8:5::10
//!      .2           .1       .1   ├── b1             .11              ::11
//!     ::2          ::1      ::1   ├── b2             .12              ::12
//!   203.0.113.0/24                └── b3             .13              ::13
//!   2001:db8:c::/64
//!                   the router sends 192.0.2.0/24 and 2001:db8:f::/64, the VIPs, to lb
//! ```
//!
//! A reply has the client's address, so it goes from a backend to the router and never meets the load balancer.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::host::Host;

/// Lines for the router's namespace that make every link. `namespace` names the namespace of a host.
///
/// Each link ends in an `eth0`; the router's end has the name of the host at the other end.
pub fn links(namespace: impl Fn(Host) -> String) -> String {
    // With an address of its own: else it has that of one of its ports, and another when a port goes.
    let bridge = "link add br0 address 02:00:00:00:00:01 type bridge stp_state 0 mcast_snooping 0";
    let mut lines = vec![bridge.into(), "link set br0 up".into()];
    let hosts = Host::ALL.into_iter().filter(|&host| host != Host::Router);
    lines.extend(hosts.map(|host| link(host, &namespace(host))));
    lines.join("\n")
}

/// Lines for the router's namespace that make the link to one host, whose namespace has that name.
#[must_use]
pub fn link(host: Host, namespace: &str) -> String {
    let port = host.name();
    let mut lines = vec![format!("link add {port} type veth peer name eth0 netns {namespace}")];
    if host != Host::Client {
        lines.push(format!("link set {port} master br0"));
    }
    lines.push(format!("link set {port} up"));
    lines.join("\n")
}

/// Lines that give a host its addresses and routes, once its links are there.
#[must_use]
pub fn addresses(host: Host) -> String {
    let lines = match host {
        Host::Router => {
            let (balancer4, balancer6) = (Host::Balancer.ipv4(), Host::Balancer.ipv6());
            let [client4, client6] = address("client", CLIENT_GATEWAY_V4, CLIENT_GATEWAY_V6);
            let [servers4, servers6] = address("br0", host.ipv4(), host.ipv6());
            let vips4 = format!("route add 192.0.2.0/24 via {balancer4}");
            let vips6 = format!("route add 2001:db8:f::/64 via {balancer6}");
            vec![client4, client6, servers4, servers6, vips4, vips6]
        }
        Host::Client => leaf(host, CLIENT_GATEWAY_V4, CLIENT_GATEWAY_V6),
        Host::Balancer | Host::Backend1 | Host::Backend2 | Host::Backend3 => {
            leaf(host, Host::Router.ipv4(), Host::Router.ipv6())
        }
    };
    format!("link set lo up\n{}", lines.join("\n"))
}

/// The router, as the client sees it.
pub const CLIENT_GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The router, as the client sees it.
pub const CLIENT_GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1);

fn leaf(host: Host, gateway4: Ipv4Addr, gateway6: Ipv6Addr) -> Vec<String> {
    let [address4, address6] = address("eth0", host.ipv4(), host.ipv6());
    let routes = [format!("route add default via {gateway4}"), format!("route add default via {gateway6}")];
    ["link set eth0 up".into(), address4, address6].into_iter().chain(routes).collect()
}

/// `nodad`: usable at once, instead of after a second of asking whether another host has the address.
fn address(interface: &str, ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> [String; 2] {
    [format!("address add {ipv4}/24 dev {interface}"), format!("address add {ipv6}/64 dev {interface} nodad")]
}

/// Settings of a host, as files under `/proc/sys/net` and what to write there, before it has links.
///
/// Most are the kernel's own defaults, because a new namespace may inherit the machine's: `rp_filter=1` would drop
/// packets, a machine that forwards would make a router of each host.
#[must_use]
pub fn settings(host: Host) -> Vec<(&'static str, &'static str)> {
    let forwarding = if host == Host::Router { "1" } else { "0" };
    vec![
        ("ipv4/ip_forward", forwarding),
        ("ipv6/conf/all/forwarding", forwarding),
        ("ipv6/conf/default/forwarding", forwarding),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/conf/all/arp_ignore", "0"),
        ("ipv4/conf/all/arp_announce", "0"),
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        // As `nodad`, for the link-local addresses, which routers ask their neighbours from.
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        // Every group may send echo requests without a raw socket; the default is none.
        ("ipv4/ping_group_range", "0 2147483647"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_a_port_of_the_bridge_and_the_client_is_not() {
        let lines = links(|host| format!("lb-7-{}", host.name()));
        assert!(
            lines.contains("link add b3 type veth peer name eth0 netns lb-7-b3\nlink set b3 master br0\n")
        );
        assert!(
            lines
                .contains("link add client type veth peer name eth0 netns lb-7-client\nlink set client up\n")
        );
        assert_eq!(lines.matches("master br0").count(), 4);
    }

    #[test]
    fn a_backend_answers_through_the_router() {
        assert_eq!(
            addresses(Host::Backend2),
            "link set lo up\n\
             link set eth0 up\n\
             address add 198.51.100.12/24 dev eth0\n\
             address add 2001:db8:5::12/64 dev eth0 nodad\n\
             route add default via 198.51.100.1\n\
             route add default via 2001:db8:5::1"
        );
    }

    #[test]
    fn the_router_sends_vips_to_the_load_balancer() {
        let lines = addresses(Host::Router);
        assert!(lines.ends_with(
            "route add 192.0.2.0/24 via 198.51.100.10\nroute add 2001:db8:f::/64 via 2001:db8:5::10"
        ));
        assert!(lines.contains("address add 203.0.113.1/24 dev client\n"));
    }
}
