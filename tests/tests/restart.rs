//! lbd is killed, started again, upgraded and told nonsense while packets pass: none is lost. Needs root.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lb_common::LAYOUT;
use lb_tests::backend::Backend;
use lb_tests::balancer::{self, Balancer};
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::service::SERVICES;
use lb_tests::{Entry, entry, iperf, keepalive, run, wait, xdp};
use lb_userspace::api;
use nix::sys::signal::Signal;

/// Connections to all services.
const CONNECTIONS: usize = 100;

/// Octets of a datagram.
const DATAGRAM: u64 = 1000;

/// Who is sent datagrams.
const SERVER: Host = Host::Backend1;

/// All services, and one for datagrams with numbers in them.
fn configuration(lab: &Lab) -> String {
    let entries =
        ["tcp", "udp"].map(|protocol| Entry::beside(&SERVICES[0], Some(iperf::PORT), protocol, &[SERVER]));
    entry::added(&balancer::configure(lab.directory(), &SERVICES), &entries)
}

/// Does something while clients ask and datagrams are sent: no connection may break or move, and no datagram be lost before
/// another one that arrives. Returns how many were sent.
fn undisturbed(lab: &Lab, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let vip = SERVICES[0].vip;
    let _server = iperf::serve(lab, SERVER, vip)?;
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients =
            scope.spawn(|| lab.host(Host::Client).enter(|| keepalive::ask_until(&enough, CONNECTIONS, &[])));
        let datagrams = scope.spawn(|| -> Result<u64> {
            let mut sent = 0;
            while !enough.load(Ordering::Relaxed) {
                let transfer = iperf::Transfer::Udp { datagrams: 1000, octets: DATAGRAM };
                let report = iperf::send(lab, vip, transfer)?;
                ensure!(report.lost == 0, "{report:?}");
                // And one by which the client says that it is there.
                sent += report.sent / DATAGRAM + 1;
            }
            Ok(sent)
        });
        let done = work();
        enough.store(true, Ordering::Relaxed);
        let (asked, homes) = clients.join().expect("the clients' thread").context("connections")?;
        let sent = datagrams.join().expect("the datagrams' thread").context("datagrams")?;
        done?;
        ensure!(asked > CONNECTIONS && homes.len() == 3, "{asked} requests to {homes:?}");
        Ok(sent)
    })
}

/// Datagrams that were balanced.
fn balanced(balancer: &Balancer) -> Result<u64> {
    let services: Vec<api::Service> =
        serde_json::from_str(&balancer.lbctl(&["-o", "json", "service", "list"])?)?;
    Ok(services.iter().filter(|service| service.protocol == "udp").map(|service| service.packets).sum())
}

#[test]
fn nothing_is_lost_when_lbd_is_killed_twenty_times() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let mut balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    balancer.wait_until_active()?;
    let sent = undisturbed(&lab, || {
        for number in 0..20 {
            balancer.stop_with(Signal::SIGKILL)?;
            ensure!(xdp::attached(lab.host(Host::Balancer), "eth0")?.is_some(), "detached");
            balancer.start_again().with_context(|| format!("start {number}"))?;
        }
        Ok(())
    })?;
    // Also the last ones, when iperf3 has stopped counting; and what was counted outlives lbd.
    assert_eq!(balanced(&balancer)?, sent);
    Ok(())
}

#[test]
fn sigterm_leaves_packets_balanced_and_detach_ends_it() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let mut balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    balancer.wait_until_active()?;
    let host = lab.host(Host::Balancer);
    undisturbed(&lab, || {
        assert_eq!(balancer.stop_with(Signal::SIGTERM)?.code(), Some(0));
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    })?;
    let detach = || -> Result<String> {
        let mut command = balancer::command(&lab, &lab.directory().join("lb.yaml"))?;
        run::run(command.arg("detach"))
    };
    assert!(xdp::attached(host, "eth0")?.is_some());
    assert!(detach()?.ends_with(": detached\n"));
    assert_eq!(xdp::attached(host, "eth0")?, None);
    assert!(detach()?.ends_with(": nothing was attached\n"));
    Ok(())
}

