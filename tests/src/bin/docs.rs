//! Writes man pages and completions into a directory: `lb-docs DIRECTORY`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::CommandFactory;
use lb_tests::{programs, run};
use lb_userspace::{agent, ctl, daemon};

/// Shells, and what their completions are called where packages put them.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "lbctl"), ("zsh", "_lbctl"), ("fish", "lbctl.fish")];

fn main() -> Result<()> {
    let directory = PathBuf::from(env::args_os().nth(1).context("which directory?")?);
    let pages = directory.join("man1");
    fs::create_dir_all(&pages).with_context(|| pages.display().to_string())?;
    for program in
        [daemon::Arguments::command(), ctl::command(), agent::Arguments::command().name("lb-agent")]
    {
        clap_mangen::generate_to(program, &pages)?;
    }
    let lbctl = programs::ours("lbctl")?;
    COMPLETIONS
        .into_iter()
        .try_for_each(|(shell, file)| complete(&lbctl, shell, &directory.join(shell).join(file)))
}

fn complete(lbctl: &Path, shell: &str, file: &Path) -> Result<()> {
    let script = run::run(Command::new(lbctl).args(["completions", shell]))?;
    fs::create_dir_all(file.parent().context("a directory")?)?;
    fs::write(file, script).with_context(|| file.display().to_string())
}
