//! Checks of servers that do well, and of such that don't.

mod http2;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, Uri};
use lb_common::slot::BackendIndex;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord, TYPE, rdata};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;

/// Longer than any answer takes that comes at all.
const LONG: Duration = Duration::from_mins(1);
/// For what never comes.
const SHORT: Duration = Duration::from_millis(300);

const LOCAL: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Where there is a server that does this with each connection.
async fn serve<F, S>(answer: F) -> SocketAddr
where
    F: Fn(TcpStream) -> S + Send + 'static,
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Waits until anything was said, and forgets it.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    stream.read(&mut [0; 1024]).await.map(drop)
}

/// A server that says this after it was asked anything, and closes.
async fn says(answer: &'static str) -> SocketAddr {
    serve(move |mut stream| async move {
        hear(&mut stream).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await
}

/// What a check says, with X for the milliseconds that it took.
async fn check(means: Means, timeout: Duration, address: SocketAddr) -> String {
    let report = Probe { means, timeout }.run(&Target::direct(address)).await.to_string();
    match report.rsplit_once(" after ") {
        Some((words, took)) if took.ends_with(" ms") => format!("{words} after X ms"),
        Some(_) | None => report,
    }
}

fn tcp(send: &str, expect: &str) -> Means {
    Means::Tcp(Tcp { send: send.into(), expect: expect.into() })
}

fn http(body: &str, tls: Option<Tls>) -> Means {
    Means::Http(Http {
        method: Method::GET,
        path: Uri::from_static("/health?deep"),
        host: HeaderValue::from_static("web.example"),
        statuses: vec![200..=299, 404..=404],
        body: body.into(),
        tls,
    })
}

/// An address at which nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind(LOCAL).await.unwrap().local_addr().unwrap()
}

#[test]
fn connections_and_what_is_said_over_them() {
    run(async {
        let silent = serve(|mut stream| async move {
            stream.read(&mut [0; 8]).await.map(drop)?;
            std::future::pending().await
        })
        .await;
        let greeting = says("220 mail.example ready\r\n").await;
        for (means, timeout, address, words) in [
            (tcp("", ""), LONG, silent, "passed after X ms"),
            (tcp("", ""), LONG, closed().await, "connection refused after X ms"),
            (tcp("EHLO\r\n", "ready"), LONG, greeting, "passed after X ms"),
            (
                tcp("EHLO\r\n", "250"),
                LONG,
                greeting,
                r#"connected, but an unexpected answer "220 mail.example ready\r\n" after X ms"#,
            ),
            (tcp("PING", "PONG"), SHORT, silent, "connected, but no whole answer within 300 ms"),
        ] {
            assert_eq!(check(means, timeout, address).await, words);
        }
    });
}

#[test]
fn an_answer_without_end_is_cut_off() {
    run(async {
        let endless = serve(|mut stream| async move {
            loop {
                stream.write_all(&[b'.'; 4096]).await?;
            }
        })
        .await;
        let words = "connected, but nothing expected in the first 65536 octets after X ms";
        assert_eq!(check(tcp("", "end"), LONG, endless).await, words);
        let slow = serve(|mut stream| async move {
            hear(&mut stream).await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let words = "connected, but no whole answer within 300 ms";
        assert_eq!(check(tcp("hello", "end"), SHORT, slow).await, words);
        let words = "connected, but HTTP: invalid HTTP version parsed after X ms";
        assert_eq!(check(http("", None), LONG, slow).await, words);
        // Who speaks before the request may be heard before it is sent, or after.
        let said = check(http("", None), LONG, endless).await;
        assert!(said.starts_with("connected, but HTTP: ") && !said.contains("canceled"), "{said}");
    });
}

#[test]
fn http_statuses_and_bodies() {
    run(async {
        for (answer, body, words) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", "", "passed after X ms"),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", "passed after X ms"),
            ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "", "connected, but HTTP 503 after X ms"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "", "connected, but HTTP 302 after X ms"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall fine", "fine", "passed after X ms"),
            ("HTTP/1.0 200 OK\r\n\r\nall fine", "fine", "passed after X ms"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n5\r\n fine\r\n0\r\n\r\n",
                "l fi",
                "passed after X ms",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall sick",
                "fine",
                r#"connected, but an unexpected answer "all sick" after X ms"#,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall",
                "fine",
                "connected, but HTTP: error reading a body from connection after X ms",
            ),
            ("", "", "connected, but HTTP: connection closed before message completed after X ms"),
        ] {
            let address = says(answer).await;
            assert_eq!(check(http(body, None), LONG, address).await, words, "{answer}");
        }
    });
}

#[test]
fn an_http_request_says_what_was_configured() {
    run(async {
        let (asked, request) = tokio::sync::oneshot::channel();
        let asked = Arc::new(std::sync::Mutex::new(Some(asked)));
        let address = serve(move |mut stream| {
            let asked = asked.clone();
            async move {
                let mut request = vec![0; 1024];
                let length = stream.read(&mut request).await?;
                request.truncate(length);
                let asked = asked.lock().unwrap().take();
                asked.map(|asked| asked.send(String::from_utf8(request)));
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await
            }
        })
        .await;
        assert_eq!(check(http("", None), LONG, address).await, "passed after X ms");
        let request = request.await.unwrap().unwrap();
        assert_eq!(
            request,
            "GET /health?deep HTTP/1.1\r\nhost: web.example\r\nuser-agent: lb-health\r\nconnection: close\r\n\r\n"
        );
    });
}

/// A server's configuration with a certificate for this name that ends in this year, and its authority.
fn certified(name: &str, year: i32) -> (rustls::ServerConfig, RootCertStore) {
    let authority = CertificateParams::new(vec![]).map(|mut params| {
        // Whoever has the same name is taken for the same.
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority until {year}"));
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
    });
    let authority = CertifiedIssuer::self_signed(authority.unwrap(), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    (config, roots)
}

/// Where there is a server that does this with each connection over TLS.
async fn serve_tls<F, S>(config: rustls::ServerConfig, answer: F) -> SocketAddr
where
    F: Fn(TlsStream<TcpStream>) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move { answer(acceptor.accept(stream).await?).await }
    })
    .await
}

