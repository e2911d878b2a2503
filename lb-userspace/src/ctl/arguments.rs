//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::change::How;
use super::watch::Watch;
use super::{backend, complete, config, events, health, outcome, service, trace};
use crate::config::DEFAULT_SOCKET;

const GLOBAL: &str = "Options of every command";
const REMOTE: &str = "For an lbd on another node, instead of --socket";

/// The whole line.
#[derive(Parser)]
#[command(
    name = "lbctl",
    version,
    about = "Looks into a running lbd, and changes what it does",
    after_long_help = outcome::HELP,
    max_term_width = 115
)]
pub(super) struct Arguments {
    /// The socket of lbd
    #[arg(long, global = true, value_name = "PATH", env = "LB_SOCKET", default_value = DEFAULT_SOCKET)]
    #[arg(hide_env_values = true, help_heading = GLOBAL)]
    pub socket: PathBuf,

    /// Where it listens, as in `https://lb1.example:9443`
    #[arg(long, global = true, help_heading = REMOTE)]
    pub url: Option<String>,

    /// With this certificate, in PEM
    #[arg(long, global = true, help_heading = REMOTE, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// The certificate's private key, in PEM
    #[arg(long, global = true, help_heading = REMOTE, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// The authority that has signed lbd's certificate, in PEM
    #[arg(long, global = true, help_heading = REMOTE, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// How to print
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t = Output::Table)]
    #[arg(help_heading = GLOBAL)]
    pub output: Output,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For both
    Yaml,
}

/// The nouns, and what has no noun.
#[derive(Subcommand)]
pub(super) enum Command {
    /// The node: where it is attached, and what became of every packet
    Status(Watch),
    /// What clients connect to
    #[command(subcommand)]
    Service(service::Command),
    /// Where connections are sent
    #[command(subcommand)]
    Backend(backend::Command),
    /// What checks of backends came to
    Health(health::Arguments),
    /// The configuration: what runs, and what lbd's file says
    #[command(subcommand)]
    Config(config::Command),
    /// What a file would change, and what that would do
    Plan(config::Plan),
    /// Makes a file's content the running configuration
    Apply(config::Apply),
    /// Reads lbd's file again, and keeps the changes since that it doesn't overrule
    Reload(How),
    /// What happened: the last events, and those to come
    Events(events::Arguments),
    /// Packets as they come, and what becomes of each
    Trace(trace::Arguments),
    /// What makes a shell complete commands and names: for bash, source <(lbctl completions bash)
    Completions(complete::Arguments),
    /// The versions of lbctl and of lbd
    Version,
}
