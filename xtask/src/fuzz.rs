//! `cargo xtask fuzz`: cargo-fuzz, with the vectors and the kept corpus to begin with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::{run as run_command, setup};

/// What is fuzzed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Target {
    /// The load balancer's datapath
    Balance,
    /// The agent's datapath
    Decapsulate,
}

impl Target {
    const ALL: [Target; 2] = [Target::Balance, Target::Decapsulate];

    const fn name(self) -> &'static str {
        match self {
            Target::Balance => "balance",
            Target::Decapsulate => "decapsulate",
        }
    }
}

/// Runs one target or all of them for some minutes each, then keeps what they found if that is wanted.
///
/// # Errors
/// An input broke a law, or something is missing that can't be installed.
pub fn run(workspace: &Path, target: Option<Target>, minutes: u32, keep: bool) -> Result<()> {
    setup::run(workspace)?;
    let fuzzer = Fuzzer { program: setup::fuzzer(workspace)?, workspace: workspace.to_path_buf() };
    fuzzer.write_seeds()?;
    for target in target.map_or_else(|| Target::ALL.to_vec(), |target| vec![target]) {
        let name = target.name();
        println!("fuzzing {name} for {minutes} min (the first build takes a few more)");
        fuzzer.fuzz(name, minutes)?;
        if keep {
            fuzzer.keep(name)?;
        }
    }
    Ok(())
}

struct Fuzzer {
    program: PathBuf,
    workspace: PathBuf,
}

impl Fuzzer {
    /// Puts the vectors' packets where the fuzzer finds them.
    fn write_seeds(&self) -> Result<()> {
        let seeds = self.output("seeds");
        empty(&seeds)?;
        println!("writing the vectors' packets to {}", seeds.display());
        let vectors =
            ["test", "--quiet", "--package", "lb-tests", "--test", "datapath", "vectors_obey_the_laws"];
        run_command(
            Command::new(env!("CARGO")).current_dir(&self.workspace).args(vectors).env("LB_SEEDS", seeds),
        )
    }

    fn fuzz(&self, target: &str, minutes: u32) -> Result<()> {
        let found = self.found(target);
        fs::create_dir_all(&found)?;
        let [kept, seeds] = [self.kept(target), self.output("seeds").join(target)];
        fs::create_dir_all(&kept)?;
        let seconds = format!("-max_total_time={}", u64::from(minutes) * 60);
        self.start(target, &[&found, &kept, &seeds], &[&seconds, "-print_final_stats=1"]).with_context(|| {
            format!(
                "{target}: moved into {}, the input above becomes a case of `cargo test -p lb-tests --test datapath corpus`",
                kept.display()
            )
        })
    }

    /// Replaces the kept inputs by the fewest and shortest of all there are that reach the same code.
    fn keep(&self, target: &str) -> Result<()> {
        let fewest = self.output("fewest").join(target);
        empty(&fewest)?;
        let [kept, seeds, found] = [self.kept(target), self.output("seeds").join(target), self.found(target)];
        self.start(target, &[&fewest, &kept, &seeds, &found], &["-merge=1", "-use_counters=0"])?;
        empty(&kept)?;
        for input in fs::read_dir(&fewest)? {
            let input = input?;
            fs::copy(input.path(), kept.join(input.file_name()))?;
        }
        println!("kept {} inputs in {}", fs::read_dir(&kept)?.count(), kept.display());
        Ok(())
    }

    /// The datapath on the host has no unsafe code, for which sanitizers would be: without them, no nightly compiler is
    /// needed either.
    fn start(&self, target: &str, directories: &[&Path], arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.workspace).args(["run", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none"]);
        command.arg("--target-dir").arg(self.output("build")).arg(target).args(directories);
        command.args(["--", "-max_len=4096"]).args(arguments);
        run_command(&mut command)
    }

    fn kept(&self, target: &str) -> PathBuf {
        self.workspace.join("tests/fuzz/corpus").join(target)
    }

    fn found(&self, target: &str) -> PathBuf {
        self.output("found").join(target)
    }

    fn output(&self, name: &str) -> PathBuf {
        self.workspace.join("target/fuzz").join(name)
    }
}

fn empty(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    Ok(fs::create_dir_all(directory)?)
}
