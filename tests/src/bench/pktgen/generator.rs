//! The kernel's packet generator, which is driven by writing words to files.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail, ensure};

use crate::run::run;

/// Of this process's network namespace.
const DIRECTORY: &str = "/proc/self/net/pktgen";

/// Packets that a driver is handed at once, if it can be: of one flow then.
const BURST: u32 = 16;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    /// The interface that they leave by.
    pub interface: String,
    /// Where a frame goes next.
    pub mac: [u8; 6],
    /// The destination.
    pub vip: IpAddr,
    /// The destination's ports.
    pub ports: RangeInclusive<u16>,
    /// Addresses that IPv4 packets come from, by chance.
    pub sources: RangeInclusive<Ipv4Addr>,
    /// Ports that packets come from, by chance.
    pub source_ports: RangeInclusive<u16>,
    /// Octets of a frame, without its checksum.
    pub length: u16,
    /// How many, of all threads; no end if there is none.
    pub count: Option<u64>,
    /// At most so many a second, of all threads.
    pub rate: Option<u64>,
}

/// Threads that were told what to send.
pub struct Generator {
    interface: String,
    threads: usize,
    /// Packets that a driver is handed at once.
    pub burst: u32,
}

/// What one thread has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets that the driver took.
    pub packets: u64,
    /// Packets that it didn't.
    pub errors: u64,
}

impl Generator {
    /// Tells as many threads, each on a processor of its own, what to send.
    ///
    /// # Errors
    /// There is no generator, it is in use, or refuses something.
    pub fn new(packets: &Packets, threads: usize) -> Result<Generator> {
        load()?;
        if let Some(device) = devices()?.first() {
            bail!("pktgen is in use ({device}); if nobody needs it: echo reset > {DIRECTORY}/pgctrl");
        }
        let interface = packets.interface.clone();
        let mut generator = Generator { interface, threads, burst: BURST };
        for thread in 0..threads {
            let device = generator.device(thread);
            write(&format!("kpktgend_{thread}"), &format!("add_device {device}"))
                .with_context(|| format!("pktgen has no thread {thread} that takes {device}"))?;
            for command in commands(packets, thread, threads) {
                write(&device, &command)?;
            }
            if write(&device, &format!("burst {BURST}")).is_err() {
                generator.burst = 1;
            }
        }
        Ok(generator)
    }

    /// Begins; what is returned ends when all is sent, or after [`Generator::stop`].
    #[must_use]
    pub fn start(&self) -> JoinHandle<Result<()>> {
        thread::spawn(|| write("pgctrl", "start"))
    }

    /// Ends it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop(&self) -> Result<()> {
        write("pgctrl", "stop")
    }

    /// What each thread has sent so far.
    ///
    /// # Errors
    /// The generator's files aren't what they were on other kernels.
    pub fn sent(&self) -> Result<Vec<Sent>> {
        let of = |thread| {
            let device = self.device(thread);
            let text = read(&device)?;
            sent(&text).with_context(|| format!("{DIRECTORY}/{device} has no number of packets: {text}"))
        };
        (0..self.threads).map(of).collect()
    }

    fn device(&self, thread: usize) -> String {
        format!("{}@{thread}", self.interface)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        for thread in 0..self.threads {
            if let Err(error) = write(&format!("kpktgend_{thread}"), "rem_device_all") {
                eprintln!("{error:#}");
            }
        }
    }
}

/// Makes sure that there is one.
fn load() -> Result<()> {
    let is_there = || Path::new(DIRECTORY).join("pgctrl").exists();
    if is_there() {
        return Ok(());
    }
    let loaded = run(Command::new("modprobe").arg("pktgen"));
    ensure!(
        is_there(),
        "the kernel has no pktgen{}; use one with CONFIG_NET_PKTGEN (Debian's linux-image-amd64 has the module; its \
         cloud kernels haven't), or try it in a virtual machine: cargo xtask vm",
        loaded.err().map(|error| format!(" ({error:#})")).unwrap_or_default()
    );
    Ok(())
}

