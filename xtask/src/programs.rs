//! Programs of the machine: where they are, and how to run one as root.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// The first file of that name on the PATH or where administrators' programs lie.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Whether this process is root.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A command that runs as root: directly, or through sudo.
///
/// # Errors
/// Neither root nor sudo: says what to type.
pub fn as_root(program: &Path) -> Result<Command> {
    let words = prefix_for_root()?;
    let mut words = words.into_iter().chain([program.as_os_str().to_string_lossy().into_owned()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    Ok(command)
}

/// What to put before a command so that it runs as root: nothing, or sudo.
///
/// # Errors
/// Neither root nor sudo: says what to do.
pub fn prefix_for_root() -> Result<Vec<String>> {
    if is_root() {
        return Ok(Vec::new());
    }
    if find("sudo").is_none() {
        bail!("network namespaces and BPF need root, and there is no sudo; run the same command as root");
    }
    println!("network namespaces and BPF need root: using sudo");
    Ok(["sudo", "--preserve-env"].map(String::from).into())
}

/// Whether a command exists and ends well; its output is dropped.
pub fn succeeds<Argument: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = Argument>,
) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
