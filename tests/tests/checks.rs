//! Checks that are sent to the VIP: they reach the backend that they are for, as traffic does, and fail as traffic would.
//! Needs root.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use lb_common::address::Address;
use lb_common::flow::Protocol;
use lb_common::service::ServiceKey;
use lb_common::siphash::HashKey;
use lb_common::slot::BackendIndex;
use lb_common::verdict::{FORWARDED, RECEIVED};
use lb_tests::snapshot::Snapshot;
use lb_tests::wait::PATIENCE;
use lb_tests::{Backend, Balancer, Host, Lab, SERVICES, Service, agent, run};
use lb_userspace::checks::{By, Checks, obstacle};
use lb_userspace::config::Forwarding;
use lb_userspace::health::Target;
use lb_userspace::health::probe::{Icmp, Means, Probe, Report, Tcp, Udp};
use lb_userspace::maps;
use lb_userspace::next_hop::{Resolver, Unresolved};
use nix::net::if_::if_nametoindex;

/// For what comes.
const LONG: Duration = PATIENCE;
/// For what never comes.
const SHORT: Duration = Duration::from_millis(500);

/// The load balancer's side of checks, beside the maps of its `lbd`.
struct Checking<'lab> {
    lab: &'lab Lab,
    maps: maps::Balancer,
    checks: Checks,
}

impl<'lab> Checking<'lab> {
    fn start(lab: &'lab Lab) -> Result<Self> {
        let instance = lab.directory().file_name().context("the lab's directory")?;
        let pins = Path::new("/sys/fs/bpf/lb").join(instance).join("maps");
        let (maps, checks) = lab.host(Host::Balancer).enter(|| {
            let mut maps = maps::Balancer::open(HashKey::new([0; 16]), maps::sizes(&pins)?, &pins)?;
            let mut checks = Checks::default();
            checks.follow(maps.check_program()?, [(if_nametoindex("eth0")?, "eth0")])?;
            Ok((maps, checks))
        })?;
        Ok(Checking { lab, maps, checks })
    }

    /// The numbers of a service's backends.
    fn numbers(&mut self, service: &Service) -> Result<BTreeSet<BackendIndex>> {
        let image = self.maps.image()?;
        let vip = match service.vip {
            IpAddr::V4(vip) => Address::v4(vip.octets()),
            IpAddr::V6(vip) => Address::v6(vip.octets()),
        };
        let found = image.services.get(&ServiceKey::new(vip, 80, Protocol::TCP)).context("the service")?;
        let table = image.tables.get(&found.table).context("the lookup table")?;
        Ok(table.iter().map(|slot| slot.current()).collect())
    }

    /// Each backend's number, by whom a check of it reaches.
    fn backends(&mut self, service: &Service) -> Result<BTreeMap<&'static str, BackendIndex>> {
        let mut found = BTreeMap::new();
        for number in self.numbers(service)? {
            for host in Host::BACKENDS {
                let named = self.check(through(service, number), web(host.name()), LONG)?;
                if named.result.is_ok() {
                    found.insert(host.name(), number);
                }
            }
        }
        Ok(found)
    }

    fn check(&self, target: Target, means: Means, timeout: Duration) -> Result<Report> {
        self.inside(async { Ok(Probe { means, timeout }.run(&target).await) })
    }

    fn inside<T: Send>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.lab.host(Host::Balancer).enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(work)
        })
    }
}

fn through(service: &Service, number: BackendIndex) -> Target {
    Target::through((service.vip, 80).into(), number)
}

/// Whoever has that name answers.
fn web(name: &str) -> Means {
    Means::Tcp(Tcp { send: "GET / HTTP/1.0\r\n\r\n".into(), expect: format!("\r\n\r\n{name}\n").into() })
}

fn connection() -> Means {
    Means::Tcp(Tcp::default())
}

fn ip(lab: &Lab, host: Host, arguments: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-n", lab.host(host).name()]).args(arguments.split(' '));
    run::run(&mut command).map(drop)
}

