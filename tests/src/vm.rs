//! A test that needs another kernel than this machine's: it runs itself in a virtual machine.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::run::finish;

/// Longer than the machine's own limit.
const LIMIT: Duration = Duration::from_mins(11);

/// Does some work of a test in a virtual machine with Debian's kernel: what calls this is the test of that name, which is
/// run there again and comes to the same place.
///
/// # Errors
/// The machine doesn't start, or the test fails there: with what it said.
pub fn inside(test: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if env::var_os("LB_VM").is_some() {
        return work();
    }
    let mut command = Command::new(programs::ours("xtask")?);
    command.arg("vm").arg(env::current_exe()?).args(["--exact", test, "--nocapture"]);
    let finished = finish(&mut command, LIMIT).context(test.to_owned())?;
    ensure!(
        finished.status.success() && finished.stdout.contains("1 passed"),
        "{test} in the virtual machine: {}\n{}{}",
        finished.status,
        finished.stdout,
        finished.stderr
    );
    Ok(())
}
