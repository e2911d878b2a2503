//! Checks of every kind against real servers, through VIPs: they pass, and say why when they don't.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};
use lb_tests::balancer::{self, Balancer};
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::process::Process;
use lb_tests::service::SERVICES;
use lb_tests::{agent, health, programs, run, wait};
use lb_userspace::api::{Check, CheckState};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic_health::server::{HealthReporter, health_reporter};

/// The only backend.
const HOST: Host = Host::Backend1;

const TIMES: &str = "interval: 200ms, timeout: 2s, rise: 1, fall: 2";

/// A service for each kind, by the names of the lab's services: each is another way of forwarding.
fn configuration(lab: &Lab) -> String {
    let directory = lab.directory().display();
    let kinds = [
        ("l2-v4", format!("kind: https, port: 443, host: web.example, tls: {{ca_file: {directory}/ca.pem}}")),
        ("l2-v6", "kind: icmp".into()),
        ("v4-in-v4", "kind: dns, port: 53, query: web.example".into()),
        ("v6-in-v6", "kind: grpc, port: 50051, grpc_service: shop".into()),
        ("v6-in-v4", "kind: tcp, port: 53".into()),
        ("v4-in-v6", format!("kind: exec, program: {directory}/check, arguments: [web], environment: [A=b]")),
        ("v4-in-udp4", "kind: udp, port: 53, send: \"\\\\x00\\\\x07\\\\x01\\\\x00\\\\x00\\\\x01\\\\x00\\\\x00\\\\x00\\\\x00\\\\x00\\\\x00\\\\x00\\\\x00\\\\x01\\\\x00\\\\x01\"".into()),
        ("v6-in-udp6", "kind: http2, port: 50051, path: /, status: [404, 200-299]".into()),
    ];
    let mut text = balancer::configure(lab.directory(), &SERVICES);
    for (name, kind) in kinds {
        let line = format!("  - name: {name}\n");
        text = text.replace(&line, &format!("{line}    health: {{{kind}, {TIMES}}}\n"));
    }
    // Only one backend.
    let mut lines: Vec<&str> = Vec::new();
    let mut is_kept = true;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("      - name: ") {
            is_kept = name == HOST.name();
        } else if !line.starts_with("        address") {
            is_kept = true;
        }
        lines.extend(is_kept.then_some(line));
    }
    lines.join("\n") + "\n"
}

/// A server's certificate that is valid until such a year, beside the authority's.
fn certify(directory: &Path, issuer: &CertifiedIssuer<'_, KeyPair>, until: i32) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["web.example".into()])?;
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
    let certificate = params.signed_by(&key, issuer)?;
    fs::write(directory.join("server.pem"), certificate.pem())?;
    fs::write(directory.join("server.key"), key.serialize_pem())?;
    Ok(())
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn https(lab: &Lab) -> Result<Process> {
    let directory = lab.directory().join("https");
    fs::create_dir_all(&directory)?;
    let configuration = directory.join("nginx.conf");
    let paths = ["body", "fastcgi", "proxy", "scgi", "uwsgi"].map(|name| {
        let kind = if name == "body" { "client_body" } else { name };
        format!("{kind}_temp_path {name};")
    });
    fs::write(
        &configuration,
        format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{}\naccess_log off;\n\
             server {{ listen 443 ssl; server_name web.example; ssl_certificate {d}/server.pem;\n\
             ssl_certificate_key {d}/server.key; location / {{ return 200; }} }}\n}}\n",
            paths.join("\n"),
            d = lab.directory().display()
        ),
    )?;
    let mut command = lab.host(HOST).command(programs::nginx()?);
    command.arg("-p").arg(&directory).args(["-e", "stderr", "-c"]).arg(&configuration);
    Process::start("nginx", &mut command, lab.directory().join("https.log"))
}

/// A name server that knows one name, or none.
fn dns(lab: &Lab, address: &str) -> Result<Process> {
    let mut command = lab.host(HOST).command("dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
    ]);
    command.args(["--pid-file=", "--log-facility=-", address]);
    Process::start("dnsmasq", &mut command, lab.directory().join("dns.log"))
}

/// A gRPC server with a health service, which ends when this is dropped.
struct Grpc {
    reporter: HealthReporter,
    runtime: tokio::runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
}

impl Grpc {
    fn start(lab: &Lab) -> Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, starts) = mpsc::channel();
        lab.host(HOST).enter(|| {
            // It is in this namespace, as the thread that starts it is.
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let (reporter, service) = health_reporter();
                runtime.block_on(reporter.set_service_status("shop", tonic_health::ServingStatus::Serving));
                let _ = started.send((reporter, runtime.handle().clone()));
                let ended = async { drop(stopped.await) };
                let address = "[::]:50051".parse().context("an address")?;
                runtime
                    .block_on(Server::builder().add_service(service).serve_with_shutdown(address, ended))?;
                anyhow::Ok(())
            });
            Ok(())
        })?;
        let (reporter, runtime) = starts.recv().context("the gRPC server")?;
        Ok(Grpc { reporter, runtime, stop: Some(stop) })
    }

    fn serves(&self, is_serving: bool) {
        let status = if is_serving {
            tonic_health::ServingStatus::Serving
        } else {
            tonic_health::ServingStatus::NotServing
        };
        self.runtime.block_on(self.reporter.set_service_status("shop", status));
    }
}

