//! Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::programs::{find, is_root, succeeds};

/// Installs packages.
///
/// # Errors
/// What apt-get said last, and what to type.
pub fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if find("apt-get").is_none() {
        bail!("this system has no apt-get; install the equivalents of: {names}");
    }
    let by_hand = format!("as root, run: apt-get update && apt-get install --yes {names}");
    if !is_root() && !succeeds("sudo", ["--non-interactive", "true"]) {
        bail!("no permission to install; {by_hand}");
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    if let Err(why) = or_after_an_update(|| run(as_root().args(&arguments))) {
        bail!("apt-get install {names}: {why}; {by_hand}");
    }
    Ok(())
}

/// Puts a package's file into a directory.
///
/// # Errors
/// What apt-get said last.
pub fn download(package: &str, directory: &Path) -> Result<()> {
    let download = || run(apt_get().current_dir(directory).args(["download", package]));
    if let Err(why) = or_after_an_update(download) {
        bail!("apt-get download {package}: {why}");
    }
    Ok(())
}

/// Package lists may be missing, or name versions that are gone.
fn or_after_an_update(attempt: impl Fn() -> Result<(), String>) -> Result<(), String> {
    attempt().or_else(|_| {
        // Of several archives one may be out of reach, and another have the package: the attempt tells.
        let updated = run(as_root().arg("update"));
        attempt().map_err(|why| match updated {
            Ok(()) => why,
            Err(update) => format!("{why} (apt-get update: {update})"),
        })
    })
}

fn as_root() -> Command {
    if is_root() {
        return apt_get();
    }
    let mut command = Command::new("sudo");
    command.args(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
    command
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.envs([("DEBIAN_FRONTEND", "noninteractive"), ("LC_ALL", "C")]);
    command
}

/// Runs it quietly; the error is its last word.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(last_error(&said).map_or_else(|| output.status.to_string(), str::to_owned))
}

/// `E: Unable to locate package llvm-99-dev` without its mark; the last line if none has one.
fn last_error(said: &str) -> Option<&str> {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = lines.clone().rev().find_map(|line| line.strip_prefix("E: "));
    marked.or_else(|| lines.next_back())
}

#[cfg(test)]
mod tests {
    use super::last_error;

    #[test]
    fn the_last_error_is_quoted() {
        let rows = [
            ("E: Unable to locate package llvm-99-dev\n", Some("Unable to locate package llvm-99-dev")),
            ("E: first\nE: second\nW: a warning\n", Some("second")),
            ("sudo: a password is required\n\n", Some("sudo: a password is required")),
            ("", None),
        ];
        for (said, expected) in rows {
            assert_eq!(last_error(said), expected, "{said}");
        }
    }
}
