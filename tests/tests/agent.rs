//! `lb-agent` on a real host's network. Needs root.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::PacketBuilder;
use lb_tests::namespace::Namespace;
use lb_tests::run::{Finished, finish, run};
use lb_tests::service::{vip4, vip6};
use lb_tests::{Host, Lab, agent, neighbour, wait, xdp};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use std::os::fd::AsRawFd as _;

/// The backend that all of this is about.
const HOST: Host = Host::Backend1;

const VIPS: [IpAddr; 3] = [vip4(1), vip6(1), vip4(2)];

const PREFIXES: [&str; 3] = ["192.0.2.64/28", "2001:db8:f:1::/64", "192.0.2.96/27"];

/// VIPs and prefixes, as on a command line.
fn words(vips: &[IpAddr], prefixes: &[&str]) -> Vec<String> {
    let vips = vips.iter().map(IpAddr::to_string);
    vips.chain(prefixes.iter().map(|prefix| (*prefix).to_owned())).collect()
}

/// All of a host that the agent changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    loopback: String,
    /// To prefixes, on the loopback interface.
    local_routes: String,
    /// `arp_ignore` and `arp_announce`.
    settings: [String; 2],
    has_program: bool,
}

impl State {
    fn of(host: &Namespace) -> Result<State> {
        let read = |name: &str| -> Result<String> {
            Ok(fs::read_to_string(format!("/proc/sys/net/ipv4/conf/all/{name}"))?.trim().to_owned())
        };
        Ok(State {
            loopback: run(Command::new("ip").args(["-n", host.name(), "-brief", "address", "show", "lo"]))?,
            local_routes: local_routes(host)?,
            settings: host.enter(|| Ok([read("arp_ignore")?, read("arp_announce")?]))?,
            has_program: xdp::attached(host, "eth0")?.is_some(),
        })
    }

    fn has(&self, vip: IpAddr) -> bool {
        self.loopback.split_whitespace().any(|word| word.split('/').next() == Some(&vip.to_string()))
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.local_routes.split_whitespace().any(|word| word == prefix)
    }
}

fn local_routes(host: &Namespace) -> Result<String> {
    let of_version = |version: &str| {
        let routes = ["route", "show", "table", "local", "type", "local", "dev", "lo"];
        run(Command::new("ip").args(["-n", host.name(), version]).args(routes))
    };
    Ok(of_version("-4")? + &of_version("-6")?)
}

fn add_local_route(host: &Namespace, prefix: &str) -> Result<()> {
    let route = ["route", "add", "local", prefix, "dev", "lo", "table", "local"];
    run(Command::new("ip").args(["-n", host.name()]).args(route)).map(drop)
}

fn add_to_loopback(host: &Namespace, vip: IpAddr) -> Result<()> {
    run(Command::new("ip").args(["-n", host.name(), "address", "add", &vip.to_string(), "dev", "lo"]))
        .map(drop)
}

fn records(lab: &Lab) -> Result<usize> {
    Ok(fs::read_dir(agent::state_directory(lab))?.count())
}

#[test]
fn sigterm_leaves_the_host_as_it_was() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(HOST);
    // What was there before isn't the agent's.
    add_to_loopback(host, VIPS[2])?;
    add_local_route(host, PREFIXES[2])?;
    let before = State::of(host)?;
    assert!(!before.has_program && before.settings == ["0", "0"], "{before:?}");
    assert_eq!(PREFIXES.map(|prefix| before.has_prefix(prefix)), [false, false, true], "{before:?}");

    let mut agent = agent::start(&lab, HOST, &words(&VIPS, &PREFIXES))?;
    let during = State::of(host)?;
    assert!(VIPS.iter().all(|vip| during.has(*vip)), "{during:?}");
    assert!(PREFIXES.iter().all(|prefix| during.has_prefix(prefix)), "{during:?}");
    assert!(during.has_program && during.settings == ["1", "2"], "{during:?}");

    assert_eq!(agent.stop()?.code(), Some(0), "{}", agent.log());
    assert_eq!(State::of(host)?, before, "{}", agent.log());
    assert_eq!(records(&lab)?, 0);
    Ok(())
}