#[test]
fn a_second_lbd_says_that_there_is_a_first() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    let file = lab.directory().join("lb.yaml");
    for arguments in [&[][..], &["detach"]] {
        let mut second = balancer::command(&lab, &file)?;
        let error = format!("{:#}", run::run(second.args(arguments)).unwrap_err());
        assert!(error.contains("another lbd has the instance lb-lab-"), "{error}");
    }
    balancer.lbctl(&["status"])?;
    Ok(())
}

#[test]
fn an_upgrade_takes_over() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let mut balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    balancer.wait_until_active()?;
    let other = lab.directory().join("lbd");
    fs::copy(lb_tests::programs::ours("lbd")?, &other)?;
    run::run(Command::new("strip").arg("--strip-debug").arg(&other))?;
    undisturbed(&lab, || {
        balancer.stop_with(Signal::SIGTERM)?;
        let program = xdp::attached(lab.host(Host::Balancer), "eth0")?;
        balancer.start_other(&other)?;
        ensure!(xdp::attached(lab.host(Host::Balancer), "eth0")? != program, "the former program runs");
        Ok(())
    })?;
    Ok(())
}

/// Starts lbd with another configuration; it says why it doesn't.
fn refusal(lab: &Lab, configuration: &str) -> Result<String> {
    let file = lab.directory().join("other.yaml");
    fs::write(&file, configuration)?;
    let finished = run::finish(&mut balancer::command(lab, &file)?, wait::PATIENCE)?;
    ensure!(finished.status.code() == Some(1), "it starts: {}", finished.stderr);
    Ok(finished.stderr)
}

/// What an lbd finds that it can't go on with as it is: no packet notices.
#[test]
fn other_maps_take_over() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let configuration = configuration(&lab);
    let mut balancer = Balancer::start_with(&lab, &configuration)?;
    balancer.wait_until_active()?;
    balancer.stop_with(Signal::SIGTERM)?;
    let pins = Path::new("/sys/fs/bpf/lb").join(lab.directory().file_name().context("a name")?);
    let roster = lab.directory().join("state").join(pins.file_name().context("a name")?).join("roster.json");
    undisturbed(&lab, || {
        let mut again = |log: &str| -> Result<()> {
            balancer.start_again().context(log.to_owned())?;
            ensure!(balancer.log().contains(log), "{log}: {}", balancer.log());
            ensure!(!pins.join("maps-new").exists(), "{log}: maps-new");
            balancer.wait_until_active()?;
            balancer.stop_with(Signal::SIGTERM).map(drop)
        };
        again("goes on with the maps in place: 10 services")?;

        let key = "hash_key: 000102030405060708090a0b0c0d0e0f\n".to_owned() + &configuration;
        let refused = refusal(&lab, &key)?;
        ensure!(
            refused.contains("the hash key isn't the one by which packets are balanced here"),
            "{refused}"
        );

        fs::remove_file(&roster)?;
        again("tells nothing of the maps in place: new ones are built from the configuration")?;
        again("goes on with the maps in place: 10 services")?;

        let layout = pins.join("maps/layout");
        fs::remove_file(&layout)?;
        again(&format!("the maps in place are of layout an unknown one instead of {LAYOUT}"))?;

        let sizes = "maps: {services: 100, fragments: 2048}\n".to_owned() + &configuration;
        fs::write(lab.directory().join("lb.yaml"), sizes)?;
        again("new maps take over from those in place: the map ")?;
        again("goes on with the maps in place: 10 services")?;

        let too_small = "maps: {services: 11, backends: 20}\n".to_owned() + &configuration;
        let refused = refusal(&lab, &too_small)?;
        ensure!(refused.contains("26 backends"), "{refused}");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_table_of_another_size_takes_over() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let mut balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    balancer.stop_with(Signal::SIGTERM)?;
    let resized =
        configuration(&lab).replacen("\n    forwarding: ", "\n    table_size: 251\n    forwarding: ", 1);
    fs::write(lab.directory().join("lb.yaml"), resized)?;
    balancer.start_again()?;
    let said = "has a table_size of 251 instead of 65537, so that most of its flows move";
    assert!(balancer.log().contains(said), "{}", balancer.log());
    balancer.wait_until_active()?;
    undisturbed(&lab, || {
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    Ok(())
}

#[test]
fn nothing_is_lost_by_a_hundred_reloads_and_thirty_broken_files() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let configuration = configuration(&lab);
    let balancer = Balancer::start_with(&lab, &configuration)?;
    balancer.wait_until_active()?;
    let sent = undisturbed(&lab, || {
        for number in 0..100 {
            // Weights of all backends, of which the first is always another one's.
            let weight = format!("        weight: {}\n      - name: b2", number % 7 + 1);
            balancer.reload(&configuration.replace("      - name: b2", &weight))?;
            if number % 10 < 3 {
                let broken = format!("port: {number}x");
                balancer.refuse(&configuration.replacen("port: 80", &broken, 1), &format!("{number}x"))?;
            }
        }
        Ok(())
    })?;
    assert_eq!(balanced(&balancer)?, sent);
    Ok(())
}

#[test]
fn without_bpffs_it_says_so_and_touches_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, configuration(&lab))?;
    let mut hidden = Command::new("unshare");
    hidden.args(["--mount", "sh", "-c", "umount /sys/fs/bpf && exec \"$@\"", "sh"]);
    let lbd = balancer::command(&lab, &file)?;
    hidden.arg(lbd.get_program()).args(lbd.get_args());
    let finished = run::finish(&mut hidden, wait::PATIENCE)?;
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
    let said = "lbd: /sys/fs/bpf is no BPF filesystem, so that nothing could outlive lbd; mount one";
    assert!(finished.stderr.lines().last().is_some_and(|line| line.starts_with(said)), "{}", finished.stderr);
    assert_eq!(xdp::attached(lab.host(Host::Balancer), "eth0")?, None);
    Ok(())
}

