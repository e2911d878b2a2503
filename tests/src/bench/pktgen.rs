//! Packets of the kernel's generator through a real network card: what was sent, came in, was forwarded and was lost, for
//! each second and queue.

pub mod counts;
pub mod generator;
pub mod interface;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::record::Record;
use crate::interrupt;
use counts::{Counts, Sources, Tally};
use generator::{Generator, Packets};
use interface::Interface;

/// What to send, and what to look at.
#[derive(Args, Clone, Debug)]
pub struct Order {
    /// Interface that packets are sent by; with --receive-only, the one that they come in by
    #[arg(long, value_name = "NAME")]
    pub interface: String,
    /// VIP of a service over UDP
    #[arg(long, value_name = "ADDRESS", required_unless_present = "receive_only")]
    pub vip: Option<IpAddr>,
    /// The service's port, or ports
    #[arg(long, value_name = "FIRST[-LAST]", default_value = "80", value_parser = range::<u16>)]
    pub port: RangeInclusive<u16>,
    /// MAC address of the next host, the balancer or a router; else that of the neighbour on the way to the VIP
    #[arg(long, value_name = "ADDRESS", value_parser = mac)]
    pub mac: Option<[u8; 6]>,
    /// IPv4 addresses of clients; over IPv6 there is one client, the interface's address
    #[arg(long, value_name = "FIRST[-LAST]", default_value = "198.18.0.0-198.18.255.255", value_parser = range::<Ipv4Addr>)]
    pub sources: RangeInclusive<Ipv4Addr>,
    /// Ports of clients
    #[arg(long, value_name = "FIRST[-LAST]", default_value = "1024-65535", value_parser = range::<u16>)]
    pub source_ports: RangeInclusive<u16>,
    /// Octets of a frame, without its checksum
    #[arg(long, value_name = "OCTETS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(64..=9000))]
    pub size: u16,
    /// Threads, each with a processor and a queue; else as many as there are of both
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// End after this
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: u32,
    /// End after so many packets
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// At most so many packets a second
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// Interface that packets come back by, where this machine is a backend too
    #[arg(long, value_name = "NAME", conflicts_with = "receive_only")]
    pub returns: Option<String>,
    /// Send nothing: show what comes in
    #[arg(long, conflicts_with_all = ["count", "rate", "threads"])]
    pub receive_only: bool,
    /// Also show what the lbd says that listens there
    #[arg(long, value_name = "PATH", env = "LB_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Also write the figures there
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Sends and looks, prints a line for each second, and writes a file if one is named: also of what there was before Ctrl-C.
///
/// # Errors
/// This process isn't root's, the kernel has no generator, or an interface isn't there or is down.
pub fn run(order: &Order) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "pktgen and counters need root: run this with sudo");
    interrupt::watch()?;
    let interface = Interface::find(&order.interface)?;
    let watched = match &order.returns {
        Some(name) => Some(Interface::find(name)?),
        None => order.receive_only.then(|| interface.clone()),
    };
    let generator = match order.vip {
        Some(vip) if !order.receive_only => Some(start(order, vip, &interface)?),
        _ => None,
    };
    let mut record = Record::new("pktgen")?;
    let sources = Sources { generator: generator.as_ref(), watched, socket: order.socket.clone() };
    let mut tally = Tally::default();
    let outcome = measure(order, &sources, &mut tally);
    tally.print_total();
    record.rows = tally.rows(&sources);
    if let Some(file) = &order.json {
        record.write(file)?;
    }
    outcome
}

fn start(order: &Order, vip: IpAddr, interface: &Interface) -> Result<Generator> {
    let mac = order.mac.map_or_else(|| interface.next_mac(vip), Ok)?;
    let processors = thread::available_parallelism().context("processors")?.get();
    let threads = order.threads.map_or_else(|| processors.min(interface.queues), usize::from);
    ensure!(threads <= processors, "--threads {threads}: there are {processors} processors");
    let packets = Packets {
        interface: order.interface.clone(),
        mac,
        vip,
        ports: order.port.clone(),
        sources: order.sources.clone(),
        source_ports: order.source_ports.clone(),
        length: order.size,
        count: order.count,
        rate: order.rate,
    };
    let generator = Generator::new(&packets, threads)?;
    println!(
        "{threads} {} on {}, {} {} at once, frames of {} octets to {}",
        if threads == 1 { "thread" } else { "threads" },
        order.interface,
        generator.burst,
        if generator.burst == 1 { "packet" } else { "packets" },
        order.size,
        mac.map(|octet| format!("{octet:02x}")).join(":")
    );
    Ok(generator)
}

/// What was sent last is still on its way.
const SETTLING: Duration = Duration::from_millis(500);

fn measure(order: &Order, sources: &Sources, tally: &mut Tally) -> Result<()> {
    tally.begin(Counts::read(sources)?);
    let begun = Instant::now();
    let end = begun + Duration::from_secs(u64::from(order.seconds));
    let running = sources.generator.map(Generator::start);
    let is_over =
        || running.as_ref().is_some_and(std::thread::JoinHandle::is_finished) || Instant::now() >= end;
    let mut outcome = Ok(());
    for second in 1.. {
        let next = (begun + Duration::from_secs(second)).min(end);
        while Instant::now() < next && !is_over() && outcome.is_ok() {
            thread::sleep(Duration::from_millis(10));
            outcome = interrupt::check();
        }
        if is_over() || outcome.is_err() {
            break;
        }
        tally.add(Counts::read(sources)?);
    }
    if let Some((running, generator)) = running.zip(sources.generator) {
        if !running.is_finished() {
            generator.stop()?;
        }
        running.join().map_err(|_| anyhow::anyhow!("the thread that waits for pktgen has panicked"))??;
    }
    thread::sleep(SETTLING);
    tally.add(Counts::read(sources)?);
    outcome
}

/// `02:00:00:00:00:0a`
///
/// # Errors
/// It isn't one.
pub fn mac(text: &str) -> Result<[u8; 6], String> {
    let octets: Vec<u8> = text
        .split(':')
        .filter(|octet| octet.len() <= 2)
        .filter_map(|octet| u8::from_str_radix(octet, 16).ok())
        .collect();
    let is_whole = text.split(':').count() == octets.len();
    let wanted = || format!("{text} isn't a MAC address; write six octets, as 02:00:00:00:00:0a");
    <[u8; 6]>::try_from(octets).ok().filter(|_| is_whole).ok_or_else(wanted)
}

/// `80` or `1024-65535`
fn range<T: FromStr + PartialOrd + Copy>(text: &str) -> Result<RangeInclusive<T>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let parse =
        |part: &str| part.parse::<T>().map_err(|_| format!("{part} isn't one; write FIRST or FIRST-LAST"));
    let (first, last) = (parse(first)?, parse(last)?);
    if first > last {
        return Err(format!("{text}: the first is above the last"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::{mac, range};

    #[test]
    fn macs_have_six_octets() {
        assert_eq!(mac("02:00:00:00:00:0a"), Ok([2, 0, 0, 0, 0, 10]));
        for wrong in ["", "02:00:00:00:00", "02:00:00:00:00:0a:0b", "02:00:00:00:00:xx", "02:00:00:00:00:00a"]
        {
            assert!(mac(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_go_up() {
        assert_eq!(range::<u16>("80"), Ok(80..=80));
        assert_eq!(range::<u16>("1024-65535"), Ok(1024..=65_535));
        for wrong in ["", "-", "1-", "2-1", "1-70000"] {
            assert!(range::<u16>(wrong).is_err(), "{wrong}");
        }
    }
}
