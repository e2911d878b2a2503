//! Ways to forward packets to backends, and how a namespace is made one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aya::programs::xdp::XdpMode;
use lb_common::backend::Link;
use lb_common::siphash::HashKey;
use lb_common::wire::ethernet::Vlan;
use lb_userspace::config::Config;
use lb_userspace::image::Image;
use lb_userspace::maps::Balancer;
use lb_userspace::next_hop::{NextHop, NextHops};
use lb_userspace::planner::{desired, plan};

use super::load::{PORT, VIP};
use crate::datapath::services::{HASH_KEY, NODE_MAC};
use crate::namespace::Namespace;
use crate::programs;
use crate::run::run;

/// Of every service.
pub const BACKENDS: u8 = 10;

/// What forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The balancer, with `l2`.
    Ours,
    /// A route to one backend.
    Plain,
    /// nftables, stateless: a hash chooses the MAC address, on ingress.
    Dsr,
    /// nftables with connection tracking: a hash chooses the address.
    Dnat,
    /// IPVS, with the scheduler `mh` and direct routing; not every kernel has it.
    Ipvs,
}

impl Way {
    /// Those of every kernel, in the order in which they take turns.
    pub const ALL: [Way; 4] = [Way::Ours, Way::Plain, Way::Dsr, Way::Dnat];

    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Way::Ours => "ours",
            Way::Plain => "plain",
            Way::Dsr => "dsr",
            Way::Dnat => "dnat",
            Way::Ipvs => "ipvs",
        }
    }

    /// That what arrived went this way: `arrived` is by the last octet of the MAC address, and 16 further on for the VIP.
    ///
    /// # Errors
    /// It didn't.
    pub fn check(self, arrived: &[u64], packets: u64) -> Result<()> {
        let (for_backends, for_vip) = arrived.split_at(16);
        let (right, wrong) = match self {
            Way::Dnat => (for_backends, for_vip),
            Way::Ours | Way::Plain | Way::Dsr | Way::Ipvs => (for_vip, for_backends),
        };
        let used = right.iter().filter(|count| **count > 0).count();
        let expected = if self == Way::Plain { 1 } else { usize::from(BACKENDS) };
        let known: u64 = right[1..=usize::from(BACKENDS)].iter().sum();
        let total: u64 = arrived.iter().sum();
        ensure!(
            wrong.iter().all(|count| *count == 0) && used == expected && known == total,
            "{}: of {packets} packets, these arrived for the backends {for_backends:?}, and these for the VIP {for_vip:?}",
            self.name()
        );
        Ok(())
    }
}

/// What keeps a way working.
pub struct Forwarder {
    balancer: Option<(Balancer, Image)>,
}

impl Forwarder {
    /// Makes the namespace, which has its links, forward from `eth0` to an interface, which may be the same.
    ///
    /// # Errors
    /// A program or the kernel refuses something.
    pub fn start(way: Way, namespace: &Namespace, directory: &Path, egress: &str) -> Result<Forwarder> {
        if way == Way::Ours {
            return Ok(Forwarder { balancer: Some(namespace.enter(|| balancer(egress))?) });
        }
        // A veth takes what XDP sends into it only with GRO, as network cards have it.
        run(namespace.command("ethtool").args(["-K", "eth0", "gro", "on"]))?;
        let rules = match way {
            Way::Ours | Way::Plain => return Ok(Forwarder { balancer: None }),
            Way::Dsr => dsr(egress),
            Way::Dnat => dnat(),
            Way::Ipvs => {
                ipvs(namespace)?;
                return Ok(Forwarder { balancer: None });
            }
        };
        let file = directory.join(format!("{}.nft", way.name()));
        fs::write(&file, rules)?;
        run(namespace.command("nft").arg("-f").arg(file))?;
        Ok(Forwarder { balancer: None })
    }

    /// Packets that the balancer says it has forwarded, if this is one.
    ///
    /// # Errors
    /// The kernel refuses to read a map.
    pub fn forwarded(&self) -> Result<Option<u64>> {
        let Some((balancer, image)) = &self.balancer else { return Ok(None) };
        Ok(Some(balancer.counters(image)?.node[lb_common::verdict::FORWARDED]))
    }
}

/// The MAC address of a backend, from 1 on.
#[must_use]
pub fn mac(backend: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0xb, backend]
}

