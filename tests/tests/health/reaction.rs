//! What follows for a service from its backends' health.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use lb_tests::backend::Backend;
use lb_tests::balancer::Balancer;
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::service::{SERVICES, Service};
use lb_tests::{curl, health, nginx, run, wait};
use lb_userspace::api::{self, BackendState, Check, CheckState};
use nix::sys::signal::Signal;

use super::configuration;

/// The service whose backends are checked here.
const WEB: Service = SERVICES[2];

/// What all checks here have in common.
const CHECK: &str = "kind: http, path: /health, interval: 100ms, timeout: 10s, rise: 2, fall: 2";

/// Backends that are well when they say so.
struct Clinic<'lab> {
    lab: &'lab Lab,
    balancer: Balancer<'lab>,
    _backends: Vec<Backend<'lab>>,
}

impl<'lab> Clinic<'lab> {
    /// All are well; `health` is what is said of it besides [`CHECK`].
    fn open(lab: &'lab Lab, health: &str) -> Result<Self> {
        Clinic::open_with(lab, &configuration(lab, &[WEB], &format!("{{{CHECK}, {health}}}")))
    }

    fn open_with(lab: &'lab Lab, configuration: &str) -> Result<Self> {
        let backends = Backend::start_all(lab)?;
        Host::BACKENDS.into_iter().try_for_each(|host| well(lab, host))?;
        let balancer = Balancer::start_with(lab, configuration)?;
        let clinic = Clinic { lab, balancer, _backends: backends };
        for host in Host::BACKENDS {
            clinic.becomes(host, CheckState::Up)?;
        }
        Ok(clinic)
    }

    /// Waits until a backend stands like that, and returns its check then.
    fn becomes(&self, host: Host, state: CheckState) -> Result<Check> {
        let checks = health::wait_until(&self.balancer, host.name(), state)?;
        checks.into_iter().next().context("no check")
    }

    fn fails(&self, host: Host) -> Result<Check> {
        fs::remove_file(nginx::file(self.lab, host, "health"))?;
        self.becomes(host, CheckState::Down)
    }

    fn recovers(&self, host: Host) -> Result<Check> {
        well(self.lab, host)?;
        self.becomes(host, CheckState::Up)
    }

    /// How a backend is listed.
    fn listed(&self, host: Host) -> Result<api::Backend> {
        let backends: Vec<api::Backend> =
            serde_json::from_str(&self.balancer.lbctl(&["-o", "json", "backend", "list"])?)?;
        backends.into_iter().find(|backend| backend.name == host.name()).context("it isn't listed")
    }

    /// Waits until a backend is listed so.
    fn is_listed(&self, host: Host, state: BackendState) -> Result<api::Backend> {
        wait::until(&format!("{} {state:?}", host.name()), || {
            Ok(Some(self.listed(host)?).filter(|backend| backend.state == state))
        })
        .with_context(|| self.balancer.log())
    }

    /// Waits until it was told, in these words.
    fn is_told(&self, words: &str) -> Result<()> {
        let told = || Ok(self.balancer.lbctl(&["events"])?.contains(words).then_some(()));
        wait::until(words, told).with_context(|| self.balancer.log())
    }

    /// Who answers, of many.
    fn takers(&self) -> Result<BTreeSet<String>> {
        Ok(curl::answers(self.lab, &WEB, 60)?.into_iter().collect())
    }
}

fn well(lab: &Lab, host: Host) -> Result<()> {
    Ok(fs::write(nginx::file(lab, host, "health"), "well\n")?)
}

fn names(hosts: &[Host]) -> BTreeSet<String> {
    hosts.iter().map(|host| host.name().to_owned()).collect()
}

use Host::{Backend1, Backend2, Backend3};

#[test]
fn when_all_are_down_new_flows_are_forwarded_all_the_same() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "on_all_down: forward")?;
    clinic.fails(Backend1)?;
    clinic.fails(Backend2)?;
    clinic.is_listed(Backend2, BackendState::Down)?;
    assert_eq!(clinic.takers()?, names(&[Backend3]));

    assert!(clinic.fails(Backend3)?.takes_new);
    clinic.is_told("service v4-in-v4: no backend is healthy: new flows are forwarded to all of them")?;
    clinic.is_listed(Backend2, BackendState::Active)?;
    assert_eq!(clinic.takers()?, names(&Host::BACKENDS));
    let shown = clinic.balancer.lbctl(&["health"])?;
    assert!(shown.starts_with("service v4-in-v4: 0 of 3 backends are healthy; none can serve\n"), "{shown}");
    assert!(shown.contains("down, but used"), "{shown}");

    clinic.recovers(Backend1)?;
    clinic.is_listed(Backend2, BackendState::Down)?;
    assert_eq!(clinic.takers()?, names(&[Backend1]));
    clinic.is_told("service v4-in-v4: it counts as up")
}

