//! What goes wrong around the load balancer, and what it says and does then. Needs root.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lb_common::siphash::HashKey;
use lb_tests::curl;
use lb_tests::run::{Finished, finish, run};
use lb_tests::wait::{self, PATIENCE};
use lb_tests::{Backend, Balancer, Host, Lab, SERVICES, Service, balancer, programs, xdp};
use lb_userspace::api::{self, BackendState};
use lb_userspace::config::MapSizes;
use lb_userspace::maps;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const WEB: Service = SERVICES[0];

/// Nobody has this address.
const SILENT: &str = "198.51.100.99";

#[test]
fn a_backend_that_is_lost_leaves_its_slots_to_the_others_until_it_is_back() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    doubt_neighbours_early(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let before = backends(&balancer)?;

    ip(&lab, Host::Router, "link set b2 down")?;
    let during = wait::until("b2 down", || {
        let backends = backends(&balancer)?;
        let mut lost = backends.iter().filter(|backend| backend.name == "b2");
        Ok(lost.all(|backend| backend.state == BackendState::Down).then_some(backends))
    })?;
    for (before, during) in before.iter().zip(&during) {
        let (name, address) = (&during.name, during.address);
        if name == "b2" {
            assert_eq!(during.reason, Some(format!("{address} doesn't answer on eth0")));
            assert_eq!((during.slots, &during.interface, &during.next_hop_mac), (0, &None, &None));
            assert_eq!(during.source, None);
        } else {
            assert_eq!((during.state, &during.reason), (BackendState::Active, &None), "{name}");
            assert!(during.slots > before.slots, "{name}: {} slots, then {}", before.slots, during.slots);
        }
    }
    for service in SERVICES {
        let (requests, answers) = (40, curl::answers(&lab, &service, 40)?);
        assert_eq!(answers.len(), requests, "{}", service.name);
        assert_eq!(answers.into_iter().collect::<BTreeSet<_>>(), ["b1".into(), "b3".into()].into());
        let said = format!("service {} runs without backend b2: ", service.name);
        assert!(balancer.log().contains(&said), "{said}");
    }

    ip(&lab, Host::Router, "link set b2 up")?;
    balancer.wait_until_active()?;
    let after = backends(&balancer)?;
    let slots = |backends: &[api::Backend]| backends.iter().map(|backend| backend.slots).collect::<Vec<_>>();
    assert_eq!(slots(&after), slots(&before));
    for service in SERVICES {
        let said = format!("service {}: backend b2 can be reached through eth0, next hop ", service.name);
        assert_eq!(balancer.log().matches(&said).count(), 2, "{said}");
        let answers: BTreeSet<_> = curl::answers(&lab, &service, 60)?.into_iter().collect();
        assert_eq!(answers, Host::BACKENDS.map(Host::name).map(String::from).into(), "{}", service.name);
    }
    Ok(())
}

#[test]
fn a_silent_backend_is_named_once() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let yaml = balancer::configure(lab.directory(), &[WEB]).replace("198.51.100.12", SILENT);
    let balancer = Balancer::start_with(&lab, &yaml)?;
    wait::until("b2 silent", || {
        Ok(state(&balancer, "b2")?.1.is_some_and(|why| why.contains("doesn't answer")).then_some(()))
    })?;
    // The kernel is told to ask again every few seconds; the second answer is no news.
    for kernel in ["INCOMPLETE", "FAILED"] {
        let line = format!("-json neighbour show to {SILENT} dev eth0");
        wait::until(kernel, || Ok(ip(&lab, Host::Balancer, &line)?.contains(kernel).then_some(())))?;
    }
    let (state, reason, slots) = state(&balancer, "b2")?;
    assert_eq!((state, slots), (BackendState::Down, 0));
    assert_eq!(reason.as_deref(), Some("198.51.100.99 doesn't answer on eth0"));
    let log = balancer.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("b2")).collect();
    assert_eq!(warnings.iter().filter(|line| line.contains("doesn't answer")).count(), 1, "{log}");
    assert!(warnings.len() <= 3, "{log}");
    assert!(log.contains("the lookup table is built without b2"), "{log}");

    // The service runs all the same, and says so.
    assert_eq!(curl::answers(&lab, &WEB, 30)?.len(), 30);
    let table = balancer.lbctl(&["backend", "list"])?;
    assert!(table.contains("down: 198.51.100.99 doesn't answer on eth0"), "{table}");
    let services = balancer.lbctl(&["service", "list"])?;
    assert!(services.lines().any(|line| line.starts_with(WEB.name)), "{services}");
    Ok(())
}