/// Interfaces that a thread was given.
fn devices() -> Result<Vec<String>> {
    let entries = fs::read_dir(DIRECTORY).context(DIRECTORY)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name != "pgctrl" && !name.starts_with("kpktgend_")).collect())
}

/// What one thread of so many is told.
fn commands(packets: &Packets, thread: usize, threads: usize) -> Vec<String> {
    let share = |whole: u64| whole / threads as u64 + u64::from((thread as u64) < whole % threads as u64);
    let mac = packets.mac.map(|octet| format!("{octet:02x}")).join(":");
    let mut commands = vec![
        // None means: without end.
        format!("count {}", packets.count.map_or(0, share)),
        "clone_skb 0".into(),
        format!("pkt_size {}", packets.length),
        format!("dst_mac {mac}"),
        format!("udp_dst_min {}", packets.ports.start()),
        format!("udp_dst_max {}", packets.ports.end()),
        format!("udp_src_min {}", packets.source_ports.start()),
        format!("udp_src_max {}", packets.source_ports.end()),
        "flag UDPSRC_RND".into(),
        format!("queue_map_min {thread}"),
        format!("queue_map_max {thread}"),
    ];
    match packets.vip {
        IpAddr::V4(vip) => commands.extend([
            format!("dst_min {vip}"),
            format!("dst_max {vip}"),
            format!("src_min {}", packets.sources.start()),
            format!("src_max {}", packets.sources.end()),
            "flag IPSRC_RND".into(),
        ]),
        // UDP over IPv6 needs a checksum (RFC 8200).
        IpAddr::V6(vip) => commands.extend([format!("dst6 {vip}"), "flag UDPCSUM".into()]),
    }
    commands.extend(packets.rate.map(|rate| format!("ratep {}", share(rate).max(1))));
    commands
}

/// `     pkts-sofar: 1000  errors: 0`
fn sent(text: &str) -> Option<Sent> {
    let number = |name: &str| text.split(name).nth(1)?.split_whitespace().next()?.parse().ok();
    Some(Sent { packets: number("pkts-sofar:")?, errors: number("errors:")? })
}

fn write(file: &str, command: &str) -> Result<()> {
    let path = Path::new(DIRECTORY).join(file);
    fs::write(&path, format!("{command}\n"))
        .with_context(|| format!("pktgen: {command} ({})", path.display()))
}

fn read(file: &str) -> Result<String> {
    let path = Path::new(DIRECTORY).join(file);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Packets {
        Packets {
            interface: "eth1".into(),
            mac: [2, 0, 0, 0, 0, 0xa],
            vip: [192, 0, 2, 1].into(),
            ports: 80..=80,
            sources: [198, 18, 0, 0].into()..=[198, 18, 255, 255].into(),
            source_ports: 1024..=65_535,
            length: 64,
            count: Some(1001),
            rate: None,
        }
    }

    #[test]
    fn threads_share_the_packets() {
        let count = |thread| commands(&packets(), thread, 2)[0].clone();
        assert_eq!([count(0), count(1)], ["count 501", "count 500"]);
        let limited = Packets { count: None, rate: Some(1000), ..packets() };
        let commands = commands(&limited, 1, 4);
        assert_eq!((commands[0].as_str(), commands.last().unwrap().as_str()), ("count 0", "ratep 250"));
    }

    #[test]
    fn each_thread_has_a_queue_of_its_own() {
        let commands = commands(&packets(), 1, 2);
        for command in
            ["dst_mac 02:00:00:00:00:0a", "queue_map_min 1", "queue_map_max 1", "src_max 198.18.255.255"]
        {
            assert!(commands.iter().any(|found| found == command), "{command}: {commands:?}");
        }
    }

    #[test]
    fn packets_sent_so_far_are_read() {
        let text = "Params: count 1000  min_pkt_size: 60\nCurrent:\n     pkts-sofar: 1000  errors: 3\n     started: 0us\n";
        assert_eq!(sent(text), Some(Sent { packets: 1000, errors: 3 }));
        assert_eq!(sent("Result: Idle"), None);
    }
}
