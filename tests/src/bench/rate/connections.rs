//! TCP connections a second through the balancer, through `HAProxy` in TCP mode, and with nothing between: a client behind a
//! router asks web servers, over a connection for each request.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::median;
use crate::bench::progress::Progress;
use crate::bench::record::{Better, Row};
use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::service::SERVICES;
use crate::{Backend, Balancer, interrupt, programs};

/// Of the row.
pub const NAME: &str = "connections";

/// Connections of a sample.
const CONNECTIONS: u32 = 4000;
/// Of which so many are open at a time.
const CLIENTS: u32 = 16;

/// How long a reply may take: longer than a SYN that is lost and sent again, which counts.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ways from the client to the servers, in the order in which they take turns.
const WAYS: [&str; 3] = ["ours", "haproxy", "direct"];

/// Sets everything up, takes samples by turns, and prints what they come to.
///
/// # Errors
/// A program is missing or doesn't start, or a request isn't answered; Ctrl-C.
pub fn measure(samples: usize) -> Result<Row> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let service = &SERVICES[0];
    let balancer = Balancer::start(&lab, &[*service])?;
    balancer.wait_until_active()?;
    let _proxy = proxy(&lab)?;
    let targets = [service.vip, Host::Balancer.ipv4().into(), Host::Backend1.ipv4().into()];
    let mut taken: Vec<[f64; WAYS.len()]> = Vec::new();
    let progress = Progress::new(samples + 1);
    // The first round is to get warm.
    for _ in 0..=samples {
        progress.begin(NAME);
        let mut round = [0.0; WAYS.len()];
        for (rate, target) in round.iter_mut().zip(targets) {
            *rate = sample(&lab, target)?;
        }
        taken.push(round);
        progress.end(|| ());
    }
    drop(progress);
    let row = row(&taken[1..]);
    print(&row);
    Ok(row)
}

/// `HAProxy` on the balancer's own address, which the program there leaves to the kernel.
fn proxy(lab: &Lab) -> Result<Process> {
    let server = |backend: &Host| format!("  server {} {}:80", backend.name(), backend.ipv4());
    let servers: Vec<String> = Host::BACKENDS.iter().map(server).collect();
    let address = Host::Balancer.ipv4();
    let configuration = format!(
        "global\n  maxconn 4096\n  nbthread {}\n\
         defaults\n  mode tcp\n  timeout connect 20s\n  timeout client 20s\n  timeout server 20s\n\
         frontend in\n  bind {address}:80\n  default_backend web\n\
         backend web\n  balance roundrobin\n{}\n",
        thread::available_parallelism().context("processors")?,
        servers.join("\n")
    );
    let file = lab.directory().join("haproxy.cfg");
    fs::write(&file, configuration)?;
    let mut command = lab.host(Host::Balancer).command(programs::unpacked("haproxy")?);
    command.arg("-db").arg("-f").arg(&file);
    let mut process = Process::start("haproxy", &mut command, lab.directory().join("haproxy.log"))?;
    process.wait_until_ready(|_| {
        lab.host(Host::Balancer).enter(|| Ok(TcpStream::connect((address, 80)).is_ok()))
    })?;
    Ok(process)
}

/// Connections a second to an address.
fn sample(lab: &Lab, target: IpAddr) -> Result<f64> {
    interrupt::check()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let ask =
            || lab.host(Host::Client).enter(|| (0..CONNECTIONS / CLIENTS).try_for_each(|_| request(target)));
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().try_for_each(|client| {
            client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context(target.to_string())
        })
    })?;
    Ok(f64::from(CONNECTIONS) / began.elapsed().as_secs_f64())
}

fn request(target: IpAddr) -> Result<()> {
    interrupt::check()?;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(target, 80), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    ensure!(
        reply.starts_with(b"HTTP/1.1 200 "),
        "an answer that isn't one: {}",
        String::from_utf8_lossy(&reply)
    );
    Ok(())
}

fn row(taken: &[[f64; WAYS.len()]]) -> Row {
    let of = |way: usize| taken.iter().map(move |round| round[way]);
    let ratio =
        |other: usize| median(&of(0).zip(of(other)).map(|(ours, other)| ours / other).collect::<Vec<_>>());
    let mut row = Row::new(NAME);
    for (other, name) in WAYS.into_iter().enumerate().skip(1) {
        row = row.with(&format!("ours/{name}"), "", Better::More, ratio(other));
    }
    for (way, name) in WAYS.into_iter().enumerate() {
        row = row.with(name, "connections/s", Better::More, median(&of(way).collect::<Vec<_>>()));
    }
    row.fact("samples", taken.len()).fact("connections", CONNECTIONS).fact("at a time", CLIENTS)
}

fn print(row: &Row) {
    let figure = |name: &str| row.figure(name).median;
    println!("connections a second:");
    println!(
        "{:<16} {:>9} {:>9} {:>9} {:>14} {:>14}",
        "LOAD", "OURS", "HAPROXY", "DIRECT", "OURS/HAPROXY", "OURS/DIRECT"
    );
    println!(
        "{NAME:<16} {:>9.0} {:>9.0} {:>9.0} {:>14.2} {:>14.2}",
        figure("ours"),
        figure("haproxy"),
        figure("direct"),
        figure("ours/haproxy"),
        figure("ours/direct")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figure;

    #[test]
    fn ratios_are_of_samples_that_were_taken_together() {
        let row = row(&[[200.0, 100.0, 400.0], [100.0, 50.0, 200.0], [300.0, 100.0, 300.0]]);
        for (name, expected) in [("ours/haproxy", 2.0), ("ours/direct", 0.5), ("ours", 200.0)] {
            assert_eq!(row.figure(name), Figure { quiet: expected, median: expected, ..row.figure(name) });
        }
    }
}
