//! A backend that fails is left alone in time, for the right reason, and no flow of others notices.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lb_tests::backend::Backend;
use lb_tests::balancer::Balancer;
use lb_tests::curl;
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::service::SERVICES;
use lb_tests::{agent, health, keepalive, nginx, run, wait};
use lb_userspace::api::{Check, CheckState};
use nix::sys::signal::{Signal, kill};

use super::configuration;

/// Often enough that a test doesn't take long, and with time enough for a machine that is busy.
const HEALTH: &str = "{kind: http, path: /health, via: vip, interval: 300ms, timeout: 2s, rise: 2, fall: 3}";

const CONNECTIONS: usize = 80;

/// A lab whose backends are checked, and its clients.
struct Ward<'lab> {
    lab: &'lab Lab,
    balancer: Balancer<'lab>,
    backends: Vec<Backend<'lab>>,
}

/// The backend that fails. The others must not notice.
const PATIENT: Host = Host::Backend2;

impl<'lab> Ward<'lab> {
    fn open(lab: &'lab Lab) -> Result<Self> {
        let backends = Backend::start_all(lab)?;
        for host in Host::BACKENDS {
            fs::write(page(lab, host), "well\n")?;
        }
        let balancer = Balancer::start_with(lab, &configuration(lab, &SERVICES, HEALTH))?;
        for host in Host::BACKENDS {
            health::wait_until(&balancer, host.name(), CheckState::Up)?;
        }
        balancer.wait_until_active()?;
        Ok(Ward { lab, balancer, backends })
    }

    fn patient(&mut self) -> &mut Backend<'lab> {
        &mut self.backends[1]
    }

    /// Waits until the patient is known to be down in all services, for a reason that begins like that, and sees that new
    /// connections go to others.
    fn is_down(&self, reason: &str) -> Result<()> {
        for check in health::wait_until(&self.balancer, PATIENT.name(), CheckState::Down)? {
            let said = check.result.clone().unwrap_or_default();
            ensure!(said.starts_with(reason), "{reason:?} is wanted: {check:?}");
            ensure!(check.streak >= 3 && check.is_passing == Some(false), "{check:?}");
        }
        wait::until("down in all services", || {
            let listed = self.balancer.lbctl(&["backend", "list"])?;
            let down = listed.lines().filter(|line| line.contains("down: check failed: ")).count();
            Ok((down == SERVICES.len()).then_some(()))
        })?;
        for service in &SERVICES {
            let answers = curl::answers(self.lab, service, 20)?;
            ensure!(!answers.contains(&PATIENT.name().into()), "{}: {answers:?}", service.name);
        }
        Ok(())
    }

    /// Waits until the patient is up again.
    fn is_well(&self) -> Result<()> {
        for check in health::wait_until(&self.balancer, PATIENT.name(), CheckState::Up)? {
            ensure!(check.streak >= 2 && check.transitions.is_multiple_of(2), "{check:?}");
        }
        self.balancer.wait_until_active()
    }

    fn nft(&self, rules: &str) -> Result<()> {
        run::run(self.lab.host(Host::Router).command("nft").arg(rules)).map(drop)
    }
}

/// The page that is asked for.
fn page(lab: &Lab, host: Host) -> PathBuf {
    nginx::file(lab, host, "health")
}

