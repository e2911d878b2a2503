//! Debian's packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

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

/// Unpacks a package into a directory, which it has for itself; nothing of it is set up or started.
///
/// # Errors
/// What apt-get said last. The directory is gone then.
pub fn unpack(package: &str, directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    fetch_and_extract(package, directory).inspect_err(|_| {
        let _ = fs::remove_dir_all(directory);
    })
}

fn fetch_and_extract(package: &str, directory: &Path) -> Result<()> {
    let download = || run(apt_get().current_dir(directory).args(["download", package]));
    if let Err(why) = or_after_an_update(download) {
        bail!("apt-get download {package}: {why}");
    }
    let file = fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get download {package} left no package"))?;
    if !succeeds("dpkg-deb", ["--extract".as_ref(), file.as_os_str(), directory.as_os_str()]) {
        bail!("{}: not a Debian package", file.display());
    }
    Ok(fs::remove_file(file)?)
}

/// The packages that a package depends on whose names begin so.
///
/// # Errors
/// There is no such package, or it depends on none.
pub fn dependencies(package: &str, prefix: &str) -> Result<Vec<String>> {
    let ask = || -> Result<Vec<String>, String> {
        let mut command = Command::new("apt-cache");
        let asked = command.args(["depends", package]).env("LC_ALL", "C").output();
        let output = asked.map_err(|error| format!("apt-cache: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let found: Vec<String> = names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
        if found.is_empty() {
            return Err(format!("no package {package} that depends on {prefix}…"));
        }
        Ok(found)
    };
    or_after_an_update(ask).map_err(|why| anyhow!(why))
}

/// Package lists may be missing, or name versions that are gone.
fn or_after_an_update<T>(mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
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
