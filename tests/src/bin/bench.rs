//! Figures, measured here and now.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lb_tests::bench::{consistency, control, datapath, health, instructions, pktgen, rate, report};
use lb_tests::interrupt;

#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
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
    Pktgen(Box<pktgen::Order>),
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

fn main() -> ExitCode {
    let done = match Arguments::parse().bench {
        Bench::Consistency { json } => consistency::run(json.as_deref()),
        Bench::Control { json } => control::run(json.as_deref()),
        Bench::Health { json } => health::run(json.as_deref()),
        Bench::Datapath { only, quick, json } => {
            datapath::run(&datapath::Choice { only, is_quick: quick }, json.as_deref())
        }
        Bench::Instructions { json } => instructions::run(json.as_deref()),
        Bench::Pktgen(order) => pktgen::run(&order),
        Bench::Rate { only, quick, json } => {
            rate::run(&rate::Choice { only, is_quick: quick }, json.as_deref())
        }
        Bench::Report { files, out } => report::run(&files, &out).map(|page| println!("{}", page.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            interrupt::exit_code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