/// The same as text.
#[must_use]
pub fn mac_text(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

/// The address of a backend, from 1 on.
#[must_use]
pub fn address(backend: u8) -> IpAddr {
    [172, 16, 0, backend].into()
}

/// The program that lbd loads, with maps as lbd fills them, on `eth0`.
fn balancer(egress: &str) -> Result<(Balancer, Image)> {
    let config = Config::parse(&text(), Path::new("lb.yaml"))?;
    let egress = nix::net::if_::if_nametoindex(egress).context(egress.to_owned())?;
    let hop = |backend| {
        let mut addresses = [0; 12];
        addresses[..6].copy_from_slice(&mac(backend));
        addresses[6..].copy_from_slice(&NODE_MAC);
        let link = Link { egress, mtu: 1500, vlan: Vlan::NONE, addresses };
        (address(backend), Ok(NextHop { link, source: [172, 16, 0, 254].into(), gateway: None }))
    };
    let hops: NextHops = (1..=BACKENDS).map(hop).collect();
    let image = desired(&config, &hops).image;
    let mut balancer = Balancer::load(HashKey::new(HASH_KEY), config.maps)?;
    let refused = balancer.offer(&[egress].into());
    ensure!(refused == BTreeMap::new(), "the kernel refuses interfaces: {refused:?}");
    balancer.apply(&plan(&Image::default(), &image), |_| {})?;
    balancer.program()?.attach("eth0", XdpMode::Driver)?;
    Ok((balancer, image))
}

fn text() -> String {
    let mut text = String::from("version: 1\ninterfaces: [{name: eth0}]\nservices:\n");
    for protocol in ["tcp", "udp"] {
        let vip = IpAddr::from(VIP);
        let _ =
            write!(text, "  - {{vip: {vip}, port: {PORT}, protocol: {protocol}, forwarding: l2, backends: [");
        (1..=BACKENDS).for_each(|backend| {
            let _ = write!(text, "{{address: {}}}, ", address(backend));
        });
        text.push_str("]}\n");
    }
    text
}

/// The kernel takes it for a host that has the VIP.
fn ipvs(namespace: &Namespace) -> Result<()> {
    let vip = IpAddr::from(VIP);
    run(Command::new("ip").args([
        "-n",
        namespace.name(),
        "address",
        "add",
        &format!("{vip}/32"),
        "dev",
        "lo",
    ]))?;
    let program = programs::unpacked("ipvsadm")?;
    let ipvsadm = |arguments: &[&str]| run(namespace.command(&program).args(arguments)).map(drop);
    let service = format!("{vip}:{PORT}");
    for protocol in ["-t", "-u"] {
        ipvsadm(&["-A", protocol, &service, "-s", "mh"])?;
        for backend in 1..=BACKENDS {
            ipvsadm(&["-a", protocol, &service, "-r", &format!("{}:{PORT}", address(backend)), "-g"])?;
        }
    }
    Ok(())
}

fn dsr(egress: &str) -> String {
    let mut rules =
        String::from("table netdev lb {\n chain in {\n  type filter hook ingress device eth0 priority 0;\n");
    for protocol in ["tcp", "udp"] {
        let _ = writeln!(
            rules,
            "  ip daddr {} {protocol} dport {PORT} ether saddr set {} ether daddr set {} fwd to {egress}",
            IpAddr::from(VIP),
            mac_text(NODE_MAC),
            chosen(protocol, |backend| mac_text(mac(backend)))
        );
    }
    rules + " }\n}\n"
}

fn dnat() -> String {
    let mut rules = String::from("table ip lb {\n chain in {\n  type nat hook prerouting priority dstnat;\n");
    for protocol in ["tcp", "udp"] {
        let _ = writeln!(
            rules,
            "  ip daddr {} {protocol} dport {PORT} dnat to {}",
            IpAddr::from(VIP),
            chosen(protocol, |backend| address(backend).to_string())
        );
    }
    rules + " }\n}\n"
}

fn chosen(protocol: &str, value: impl Fn(u8) -> String) -> String {
    let values: Vec<String> = (0..BACKENDS).map(|place| format!("{place} : {}", value(place + 1))).collect();
    format!("jhash ip saddr . {protocol} sport mod {BACKENDS} map {{ {} }}", values.join(", "))
}

/// Lines for `ip -batch` in the namespace, which has its links.
#[must_use]
pub fn addresses(egress: &str) -> String {
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("link set eth0 address {}", mac_text(NODE_MAC)),
        "link set eth0 up".to_owned(),
        format!("link set {egress} up"),
        format!("address add 172.16.0.254/24 dev {egress}"),
        "route add 10.0.0.0/8 dev eth0".to_owned(),
        format!("route add {}/24 via {}", IpAddr::from(VIP), address(1)),
    ];
    lines.extend((1..=BACKENDS).map(|backend| {
        format!("neigh add {} lladdr {} dev {egress} nud permanent", address(backend), mac_text(mac(backend)))
    }));
    lines.join("\n") + "\n"
}

/// Settings of the kernel, before there are links.
pub const SETTINGS: [(&str, &str); 7] = [
    // Where packets leave as they came in, the sender isn't told of a shorter way.
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
];
