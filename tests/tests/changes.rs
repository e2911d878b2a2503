//! Backends change while connections live: real clients and servers, and an operator who doesn't rest.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lb_tests::backend::Backend;
use lb_tests::balancer::{self, Balancer};
use lb_tests::host::Host;
use lb_tests::keepalive::{self, Connection};
use lb_tests::lab::Lab;
use lb_tests::service::SERVICES;
use lb_tests::wait;
use lb_userspace::api;

/// How long the operator goes on, with a change every second.
const CHANGES: usize = 60;

const CONNECTIONS: usize = 200;

/// A configuration with these weights of b1, b2 and b3 in every service; one of `None` isn't there.
fn configuration(lab: &Lab, weights: [Option<u32>; 3]) -> String {
    let mut text = String::new();
    let mut weight = None;
    for line in balancer::configure(lab.directory(), &SERVICES).lines() {
        if let Some(name) = line.strip_prefix("      - name: ") {
            weight =
                Host::BACKENDS.iter().zip(weights).find(|(host, _)| host.name() == name).and_then(|(_, w)| w);
        } else if !line.starts_with("        address") {
            weight = Some(0);
        }
        if let Some(weight) = weight {
            text.push_str(line);
            text.push('\n');
            if line.starts_with("        address") {
                writeln!(text, "        weight: {weight}").expect("a string takes all");
            }
        }
    }
    text
}

/// What the operator does in a second: all services, the backends b1 and b2, of which b2 also fails. b3 is always there.
fn change(lab: &Lab, balancer: &Balancer, number: usize) -> Result<()> {
    let link = |state: &str| -> Result<()> {
        let mut command = std::process::Command::new("ip");
        command.args(["-n", lab.host(Host::Backend2).name(), "link", "set", "eth0", state]);
        lb_tests::run::run(&mut command).map(drop)
    };
    let weights = |weights| balancer.reload(&configuration(lab, weights));
    match number % 12 {
        0 => balancer.lbctl(&["backend", "drain", "b1"]).map(drop),
        1 => weights([Some(1), Some(3), Some(1)]),
        2 => balancer.lbctl(&["backend", "undrain", "b1"]).map(drop),
        3 => weights([Some(2), None, Some(1)]),
        4 => weights([Some(2), Some(1), Some(5)]),
        5 => balancer.lbctl(&["backend", "drain", "b3", "--timeout", "600"]).map(drop),
        6 => weights([None, Some(1), Some(1)]),
        7 => balancer.lbctl(&["backend", "enable", "198.51.100.13"]).map(drop),
        8 => weights([Some(1), Some(1), Some(1)]),
        9 => balancer.lbctl(&["backend", "undrain", "b3"]).map(drop),
        10 => link("down"),
        _ => link("up"),
    }
}

