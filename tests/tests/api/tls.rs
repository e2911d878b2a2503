//! The API over TCP: certificates on both sides.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lb_tests::run::{Finished, finish};
use lb_tests::wait::{self, PATIENCE};
use lb_tests::{Balancer, Host, Lab, SERVICES, balancer, programs};
use nix::sys::signal::Signal;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Writes `NAME.crt` and `NAME.key`.
fn issue(lab: &Lab, file: &str, authority: &Authority, params: &CertificateParams) -> Result<()> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    fs::write(path(lab, &format!("{file}.crt")), certificate.pem())?;
    fs::write(path(lab, &format!("{file}.key")), key.serialize_pem())?;
    Ok(())
}

fn client(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn path(lab: &Lab, file: &str) -> PathBuf {
    lab.directory().join(file)
}

fn address() -> SocketAddr {
    SocketAddr::new(Host::Balancer.ipv4().into(), 9443)
}

fn server() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::IpAddress(address().ip()));
    params
}

fn configure(lab: &Lab) -> String {
    let directory = lab.directory().display();
    let tls = format!(
        "
  socket: {directory}/lbd.sock
  tls:
    listen: {}
    certificate: {directory}/server.crt
    key: {directory}/server.key
    client_ca: {directory}/ca.crt
    clients:
      - {{name: grafana, access: read}}
      - {{name: deploy.example, access: write}}",
        address()
    );
    let yaml = balancer::configure(lab.directory(), &SERVICES[..1]);
    yaml.replace(&format!(" {{socket: {directory}/lbd.sock}}"), &tls)
}

fn lbctl(lab: &Lab, certificate: &str, ca: &str, arguments: &[&str]) -> Result<Finished> {
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbctl")?);
    command.arg(format!("--url=https://{}", address()));
    command.arg("--cert").arg(path(lab, &format!("{certificate}.crt")));
    command.arg("--key").arg(path(lab, &format!("{certificate}.key")));
    command.arg("--ca").arg(path(lab, &format!("{ca}.crt"))).args(arguments);
    finish(&mut command, PATIENCE)
}

#[test]
fn the_certificates_name_decides() -> Result<()> {
    let lab = Lab::new()?;
    let (own, foreign) = (authority("own")?, authority("foreign")?);
    fs::write(path(&lab, "ca.crt"), own.pem())?;
    fs::write(path(&lab, "foreign.crt"), foreign.pem())?;
    issue(&lab, "server", &own, &server())?;
    issue(&lab, "reader", &own, &client("grafana"))?;
    let mut writer = client("whoever");
    writer.subject_alt_names.push(SanType::DnsName("deploy.example".try_into()?));
    issue(&lab, "writer", &own, &writer)?;
    issue(&lab, "unknown", &own, &client("root"))?;
    let mut expired = client("grafana");
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    issue(&lab, "expired", &own, &expired)?;
    issue(&lab, "stranger", &foreign, &client("grafana"))?;
    let _balancer = Balancer::start_with(&lab, &configure(&lab))?;

    let (read, write) = (&["status"][..], &["backend", "drain", "b1"][..]);
    let rows = [
        ("reader", "ca", read, 0, ""),
        ("reader", "ca", write, 1, "grafana may only look; give it access: write in api.tls.clients"),
        ("writer", "ca", read, 0, ""),
        ("writer", "ca", write, 0, ""),
        ("unknown", "ca", read, 1, "root may not use this API; list the name in api.tls.clients"),
        ("expired", "ca", read, 1, "lbd closed the connection: received fatal alert: CertificateExpired"),
        ("stranger", "ca", read, 1, "lbd closed the connection: received fatal alert: UnknownCA"),
        ("reader", "foreign", read, 3, "198.51.100.10:9443: invalid peer certificate: UnknownIssuer; "),
    ];
    for (certificate, ca, arguments, code, words) in rows {
        let Finished { status, stderr, .. } = lbctl(&lab, certificate, ca, arguments)?;
        assert_eq!(status.code(), Some(code), "{certificate}: {stderr}");
        let said =
            if words.is_empty() { stderr.is_empty() } else { stderr.starts_with(&format!("lbctl: {words}")) };
        assert!(said, "{certificate}: {stderr}");
    }
    none_at_all(&lab)
}

/// Who shows no certificate isn't told anything.
fn none_at_all(lab: &Lab) -> Result<()> {
    let mut curl = lab.host(Host::Balancer).command("curl");
    curl.args(["--silent", "--show-error", "--cacert"]).arg(path(lab, "ca.crt"));
    curl.arg(format!("https://{}/v1/status", address()));
    let Finished { status, stdout, stderr } = finish(&mut curl, PATIENCE)?;
    assert!(!status.success() && stdout.is_empty(), "{stdout}");
    assert!(stderr.contains("certificate"), "{stderr}");
    Ok(())
}

#[test]
fn certificates_are_read_again_at_sighup_if_they_can_be_used() -> Result<()> {
    let lab = Lab::new()?;
    let (former, fresh) = (authority("former")?, authority("fresh")?);
    fs::write(path(&lab, "ca.crt"), former.pem())?;
    fs::write(path(&lab, "fresh.crt"), fresh.pem())?;
    issue(&lab, "server", &former, &server())?;
    issue(&lab, "reader", &former, &client("grafana"))?;
    let balancer = Balancer::start_with(&lab, &configure(&lab))?;

    let log_of =
        |words: &str| wait::until("a line in the log", || Ok(balancer.log().contains(words).then_some(())));
    let key = fs::read_to_string(path(&lab, "server.key"))?;
    fs::write(path(&lab, "server.key"), KeyPair::generate()?.serialize_pem())?;
    balancer.signal(Signal::SIGHUP)?;
    log_of("the API keeps its former certificates: api.tls.key: ")?;
    fs::write(path(&lab, "server.key"), key)?;
    let Finished { status, stderr, .. } = lbctl(&lab, "reader", "ca", &["status"])?;
    assert!(status.success(), "{stderr}");

    issue(&lab, "server", &fresh, &server())?;
    balancer.signal(Signal::SIGHUP)?;
    log_of("the API's certificates were read again")?;
    let Finished { status, stderr, .. } = lbctl(&lab, "reader", "fresh", &["status"])?;
    assert!(status.success(), "{stderr}");
    Ok(())
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() -> Result<()> {
    let lab = Lab::new()?;
    let own = authority("own")?;
    fs::write(path(&lab, "ca.crt"), own.pem())?;
    issue(&lab, "server", &own, &server())?;
    let directory = lab.directory().display();
    let rows = [
        (
            "server.crt",
            "api.tls.certificate",
            "",
            "there is no certificate in it; certificates in PEM are expected here",
        ),
        (
            "ca.crt",
            "api.tls.client_ca",
            "nonsense",
            "there is no certificate in it; certificates in PEM are expected here",
        ),
        ("server.key", "api.tls.key", "", "a private key in PEM is expected here"),
    ];
    for (file, field, content, words) in rows {
        let right = fs::read_to_string(path(&lab, file))?;
        fs::write(path(&lab, file), content)?;
        let yaml = path(&lab, "lb.yaml");
        fs::write(&yaml, configure(&lab))?;
        let Finished { status, stderr, .. } = finish(&mut balancer::command(&lab, &yaml)?, PATIENCE)?;
        assert_eq!(status.code(), Some(1), "{file}");
        assert!(stderr.starts_with(&format!("lbd: {field}: {directory}/{file}: {words}")), "{stderr}");
        fs::write(path(&lab, file), right).context(file)?;
    }
    Ok(())
}