#[test]
fn a_check_reaches_its_backend_through_every_tunnel() -> Result<()> {
    /// Several segments, which the kernel may be handed as one packet.
    const OCTETS: usize = 20_000;
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let before = Snapshot::take(&balancer)?;
    let mut checking = Checking::start(&lab)?;

    for service in SERVICES {
        let backends = checking.backends(&service)?;
        assert_eq!(backends.keys().copied().collect::<Vec<_>>(), ["b1", "b2", "b3"], "{}", service.name);
        assert_eq!(backends.values().collect::<BTreeSet<_>>().len(), 3, "{}", service.name);
        for (host, number) in &backends {
            let request =
                format!("PUT /upload/{}-{host} HTTP/1.0\r\nContent-Length: {OCTETS}\r\n\r\n", service.name);
            let send = [request.into_bytes(), vec![b'.'; OCTETS]].concat();
            let upload = Means::Tcp(Tcp { send, expect: "201 Created".into() });
            let before = checking.maps.check_counters()?[FORWARDED];
            let report = checking.check(through(&service, *number), upload, LONG)?;
            assert!(report.result.is_ok(), "{} to {host}: {report}", service.name);
            let packets = checking.maps.check_counters()?[FORWARDED] - before;
            assert!(packets < (OCTETS / 1220) as u64, "{packets} packets: no segments together");
        }
        let echo: SocketAddr = (service.vip, 7).into();
        let socket = lab.host(Host::Backend2).enter(|| Ok(UdpSocket::bind(echo)?))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let datagram = Means::Udp(Udp { send: "hello".into(), expect: "hello".into() });
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                let mut datagram = [0; 100];
                let (length, from) = socket.recv_from(&mut datagram).unwrap();
                socket.send_to(&datagram[..length], from).unwrap();
            });
            checking.check(Target::through(echo, backends["b2"]), datagram, LONG)
        })?;
        assert!(report.result.is_ok(), "{}: {report}", service.name);
        let report = checking.check(through(&service, backends["b3"]), Means::Icmp(Icmp), LONG)?;
        assert!(report.result.is_ok(), "{}: {report}", service.name);
    }

    let counted = checking.maps.check_counters()?;
    assert!(counted[FORWARDED] > 0);
    assert_eq!(counted[RECEIVED], counted[FORWARDED], "{counted:?}");
    let traffic = Snapshot::take(&balancer)?.since(&before);
    assert!(traffic.services.iter().all(|service| service.packets == 0), "no check is traffic: {traffic:#?}");

    // Without the program it is traffic, which the router sends back.
    let number = checking.numbers(&SERVICES[0])?.into_iter().next().context("a backend")?;
    let Checking { checks, maps, .. } = &mut checking;
    lab.host(Host::Balancer).enter(|| checks.follow(maps.check_program()?, []))?;
    let report = checking.check(through(&SERVICES[0], number), connection(), LONG)?;
    assert!(report.result.is_ok(), "{report}");
    assert_eq!(checking.maps.check_counters()?, counted);
    Ok(())
}

#[test]
fn a_check_fails_as_traffic_would() -> Result<()> {
    let lab = Lab::new()?;
    let mut backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let mut checking = Checking::start(&lab)?;
    let mut numbers = BTreeMap::new();
    for service in SERVICES {
        numbers.insert(service.name, checking.backends(&service)?["b1"]);
    }
    // Whether checks of the first backend pass, through the VIP; by its own address they always do.
    let passes = |service: &Service, expected: bool, when: &str| -> Result<()> {
        let timeout = if expected { LONG } else { SHORT };
        let report = checking.check(through(service, numbers[service.name]), connection(), timeout)?;
        assert_eq!(report.result.is_ok(), expected, "{}, {when}: {report}", service.name);
        if !expected {
            assert_eq!(report.to_string(), "no connection within 500 ms", "{}, {when}", service.name);
        }
        let own = Target::direct((service.backend_address(Host::Backend1), 80).into());
        let report = checking.check(own, connection(), LONG)?;
        assert!(report.result.is_ok(), "{}, {when}, directly: {report}", service.name);
        Ok(())
    };

    for service in &SERVICES {
        let length = if service.vip.is_ipv4() { 32 } else { 128 };
        let address = format!("{}/{length} dev lo", service.vip);
        passes(service, true, "all is well")?;
        ip(&lab, Host::Backend1, &format!("address del {address}"))?;
        passes(service, false, "without the VIP")?;
        let nodad = if service.vip.is_ipv4() { "" } else { " nodad" };
        ip(&lab, Host::Backend1, &format!("address add {address}{nodad}"))?;
        passes(service, true, "with the VIP again")?;
    }

    let first = &mut backends[0];
    first.agent.stop()?;
    for service in &SERVICES {
        passes(service, false, "without the agent")?;
    }
    // An agent to which the load balancer is a stranger: what comes in tunnels isn't unpacked.
    let mut command = lab.host(Host::Backend1).command(lb_tests::programs::ours("lb-agent")?);
    command.args(["--interface", "eth0", "--balancer", "198.51.100.99", "--state-directory"]);
    command.arg(agent::state_directory(&lab));
    for vip in agent::every_vip() {
        command.args(["--vip", &vip.to_string()]);
    }
    let log = lab.directory().join("stranger.log");
    let mut stranger = lb_tests::process::Process::start("lb-agent", &mut command, log)?;
    stranger.wait_until_ready(|log| Ok(log.lines().any(|line| line.ends_with(" ready"))))?;
    for service in &SERVICES {
        passes(service, service.forwarding == Forwarding::L2, "tunnels aren't unpacked")?;
    }
    stranger.stop()?;
    first.agent = agent::start(&lab, Host::Backend1, &agent::every_vip())?;
    for service in &SERVICES {
        passes(service, true, "all is well again")?;
    }
    Ok(())
}