#[test]
fn what_a_killed_agent_leaves_is_undone_by_the_next() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(HOST);
    add_to_loopback(host, VIPS[2])?;
    add_local_route(host, PREFIXES[2])?;
    let before = State::of(host)?;
    let all = words(&VIPS, &PREFIXES);

    agent::start(&lab, HOST, &all)?.stop_with(Signal::SIGKILL)?;
    // The kernel detaches the program when the last descriptor is gone.
    wait::until("the program to go", || Ok(xdp::attached(host, "eth0")?.is_none().then_some(())))?;
    let left = State::of(host)?;
    assert!(VIPS.iter().all(|vip| left.has(*vip)), "{left:?}");
    assert!(PREFIXES.iter().all(|prefix| left.has_prefix(prefix)), "{left:?}");
    assert_eq!(left.settings, ["1", "2"]);

    // Killed again, and the third one has fewer VIPs.
    agent::start(&lab, HOST, &all)?.stop_with(Signal::SIGKILL)?;
    let mut agent = agent::start(&lab, HOST, &words(&VIPS[1..], &PREFIXES[1..]))?;
    let during = State::of(host)?;
    assert_eq!(VIPS.map(|vip| during.has(vip)), [false, true, true], "{during:?}");
    assert_eq!(PREFIXES.map(|prefix| during.has_prefix(prefix)), [false, true, true], "{during:?}");
    assert_eq!(during.settings, ["1", "2"]);

    assert_eq!(agent.stop()?.code(), Some(0), "{}", agent.log());
    assert_eq!(State::of(host)?, before, "{}", agent.log());
    assert_eq!(records(&lab)?, 0);
    Ok(())
}

#[test]
fn the_link_does_not_hear_of_a_vip() -> Result<()> {
    let lab = Lab::new()?;
    let (host, router) = (lab.host(HOST), lab.host(Host::Router));
    let own: [IpAddr; 2] = [HOST.ipv4().into(), HOST.ipv6().into()];
    let [shown, silent, silent_by_prefix] = [vip4(9), vip4(1), vip4(70)];

    // Without an agent the kernel answers for any address of the host, and asks with it.
    add_to_loopback(host, shown)?;
    assert!(neighbour::ask(router, "br0", shown)?.is_some());
    say_from(host, shown)?;
    wait::until("the router to hear of it", || neighbour::heard_of(router, "br0", shown))?;

    let _agent = agent::start(&lab, HOST, &words(&VIPS, &PREFIXES))?;
    for address in own {
        assert!(neighbour::ask(router, "br0", address)?.is_some(), "{address} is silent");
    }
    for vip in [shown, silent, silent_by_prefix, vip6(1), "2001:db8:f:1::7".parse()?] {
        assert_eq!(neighbour::ask(router, "br0", vip)?, None, "{vip} answers");
    }
    for vip in [silent, silent_by_prefix] {
        let flush = ["neigh", "flush", "to", &vip.to_string(), "dev", "br0"];
        run(Command::new("ip").args(["-n", router.name()]).args(flush))?;
        say_from(host, vip)?;
        assert_eq!(neighbour::heard_of(router, "br0", vip)?, None);
    }
    Ok(())
}

/// Sends something with this address as its source through the router, whose MAC address has to be asked for first.
fn say_from(host: &Namespace, source: IpAddr) -> Result<()> {
    let router = IpAddr::V4(Host::Router.ipv4());
    let _ = run(Command::new("ip").args([
        "-n",
        host.name(),
        "neigh",
        "delete",
        &router.to_string(),
        "dev",
        "eth0",
    ]));
    let socket = host.enter(|| Ok(UdpSocket::bind((source, 0))?))?;
    socket.send_to(b"hello", (Host::Client.ipv4(), 9))?;
    wait::until("the router's MAC address", || neighbour::heard_of(host, "eth0", router)).map(drop)
}

