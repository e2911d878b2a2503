//! `lbctl trace` beside real traffic. Needs root.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lb_common::verdict::{DropReason, FORWARDED, Verdict};
use lb_tests::curl::{self, Request};
use lb_tests::process::Process;
use lb_tests::run::{Finished, finish};
use lb_tests::wait::{self, PATIENCE};
use lb_tests::{Backend, Balancer, Host, Lab, SERVICES, Service, balancer, programs, sampling};
use lb_userspace::config::Forwarding;
use lb_userspace::trace::Packet;
use nix::sys::signal::Signal;

/// `lbctl trace` at work.
struct Trace(Process);

impl Trace {
    /// Starts it, and waits until the program tells of packets.
    fn start(lab: &Lab, name: &str, arguments: &[&str]) -> Result<Trace> {
        let log = lab.directory().join(format!("{name}.log"));
        let process = Process::start("lbctl", &mut lbctl(lab, arguments)?, log)?;
        wait::until("sampling is on", || Ok(sampling::is_on(lab)?.then_some(())))?;
        Ok(Trace(process))
    }

    /// What it printed, once it has ended by itself, with success.
    fn finish(mut self) -> Result<Vec<String>> {
        let status = wait::until("lbctl trace has ended", || self.0.ended())?;
        ensure!(status.success(), "{status}: {}", self.0.log());
        Ok(self.0.log().lines().map(String::from).collect())
    }

    fn packets(self) -> Result<Vec<Packet>> {
        let lines = self.finish()?;
        lines.iter().map(|line| serde_json::from_str(line).with_context(|| line.clone())).collect()
    }
}

fn lbctl(lab: &Lab, arguments: &[&str]) -> Result<Command> {
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbctl")?);
    command.arg("--socket").arg(balancer::socket(lab.directory())).arg("trace").args(arguments);
    Ok(command)
}

fn ask(lab: &Lab, service: &Service) -> Result<()> {
    let replies = curl::fetch(lab, &[Request::to(service, "/")])?;
    ensure!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    Ok(())
}

fn off(lab: &Lab) -> Result<()> {
    wait::until("sampling is off", || Ok((!sampling::is_on(lab)?).then_some(())))
}

#[test]
fn a_forwarded_packet_is_shown_with_its_service_backend_and_tunnel() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    assert!(!sampling::is_on(&lab)?);

    for service in &SERVICES {
        let arguments = ["-o", "json", "--service", service.name, "--verdict", "forwarded", "--count", "3"];
        let trace = Trace::start(&lab, service.name, &arguments)?;
        ask(&lab, service)?;
        let packets = trace.packets()?;
        assert_eq!(packets.len(), 3, "{}", service.name);
        for packet in packets {
            assert_eq!(
                (packet.verdict.as_str(), packet.service.as_deref()),
                ("forwarded", Some(service.name))
            );
            assert_eq!((packet.ingress.as_str(), packet.egress.as_deref()), ("eth0", Some("eth0")));
            let headers = packet.packet.context("headers")?;
            assert_eq!((headers.destination, headers.destination_port), (service.vip, Some(80)));
            assert_eq!(headers.protocol, "tcp");
            let client: IpAddr =
                if service.vip.is_ipv4() { Host::Client.ipv4().into() } else { Host::Client.ipv6().into() };
            assert_eq!(headers.source, client);

            let backend = packet.backend.context("a backend")?;
            let backend = Host::BACKENDS.into_iter().find(|host| host.name() == backend).context(backend)?;
            let outer = packet.outer.map(|outer| outer.destination);
            let tunnelled = service.forwarding != Forwarding::L2;
            assert_eq!(outer, tunnelled.then(|| service.backend_address(backend)), "{}", service.name);
        }
        off(&lab)?;
    }
    Ok(())
}