/// No connection to a backend that lives is broken or moved, whatever is changed, and however often.
#[test]
fn connections_survive_an_operator() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start_with(&lab, &configuration(&lab, [Some(1); 3]))?;
    balancer.wait_until_active()?;

    let ended = AtomicBool::new(false);
    let (asked, homes) = std::thread::scope(|scope| -> Result<(usize, BTreeSet<String>)> {
        let clients = scope.spawn(|| {
            // b2 fails now and then: who is there waits for it.
            lab.host(Host::Client).enter(|| keepalive::ask_until(&ended, CONNECTIONS, &["b2"]))
        });
        let start = Instant::now();
        for number in 0..CHANGES {
            change(&lab, &balancer, number)?;
            let next = start + Duration::from_secs(number as u64 + 1);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            if clients.is_finished() {
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
        clients.join().expect("the clients' thread")
    })
    .with_context(|| balancer.lbctl(&["backend", "list"]).unwrap_or_default())?;
    assert_eq!(homes, Host::BACKENDS.map(Host::name).map(String::from).into());
    assert!(asked > CONNECTIONS, "{asked} requests");

    // All of that was remembered in the connection table, and none of it against a flow's will.
    let services: Vec<api::Service> =
        serde_json::from_str(&balancer.lbctl(&["-o", "json", "service", "list"])?)?;
    for service in &services {
        assert!(service.generation > 10, "{service:?}");
        assert!(service.pins.get("made").is_some_and(|&made| made > 0), "{service:?}");
        assert_eq!(service.pins.get("refused"), None, "{service:?}");
    }
    Ok(())
}

/// A drained backend keeps its connections, gets no new ones, and says when it may stop.
#[test]
fn a_backend_is_drained() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let short =
        configuration(&lab, [Some(1); 3]).replace("forwarding: ", "idle_timeout: 10s\n    forwarding: ");
    let balancer = Balancer::start_with(&lab, &short)?;
    balancer.wait_until_active()?;

    let service = &SERVICES[0];
    let b1 = || -> Result<api::Backend> {
        let backends: Vec<api::Backend> =
            serde_json::from_str(&balancer.lbctl(&["-o", "json", "backend", "list"])?)?;
        let mut of_service = backends.into_iter().filter(|backend| backend.service == service.name);
        of_service.find(|backend| backend.name == "b1").context("b1 is listed")
    };
    let open = || lab.host(Host::Client).enter(|| Connection::open(service));
    let mut kept = loop {
        let connection = open()?;
        if connection.backend == "b1" {
            break connection;
        }
    };
    assert!(!b1()?.safe_to_stop);
    let said = balancer.lbctl(&["backend", "drain", "b1", "--service", service.name])?;
    assert!(said.contains(&format!("services.{}.backends.b1.state: draining", service.name)), "{said}");
    for _ in 0..30 {
        assert_ne!(open()?.backend, "b1");
    }
    assert_eq!(kept.ask()?, "b1");
    let draining = b1()?;
    assert_eq!((draining.state, draining.slots), (api::BackendState::Draining, 0));
    assert!(draining.former_slots > 0 && !draining.safe_to_stop, "{draining:?}");
    let pinned = || Ok((b1()?.pinned == 1).then_some(()));
    wait::until("the kept connection seen", pinned)?;

    drop(kept);
    let end = Instant::now() + Duration::from_mins(2);
    while !b1()?.safe_to_stop {
        assert!(Instant::now() < end, "{:?}", b1()?);
        std::thread::sleep(Duration::from_millis(200));
    }
    let table = balancer.lbctl(&["backend", "list"])?;
    assert!(table.contains("draining: safe to stop"), "{table}");

    let undrained = balancer.lbctl(&["backend", "undrain", "b1"])?;
    let change = format!("- services.{}.backends.b1.state: draining\n", service.name);
    assert!(undrained.starts_with(&change), "{undrained}");
    assert_eq!(b1()?.state, api::BackendState::Active);
    Ok(())
}

/// What can't be done changes nothing, and says what to do.
#[test]
fn what_cannot_be_changed_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start_with(&lab, &configuration(&lab, [Some(1); 3]))?;
    let listed = balancer.lbctl(&["-o", "json", "service", "list"])?;
    let rows = [
        (
            vec!["backend", "drain", "b9"],
            "there is no backend b9; did you mean b1? lbctl backend list shows all",
        ),
        (
            vec!["backend", "drain", "b1", "--service", "nosuch"],
            "there is no service nosuch; lbctl service list shows all",
        ),
        (vec!["service", "show", "nosuch"], "there is no service nosuch; "),
    ];
    for (arguments, said) in rows {
        let error = format!("{:#}", balancer.lbctl(&arguments).unwrap_err());
        assert!(error.contains(said), "{error}");
    }
    let other = |change: &str| configuration(&lab, [Some(1); 3]).replacen("services:", change, 1);
    let rows = [
        (
            "maps: {flows: 2048}\nservices:",
            "maps can't change while lbd runs; nothing was changed, restart lbd",
        ),
        ("hash_key: 000102030405060708090a0b0c0d0e0f\nservices:", "hash_key can't change while lbd runs"),
        ("servces:", "servces: unknown field; did you mean services?"),
    ];
    for (change, said) in rows {
        balancer.refuse(&other(change), said)?;
    }
    let sized =
        configuration(&lab, [Some(1); 3]).replacen("forwarding: ", "table_size: 251\n    forwarding: ", 1);
    balancer.refuse(&sized, "table_size is 65537 while it runs and can't become 251")?;
    assert_eq!(balancer.lbctl(&["-o", "json", "service", "list"])?, listed);
    Ok(())
}