#[test]
fn a_prefix_around_the_hosts_own_network_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(HOST);
    let before = State::of(host)?;
    let mut command = agent::command(&lab, HOST, &["192.0.2.1", "198.51.100.0/24"])?;
    let Finished { status, stderr, .. } = finish(&mut command, wait::PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    let error = "lb-agent: 198.51.100.0/24 contains 198.51.100.11, an address of eth0, whose neighbours would be cut off;";
    assert!(stderr.lines().any(|line| line.starts_with(error)), "{stderr}");
    assert_eq!(State::of(host)?, before);
    assert_eq!(records(&lab)?, 0);
    Ok(())
}

#[test]
fn only_tunnels_of_load_balancers_for_vips_are_unpacked_and_others_are_warned_of() -> Result<()> {
    const PORT: u16 = 4000;
    let lab = Lab::new()?;
    let host = lab.host(HOST);
    let mut agent = agent::start(&lab, HOST, &VIPS)?;
    let server = host.enter(|| Ok(UdpSocket::bind(SocketAddr::new(vip4(1), PORT))?))?;
    server.set_read_timeout(Some(wait::PATIENCE))?;
    let receive = || -> Result<String> {
        let mut text = [0; 64];
        let (length, _) = server.recv_from(&mut text)?;
        Ok(String::from_utf8_lossy(&text[..length]).into_owned())
    };

    // The load balancer's packets come after the others', so that these would be here already.
    tunnel(lab.host(Host::Backend2), Host::Backend2, vip4(1), PORT, "a stranger")?;
    tunnel(lab.host(Host::Balancer), Host::Balancer, vip4(9), PORT, "not a VIP")?;
    tunnel(lab.host(Host::Balancer), Host::Balancer, vip4(1), PORT, "the load balancer")?;
    assert_eq!(receive()?, "the load balancer");
    server.set_read_timeout(Some(Duration::from_millis(100)))?;
    let more = receive().unwrap_err();
    let kind = more.downcast_ref::<std::io::Error>().context("not of the socket")?.kind();
    assert_eq!(kind, ErrorKind::WouldBlock, "{more}");

    agent.wait_until_ready(|log| Ok(log.contains("stranger=1: ") && log.contains("refused=1: ")))?;
    assert_eq!(agent.log().matches("WARN").count(), 2, "{}", agent.log());
    agent.stop()?;
    let counted = "stranger=1 decapsulated=1 refused=1 malformed=0";
    assert!(agent.log().contains(counted), "{}", agent.log());
    Ok(())
}

/// Sends the backend a datagram of the client, in a tunnel that begins at `source`.
fn tunnel(from: &Namespace, source: Host, vip: IpAddr, port: u16, text: &str) -> Result<()> {
    const TTL: u8 = 64;
    let IpAddr::V4(vip) = vip else { anyhow::bail!("{vip} is no IPv4 address") };
    let mut inner = Vec::new();
    PacketBuilder::ipv4(Host::Client.ipv4().octets(), vip.octets(), TTL)
        .udp(40_000, port)
        .write(&mut inner, text.as_bytes())?;
    let outer = etherparse::Ipv4Header::new(
        inner.len() as u16,
        TTL,
        etherparse::IpNumber::IPV4,
        source.ipv4().octets(),
        HOST.ipv4().octets(),
    )?;
    let mut packet = outer.to_bytes().to_vec();
    packet.extend(inner);
    from.enter(|| {
        let socket = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)?;
        let [a, b, c, d] = HOST.ipv4().octets();
        sendto(socket.as_raw_fd(), &packet, &SockaddrIn::new(a, b, c, d, 0), MsgFlags::empty())?;
        Ok(())
    })
}
