//! The control plane with many services: how long a change takes, and how much memory `lbd` has.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lb_userspace::api::config::Changed;
use nix::sys::signal::Signal;

use super::figures::Figure;
use super::progress::Progress;
use super::record::{Better, Record, Row};
use crate::balancer::{self, Balancer};
use crate::host::Host;
use crate::lab::Lab;
use crate::run::{finish, run as run_program};
use crate::service::SERVICES;

/// How many there are.
const WITH: (usize, usize) = (1000, 10);

/// Steps of a run: commands, and figures of `lbd`.
const STEPS: usize = 8;

/// A question to lbd may take this long.
const PATIENCE: Duration = Duration::from_mins(5);

/// Prints the figures, and writes a file if one is named: also of what there was before an error.
///
/// # Errors
/// A network can't be made, or a program fails: with what it said.
pub fn run(file: Option<&Path>) -> Result<()> {
    let mut record = Record::new("control")?;
    let outcome = measure(&mut record);
    if let Some(file) = file {
        record.write(file)?;
    }
    outcome
}

fn measure(record: &mut Record) -> Result<()> {
    let (services, backends) = WITH;
    println!("{services} services with {backends} backends each:");
    let lab = Lab::new()?;
    // Backends behind the router: their next hop is known at once.
    run_program(lab.host(Host::Balancer).command("ip").args([
        "route",
        "replace",
        "10.0.0.0/8",
        "via",
        &router(&lab)?,
    ]))?;
    let mut balancer = Balancer::start(&lab, &SERVICES[2..3])?;
    balancer.wait_until_active()?;
    let own = fs::read_to_string(lab.directory().join("lb.yaml"))?;
    let many = lab.directory().join("many.yaml");
    fs::write(&many, own.replace("answer_echo", &format!("{}answer_echo", listed(services, backends))))?;
    let many = many.display().to_string();
    let mut bench = Bench { lab: &lab, record, progress: Progress::new(STEPS) };

    bench.changed("plan", &["plan", &many], None)?;
    bench.changed("apply", &["apply", &many], Some("the first time"))?;
    let again = bench.changed("apply", &["apply", &many], Some("once more"))?;
    ensure!(again.changes.is_empty() && again.effect.writes == 0, "the second time isn't without effect");
    let one = bench.changed("backend set", &["backend", "set", "s500-b5", "weight=3"], None)?;
    ensure!(one.effect.services.len() == 1, "more than one service is concerned");
    bench.tell("memory of lbd", "MiB", memory(&balancer)?);
    bench.progress.begin("start after SIGKILL");
    balancer.stop_with(Signal::SIGKILL)?;
    let begun = Instant::now();
    balancer.start_again()?;
    bench.tell("start after SIGKILL, until it answers", "s", begun.elapsed().as_secs_f64());
    bench.tell("memory of lbd then", "MiB", memory(&balancer)?);
    bench.changed("config revert", &["config", "revert", "--yes"], None)?;
    Ok(())
}

struct Bench<'lab> {
    lab: &'lab Lab,
    record: &'lab mut Record,
    progress: Progress,
}

impl Bench<'_> {
    /// Times a command, and says what it did.
    fn changed(&mut self, name: &str, arguments: &[&str], how: Option<&str>) -> Result<Changed> {
        self.progress.begin(&format!("lbctl {name}"));
        let mut command = balancer::lbctl(self.lab, &["-o", "json"])?;
        let begun = Instant::now();
        let finished = finish(command.args(arguments), PATIENCE)?;
        let seconds = begun.elapsed().as_secs_f64();
        let changed: Changed = serde_json::from_str(&finished.stdout).context(finished.stderr)?;
        let how = how.map_or_else(String::new, |how| format!(", {how}"));
        let (count, writes) = (changed.changes.len(), changed.effect.writes);
        self.progress.end(|| {
            println!("  lbctl {name}{how}: {seconds:.2} s; {count} changes, {writes} writes to maps");
        });
        let row =
            Row::new(format!("lbctl {name}{how}")).with("time", "s", Better::Less, Figure::of(&[seconds]));
        self.record.rows.push(row.fact("changes", count).fact("writes", writes));
        Ok(changed)
    }

    fn tell(&mut self, name: &str, unit: &str, value: f64) {
        self.progress.end(|| println!("  {name}: {value:.2} {unit}"));
        let quantity = if unit == "s" { "time" } else { "memory" };
        self.record.rows.push(Row::new(name).with(quantity, unit, Better::Less, Figure::of(&[value])));
    }
}

/// Services with backends of their own.
fn listed(services: usize, backends: usize) -> String {
    let mut text = String::new();
    for service in 0..services {
        let vip = format!("192.0.{}.{}", 2 + service / 250, 1 + service % 250);
        write!(
            text,
            "  - name: s{service}\n    vip: {vip}\n    port: 443\n    protocol: tcp\n    forwarding: ipip\n    backends:\n"
        )
        .expect("a string takes all");
        for backend in 0..backends {
            let (high, low) = (service / 200, service % 200);
            writeln!(
                text,
                "      - name: s{service}-b{backend}\n        address: 10.{high}.{low}.{}",
                backend + 1
            )
            .expect("a string takes all");
        }
    }
    text
}

/// The router's address on the balancer's network.
fn router(lab: &Lab) -> Result<String> {
    let routes = run_program(lab.host(Host::Balancer).command("ip").args(["route", "show", "default"]))?;
    let mut words = routes.split(' ').skip_while(|word| *word != "via");
    Ok(words.nth(1).context("there is no default route")?.trim().to_owned())
}

/// MiB that a process has in memory.
fn memory(balancer: &Balancer) -> Result<f64> {
    let status = Path::new("/proc").join(balancer.id().to_string()).join("status");
    let status = fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
