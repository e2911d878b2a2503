//! What `lbd` tells systemd, played here by a socket of its kind. Needs root.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lb_tests::process::Process;
use lb_tests::wait::PATIENCE;
use lb_tests::{Lab, SERVICES, balancer};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};

/// The receiving end of `NOTIFY_SOCKET`.
struct Systemd(UnixDatagram);

impl Systemd {
    /// The next message that isn't the watchdog's.
    fn hears(&self) -> Result<String> {
        loop {
            let message = self.hears_anything()?;
            if message != "WATCHDOG=1\n" {
                return Ok(message);
            }
        }
    }

    fn hears_anything(&self) -> Result<String> {
        let mut octets = [0; 1024];
        let length = self.0.recv(&mut octets).context("wait for a message")?;
        Ok(String::from_utf8(octets[..length].to_vec())?)
    }
}

#[test]
fn systemd_hears_of_start_reloads_and_end() -> Result<()> {
    let lab = Lab::new()?;
    let path = lab.directory().join("notify");
    let systemd = Systemd(UnixDatagram::bind(&path)?);
    systemd.0.set_read_timeout(Some(PATIENCE))?;
    let file = lab.directory().join("lb.yaml");
    let configure = |services: usize| balancer::configure(lab.directory(), &SERVICES[..services]);
    fs::write(&file, configure(1))?;
    let mut command = balancer::command(&lab, &file)?;
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut daemon = Process::start("lbd", &mut command, lab.directory().join("lbd.log"))?;

    let ready = |status: &str| format!("READY=1\nSTATUS={status}\n");
    let one = "1 service, 3 backends, 1 interface";
    assert_eq!(systemd.hears()?, ready(one), "{}", daemon.log());
    // As long as it runs.
    for _ in 0..3 {
        assert_eq!(systemd.hears_anything()?, "WATCHDOG=1\n");
    }

    let two = "2 services, 6 backends, 1 interface";
    let refused = format!("{two}; the last reload was refused, the log says why");
    for (written, status) in [(configure(2), two), ("version: 2\n".into(), &refused), (configure(1), one)] {
        fs::write(&file, written)?;
        let before = monotonic()?;
        kill(daemon.id(), Signal::SIGHUP)?;
        let reloading = systemd.hears()?;
        let Some(time) = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=") else { bail!("{reloading}") };
        let time: u128 = time.trim_end().parse()?;
        assert!((before..=monotonic()?).contains(&time), "{time}");
        assert_eq!(systemd.hears()?, ready(status));
    }

    assert_eq!(daemon.stop()?.code(), Some(0), "{}", daemon.log());
    assert_eq!(systemd.hears()?, "STOPPING=1\n");
    Ok(())
}

#[test]
fn systemd_that_asks_for_no_watchdog_hears_none() -> Result<()> {
    let lab = Lab::new()?;
    let path = lab.directory().join("notify");
    let systemd = Systemd(UnixDatagram::bind(&path)?);
    systemd.0.set_read_timeout(Some(PATIENCE))?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, balancer::configure(lab.directory(), &SERVICES[..1]))?;
    let mut command = balancer::command(&lab, &file)?;
    let mut daemon = Process::start(
        "lbd",
        command.env("NOTIFY_SOCKET", &path).env_remove("WATCHDOG_USEC"),
        lab.directory().join("lbd.log"),
    )?;
    assert!(systemd.hears_anything()?.starts_with("READY=1\n"), "{}", daemon.log());
    kill(daemon.id(), Signal::SIGHUP)?;
    assert!(systemd.hears_anything()?.starts_with("RELOADING=1\n"), "{}", daemon.log());
    assert!(systemd.hears_anything()?.starts_with("READY=1\n"), "{}", daemon.log());
    daemon.stop()?;
    assert_eq!(systemd.hears_anything()?, "STOPPING=1\n");
    Ok(())
}

/// Microseconds of the clock that systemd compares.
fn monotonic() -> Result<u128> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?).as_micros())
}