#[test]
fn when_all_are_down_new_flows_may_be_dropped() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "on_all_down: drop")?;
    Host::BACKENDS.into_iter().try_for_each(|host| clinic.fails(host).map(drop))?;
    clinic.is_told("service v4-in-v4: no backend is healthy: new flows are dropped")?;
    clinic.is_listed(Backend3, BackendState::Down)?;
    let connect = lab.host(Host::Client).enter(|| {
        let patience = std::time::Duration::from_millis(300);
        Ok(std::net::TcpStream::connect_timeout(&(WEB.vip, 80).into(), patience).is_err())
    })?;
    assert!(connect, "nobody takes it");
    let status: api::Status = serde_json::from_str(&clinic.balancer.lbctl(&["-o", "json", "status"])?)?;
    assert!(status.dropped.get("no_backend").is_some_and(|&count| count > 0), "{status:?}");

    clinic.recovers(Backend2)?;
    clinic.is_listed(Backend2, BackendState::Active)?;
    assert_eq!(clinic.takers()?, names(&[Backend2]));
    Ok(())
}

#[test]
fn when_all_are_down_new_flows_may_be_rejected() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "on_all_down: reject")?;
    Host::BACKENDS.into_iter().try_for_each(|host| clinic.fails(host).map(drop))?;
    clinic.is_told("service v4-in-v4: no backend is healthy: new flows are rejected")?;
    clinic.is_listed(Backend3, BackendState::Down)?;
    let error = lab.host(Host::Client).enter(|| {
        let patience = std::time::Duration::from_secs(10);
        Ok(std::net::TcpStream::connect_timeout(&(WEB.vip, 80).into(), patience)
            .map_err(|error| error.kind())
            .err())
    })?;
    assert_eq!(error, Some(std::io::ErrorKind::ConnectionRefused));
    let status: api::Status = serde_json::from_str(&clinic.balancer.lbctl(&["-o", "json", "status"])?)?;
    assert!(status.answered.get("rejected").is_some_and(|&count| count > 0), "{status:?}");

    clinic.recovers(Backend2)?;
    clinic.is_listed(Backend2, BackendState::Active)?;
    assert_eq!(clinic.takers()?, names(&[Backend2]));
    Ok(())
}

#[test]
fn who_flaps_is_held_down() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "flapping: {falls: 3, within: 1h, hold: 1h, longest: 1h}")?;
    for _ in 0..2 {
        clinic.fails(Backend2)?;
        clinic.recovers(Backend2)?;
    }
    clinic.fails(Backend2)?;
    well(&lab, Backend2)?;
    let check = clinic.becomes(Backend2, CheckState::Held)?;
    assert!(!check.takes_new && check.until.is_some_and(|until| until > 3000.0), "{check:?}");
    let listed = clinic.is_listed(Backend2, BackendState::Standby)?;
    assert_eq!(listed.reason.as_deref(), Some("held down, as it changed too often"));
    assert_eq!(clinic.takers()?, names(&[Backend1, Backend3]));
    clinic.is_told("service v4-in-v4: backend b2 takes no new flows: held down, as it changed too often")
}

#[test]
fn who_comes_back_begins_gently() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "slow_start: {time: 2s, steps: 4}")?;
    let whole = clinic.listed(Backend2)?.slots;
    clinic.fails(Backend2)?;
    assert_eq!(clinic.is_listed(Backend2, BackendState::Down)?.slots, 0);
    well(&lab, Backend2)?;
    // Of three equal backends' slots a fifth of a share is a eleventh, and so on; each step adds to the one before.
    let mut seen: Vec<u32> = Vec::new();
    wait::until("its whole share", || {
        let slots = clinic.listed(Backend2)?.slots;
        if slots > 0 && seen.last() != Some(&slots) {
            seen.push(slots);
        }
        Ok((slots == whole).then_some(()))
    })?;
    assert!(seen.is_sorted() && seen.len() >= 3, "{seen:?} of {whole}");
    assert!(seen[0] < whole / 2, "{seen:?} of {whole}");
    assert_eq!(clinic.takers()?, names(&Host::BACKENDS));
    Ok(())
}

#[test]
fn backups_are_used_when_they_are_needed() -> Result<()> {
    let lab = Lab::new()?;
    let yaml = configuration(&lab, &[WEB], &format!("{{{CHECK}, backups: {{below: 100, until: 100}}}}"));
    let backup = "      - name: b3\n        backup: true\n";
    let clinic = Clinic::open_with(&lab, &yaml.replace("      - name: b3\n", backup))?;
    let listed = clinic.is_listed(Backend3, BackendState::Standby)?;
    assert_eq!(listed.reason.as_deref(), Some("a backup that isn't needed"));
    assert_eq!(clinic.takers()?, names(&[Backend1, Backend2]));

    clinic.fails(Backend1)?;
    clinic.is_listed(Backend3, BackendState::Active)?;
    assert_eq!(clinic.takers()?, names(&[Backend2, Backend3]));
    clinic.is_told("service v4-in-v4: backups are used: too few other backends are healthy")?;
    clinic.recovers(Backend1)?;
    clinic.is_listed(Backend3, BackendState::Standby)?;
    clinic.is_told("service v4-in-v4: backups aren't used any more")
}