/// As on kernels without links for it: what a killed process leaves is replaced, and nothing is left in the end.
#[test]
fn where_a_filter_holds_the_program_there_is_one() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let mut checking = Checking::start(&lab)?;
    let service = &SERVICES[2];
    let number = checking.backends(service)?["b1"];
    let lb = lab.host(Host::Balancer);
    lb.enter(|| {
        checking.checks = Checks::by(By::Filter);
        checking.checks.follow(checking.maps.check_program()?, [(if_nametoindex("eth0")?, "eth0")])
    })?;
    let filters = || -> Result<usize> {
        let mut command = Command::new("tc");
        command.args(["-n", lb.name(), "filter", "show", "dev", "eth0", "egress"]);
        Ok(run::run(&mut command)?.lines().filter(|line| line.contains(" tc_check direct-action ")).count())
    };
    assert_eq!(filters()?, 1);
    let before = checking.maps.check_counters()?[FORWARDED];
    let report = checking.check(through(service, number), web("b1"), LONG)?;
    assert!(report.result.is_ok(), "{report}");
    assert!(checking.maps.check_counters()?[FORWARDED] > before);

    // As if it had been killed.
    std::mem::forget(std::mem::replace(&mut checking.checks, Checks::by(By::Filter)));
    lb.enter(|| checking.checks.follow(checking.maps.check_program()?, [(if_nametoindex("eth0")?, "eth0")]))?;
    assert_eq!(filters()?, 1);
    let report = checking.check(through(service, number), web("b1"), LONG)?;
    assert!(report.result.is_ok(), "{report}");
    lb.enter(|| checking.checks.follow(checking.maps.check_program()?, []))?;
    assert_eq!(filters()?, 0);
    Ok(())
}

#[test]
fn echo_requests_go_by_either_socket_or_say_what_is_missing() -> Result<()> {
    let lab = Lab::new()?;
    let lb = lab.host(Host::Balancer);
    let ask = |address: IpAddr, timeout: Duration| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let probe = Probe { means: Means::Icmp(Icmp), timeout };
        Ok(runtime.block_on(probe.run(&Target::direct((address, 0).into()))))
    };
    // The lab allows it to everybody, as systemd does; the kernel's default is nobody.
    for range in ["0 2147483647", "1 0"] {
        lb.set(&[("ipv4/ping_group_range", range)])?;
        for address in [Host::Backend1.ipv4().into(), Host::Backend1.ipv6().into()] {
            let report = lb.enter(|| ask(address, LONG))?;
            assert!(report.result.is_ok(), "{range}: {report}");
        }
        let nobody = IpAddr::from([198, 51, 100, 99]);
        let report = lb.enter(|| ask(nobody, SHORT))?;
        assert_eq!(report.to_string(), "no answer within 500 ms", "{range}");
    }
    let report = lb.enter(|| {
        // Of this thread alone.
        caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_NET_RAW)?;
        ask(Host::Backend1.ipv4().into(), LONG)
    })?;
    let words = "echo requests aren't allowed: let net.ipv4.ping_group_range have lbd's group, or give it CAP_NET_RAW";
    assert!(report.to_string().starts_with(words), "{report}");
    Ok(())
}

#[test]
fn what_stands_in_the_way_of_checks_is_said_before_the_first() -> Result<()> {
    let lab = Lab::new()?;
    let vip = SERVICES[0].vip;
    let lb = |arguments: &str| ip(&lab, Host::Balancer, arguments);
    let words = || -> Result<Option<String>> {
        lab.host(Host::Balancer).enter(|| {
            let interfaces = [if_nametoindex("eth0")?].into();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut resolver = Resolver::new()?;
                loop {
                    let network = resolver.look(&[vip].into()).await?;
                    let found = &network.next_hops[&vip];
                    if !matches!(found, Err(Unresolved::Pending { .. })) {
                        return Ok(obstacle(vip, found, &interfaces, &network).map(|found| found.to_string()));
                    }
                    tokio::time::timeout(PATIENCE, resolver.changed()).await?;
                }
            })
        })
    };
    let begins = |expected: &str| -> Result<()> {
        let words = words()?.context("an obstacle")?;
        assert!(words.starts_with(expected), "{words}");
        Ok(())
    };

    assert_eq!(words()?, None);
    lb(&format!("route add {vip} dev eth0"))?;
    begins("192.0.2.1 is taken for a host on eth0, where nobody answers for it,")?;
    lb(&format!("route replace {vip} via {}", Host::Router.ipv4()))?;
    assert_eq!(words()?, None);
    lb("link add other type veth peer name end")?;
    lb("link set other up")?;
    lb("link set end up")?;
    lb("address add 10.9.9.1/24 dev other")?;
    lb("neighbour add 10.9.9.2 lladdr 02:00:00:00:00:09 dev other")?;
    lb(&format!("route replace {vip} via 10.9.9.2"))?;
    begins("the route to 192.0.2.1 leaves by other, which isn't one of lbd's interfaces;")?;
    lb(&format!("route del {vip}"))?;
    lb("route del default")?;
    begins("checks through 192.0.2.1 can't leave: no route: ")?;
    lb(&format!("address add {vip}/32 dev lo"))?;
    begins("192.0.2.1 is an address of this node,")
}
