//! Slow, broken and greedy clients harm nobody.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use lb_tests::{Balancer, Lab, SERVICES, balancer};
use serde_json::Value;

use crate::raw::{answer, ask, connect};

/// Of lbd, as a browser or `curl` would ask.
const REQUEST: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: lbd\r\nX: ";

#[test]
fn two_hundred_who_send_an_octet_a_second_hold_nobody_up() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let socket = balancer::socket(lab.directory());
    let mut slow = (0..200).map(|_| connect(&socket)).collect::<Result<Vec<_>>>()?;
    let over = AtomicBool::new(false);

    thread::scope(|scope| -> Result<()> {
        let slow = &mut slow;
        let over = &over;
        let sending = scope.spawn(move || {
            let mut octets = REQUEST.iter().chain(std::iter::repeat(&b'x'));
            // Until lbd has closed all of them.
            while !slow.is_empty() && !over.load(Ordering::Relaxed) {
                let octet = [*octets.next().unwrap_or(&b'x')];
                slow.retain_mut(|stream| stream.write_all(&octet).is_ok());
                thread::sleep(Duration::from_secs(1));
            }
        });
        let mut answers = 0;
        let asked = loop {
            if let Err(error) = balancer.lbctl(&["service", "list"]) {
                break Err(error);
            }
            answers += 1;
            if sending.is_finished() {
                break Ok(());
            }
        };
        over.store(true, Ordering::Relaxed);
        assert!(answers > 1);
        asked
    })?;
    assert_eq!(slow.len(), 0);
    Ok(())
}

#[test]
fn one_who_has_taken_all_their_places_is_told_so_and_gets_them_back() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let socket = balancer::socket(lab.directory());
    let most = lb_userspace::api::bounds::BOUNDS.connections_of_user;
    let idle = (0..most).map(|_| connect(&socket)).collect::<Result<Vec<_>>>()?;
    let (status, body) = answer(&mut connect(&socket)?)?;
    assert_eq!(status, 503, "{body}");
    let body: Value = serde_json::from_str(&body)?;
    assert_eq!(body["error"], "too many connections; end some of them, or try again in a few seconds");
    // Those who are idle lose theirs.
    lb_tests::wait::until("a place", || Ok(balancer.lbctl(&["status"]).ok()))?;
    drop(idle);
    Ok(())
}

#[test]
fn what_is_too_large_or_not_http_is_refused_early() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let socket = balancer::socket(lab.directory());

    // A gigabyte is announced, and not waited for.
    let head = |rest: &str| {
        format!("POST /v1/changes HTTP/1.1\r\nHost: lbd\r\nContent-Type: application/json\r\n{rest}\r\n\r\n")
    };
    let mut stream = connect(&socket)?;
    stream.write_all(head("Content-Length: 1000000000").as_bytes())?;
    let (status, body) = answer(&mut stream)?;
    assert_eq!((status, body.as_str()), (413, r#"{"error":"the body has more than 33554432 octets"}"#));

    // A gigabyte isn't announced: it is read no further than it may be long.
    let mut stream = connect(&socket)?;
    stream.write_all(head("Transfer-Encoding: chunked").as_bytes())?;
    let chunk = [b"100000\r\n\"", &vec![b'x'; 0xf_ffff][..], b"\r\n"].concat();
    let sent = (0..1000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!((31..100).contains(&sent), "{sent} MiB");
    assert_eq!(answer(&mut stream)?.0, 413);

    for garbage in
        ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "{\"backend\":\"b1\"}\r\n\r\n"]
    {
        let mut stream = connect(&socket)?;
        stream.write_all(garbage.as_bytes())?;
        assert_eq!(answer(&mut stream)?.0, 400, "{garbage:?}");
    }
    let mut stream = connect(&socket)?;
    // lbd may hang up while this is sent.
    let _ = stream.write_all(&[REQUEST, &vec![b'x'; 1 << 20][..], b"\r\n\r\n"].concat());
    assert_eq!(answer(&mut stream)?.0, 431);
    balancer.lbctl(&["status"])?;
    Ok(())
}

#[test]
fn what_is_not_there_is_answered_as_a_problem() -> Result<()> {
    let lab = Lab::new()?;
    let _balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let socket = balancer::socket(lab.directory());
    let rows = [
        (
            "GET",
            "/v2/status",
            404,
            "there is nothing at /v2/status; GET /v1/openapi.json lists what there is",
        ),
        ("DELETE", "/v1/status", 405, "/v1/status is not for DELETE; GET /v1/openapi.json lists what is"),
        (
            "GET",
            "/v1/services/l2-4v",
            404,
            "there is no service l2-4v; did you mean l2-v4? lbctl service list shows all",
        ),
        ("GET", "/v1/backends?service=x", 404, "there is no service x; lbctl service list shows all"),
    ];
    for (method, path, status, error) in rows {
        let (answered, body) = ask(&socket, method, path)?;
        assert_eq!((answered, &body["error"]), (status, &Value::from(error)), "{method} {path}");
    }
    let (status, body) = ask(&socket, "GET", "/v1/backends?servise=x")?;
    assert!(status == 400 && body["error"].as_str().is_some_and(|error| error.contains("servise")), "{body}");
    let (status, body) = ask(&socket, "POST", "/v1/changes")?;
    assert!(status == 415 && body["error"].is_string(), "{status} {body}");
    Ok(())
}