#[test]
fn what_is_dropped_or_passed_is_shown_with_its_reason() -> Result<()> {
    let lab = Lab::new()?;
    let service = SERVICES[0];
    // Nobody has these addresses.
    let yaml = balancer::configure(lab.directory(), &[service]).replace("198.51.100.1", "198.51.100.9");
    let _balancer = Balancer::start_with(&lab, &yaml)?;

    for (name, port, rest) in [("no_backend", 80, " octets, l2-v4"), ("no_service", 81, " octets")] {
        let trace = Trace::start(&lab, name, &["--verdict", name, "--count", "1"])?;
        // Nobody answers. One SYN is enough.
        let closed = SocketAddr::new(service.vip, port);
        let connect = || Ok(TcpStream::connect_timeout(&closed, Duration::from_millis(1)).unwrap_err());
        lab.host(Host::Client).enter(connect)?;
        let lines = trace.finish()?;
        let [line] = &lines[..] else { bail!("{lines:?}") };
        assert!(line.contains(&format!("ed: {name}, eth0 203.0.113.2:")), "{line}");
        assert!(line.contains(&format!(" -> 192.0.2.1:{port} tcp, ")) && line.ends_with(rest), "{line}");
        off(&lab)?;
    }
    Ok(())
}

#[test]
fn nothing_is_told_once_all_have_left_however_they_went() -> Result<()> {
    let lab = Lab::new()?;
    let _balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let counter = Verdict::Drop(DropReason::NoBackend).counter();

    let mut rare = Trace::start(&lab, "rare", &["--sample", "1000"])?;
    let mut more = Trace::start(&lab, "more", &["--sample", "10", "--verdict", "forwarded"])?;
    wait::until("the sample of both", || {
        let every = sampling::every(&lab)?;
        Ok((every[FORWARDED] == 10 && every[counter] == 1).then_some(()))
    })?;
    more.0.stop_with(Signal::SIGKILL)?;
    wait::until("the sample of one", || Ok((sampling::every(&lab)?[FORWARDED] == 1000).then_some(())))?;
    // As Ctrl-C does.
    assert_eq!(rare.0.stop_with(Signal::SIGINT)?.code(), Some(0));
    off(&lab)?;

    let mut killed = Trace::start(&lab, "killed", &[])?;
    killed.0.stop_with(Signal::SIGKILL)?;
    off(&lab)?;
    assert_eq!(Trace::start(&lab, "short", &["--seconds", "1", "--verdict", "dropped"])?.finish()?, [""; 0]);
    off(&lab)
}

#[test]
fn one_who_does_not_read_holds_nobody_up() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let service = SERVICES[0];
    let balancer = Balancer::start(&lab, &[service])?;
    balancer.wait_until_active()?;

    let mut slow = UnixStream::connect(balancer::socket(lab.directory()))?;
    slow.set_read_timeout(Some(PATIENCE))?;
    write!(slow, "GET /v1/trace HTTP/1.1\r\nHost: lbd\r\n\r\n")?;
    wait::until("sampling is on", || Ok(sampling::is_on(&lab)?.then_some(())))?;
    let packets = ["-o", "json", "--verdict", "forwarded", "--count", "2000"];
    let mut quick = Trace::start(&lab, "quick", &packets)?;
    let status = wait::until("2,000 packets", || {
        curl::fetch(&lab, &vec![Request::to(&service, "/"); 100])?;
        balancer.lbctl(&["status"])?;
        quick.0.ended()
    })?;
    assert_eq!(status.code(), Some(0));
    let shown = quick.0.log().lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(shown, 2000);

    // More than socket and queue hold.
    let mut lines = BufReader::new(slow).lines();
    let lost = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("{\"lost\":")));
    lost.context("the end of the answer")??;
    drop(lines);
    off(&lab)
}

#[test]
fn what_cannot_be_shown_is_said_in_one_line() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let Finished { status, stderr, stdout } =
        finish(&mut lbctl(&lab, &["--service", "ftp & co"])?, PATIENCE)?;
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""));
    let reason = "there is no service ftp & co; lbctl service list shows all";
    assert_eq!(stderr, format!("lbctl: {reason}\n"));
    for wrong in [["--verdict", "lost"], ["--sample", "0"], ["--count", "0"]] {
        let Finished { status, stderr, .. } = finish(&mut lbctl(&lab, &wrong)?, PATIENCE)?;
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(wrong[0]), "{stderr}");
    }
    assert!(!sampling::is_on(&lab)?);

    let mut trace = Trace::start(&lab, "ended", &[])?;
    balancer.stop()?;
    let status = wait::until("lbctl trace has ended", || trace.0.ended())?;
    assert_eq!((status.code(), trace.0.log().lines().last()), (Some(1), Some("lbctl: lbd has ended")));
    Ok(())
}
