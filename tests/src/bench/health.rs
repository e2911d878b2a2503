//! Health: how long a backend that fails is still sent connections, and what ten thousand checks a second cost.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lb_userspace::api::CheckState;
use lb_userspace::config::Config;
use lb_userspace::health::probe::{Means, Probe, Tcp};
use lb_userspace::health::{Interval, Member, Monitor, Service, Target};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::figures::Figure;
use super::progress::Progress;
use super::record::{Better, Record, Row};
use crate::backend::Backend;
use crate::balancer::{self, Balancer};
use crate::host::Host;
use crate::lab::Lab;
use crate::service::SERVICES;
use crate::{health, interrupt, nginx};

/// Times that a backend fails.
const FAILURES: usize = 10;

/// As a hurried operator would have it.
const SETTINGS: &str = "{kind: tcp, interval: 200ms, timeout: 100ms, rise: 1, fall: 3}";

/// Backends of which each is checked once a second.
const MANY: u32 = 10_000;

/// For how long they are.
const LONG: Duration = Duration::from_secs(20);

/// Prints the figures, and writes a file if one is named: also of what there was before an error.
///
/// # Errors
/// A network can't be made, or a program fails: with what it said.
pub fn run(file: Option<&Path>) -> Result<()> {
    let mut record = Record::new("health")?;
    let progress = Progress::new(FAILURES + 1);
    let outcome = detection(&mut record, &progress).and_then(|()| scale(&mut record, &progress));
    if let Some(file) = file {
        record.write(file)?;
    }
    outcome
}

/// From the end of a backend's server to the last new connection that is sent to it.
fn detection(record: &mut Record, progress: &Progress) -> Result<()> {
    let lab = Lab::new()?;
    let mut backends = Backend::start_all(&lab)?;
    let service = &SERVICES[2];
    let text = balancer::configure(lab.directory(), &[*service])
        .replace("services:\n", &format!("defaults:\n  health: {SETTINGS}\nservices:\n"));
    let balancer = Balancer::start_with(&lab, &text)?;
    let config = Config::read(&lab.directory().join("lb.yaml"))?;
    let settings = config.services[0].health.as_ref().context("no health")?.settings;

    let mut samples = Vec::new();
    for failure in 1..=FAILURES {
        progress.begin(&format!("failure {failure}"));
        health::wait_until(&balancer, Host::Backend2.name(), CheckState::Up)?;
        balancer.wait_until_active()?;
        let patient = &mut backends[1];
        patient.server.stop_with(Signal::SIGKILL)?;
        let failed = Instant::now();
        let bound = settings.bound();
        let last = lab.host(Host::Client).enter(|| last_refused(service.vip, failed, bound * 3))?;
        samples.push(last.as_secs_f64() * 1000.0);
        patient.server = nginx::start(&lab, Host::Backend2)?;
        progress.end(|| ());
    }
    let figure = Figure::of(&samples);
    let bound = settings.bound().as_secs_f64() * 1000.0;
    println!(
        "a backend that fails is sent its last new connection after {:.0} ms ({:.0} to {:.0} ms); by the settings, {bound:.0} ms \
         at most",
        figure.median, figure.low, figure.high
    );
    record.rows.push(
        Row::new("from a failure to the last new connection")
            .with("time", "ms", Better::Less, figure)
            .fact("bound_ms", bound)
            .fact("settings", SETTINGS),
    );
    Ok(())
}

/// When the last connection was refused of those that are tried until none is for long.
fn last_refused(vip: std::net::IpAddr, since: Instant, enough: Duration) -> Result<Duration> {
    let mut last = Duration::ZERO;
    while since.elapsed() < last.max(enough / 3) + enough / 3 {
        interrupt::check()?;
        if TcpStream::connect((vip, 80)).is_err() {
            last = since.elapsed();
        }
    }
    Ok(last)
}

/// What as many checks take that each open a connection.
fn scale(record: &mut Record, progress: &Progress) -> Result<()> {
    progress.begin("many checks");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Whom they connect to is on a thread of its own, and not measured.
    let (found, listens) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            found.send(listener.local_addr()?)?;
            loop {
                drop(listener.accept().await?);
            }
        })
    });
    let address: SocketAddr = listens.recv().context("the listener")?;
    let before = memory()?;
    let counted = runtime.block_on(checks(address))?;
    let more = memory()? - before;
    progress.end(|| ());
    let (rate, processor) = (counted.checks / counted.seconds, counted.processor / counted.seconds);
    println!(
        "{MANY} backends, each checked every second (tcp): {rate:.0} checks a second, {:.0} % of a processor, {more:.1} MiB",
        processor * 100.0
    );
    record.rows.push(
        Row::new(format!("{MANY} backends checked every second"))
            .with("processor", "%", Better::Less, Figure::of(&[processor * 100.0]))
            .with("checks a second", "1/s", Better::More, Figure::of(&[rate]))
            .with("memory", "MiB", Better::Less, Figure::of(&[more])),
    );
    Ok(())
}

struct Counted {
    checks: f64,
    seconds: f64,
    /// Seconds of the processor's time.
    processor: f64,
}

async fn checks(address: SocketAddr) -> Result<Counted> {
    let mut monitor: Monitor<u8, u32> = Monitor::new(1024);
    let defaults = Config::parse(
        "version: 1\ninterfaces: [{name: eth0}]\nservices: [{vip: 192.0.2.1, port: 80, protocol: tcp, forwarding: l2, \
         backends: [], health: {kind: tcp}}]\n",
        Path::new("lb.yaml"),
    )?;
    let mut settings = defaults.services[0].health.as_ref().context("no health")?.settings;
    settings.interval = Interval { usual: Duration::from_secs(1), jitter: 50, adaptive: None };
    let probe = Probe { means: Means::Tcp(Tcp::default()), timeout: Duration::from_secs(1) };
    let member = Member { weight: 1, is_backup: false };
    let backends: BTreeMap<u32, _> =
        (0..MANY).map(|number| (number, (member, Target::direct(address)))).collect();
    let service = Service { settings, probe: Arc::new(probe), is_obstructed: false, backends };
    monitor.follow([(0, service)].into(), |_, _| None);
    let passed = |monitor: &Monitor<u8, u32>| -> u64 {
        (0..MANY).filter_map(|number| monitor.record(&0, &number)).map(|record| record.passed).sum()
    };
    // The first round shows them to be up.
    let wait = async |monitor: &mut Monitor<u8, u32>, time: Duration| {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let _ = timeout(left, monitor.changed()).await;
        }
    };
    wait(&mut monitor, Duration::from_secs(3)).await;
    let (begun, before, used) = (Instant::now(), passed(&monitor), processor()?);
    wait(&mut monitor, LONG).await;
    Ok(Counted {
        checks: (passed(&monitor) - before) as f64,
        seconds: begun.elapsed().as_secs_f64(),
        processor: processor()? - used,
    })
}

/// Seconds that this thread has used.
fn processor() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// MiB that this process has in memory.
fn memory() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
