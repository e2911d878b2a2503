//! What lbctl prints, word for word: `*.trycmd` beside this file. `TRYCMD=overwrite` writes what it prints now. Needs root.
//!
//! `[..]` stands for anything in a line, `...` for any lines.

mod lasting;
mod terminal;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lb_tests::{Balancer, Host, Lab, SERVICES, balancer, programs, wait};
use trycmd::TestCases;

/// `lbctl`, with the lab's socket.
fn lbctl(lab: &Lab) -> Result<Command> {
    let mut command = lab.host(Host::Balancer).command(programs::ours("lbctl")?);
    command.env("LB_SOCKET", balancer::socket(lab.directory()));
    Ok(command)
}

/// The commands in a file, one after the other.
fn run(file: &str, socket: &Path) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lbctl").join(file);
    ensure!(path.is_file(), "{} is missing", path.display());
    let cases = TestCases::new();
    cases.register_bin("lbctl", programs::ours("lbctl")?);
    cases
        .env("LB_SOCKET", socket.to_str().context("a path of text")?)
        .insert_var("[SOCKET]", socket.display().to_string())?;
    cases.insert_var("[VERSION]", env!("CARGO_PKG_VERSION"))?;
    cases.env("COLUMNS", "100");
    // Fails the test by itself.
    cases.case(path).run();
    Ok(())
}

#[test]
fn help() -> Result<()> {
    run("help.trycmd", Path::new("/nowhere/lbd.sock"))
}

#[test]
fn without_lbd() -> Result<()> {
    run("without_lbd.trycmd", Path::new("/nowhere/lbd.sock"))
}

#[test]
fn with_lbd() -> Result<()> {
    let lab = Lab::new()?;
    // Nobody has this address.
    let yaml = balancer::configure(lab.directory(), &[SERVICES[0], SERVICES[2]]).replace("100.13", "100.99");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    wait::until("two backends that answer, and one that doesn't", || {
        let list = balancer.lbctl(&["backend", "list"])?;
        let count = |words: &str| list.matches(words).count();
        Ok((count("active") == 4 && count("doesn't answer") == 2).then_some(()))
    })?;
    let socket = balancer::socket(lab.directory());
    run("shown.trycmd", &socket)?;
    run("refused.trycmd", &socket)?;
    run("changed.trycmd", &socket)
}