/// The driver refuses: packets are balanced as they were.
#[test]
fn a_mode_that_cannot_be_had_leaves_the_former_one() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let loopback = |mode: &str| {
        configuration(&lab).replace("instance:", &format!("  - name: lo\n    mode: {mode}\ninstance:"))
    };
    let mut balancer = Balancer::start_with(&lab, &loopback("generic"))?;
    balancer.wait_until_active()?;
    balancer.stop_with(Signal::SIGTERM)?;
    let refused = refusal(&lab, &loopback("driver"))?;
    ensure!(refused.contains("interfaces[1].mode: the driver of lo"), "{refused}");
    for interface in ["eth0", "lo"] {
        assert!(xdp::attached(lab.host(Host::Balancer), interface)?.is_some(), "{interface}");
    }
    undisturbed(&lab, || balancer.start_again())?;
    Ok(())
}

/// Each table is pinned, and a process may not have as many files open.
#[test]
fn many_tables_are_taken_over_with_few_files() -> Result<()> {
    let lab = Lab::new()?;
    let mut text = balancer::configure(lab.directory(), &[]);
    for number in 0..200 {
        let service = format!(
            "  - {{vip: 192.0.2.1, port: {}, protocol: tcp, forwarding: l2, table_size: 251, backends: []}}\n",
            1000 + number
        );
        text = text.replacen("services:\n", &format!("services:\n{service}"), 1);
    }
    let mut balancer = Balancer::start_with(&lab, &text)?;
    balancer.stop_with(Signal::SIGTERM)?;
    let limited = lab.directory().join("limited");
    let lbd = lb_tests::programs::ours("lbd")?;
    fs::write(&limited, format!("#!/bin/sh\nulimit -n 100\nexec {} \"$@\"\n", lbd.display()))?;
    run::run(Command::new("chmod").arg("755").arg(&limited))?;
    balancer.start_other(&limited)?;
    assert!(balancer.log().contains("goes on with the maps in place: 200 services"), "{}", balancer.log());
    Ok(())
}
