//! Figures, measured here and now.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lb_tests::bench::{consistency, control, datapath};
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
    Consistency,
    /// How long changes take with 1,000 services, and how much memory lbd has
    Control,
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
}

fn main() -> ExitCode {
    let done = match Arguments::parse().bench {
        Bench::Consistency => {
            consistency::run();
            Ok(())
        }
        Bench::Control => control::measure(),
        Bench::Datapath { only, quick, json } => {
            datapath::run(&datapath::Choice { only, is_quick: quick }, json.as_deref())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            interrupt::exit_code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