/// A server over TLS with such a certificate, and its authority.
async fn secure(name: &str, year: i32) -> (SocketAddr, RootCertStore) {
    let (config, roots) = certified(name, year);
    let address = serve_tls(config, |mut stream| async move {
        hear(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
        stream.shutdown().await
    })
    .await;
    (address, roots)
}

#[test]
fn certificates_are_looked_at_unless_told_not_to() {
    run(async {
        let name = |name| ServerName::try_from(name).unwrap();
        let (good, roots) = secure("web.example", 4000).await;
        let (expired, old_roots) = secure("web.example", 2020).await;
        let tls = |named, roots: Option<&RootCertStore>| {
            Some(Tls::new(name(named), roots.cloned().map(Arc::new)).unwrap())
        };
        for (address, tls, words) in [
            (good, tls("web.example", Some(&roots)), "passed"),
            (good, tls("other.example", Some(&roots)), "certificate not valid for name"),
            (good, tls("web.example", Some(&old_roots)), "UnknownIssuer"),
            (expired, tls("web.example", Some(&old_roots)), "certificate expired"),
            (expired, tls("other.example", None), "passed"),
        ] {
            let said = check(http("", tls), LONG, address).await;
            assert!(said.contains(words), "{said}");
            assert!(
                words == "passed" || said.starts_with("connected, but TLS: invalid peer certificate: "),
                "{said}"
            );
        }
        let silent = serve(|stream| async move {
            stream.readable().await?;
            std::future::pending().await
        })
        .await;
        let said = check(http("", tls("web.example", None)), SHORT, silent).await;
        assert_eq!(said, "connected, but no end of the TLS handshake within 300 ms");
    });
}

/// Where there is a server that answers each datagram by this, or not at all.
async fn answers(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(LOCAL).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut question).await {
            if let Some(answer) = answer(&question[..length]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    address
}

#[test]
fn datagrams() {
    run(async {
        let echo = answers(|question| Some(question.to_vec())).await;
        let silent = answers(|_| None).await;
        let nobody = UdpSocket::bind(LOCAL).await.unwrap().local_addr().unwrap();
        let udp = |expect: &str| Means::Udp(Udp { send: "hello".into(), expect: expect.into() });
        for (expect, timeout, address, words) in [
            ("hell", LONG, echo, "passed after X ms"),
            ("", LONG, echo, "passed after X ms"),
            ("heaven", LONG, echo, r#"an unexpected answer "hello" after X ms"#),
            ("", SHORT, silent, "no answer within 300 ms"),
            ("", LONG, nobody, "connection refused after X ms"),
        ] {
            assert_eq!(check(udp(expect), timeout, address).await, words);
        }
    });
}

/// A name server's answer with this code and so many records.
fn reply(question: &[u8], code: RCODE, records: usize) -> Option<Vec<u8>> {
    let mut packet = Packet::parse(question).ok()?.into_reply();
    packet.set_flags(PacketFlag::RESPONSE);
    *packet.rcode_mut() = code;
    let name = packet.questions[0].qname.clone();
    for _ in 0..records {
        let address = rdata::RData::A(rdata::A { address: 0x0a00_0001 });
        packet.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 60, address));
    }
    packet.build_bytes_vec().ok()
}

#[test]
fn questions_of_dns() {
    run(async {
        let dns = |code| Means::Dns(Dns::new("www.example", TYPE::A, code).unwrap());
        let good = answers(|question| reply(question, RCODE::NoError, 1)).await;
        let empty = answers(|question| reply(question, RCODE::NoError, 0)).await;
        let unknown = answers(|question| reply(question, RCODE::NameError, 0)).await;
        let echo = answers(|question| Some(question.to_vec())).await;
        let short = answers(|_| Some(vec![0, 0, 0x80])).await;
        for (code, address, words) in [
            (0, good, "passed after X ms"),
            (3, good, "DNS code 0 after X ms"),
            (0, empty, "an answer without records after X ms"),
            (0, unknown, "DNS code 3 (NXDOMAIN) after X ms"),
            (3, unknown, "passed after X ms"),
            (0, echo, "what came isn't an answer to the question after X ms"),
            (0, short, "what came isn't an answer to the question after X ms"),
        ] {
            assert_eq!(check(dns(code), LONG, address).await, words);
        }
        assert!(Dns::new("www example", TYPE::A, 0).is_err());
    });
}

#[test]
fn programs_are_told_what_to_check_and_leave_nothing_behind() {
    run(async {
        let directory = std::env::temp_dir().join(format!("lb-health-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let pid = directory.join("pid");
        let script = directory.join("check");
        let text = format!(
            "#!/bin/sh\ncase $1 in\n\
             marked) [ \"$LB_MARK\" = 1279393799 ] ;;\n\
             told) [ -z \"$LB_MARK\" ] && [ \"$LB_ADDRESS $LB_PORT $MORE\" = '10.0.0.3 80 yes' ] && [ -z \"$HOME\" ] ;;\n\
             hang) sleep 1000 & echo $! > {0}; sleep 1000 ;;\n\
             fail) exit 7 ;;\n\
             leave) sleep 1000 & echo $! > {0} ;;\n\
             esac\n",
            pid.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let exec = |program: &std::path::Path, argument: &str| {
            Means::Exec(Exec {
                program: program.into(),
                arguments: vec![argument.into()],
                environment: vec![("MORE".into(), "yes".into()), ("PATH".into(), "/usr/bin:/bin".into())],
            })
        };
        let address = SocketAddr::from(([10, 0, 0, 3], 80));
        assert_eq!(check(exec(&script, "told"), LONG, address).await, "passed after X ms");
        let marked = Probe { means: exec(&script, "marked"), timeout: LONG };
        let report = marked.run(&Target::through(address, BackendIndex(7))).await;
        assert!(report.result.is_ok(), "{report}");
        assert_eq!(
            check(exec(&script, "fail"), LONG, address).await,
            "the program's exit status: 7 after X ms"
        );
        let missing = check(exec(&directory.join("none"), ""), LONG, address).await;
        assert_eq!(missing, "the program can't be started: no such file or directory after X ms");
        assert_eq!(check(exec(&script, "leave"), LONG, address).await, "passed after X ms");
        gone(written(&pid).await).await;
        std::fs::remove_file(&pid).unwrap();
        // Nobody waits for it any more.
        let child = tokio::select! {
            said = check(exec(&script, "hang"), LONG, address) => panic!("{said}"),
            child = written(&pid) => child,
        };
        gone(child).await;
        let said = check(exec(&script, "hang"), SHORT, address).await;
        assert_eq!(said, "the program didn't end within 300 ms");
        std::fs::remove_dir_all(&directory).unwrap();
    });
}

/// Waits until a process's number stands in a file.
async fn written(file: &std::path::Path) -> i32 {
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(number) = text.strip_suffix('\n') {
            return number.parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a process has ended, be it that nobody has taken note yet.
async fn gone(process: i32) {
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/stat")) {
        if status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
