//! The programs: the balancer as it is loaded by the daemon, and what plays packets to it and takes the time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use aya::Ebpf;
use aya::maps::{Array, MapData, ProgramArray};
use aya::programs::{TestRun, TestRunOptions};
use lb_common::replay::{Progress, Stage, Step};
use lb_common::siphash::HashKey;
use lb_common::verdict::NodeCounters;
use lb_userspace::image::Image;
use lb_userspace::maps::Balancer;
use lb_userspace::planner::plan;
use lb_userspace::programs;

use super::node::MapSizes;
use super::rate::generator::program;
use super::trace::Trace;
use crate::datapath::host::Action;
use crate::datapath::services::HASH_KEY;

/// What packets are played to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// The balancer.
    Case,
    /// What only transmits.
    Baseline,
    /// The least that a balancer with tunnels does.
    Floor,
}

impl Player {
    /// In the order of the kernel's table of programs.
    pub const ALL: [Player; 3] = [Player::Case, Player::Baseline, Player::Floor];

    const fn entry_point(self) -> &'static str {
        match self {
            Player::Case => "play_case",
            Player::Baseline => "play_baseline",
            Player::Floor => "play_floor",
        }
    }
}

/// A value of the maps here, which the kernel and this process copy octet by octet.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Plain<T>(T);

// SAFETY: made of integers alone, without padding: `replay` asserts the sizes.
unsafe impl aya::Pod for Plain<Progress> {}
// SAFETY: as above.
unsafe impl aya::Pod for Plain<Stage> {}
// SAFETY: as above.
unsafe impl aya::Pod for Plain<Step> {}

/// The loaded programs.
pub struct Rig {
    balancer: Balancer,
    image: Image,
    bench: Ebpf,
    progress: Array<MapData, Plain<Progress>>,
    frame: Vec<u8>,
    steps: u32,
    /// The step that comes next.
    next: u32,
    salt: u32,
    // The programs in it are known to the kernel as long as it is held.
    _programs: ProgramArray<MapData>,
}

impl Rig {
    /// Loads the programs, fills the balancer's maps with an image, and lays out a trace.
    ///
    /// # Errors
    /// The kernel refuses something.
    pub fn load(image: Image, sizes: MapSizes, trace: &Trace) -> Result<Rig> {
        ensure!(programs::multi_buffer(), "the benchmark's programs need Linux 5.18 or later");
        let mut balancer = Balancer::load(HashKey::new(HASH_KEY), sizes)?;
        let egresses: BTreeSet<u32> = image.backends.values().map(|backend| backend.egress).collect();
        let refused = balancer.offer(&egresses);
        ensure!(refused == BTreeMap::new(), "the kernel refuses interfaces: {refused:?}");
        balancer.apply(&plan(&Image::default(), &image), |_| {})?;

        let mut bench = Ebpf::load(programs::BENCH).context("the kernel refuses the benchmark's maps")?;
        let mut take =
            |name: &str| bench.take_map(name).with_context(|| format!("the object has no map {name}"));
        let mut stage = Array::<_, Plain<Stage>>::try_from(take("STAGE")?)?;
        stage.set(0, Plain(trace.stage), 0)?;
        let mut steps = Array::<_, Plain<Step>>::try_from(take("STEPS")?)?;
        for (place, step) in (0..).zip(&trace.steps) {
            steps.set(place, Plain(*step), 0)?;
        }
        let progress = Array::try_from(take("PROGRESS")?)?;
        let mut table = ProgramArray::try_from(take("PROGRAMS")?)?;
        for name in ["xdp_transmit", "xdp_floor"].into_iter().chain(Player::ALL.map(Player::entry_point)) {
            program(&mut bench, name)?.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        table.set(0, balancer.program()?.fd()?, 0).context("the balancer's program")?;
        table.set(1, program(&mut bench, "xdp_transmit")?.fd()?, 0)?;
        table.set(2, program(&mut bench, "xdp_floor")?.fd()?, 0)?;
        Ok(Rig {
            balancer,
            image,
            bench,
            progress,
            frame: trace.frame.clone(),
            steps: trace.steps.len() as u32,
            next: 0,
            salt: 0,
            _programs: table,
        })
    }

    /// Plays the packet of one step, and returns what became of it.
    ///
    /// # Errors
    /// The kernel refuses to run it.
    pub fn one(&mut self, player: Player, step: usize) -> Result<(Action, Vec<u8>)> {
        let begin = Progress { next: step as u32, ..Progress::default() };
        self.progress.set(0, Plain(begin), 0)?;
        let mut room = vec![0; self.frame.len() + 128];
        let mut options = TestRunOptions::new();
        options.data_in = Some(&self.frame);
        options.data_out = Some(&mut room);
        let result = program(&mut self.bench, player.entry_point())?.test_run(options)?;
        room.truncate(result.data_size_out as usize);
        Ok((action(result.return_value)?, room))
    }

    /// Plays a series of packets: `first` to get warm, then those that count. Returns nanoseconds a packet.
    ///
    /// # Errors
    /// The kernel refuses to run it, or was interrupted.
    pub fn series(&mut self, player: Player, first: u32, counted: u32) -> Result<f64> {
        let last = first + counted;
        let begin = Progress { next: self.next, salt: self.salt << 8, first, last, ..Progress::default() };
        self.next = (self.next + last + 1) % self.steps;
        self.salt = self.salt.wrapping_add(1);
        self.progress.set(0, Plain(begin), 0)?;
        let mut options = TestRunOptions::new();
        options.data_in = Some(&self.frame);
        options.repeat = last + 1;
        program(&mut self.bench, player.entry_point())?.test_run(options).context("playing packets")?;
        let Plain(end) = self.progress.get(&0, 0)?;
        ensure!(end.played == last + 1, "{} of {} packets were played", end.played, last + 1);
        Ok((end.ended - end.began) as f64 / f64::from(counted))
    }

    /// Plays every step to the balancer once.
    ///
    /// # Errors
    /// As for a series.
    pub fn whole_trace(&mut self) -> Result<()> {
        self.next = 0;
        self.series(Player::Case, 0, self.steps - 1).map(drop)
    }

    /// What the balancer has counted.
    ///
    /// # Errors
    /// The kernel refuses to read a map.
    pub fn node_counters(&self) -> Result<NodeCounters> {
        Ok(self.balancer.counters(&Image::default())?.node)
    }

    /// Pins that were made, evicted, refused and moved, of all services.
    ///
    /// # Errors
    /// The kernel refuses to read a map.
    pub fn pins(&self) -> Result<[u64; 4]> {
        let counters = self.balancer.counters(&self.image)?;
        let mut sum = [0; 4];
        for service in counters.services.values() {
            sum.iter_mut().zip(service.pins).for_each(|(sum, pins)| *sum += pins);
        }
        Ok(sum)
    }
}

fn action(number: u32) -> Result<Action> {
    match number {
        1 => Ok(Action::Drop),
        2 => Ok(Action::Pass),
        3 => Ok(Action::Transmit),
        4 => Ok(Action::Redirect),
        other => bail!("the program returned {other}"),
    }
}
