//! The command line of `lbd`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The whole line.
#[derive(Parser)]
#[command(
    name = "lbd",
    version,
    about = "Layer-4 load balancer: attaches the datapath and keeps its tables true"
)]
pub struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/lb/lb.yaml")]
    pub config: PathBuf,

    /// Take the program off the interfaces when this process ends, instead of letting packets pass
    #[arg(long)]
    pub detach_on_exit: bool,

    /// What is done instead of balancing
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is done instead of balancing.
#[derive(Subcommand)]
pub enum Command {
    /// Take the program off the interfaces, and remove all that a former lbd left in the kernel
    Detach,
    /// Say what is wrong with a configuration, and touch nothing
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Print the configuration's JSON Schema, by which editors complete it
    Schema,
}
