//! The namespaces: one that sends, one for each way, and one where all ways end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, ensure};
use aya::programs::xdp::XdpMode;
use lb_common::course::Course;

use super::generator::Generator;
use super::load::Load;
use super::way::{Forwarder, SETTINGS, Way, addresses};
use crate::directory::Directory;
use crate::leftovers;
use crate::namespace::Namespace;
use crate::run::run;

/// Packets that are made before the first of them is forwarded: what a network card's driver takes at once.
const BATCH: u32 = 64;

/// Connections that the kernel may track while this runs.
const CONNECTIONS: &str = "4194304";
/// And lists that it has for them.
const BUCKETS: &str = "1048576";

/// What one series of packets came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Packets a second that arrived.
    pub rate: f64,
    /// Share of packets that were sent and didn't arrive.
    pub lost: f64,
}

/// Everything set up.
pub struct Rig {
    // Dropped in this order.
    forwarders: Vec<Forwarder>,
    generator: Generator,
    egresses: Vec<u32>,
    _ways: Vec<Namespace>,
    source: Namespace,
    _sink: Namespace,
    _directory: Directory,
    _tracking: [Setting; 2],
}

impl Rig {
    /// Makes the namespaces and what forwards in them.
    ///
    /// # Errors
    /// This process isn't root's; the kernel or a program refuses something.
    pub fn new() -> Result<Rig> {
        ensure!(nix::unistd::geteuid().is_root(), "network namespaces and BPF need root: run this with sudo");
        leftovers::remove()?;
        let tracking = [
            Setting::set("/sys/module/nf_conntrack/parameters/hashsize", BUCKETS)?,
            Setting::set("/proc/sys/net/netfilter/nf_conntrack_max", CONNECTIONS)?,
        ];
        let directory = Directory::create(leftovers::directory_path(process::id()))?;
        let create = |name: &str| {
            let namespace = Namespace::create(leftovers::rate_namespace_name(process::id(), name))?;
            namespace.set(&SETTINGS)?;
            Ok::<_, anyhow::Error>(namespace)
        };
        let (source, sink) = (create("source")?, create("sink")?);
        let mut generator = Generator::new()?;
        let (mut ways, mut forwarders, mut egresses) = (Vec::new(), Vec::new(), Vec::new());
        for way in Way::ALL {
            let (namespace, name) = (create(way.name())?, way.name());
            for (end, peer) in [(&source, "eth0"), (&sink, "eth1")] {
                let link =
                    ["link", "add", name, "type", "veth", "peer", "name", peer, "netns", namespace.name()];
                run(Command::new("ip").args(["-n", end.name()]).args(link))?;
                run(Command::new("ip").args(["-n", end.name(), "link", "set", name, "up"]))?;
            }
            let file = directory.path().join(format!("{name}.addresses"));
            fs::write(&file, addresses("eth1"))?;
            run(Command::new("ip").args(["-n", namespace.name(), "-batch"]).arg(file))?;
            sink.enter(|| Ok(generator.receiver()?.attach(name, XdpMode::Driver).map(drop)?))?;
            egresses.push(source.enter(|| Ok(nix::net::if_::if_nametoindex(name)?))?);
            forwarders.push(Forwarder::start(way, &namespace, directory.path(), "eth1").context(name)?);
            ways.push(namespace);
        }
        Ok(Rig {
            forwarders,
            generator,
            egresses,
            _ways: ways,
            source,
            _sink: sink,
            _directory: directory,
            _tracking: tracking,
        })
    }

    /// Lays out what is sent from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn load(&mut self, load: &Load) -> Result<()> {
        self.generator.lay_out(load)
    }

    /// Sends packets one way, so many that don't count and then those that do.
    ///
    /// # Errors
    /// The kernel refuses, or packets went another way.
    pub fn sample(&mut self, way: Way, first: u32, counted: u32) -> Result<Sample> {
        let (egress, last) = (self.egresses[way as usize], first + counted);
        let generator = &mut self.generator;
        generator.begin(|course| Course { egress, first, last, ..course })?;
        let before = (generator.arrivals()?, self.forwarders[way as usize].forwarded()?);
        self.source.enter(|| generator.send(last + 1, BATCH))?;
        let end = generator.course()?;
        let sent = u64::from(end.sent);
        ensure!(sent == u64::from(last) + 1, "{sent} of {} packets were sent", last + 1);
        let arrived: Vec<u64> =
            generator.arrivals()?.iter().zip(before.0).map(|(now, before)| now - before).collect();
        way.check(&arrived, sent)?;
        if let (Some(now), Some(before)) = (self.forwarders[way as usize].forwarded()?, before.1) {
            let forwarded = now - before;
            let total: u64 = arrived.iter().sum();
            ensure!(
                (total..=sent).contains(&forwarded),
                "{sent} packets were sent, {forwarded} forwarded, and {total} arrived"
            );
        }
        let share = arrived.iter().sum::<u64>() as f64 / sent as f64;
        let seconds = (end.ended - end.began) as f64 / 1e9;
        Ok(Sample { rate: f64::from(counted) * share / seconds, lost: 1.0 - share })
    }
}

/// A setting of the machine's, which is put back.
struct Setting {
    file: PathBuf,
    former: String,
}

impl Setting {
    fn set(file: &str, value: &str) -> Result<Setting> {
        let file = Path::new(file).to_path_buf();
        let shown = || file.display().to_string();
        let former = fs::read_to_string(&file).with_context(shown)?;
        fs::write(&file, value).with_context(shown)?;
        Ok(Setting { file, former })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.file, self.former.trim()) {
            eprintln!("{} was {}: {error}", self.file.display(), self.former.trim());
        }
    }
}
