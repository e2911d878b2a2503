//! Two network cards and the cable between them. One sends, and drops what comes back; behind the other is what forwards.

use std::fs;
use std::hint::black_box;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::programs::Xdp;
use aya::programs::xdp::{XdpLink, XdpMode};
use lb_common::course::Course;
use lb_userspace::programs;

use crate::bench::rate::generator::{Generator, program};
use crate::bench::rate::load::Load;
use crate::bench::rate::way::{Forwarder, SETTINGS, Way, addresses};
use crate::directory::Directory;
use crate::interrupt;
use crate::leftovers;
use crate::namespace::Namespace;
use crate::run::run;

/// Packets that are sent at once, and how often in a sample.
pub const BATCH: u32 = 64;
/// As above.
pub const ROUNDS: u32 = 50;

/// What the far card does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// Nothing.
    Drop,
    /// It sends them back as they are.
    Transmit,
    /// Forwards them, to backends behind the same cable.
    Way(Way),
}

/// What is behind the far card for as long as this lives.
pub struct End {
    works: Option<Works>,
    far: Namespace,
}

/// What works there.
enum Works {
    Link(XdpLink),
    Forwarder(Box<Forwarder>),
}

/// The cards.
pub struct Rig {
    // Dropped in this order.
    generator: Generator,
    next: u32,
    near: Namespace,
    directory: Directory,
}

/// How long the machine does nothing else for after each batch, so that all of it has come back: turns of a loop. Waiting
/// would make its clock jump.
const TURNS: u32 = 50_000;

impl Rig {
    /// Sets up the near card.
    ///
    /// # Errors
    /// There aren't two cards, or the kernel refuses something.
    pub fn new() -> Result<Rig> {
        for module in ["virtio_net", "nf_conntrack", "ip_vs", "ip_vs_mh"] {
            run(Command::new("modprobe").arg(module))?;
        }
        let directory = Directory::create(leftovers::directory_path(process::id()))?;
        let near = Namespace::create(leftovers::rate_namespace_name(process::id(), "near"))?;
        near.set(&SETTINGS)?;
        run(Command::new("ip").args(["link", "set", "eth0", "netns", near.name()]))?;
        // What is for a backend comes here.
        run(Command::new("ip").args(["-n", near.name(), "link", "set", "eth0", "promisc", "on", "up"]))?;
        let mut generator = Generator::new()?;
        near.enter(|| Ok(generator.receiver()?.attach("eth0", XdpMode::Driver).map(drop)?))?;
        // Where no packet comes: while it is attached somewhere, the kernel has no need to change, for each series, how
        // programs are called, and to wait for all processors then.
        near.enter(|| Ok(generator.sender()?.attach("lo", XdpMode::Skb).map(drop)?))?;
        Ok(Rig { generator, next: 0, near, directory })
    }

    /// Lays out what is sent from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn load(&mut self, load: &Load) -> Result<()> {
        self.next = 0;
        self.generator.lay_out(load)
    }

    /// Puts something behind the far card.
    ///
    /// # Errors
    /// The kernel or a program refuses something.
    pub fn equip(&mut self, far: Far) -> Result<End> {
        let namespace = Namespace::create(leftovers::rate_namespace_name(process::id(), "far"))?;
        namespace.set(&SETTINGS)?;
        let link = ["link", "set", "eth1", "netns", namespace.name(), "name", "eth0"];
        run(Command::new("ip").args(link)).context("the far card")?;
        let file = self.directory.path().join("addresses");
        fs::write(&file, addresses("eth0"))?;
        run(Command::new("ip").args(["-n", namespace.name(), "-batch"]).arg(file))?;
        let mut end = End { works: None, far: namespace };
        let attach = |program: &mut Xdp| {
            end.far.enter(|| {
                let id = program.attach("eth0", XdpMode::Driver)?;
                Ok(Works::Link(program.take_link(id)?))
            })
        };
        end.works = Some(match far {
            Far::Drop => attach(self.generator.receiver()?)?,
            Far::Transmit => {
                let mut object =
                    Ebpf::load(programs::BENCH).context("the kernel refuses the benchmark's maps")?;
                let transmit = program(&mut object, "xdp_transmit")?;
                transmit.load().context("the kernel refuses xdp_transmit")?;
                attach(transmit)?
            }
            Far::Way(way) => {
                Works::Forwarder(Box::new(Forwarder::start(way, &end.far, self.directory.path(), "eth0")?))
            }
        });
        // What was there before is cleared away by now; here a second that nobody uses takes no time.
        thread::sleep(Duration::from_secs(1));
        Ok(end)
    }

    /// Sends a number of batches, and returns instructions a packet of all that was done then.
    ///
    /// # Errors
    /// The kernel refuses, or packets didn't arrive where they should.
    pub fn sample(&mut self, _end: &End, far: Far) -> Result<f64> {
        interrupt::check()?;
        let before = self.generator.arrivals()?;
        let (egress, next) = (self.egress()?, self.next);
        self.generator.begin(|course| Course { egress, next, last: u32::MAX, ..course })?;
        let generator = &mut self.generator;
        let instructions = self.near.enter(|| {
            let began = Instant::now();
            for _ in 0..ROUNDS {
                generator.send(BATCH, BATCH)?;
                (0..TURNS).for_each(|turn| {
                    black_box(turn);
                });
            }
            Ok(began.elapsed().as_nanos() as f64)
        })?;
        let end = self.generator.course()?;
        self.next = end.next;
        let arrived: Vec<u64> =
            self.generator.arrivals()?.iter().zip(before).map(|(now, before)| now - before).collect();
        let (sent, total) = (u64::from(end.sent), arrived.iter().sum::<u64>());
        ensure!(sent == u64::from(ROUNDS * BATCH), "{sent} packets were sent instead of {}", ROUNDS * BATCH);
        ensure!(total == sent, "of {sent} packets {total} arrived: {arrived:?}");
        if let Far::Way(way) = far {
            way.check(&arrived, sent)?;
        }
        Ok(instructions / sent as f64)
    }

    fn egress(&self) -> Result<u32> {
        self.near.enter(|| Ok(nix::net::if_::if_nametoindex("eth0")?))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        match self.works.take() {
            Some(Works::Link(link)) => drop(link),
            Some(Works::Forwarder(forwarder)) => drop(forwarder),
            None => {}
        }
        // A card that is in a namespace when that goes comes back later, and by another name.
        let back = ["link", "set", "eth0", "netns", "1", "name", "eth1"];
        if let Err(error) = run(Command::new("ip").args(["-n", self.far.name()]).args(back)) {
            eprintln!("{error:#}");
        }
    }
}
