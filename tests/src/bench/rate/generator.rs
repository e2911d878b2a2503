//! What makes packets in the kernel, and counts those that arrive.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use lb_common::course::{ARRIVALS, Course, Shot};
use lb_userspace::programs;

use super::load::Load;

/// A value of the maps here, which the kernel and this process copy octet by octet.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Plain<T>(T);

// SAFETY: made of integers alone, without padding: `course` asserts the sizes.
unsafe impl aya::Pod for Plain<Course> {}
// SAFETY: as above.
unsafe impl aya::Pod for Plain<Shot> {}

/// The loaded programs and their maps.
pub struct Generator {
    object: Ebpf,
    course: Array<MapData, Plain<Course>>,
    shots: Array<MapData, Plain<Shot>>,
    arrived: PerCpuArray<MapData, u64>,
    frame: Vec<u8>,
    template: Option<Course>,
}

impl Generator {
    /// Loads them; nothing is laid out yet.
    ///
    /// # Errors
    /// The kernel refuses something.
    pub fn new() -> Result<Generator> {
        let mut object = Ebpf::load(programs::RATE).context("the kernel refuses the benchmark's maps")?;
        let mut take =
            |name: &str| object.take_map(name).with_context(|| format!("the object has no map {name}"));
        let (course, shots) = (Array::try_from(take("COURSE")?)?, Array::try_from(take("SHOTS")?)?);
        let arrived = PerCpuArray::try_from(take("ARRIVED")?)?;
        for name in ["xdp_send", "xdp_arrive"] {
            program(&mut object, name)?.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        Ok(Generator { object, course, shots, arrived, frame: Vec::new(), template: None })
    }

    /// The program that sends.
    ///
    /// # Errors
    /// The object has no such program.
    pub fn sender(&mut self) -> Result<&mut Xdp> {
        program(&mut self.object, "xdp_send")
    }

    /// The program that counts what arrives, and drops it.
    ///
    /// # Errors
    /// The object has no such program.
    pub fn receiver(&mut self) -> Result<&mut Xdp> {
        program(&mut self.object, "xdp_arrive")
    }

    /// Lays out what is sent from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn lay_out(&mut self, load: &Load) -> Result<()> {
        self.frame = load.frame([0; 4], 0)?;
        self.template = Some(load.course(&self.frame));
        for (place, shot) in (0..).zip(load.shots()?) {
            self.shots.set(place, Plain(shot), 0)?;
        }
        Ok(())
    }

    /// Begins a course, which is what was laid out with something filled in.
    ///
    /// # Errors
    /// Nothing is laid out, or the kernel refuses it.
    pub fn begin(&mut self, fill: impl FnOnce(Course) -> Course) -> Result<()> {
        let course = self.template.context("nothing is laid out")?;
        Ok(self.course.set(0, Plain(fill(course)), 0)?)
    }

    /// How far the course is.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn course(&self) -> Result<Course> {
        let Plain(course) = self.course.get(&0, 0)?;
        Ok(course)
    }

    /// Sends so many packets, of which `batch` are made before the first of them is forwarded.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn send(&mut self, packets: u32, batch: u32) -> Result<()> {
        let mut options = TestRunOptions::new();
        options.data_in = Some(&self.frame);
        options.repeat = packets;
        options.attrs = TestRunAttrs::new().xdp_live_frames(batch);
        program(&mut self.object, "xdp_send")?.test_run(options).map(drop).context("sending packets")
    }

    /// Packets that arrived since the start, by where they did.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn arrivals(&self) -> Result<Vec<u64>> {
        let places = 0..ARRIVALS as u32;
        places.map(|place| Ok(self.arrived.get(&place, 0)?.iter().sum())).collect()
    }
}

/// A program of an object.
///
/// # Errors
/// There is none of that name.
pub fn program<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = object.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
    Ok(program.try_into()?)
}