/// A server in the patient's place that takes connections and answers each with an octet a second, until it is to stop.
fn slow_server(lab: &Lab, stop: &AtomicBool) -> Result<()> {
    lab.host(PATIENT).enter(|| {
        let listener = TcpListener::bind("[::]:80")?;
        listener.set_nonblocking(true)?;
        let mut streams: Vec<TcpStream> = Vec::new();
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            streams.extend(listener.accept().map(|(stream, _)| stream));
            if Instant::now() >= next {
                next += Duration::from_secs(1);
                streams.retain_mut(|stream| stream.write_all(b"H").is_ok());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })
}

/// Whatever is wrong with it: with its server, its VIPs, or the way to it.
fn fail(ward: &mut Ward) -> Result<()> {
    let lab = ward.lab;

    fs::remove_file(page(lab, PATIENT))?;
    ward.is_down("connected, but HTTP 404 after ")?;
    fs::write(page(lab, PATIENT), "well\n")?;
    ward.is_well()?;

    // The kernel goes on taking connections for it.
    kill(ward.patient().server.id(), Signal::SIGSTOP)?;
    ward.is_down("connected, but no whole answer within 2000 ms")?;
    kill(ward.patient().server.id(), Signal::SIGCONT)?;
    ward.is_well()?;

    ward.patient().server.stop_with(Signal::SIGKILL)?;
    ward.is_down("connection refused after ")?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = scope.spawn(|| slow_server(lab, &stop));
        let seen = wait::until("an answer that comes slowly", || {
            let checks = health::checks(&ward.balancer, PATIENT.name())?;
            let is_slow = |check: &Check| {
                check.result.as_deref() == Some("connected, but no whole answer within 2000 ms")
            };
            Ok(checks.iter().all(is_slow).then_some(()))
        });
        stop.store(true, Ordering::Relaxed);
        server.join().expect("the server's thread")?;
        seen
    })?;
    ward.patient().server = nginx::start(lab, PATIENT)?;
    ward.is_well()?;

    // Without the agent it has no VIPs, and unpacks nothing.
    ward.patient().agent.stop()?;
    ward.is_down("no connection within 2000 ms")?;
    ward.patient().agent = agent::start(lab, PATIENT, &agent::every_vip())?;
    ward.is_well()?;

    lossy(ward, "drop")?;
    ward.is_down("no connection within 2000 ms")?;
    ward.nft("delete table bridge lossy")?;
    ward.is_well()?;

    // With every second packet lost some checks pass in time, and some don't: three in a row that don't make it down.
    let failed = |checks: Vec<Check>| checks.into_iter().map(|check| check.failed).collect::<Vec<_>>();
    let before = failed(health::checks(&ward.balancer, PATIENT.name())?);
    lossy(ward, "numgen random mod 2 == 0 drop")?;
    wait::until("failed checks of every service", || {
        let now = failed(health::checks(&ward.balancer, PATIENT.name())?);
        Ok(now.iter().zip(&before).all(|(now, before)| now > before).then_some(()))
    })?;
    ward.nft("delete table bridge lossy")?;
    health::wait_until(&ward.balancer, PATIENT.name(), CheckState::Up)?;
    ward.balancer.wait_until_active()
}

/// Has the router's port to the patient do that to all that comes from the balancer.
fn lossy(ward: &Ward, what: &str) -> Result<()> {
    let (balancer, patient) = (Host::Balancer.name(), PATIENT.name());
    let (hook, ports) =
        ("type filter hook forward priority 0;", format!("iifname {balancer} oifname {patient}"));
    ward.nft(&format!("table bridge lossy {{ chain forward {{ {hook}\n {ports} {what}\n }}\n }}"))
}

#[test]
fn a_backend_that_fails_is_left_alone_and_no_flow_of_others_notices() -> Result<()> {
    let lab = Lab::new()?;
    let mut ward = Ward::open(&lab)?;
    let ended = AtomicBool::new(false);
    let (asked, homes) = thread::scope(|scope| -> Result<(usize, BTreeSet<String>)> {
        let clients = scope.spawn(|| {
            let silent = [PATIENT.name()];
            lab.host(Host::Client).enter(|| keepalive::ask_until(&ended, CONNECTIONS, &silent))
        });
        let failed = fail(&mut ward);
        ended.store(true, Ordering::Relaxed);
        let asked = clients.join().expect("the clients' thread");
        failed.and(asked)
    })?;
    assert_eq!(homes, Host::BACKENDS.map(Host::name).map(String::from).into());
    assert!(asked > CONNECTIONS, "{asked} requests");
    Ok(())
}