#[test]
fn an_interface_may_vanish_and_return() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let yaml = balancer::configure(lab.directory(), &[WEB]).replace("198.51.100.12", "10.99.0.2");
    second_network(&lab)?;
    let balancer = Balancer::start_with(&lab, &yaml)?;
    balancer.wait_until_active()?;
    let found = backends(&balancer)?.swap_remove(1);
    assert_eq!(found.interface.as_deref(), Some("side0"));
    assert_eq!(found.next_hop_mac.as_deref(), Some("02:00:00:00:00:99"));
    assert_eq!(found.source, None, "there is no tunnel");

    for round in 1..=5 {
        ip(&lab, Host::Balancer, "link delete side0")?;
        // Not always: the kernel may be faster in making it anew than lbd in looking.
        if round % 2 == 1 {
            wait::until("b2 down", || Ok((state(&balancer, "b2")?.0 == BackendState::Down).then_some(())))?;
            let answers: BTreeSet<_> = curl::answers(&lab, &WEB, 30)?.into_iter().collect();
            assert_eq!(answers, ["b1".into(), "b3".into()].into());
        }
        second_network(&lab)?;
        balancer.wait_until_active()?;
    }
    Ok(())
}

#[test]
fn an_attached_interface_may_vanish_and_return() -> Result<()> {
    const ATTACHED: &str = "attached to eth0 in driver mode";
    const GONE: &str = "eth0 is gone: no packets are balanced there until it is back";
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let services = [WEB, SERVICES[2], SERVICES[5]];
    let balancer = Balancer::start(&lab, &services)?;
    let mut ports = Vec::new();
    for round in 1..=4 {
        let warnings = balancer.log().matches(GONE).count();
        lab.unplug_balancer()?;
        // Not always: the interface may be back before lbd has looked.
        if round % 2 == 1 {
            wait::until("a warning", || Ok((balancer.log().matches(GONE).count() > warnings).then_some(())))?;
            let status = balancer.lbctl(&["status"])?;
            assert!(status.contains(" on no interface\n"), "{status}");
        }
        ports.push(lab.plug_balancer()?);
        wait::until("attached again", || {
            Ok((balancer.log().matches(ATTACHED).count() == 1 + round).then_some(()))
        })?;
        balancer.wait_until_active()?;
        for service in &services {
            let answers = curl::answers(&lab, service, 40)?;
            assert_eq!(answers.len(), 40, "{}", service.name);
            let backends: BTreeSet<_> = answers.into_iter().collect();
            assert_eq!(backends, Host::BACKENDS.map(Host::name).map(String::from).into(), "{}", service.name);
        }
    }
    let status = balancer.lbctl(&["status"])?;
    assert!(status.contains(" on eth0 (driver)\n"), "{status}");
    assert_eq!(balancer.stop()?.code(), Some(0));
    assert_eq!(xdp::attached(lab.host(Host::Balancer), "eth0")?, None);
    Ok(())
}

#[test]
fn an_interface_that_returns_with_another_program_is_tried_again() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host(Host::Balancer);
    second_network(&lab)?;
    let yaml =
        balancer::configure(lab.directory(), &[WEB]).replace("instance:", "  - name: side0\ninstance:");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    let ours = xdp::attached(host, "side0")?.context("no program on side0")?;

    ip(&lab, Host::Balancer, "link delete side0")?;
    ip(&lab, Host::Balancer, "link add new0 type veth peer name new1")?;
    let foreign = xdp::attach_pass(host, "new0")?;
    ip(&lab, Host::Balancer, "link set new0 name side0")?;
    let obstacle = "no packets are balanced there: side0 already runs the XDP program xdp_pass";
    wait::until("a warning", || Ok(balancer.log().contains(obstacle).then_some(())))?;
    assert_eq!(xdp::attached(host, "side0")?, Some(foreign.id));

    drop(foreign);
    wait::until("lbd's program", || Ok((xdp::attached(host, "side0")? == Some(ours)).then_some(())))?;
    assert_eq!(balancer.log().matches(obstacle).count(), 1, "{}", balancer.log());
    let status = balancer.lbctl(&["status"])?;
    assert!(status.contains(" on eth0 (driver), side0 (driver)\n"), "{status}");
    Ok(())
}