#[test]
fn in_a_panic_checks_are_ignored() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "panic: {below: 60, until: 60}")?;
    clinic.fails(Backend1)?;
    clinic.is_listed(Backend1, BackendState::Down)?;
    assert!(clinic.fails(Backend2)?.takes_new);
    clinic.is_told("service v4-in-v4: panic: so few backends are healthy that checks are ignored")?;
    clinic.is_listed(Backend1, BackendState::Active)?;
    assert_eq!(clinic.takers()?, names(&Host::BACKENDS));
    clinic.recovers(Backend2)?;
    clinic.is_listed(Backend1, BackendState::Down)?;
    clinic.is_told("service v4-in-v4: panic is over: checks count again")
}

/// Until a check says otherwise: here only the thousandth in a row would.
#[test]
fn who_was_down_stays_so_over_a_restart() -> Result<()> {
    let lab = Lab::new()?;
    let mut clinic = Clinic::open(&lab, "min_healthy: 1")?;
    clinic.fails(Backend2)?;
    clinic.is_listed(Backend2, BackendState::Down)?;
    clinic.balancer.stop_with(Signal::SIGKILL)?;
    well(&lab, Backend2)?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, fs::read_to_string(&file)?.replace("rise: 2", "rise: 1000"))?;
    clinic.balancer.start_again()?;
    let check = clinic.becomes(Backend2, CheckState::Down)?;
    wait::until("checks that pass", || {
        let checks = health::checks(&clinic.balancer, Backend2.name())?;
        Ok(checks.iter().all(|check| check.passed > 3).then_some(()))
    })?;
    assert!(!check.takes_new, "{check:?}");
    let listed = clinic.listed(Backend2)?;
    assert_eq!((listed.state, listed.slots), (BackendState::Down, 0));
    assert_eq!(clinic.takers()?, names(&[Backend1, Backend3]));
    Ok(())
}

/// What this node can't do says nothing of backends.
#[test]
fn who_cannot_be_checked_is_not_taken_for_down() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "on_all_down: drop")?;
    let mut route = lab.host(Host::Balancer).command("ip");
    run::run(route.args(["address", "add", &format!("{}/32", WEB.vip), "dev", "lo"]))?;
    clinic
        .is_told("service v4-in-v4: its backends can't be checked: 192.0.2.2 is an address of this node")?;
    let failed = |checks: Vec<Check>| checks.iter().map(|check| check.failed).sum::<u64>();
    let before = failed(health::health(&clinic.balancer)?.checks);
    wait::until("failed checks", || {
        Ok((failed(health::health(&clinic.balancer)?.checks) > before + 20).then_some(()))
    })?;
    clinic.balancer.wait_until_active()?;
    let shown = clinic.balancer.lbctl(&["health"])?;
    assert!(shown.contains("they can't be checked: 192.0.2.2 is an address of this node"), "{shown}");
    Ok(())
}

/// What is checked, and how, is changed like all else.
#[test]
fn checks_and_settings_change_while_it_runs() -> Result<()> {
    let lab = Lab::new()?;
    let clinic = Clinic::open(&lab, "min_healthy: 1")?;
    clinic.balancer.lbctl(&["service", "set", WEB.name, "health.kind=tcp", "health.interval=200ms"])?;
    let kinds = || -> Result<BTreeSet<String>> {
        Ok(health::health(&clinic.balancer)?.checks.into_iter().map(|check| check.kind).collect())
    };
    wait::until("another kind", || Ok((kinds()? == ["tcp".to_owned()].into()).then_some(())))?;
    // A program would run with the rights of lbd.
    let program = ["service", "set", WEB.name, "health.kind=exec", "health.program=/bin/true"];
    let refused = clinic.balancer.try_lbctl(&program)?;
    assert!(
        !refused.status.success()
            && refused.stderr.contains("only its own file can name one; nothing was changed"),
        "{refused:?}"
    );
    // Nor does it help to name the file.
    let own = lab.directory().join("lb.yaml");
    let former = fs::read_to_string(&own)?;
    fs::write(&own, former.replace(&format!("{{{CHECK}"), "{kind: exec, program: /bin/true"))?;
    let refused = clinic.balancer.try_lbctl(&["apply", "--yes", &own.display().to_string()])?;
    fs::write(&own, former)?;
    assert!(refused.stderr.contains("only its own file can name one; nothing was changed"), "{refused:?}");
    clinic.balancer.lbctl(&["service", "set", WEB.name, "health.kind=none"])?;
    wait::until("no checks", || Ok(kinds()?.is_empty().then_some(())))?;
    let shown = clinic.balancer.lbctl(&["health"])?;
    assert_eq!(shown.trim(), "no backend is checked: no service has health");
    assert_eq!(clinic.takers()?, names(&Host::BACKENDS));
    Ok(())
}
