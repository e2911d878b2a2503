//! The developer's menu: `cargo xtask` lists it.

mod apt;
mod fuzz;
mod programs;
mod setup;
mod toolchain;
mod vm;

use std::ffi::OsString;
use std::fs;
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Everything a developer or CI runs")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need, saying what
    Setup,
    /// Client, router, load balancer and backends in network namespaces, with real traffic
    Demo {
        /// Leave it running, and say how to look around
        #[arg(long)]
        keep: bool,
    },
    /// Every test that runs here: format, lints, units, packets, namespaces
    Test {
        /// With 100,000 sequences of changes for the model of flows and backends: hours
        #[arg(long)]
        thorough: bool,
    },
    /// Figures, measured here and now
    #[command(subcommand)]
    Bench(Bench),
    /// Man pages and completions, in target/docs
    Docs,
    /// Inputs that nobody thought of, for the datapath on the host
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 5)]
        minutes: u32,
        /// Keep, in the repository, the fewest inputs that reach all that was reached
        #[arg(long)]
        keep: bool,
        /// One target; without it, one after the other
        target: Option<fuzz::Target>,
    },
    /// A command on Debian's kernel, in a virtual machine that has this machine's files
    Vm(vm::Machine),
}

#[derive(Subcommand)]
enum Bench {
    /// How many slots a change moves, how even the shares are, how long a table takes to build
    Consistency {
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// How long changes take with 1,000 services, and how much memory lbd has
    Control {
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// How long a backend that fails is still sent connections, and what many checks cost
    Health {
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Nanoseconds per packet of the loaded program
    Datapath {
        /// Only cases whose name contains this
        #[arg(long, value_name = "PATTERN")]
        only: Option<String>,
        /// Only the cases that have a goal, with fewer samples: under two minutes
        #[arg(long)]
        quick: bool,
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Instructions per packet beside what Linux has for the same, in a virtual machine that counts them
    Instructions {
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Packets of the kernel's generator (pktgen) through a real network card
    #[command(disable_help_flag = true)]
    Pktgen {
        /// As `cargo xtask bench pktgen --help` says
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<OsString>,
    },
    /// Packets per second, beside what Linux has for the same
    Rate {
        /// Only loads whose name contains this
        #[arg(long, value_name = "PATTERN")]
        only: Option<String>,
        /// Only frames of 64 octets and 100,000 flows, with fewer samples
        #[arg(long)]
        quick: bool,
        /// Also write the figures there
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// A page with plots out of files that --json wrote, compared with the first of each benchmark
    Report {
        /// Files of figures
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Directory for report.md and the plots
        #[arg(long, value_name = "DIR", default_value = "target/bench")]
        out: PathBuf,
    },
}

impl Bench {
    /// What the program with the benchmarks is asked.
    fn arguments(self) -> Vec<OsString> {
        match self {
            Bench::Consistency { json } => with_file("consistency", json),
            Bench::Control { json } => with_file("control", json),
            Bench::Health { json } => with_file("health", json),
            Bench::Datapath { only, quick, json } => chosen("datapath", only, quick, json),
            Bench::Instructions { json } => with_file("instructions", json),
            Bench::Pktgen { options } => iter::once("pktgen".into()).chain(options).collect(),
            Bench::Rate { only, quick, json } => chosen("rate", only, quick, json),
            Bench::Report { files, out } => {
                let mut arguments: Vec<OsString> = vec!["report".into(), "--out".into(), out.into()];
                arguments.extend(files.into_iter().map(OsString::from));
                arguments
            }
        }
    }
}

fn chosen(bench: &str, only: Option<String>, quick: bool, json: Option<PathBuf>) -> Vec<OsString> {
    let mut arguments = with_file(bench, json);
    arguments.extend(only.into_iter().flat_map(|pattern| ["--only".into(), pattern.into()]));
    arguments.extend(quick.then(|| "--quick".into()));
    arguments
}

fn with_file(bench: &str, json: Option<PathBuf>) -> Vec<OsString> {
    let file = json.into_iter().flat_map(|file| ["--json".into(), file.into()]);
    iter::once(bench.into()).chain(file).collect()
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let done = match task {
        Task::Vm(machine) => match vm::run(&workspace(), &machine) {
            Ok(code) => return ExitCode::from(code),
            Err(error) => Err(error),
        },
        Task::Setup => set_up(),
        Task::Demo { keep } => demo(keep),
        Task::Test { thorough } => test(thorough),
        Task::Bench(what) => bench(what),
        Task::Docs => docs(),
        Task::Fuzz { minutes, keep, target } => fuzz::run(&workspace(), target, minutes, keep),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set_up() -> Result<()> {
    setup::programs_of_tests()?;
    setup::virtual_machine(&workspace())?;
    setup::run(&workspace())
}

/// Sequences of changes, each of up to 120 events, that a thorough test tries.
const SEQUENCES: &str = "100000";

fn demo(keep: bool) -> Result<()> {
    setup::run(&workspace())?;
    println!("building (release; a few minutes the first time)");
    cargo(&["build", "--release", "--quiet", "--workspace", "--exclude", "xtask"])?;
    let mut demo = programs::as_root(&workspace().join("target/release/lb-demo"))?;
    if keep {
        demo.arg("--keep");
    }
    // The demo takes this process's place, so that Ctrl-C reaches it alone and it can clean up.
    Err(demo.exec()).context("target/release/lb-demo")
}

fn bench(what: Bench) -> Result<()> {
    setup::run(&workspace())?;
    println!("building (release; a few minutes the first time)");
    cargo(&["build", "--release", "--quiet", "--package", "lb-tests", "--bin", "lb-bench"])?;
    if matches!(what, Bench::Rate { .. }) {
        setup::programs_of_rate(&workspace())?;
    }
    if matches!(
        what,
        Bench::Control { .. } | Bench::Health { .. } | Bench::Pktgen { .. } | Bench::Rate { .. }
    ) {
        cargo(&["build", "--release", "--quiet", "--package", "lb-userspace", "--bins"])?;
    }
    let program = workspace().join("target/release/lb-bench");
    if let Bench::Instructions { json } = what {
        setup::programs_of_instructions(&workspace())?;
        return instructions(&program, json);
    }
    let mut bench = match what {
        Bench::Consistency { .. } | Bench::Instructions { .. } | Bench::Report { .. } => {
            Command::new(program)
        }
        Bench::Control { .. }
        | Bench::Datapath { .. }
        | Bench::Health { .. }
        | Bench::Pktgen { .. }
        | Bench::Rate { .. } => programs::as_root(&program)?,
    };
    // It takes this process's place, so that Ctrl-C reaches it alone.
    Err(bench.args(what.arguments()).exec()).context("target/release/lb-bench")
}

/// Runs it in a virtual machine, and puts its file where it is wanted.
fn instructions(program: &Path, json: Option<PathBuf>) -> Result<()> {
    let share = workspace().join("target/bench/instructions");
    fs::create_dir_all(&share)?;
    let figures = share.join("figures.json");
    // Else an earlier one would be taken for this one's.
    if figures.exists() {
        fs::remove_file(&figures)?;
    }
    println!("starting a virtual machine; some minutes");
    let bench = [
        program.display().to_string(),
        "instructions".into(),
        "--json".into(),
        figures.display().to_string(),
    ];
    let machine = vm::Machine {
        count_instructions: true,
        cable: true,
        share: Some(share),
        minutes: 20,
        ..vm::Machine::new(bench.into())
    };
    let outcome = vm::run(&workspace(), &machine);
    // What was measured until an error or Ctrl-C stays.
    if let Some(json) = json.filter(|_| figures.exists()) {
        fs::copy(&figures, &json).with_context(|| json.display().to_string())?;
    }
    match outcome? {
        0 => Ok(()),
        code => bail!("the benchmark ended with {code}"),
    }
}

fn docs() -> Result<()> {
    setup::run(&workspace())?;
    cargo(&["build", "--quiet", "--package", "lb-userspace", "--bins"])?;
    let directory = workspace().join("target/docs");
    run(cargo_command(&["run", "--quiet", "--package", "lb-tests", "--bin", "lb-docs"])
        .arg("--")
        .arg(&directory))?;
    println!("{}: man pages in man1; completions in bash, zsh and fish", directory.display());
    Ok(())
}

fn test(thorough: bool) -> Result<()> {
    set_up()?;
    setup::formatter_and_lints()?;
    for step in [
        &["fmt", "--all", "--check"][..],
        &["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"],
        &["build", "--quiet", "--workspace"],
    ] {
        println!("cargo {}", step.join(" "));
        cargo(step)?;
    }
    println!("cargo test --workspace");
    // The tests run as root, but what is built belongs to whoever builds.
    let prefix = programs::prefix_for_root()?;
    let runner = format!("target.'cfg(all())'.runner = {prefix:?}");
    let as_root: &[&str] = if prefix.is_empty() { &[] } else { &["--config", &runner] };
    let mut tests = cargo_command(&[as_root, &["test", "--quiet", "--workspace"]].concat());
    if thorough {
        tests.env("LB_SEQUENCES", SEQUENCES);
    }
    run(&mut tests)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(&mut cargo_command(arguments))
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace()).args(arguments);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| program.clone())?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}