#[test]
fn an_interface_that_is_gone_is_refused_alone_and_one_out_of_use_is_taken_out() -> Result<()> {
    let lab = Lab::new()?;
    lab.host(Host::Balancer).enter(|| {
        let index = |name: &str| -> Result<u32> { Ok(nix::net::if_::if_nametoindex(name)?) };
        let (lo, eth0, gone) = (index("lo")?, index("eth0")?, 4_000_000);
        let mut maps = maps::Balancer::load(HashKey::new([7; 16]), MapSizes::default())?;
        let refused = maps.offer(&[lo, eth0, gone].into());
        assert_eq!(refused.into_keys().collect::<Vec<_>>(), [gone]);
        maps.withdraw_all_but(&[eth0].into())?;
        assert_eq!(maps.offered()?, [eth0].into());
        // As often as it takes.
        assert_eq!(maps.offer(&[lo, eth0].into()).len(), 0);
        assert_eq!(maps.offered()?, [lo, eth0].into());
        // The map has room for 64.
        let reasons = maps.offer(&(1..100).map(|number| gone + number).collect());
        assert!(reasons.values().all(|reason| !reason.is_empty()), "{reasons:?}");
        Ok(())
    })
}

#[test]
fn an_interface_that_cannot_send_xdp_frames_is_an_obstacle_in_driver_mode() -> Result<()> {
    let lab = Lab::new()?;
    second_network(&lab)?;
    for line in [
        "link add side-bridge type bridge",
        "link set side0 master side-bridge",
        "address flush dev side0",
        "link set side-bridge up",
        "address add 10.99.0.1/24 dev side-bridge",
        "neighbour replace 10.99.0.2 lladdr 02:00:00:00:00:99 nud permanent dev side-bridge",
    ] {
        ip(&lab, Host::Balancer, line)?;
    }
    let yaml = balancer::configure(lab.directory(), &[WEB]).replace("198.51.100.12", "10.99.0.2");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    let (state_in_driver, reason, slots) = state(&balancer, "b2")?;
    assert_eq!((state_in_driver, slots), (BackendState::Down, 0));
    let reason = reason.context("a reason")?;
    assert!(
        reason.starts_with("side-bridge (bridge) can't send what XDP hands it in driver mode"),
        "{reason}"
    );
    assert!(reason.contains("use the mode generic"), "{reason}");
    assert!(balancer.log().contains(&format!("runs without backend b2: {reason}")), "{}", balancer.log());
    balancer.stop()?;
    // What an administrator has entered stays as it is.
    let neighbours = ip(&lab, Host::Balancer, "neighbour show dev side-bridge")?;
    assert!(neighbours.contains("10.99.0.2 lladdr 02:00:00:00:00:99 PERMANENT"), "{neighbours}");

    let balancer = Balancer::start_with(&lab, &yaml.replace("mode: driver", "mode: generic"))?;
    wait::until("b2 active", || Ok((state(&balancer, "b2")?.0 == BackendState::Active).then_some(())))
}

#[test]
fn auto_is_generic_where_the_driver_has_no_xdp_and_says_why() -> Result<()> {
    let lab = Lab::new()?;
    let yaml = balancer::configure(lab.directory(), &[WEB]).replace("instance:", "  - name: lo\ninstance:");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    let log = balancer.log();
    assert!(log.contains("attached to eth0 in driver mode"), "{log}");
    assert!(log.contains("attached to lo in generic mode: the driver of lo"), "{log}");
    assert!(log.contains("it runs in the kernel's generic path, which is slower"), "{log}");
    let status = balancer.lbctl(&["status"])?;
    assert!(status.contains("eth0 (driver), lo (generic)"), "{status}");
    Ok(())
}

#[test]
fn driver_mode_is_refused_with_its_reason_and_its_place() -> Result<()> {
    let lab = Lab::new()?;
    let yaml = balancer::configure(lab.directory(), &[WEB])
        .replace("instance:", "  - name: lo\n    mode: driver\ninstance:");
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, yaml)?;
    let Finished { status, stderr, .. } = finish(&mut balancer::command(&lab, &file)?, PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    let place = format!("lbd: {}:6:11: interfaces[1].mode: the driver of lo", file.display());
    assert!(last.starts_with(&place), "{stderr}");
    assert!(last.ends_with("; use the mode generic or auto"), "{stderr}");
    // What was attached before is detached.
    assert_eq!(xdp::attached(lab.host(Host::Balancer), "eth0")?, None);
    Ok(())
}

