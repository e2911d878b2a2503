//! What is more than a short packet in one piece: long ones, parts of packets, and echo requests. Needs root.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use lb_tests::curl::{self, Request};
use lb_tests::ping::{Echo, ping};
use lb_tests::run::run;
use lb_tests::snapshot::Snapshot;
use lb_tests::{Backend, Balancer, Entry, Host, Lab, SERVICES, Service, accounts, balancer, entry, wait};

#[test]
fn vips_answer_echo_requests_and_nothing_is_forwarded_for_it() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    let before = Snapshot::take(&balancer)?;
    for service in SERVICES {
        ping(lab.host(Host::Client), service.vip)?;
    }
    let node = Snapshot::take(&balancer)?.since(&before).node;
    assert!(node.answered["echo_reply"] >= SERVICES.len() as u64, "{node:?}");
    assert_eq!(node.forwarded, 0, "{node:?}");
    Ok(())
}

#[test]
fn echo_requests_of_every_length_that_fits_are_answered_and_parts_go_to_the_kernel() -> Result<()> {
    const LONG: usize = 3000;
    let lab = Lab::new()?;
    let services = [SERVICES[0], SERVICES[1]];
    let balancer = Balancer::start(&lab, &services)?;
    for Service { vip, .. } in services {
        let echo = Echo::open(lab.host(Host::Client), vip)?;
        // The longest fill an MTU of 1500 octets.
        let longest = if vip.is_ipv4() { 1500 - 20 - 8 } else { 1500 - 40 - 8 };
        for octets in [0, 1, 56, 57, longest] {
            let what = format!("{octets} octets from {vip}");
            wait::until(&what, || Ok(echo.ask(octets)?.then_some(())))?;
        }

        let before = Snapshot::take(&balancer)?;
        assert!(!echo.ask(LONG)?, "nobody has {vip}");
        let node = Snapshot::take(&balancer)?.since(&before).node;
        assert_eq!(node.passed["icmp"], 3, "{node:?}");
        assert_eq!((node.forwarded, accounts::total(&node.dropped)), (0, 0), "{node:?}");

        // A kernel that has the VIP puts the parts together.
        let add = ["address", "add", &vip.to_string(), "dev", "lo"];
        run(Command::new("ip").args(["-n", lab.host(Host::Balancer).name()]).args(add))?;
        wait::until(&format!("{LONG} octets from {vip}"), || Ok(echo.ask(LONG)?.then_some(())))?;
    }
    Ok(())
}

/// A request of four segments: in a tunnel, the client's first ones don't fit, and it has to hear of it.
#[test]
fn long_requests_pass_every_tunnel() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    let before = Snapshot::take(&balancer)?;
    let path = format!("/?{}", "x".repeat(6000));
    for service in SERVICES {
        let replies = curl::fetch(&lab, &vec![Request::to(&service, &path); 5])?;
        assert!(replies.iter().all(|reply| reply.status == 200), "{}: {replies:?}", service.name);
    }
    let node = Snapshot::take(&balancer)?.since(&before).node;
    assert!(node.answered.get("too_big") >= Some(&1), "{node:?}");
    Ok(())
}

/// A UDP server in a namespace, which says how much it was sent; it ends when dropped.
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(lab: &Lab, host: Host, address: SocketAddr) -> Result<Self> {
        let socket = lab.host(host).enter(|| Ok(UdpSocket::bind(address)?))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut datagram = [0; 10_000];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((length, client)) = socket.recv_from(&mut datagram) {
                    let _ = socket.send_to(length.to_string().as_bytes(), client);
                }
            }
        });
        Ok(Server { stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[test]
fn datagrams_in_parts_reach_one_backend() -> Result<()> {
    const PORT: u16 = 5353;
    const LENGTH: usize = 4000;
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let entries = SERVICES.map(|service| Entry::beside(&service, Some(PORT), "udp", &Host::BACKENDS));
    let yaml = entry::added(&balancer::configure(lab.directory(), &[]), &entries);
    let balancer = Balancer::start_with(&lab, &yaml)?;
    balancer.wait_until_active()?;
    let mut servers = Vec::new();
    for service in SERVICES {
        for backend in Host::BACKENDS {
            servers.push(Server::start(&lab, backend, (service.vip, PORT).into())?);
        }
    }

    for Service { name, vip, .. } in SERVICES {
        let any: SocketAddr = if vip.is_ipv4() { "0.0.0.0:0".parse()? } else { "[::]:0".parse()? };
        for _ in 0..10 {
            let socket = lab.host(Host::Client).enter(|| Ok(UdpSocket::bind(any)?))?;
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.connect((vip, PORT))?;
            let answer = wait::until(&format!("an answer from {name}"), || {
                // The kernel gives back what it heard of the path's MTU as an error; the next try is shorter.
                let _ = socket.send(&[7; LENGTH]);
                let mut answer = [0; 16];
                Ok(socket.recv(&mut answer).ok().map(|length| answer[..length].to_vec()))
            })?;
            let answer = String::from_utf8(answer).context("an answer")?;
            assert_eq!(answer, LENGTH.to_string(), "{name}");
        }
    }
    Ok(())
}