impl Drop for Grpc {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

fn script(lab: &Lab, code: u8) -> Result<()> {
    let file = lab.directory().join("check");
    let beside = lab.directory().join("check.new");
    let test = "[ \"$1$A$LB_PORT\" = webb80 ]";
    fs::write(&beside, format!("#!/bin/sh\n{test} && [ -n \"$LB_ADDRESS\" ] && exit {code}\nexit 9\n"))?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755))?;
    Ok(fs::rename(beside, file)?)
}

fn sysctl(lab: &Lab, setting: &str) -> Result<()> {
    let mut command: Command = lab.host(HOST).command("sysctl");
    run::run(command.args(["-q", "-w", setting])).map(drop)
}

#[test]
fn every_kind_of_check_passes_and_fails_as_it_should() -> Result<()> {
    let lab = Lab::new()?;
    let _agent = agent::start(&lab, HOST, &agent::every_vip())?;
    let issuer = authority()?;
    fs::write(lab.directory().join("ca.pem"), issuer.pem())?;
    certify(lab.directory(), &issuer, 4000)?;
    script(&lab, 0)?;
    let mut web = https(&lab)?;
    let mut names = dns(&lab, "--address=/web.example/192.0.2.99")?;
    let grpc = Grpc::start(&lab)?;
    let balancer = Balancer::start_with(&lab, &configuration(&lab))?;
    health::wait_until(&balancer, HOST.name(), CheckState::Up)?;

    // Waits until the check of a service came to this.
    let comes_to = |service: &str, state: CheckState, words: &str| -> Result<()> {
        let is_so = |check: &Check| {
            check.state == state && check.result.as_ref().is_some_and(|said| said.starts_with(words))
        };
        let seen = wait::until(words, || {
            let checks = health::checks(&balancer, HOST.name())?;
            Ok(checks.iter().any(|check| check.service == service && is_so(check)).then_some(()))
        });
        seen.with_context(|| balancer.lbctl(&["health"]).unwrap_or_default())
    };

    certify(lab.directory(), &issuer, 2021)?;
    web.stop_with(Signal::SIGKILL)?;
    comes_to("l2-v4", CheckState::Down, "connection refused after ")?;
    web = https(&lab)?;
    comes_to("l2-v4", CheckState::Down, "connected, but TLS: invalid peer certificate: certificate expired")?;
    certify(lab.directory(), &issuer, 4000)?;
    web.stop_with(Signal::SIGKILL)?;
    let _web = https(&lab)?;
    comes_to("l2-v4", CheckState::Up, "passed after ")?;

    names.stop()?;
    comes_to("v4-in-v4", CheckState::Down, "connection refused after ")?;
    comes_to("v6-in-v4", CheckState::Down, "connection refused after ")?;
    comes_to("v4-in-udp4", CheckState::Down, "connection refused after ")?;
    names = dns(&lab, "--address=/web.example/")?;
    comes_to("v4-in-v4", CheckState::Down, "DNS code 3 (NXDOMAIN) after ")?;
    comes_to("v6-in-v4", CheckState::Up, "passed after ")?;
    names.stop()?;
    let _names = dns(&lab, "--address=/web.example/192.0.2.99")?;
    comes_to("v4-in-v4", CheckState::Up, "passed after ")?;
    comes_to("v4-in-udp4", CheckState::Up, "passed after ")?;

    grpc.serves(false);
    comes_to("v6-in-v6", CheckState::Down, "connected, but gRPC health: NOT_SERVING after ")?;
    grpc.serves(true);
    comes_to("v6-in-v6", CheckState::Up, "passed after ")?;

    sysctl(&lab, "net.ipv6.icmp.echo_ignore_all=1")?;
    comes_to("l2-v6", CheckState::Down, "no answer within 2000 ms")?;
    sysctl(&lab, "net.ipv6.icmp.echo_ignore_all=0")?;
    comes_to("l2-v6", CheckState::Up, "passed after ")?;

    script(&lab, 7)?;
    comes_to("v4-in-v6", CheckState::Down, "the program's exit status: 7 after ")?;
    script(&lab, 0)?;
    comes_to("v4-in-v6", CheckState::Up, "passed after ")?;

    drop(grpc);
    comes_to("v6-in-udp6", CheckState::Down, "connection refused after ")
}