#[test]
fn missing_capabilities_are_named_in_one_line() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, balancer::configure(lab.directory(), &[WEB]))?;
    let mut command = lab.host(Host::Balancer).command("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all"]).arg(programs::ours("lbd")?);
    let Finished { status, stderr, .. } = finish(command.arg("--config").arg(&file), PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let start = "lbd: this takes the capabilities CAP_BPF CAP_NET_ADMIN CAP_PERFMON: run it as root, or ";
    assert!(stderr.starts_with(start), "{stderr}");
    Ok(())
}

#[test]
fn sighup_reads_the_configuration_again() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &[WEB])?;
    for process in lab.host(Host::Balancer).processes()? {
        kill(Pid::from_raw(process), Signal::SIGHUP)?;
    }
    let said = "the configuration was read again";
    wait::until("an answer", || Ok(balancer.log().contains(said).then_some(())))?;
    balancer.lbctl(&["status"])?;
    assert_eq!(balancer.stop()?.code(), Some(0));
    Ok(())
}

/// Each change by itself would cost a look, and the last would be seen a minute and a half later.
#[test]
fn a_burst_of_routes_costs_a_few_looks() -> Result<()> {
    let lab = Lab::new()?;
    second_network(&lab)?;
    let yaml = balancer::configure(lab.directory(), &[WEB]).replace("198.51.100.12", "10.99.0.2");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    wait::until("b2 active", || Ok((state(&balancer, "b2")?.0 == BackendState::Active).then_some(())))?;

    let batch = lab.directory().join("routes");
    let route =
        |number: u32| format!("route add 10.{}.{}.0/24 via 198.51.100.1\n", 100 + number / 250, number % 250);
    fs::write(&batch, (0..2000).map(route).collect::<String>())?;
    run(Command::new("ip").args(["-n", lab.host(Host::Balancer).name(), "-batch"]).arg(&batch))?;
    ip(&lab, Host::Balancer, "link delete side0")?;
    let started = Instant::now();
    wait::until("b2 down", || Ok((state(&balancer, "b2")?.0 == BackendState::Down).then_some(())))?;
    println!("seen after {:?}", started.elapsed());
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() -> Result<()> {
    let lab = Lab::new()?;
    let _balancer = Balancer::start(&lab, &SERVICES)?;
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbctl")?);
    command.arg("--socket").arg(balancer::socket(lab.directory())).args(["backend", "list"]);
    let output =
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    Ok(())
}

/// `ip` in the namespace of a host.
fn ip(lab: &Lab, host: Host, line: &str) -> Result<String> {
    run(Command::new("ip").args(["-n", lab.host(host).name()]).args(line.split(' ')))
}

/// A second interface of the load balancer, with a neighbour 10.99.0.2 of which nobody has to be asked.
fn second_network(lab: &Lab) -> Result<()> {
    for line in [
        "link add side0 type veth peer name side1",
        "link set side1 up",
        "link set side0 up",
        "address add 10.99.0.1/24 dev side0",
        "neighbour replace 10.99.0.2 lladdr 02:00:00:00:00:99 nud permanent dev side0",
    ] {
        ip(lab, Host::Balancer, line)?;
    }
    Ok(())
}

/// The kernel of the load balancer finds out within a second or two of asking that a neighbour has gone: by default it
/// trusts one for half a minute.
fn doubt_neighbours_early(lab: &Lab) -> Result<()> {
    lab.host(Host::Balancer).set(&[
        ("ipv4/neigh/eth0/base_reachable_time_ms", "500"),
        ("ipv4/neigh/eth0/delay_first_probe_time", "1"),
        ("ipv4/neigh/eth0/retrans_time_ms", "100"),
        ("ipv6/neigh/eth0/base_reachable_time_ms", "500"),
        ("ipv6/neigh/eth0/delay_first_probe_time", "1"),
        ("ipv6/neigh/eth0/retrans_time_ms", "100"),
    ])
}

fn backends(balancer: &Balancer) -> Result<Vec<api::Backend>> {
    serde_json::from_str(&balancer.lbctl(&["-o", "json", "backend", "list"])?).context("lbctl backend list")
}

/// State, reason and slots of a backend of the only service.
fn state(balancer: &Balancer, name: &str) -> Result<(BackendState, Option<String>, u32)> {
    let found =
        backends(balancer)?.into_iter().find(|backend| backend.name == name).context(name.to_owned())?;
    Ok((found.state, found.reason, found.slots))
}
