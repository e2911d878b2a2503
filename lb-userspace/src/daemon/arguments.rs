//! The command line of `lbd`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::DEFAULT_STATE_DIRECTORY;

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
    Detach {
        /// Of this instance; else of the configuration's, which has to be valid then
        #[arg(long, value_name = "NAME")]
        instance: Option<String>,

        /// Where that instance keeps its state
        #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_STATE_DIRECTORY, requires = "instance")]
        state_directory: PathBuf,
    },
    /// Say what is wrong with a configuration, and touch nothing
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Print the configuration's JSON Schema, by which editors complete it
    Schema,
}
