//! What labs whose process was killed left on the machine.
//!
//! Names carry the number of the process: `lb-<pid>-<host>` for namespaces, `lb-lab-<pid>` for the directory and for what
//! `lbd` has pinned.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lb_userspace::instance::Instance;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::namespace;

/// The name of the namespace of a host.
#[must_use]
pub fn namespace_name(process: u32, host: Host) -> String {
    format!("lb-{process}-{}", host.name())
}

/// The name of one of the benchmark's namespaces.
#[must_use]
pub fn rate_namespace_name(process: u32, name: &str) -> String {
    format!("lb-{process}-{RATE}{name}")
}

/// What the part behind the process begins with, in the benchmark of rates.
const RATE: &str = "rate-";

/// The directory.
#[must_use]
pub fn directory_path(process: u32) -> PathBuf {
    std::env::temp_dir().join(instance_name(process))
}

/// The instance of `lbd`.
#[must_use]
pub fn instance_name(process: u32) -> String {
    format!("lb-lab-{process}")
}

/// Removes them.
///
/// # Errors
/// One can't be removed.
pub fn remove() -> Result<()> {
    for (name, _) in of_the_dead(Path::new(namespace::DIRECTORY), namespace_owner) {
        // Programs end with the lab that started them, but for one that was just starting.
        for process in namespace::processes(&name).unwrap_or_default() {
            let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
        }
        // Another lab that starts at this moment may be faster.
        if let Err(error) = namespace::remove(&name)
            && Path::new(namespace::DIRECTORY).join(name).exists()
        {
            return Err(error);
        }
    }
    for (_, path) in of_the_dead(&std::env::temp_dir(), directory_owner) {
        // Anyone may use that name; ours are root's.
        let is_ours = fs::symlink_metadata(&path).is_ok_and(|file| file.is_dir() && file.uid() == 0);
        if is_ours
            && let Err(error) = fs::remove_dir_all(&path)
            && path.exists()
        {
            return Err(error).context(path.display().to_string());
        }
    }
    for (name, _) in of_the_dead(Path::new("/sys/fs/bpf/lb"), directory_owner) {
        // An lbd that is just ending has it still.
        if let Ok(instance) = Instance::take(&name) {
            instance.detach()?;
        }
    }
    Ok(())
}

/// Names and paths in a directory whose owner no longer exists.
fn of_the_dead(directory: &Path, owner: impl Fn(&str) -> Option<u32>) -> Vec<(String, PathBuf)> {
    let is_dead = |process: u32| !Path::new(&format!("/proc/{process}")).exists();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| owner(name).is_some_and(is_dead))
        .collect()
}

fn namespace_owner(name: &str) -> Option<u32> {
    let (process, host) = name.strip_prefix("lb-")?.split_once('-')?;
    (host.starts_with(RATE) || Host::ALL.iter().any(|known| known.name() == host)).then_some(())?;
    process.parse().ok()
}

fn directory_owner(name: &str) -> Option<u32> {
    name.strip_prefix("lb-lab-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_labs_have_an_owner() {
        assert_eq!(namespace_owner(&namespace_name(4711, Host::Backend3)), Some(4711));
        assert_eq!(namespace_owner(&rate_namespace_name(4711, "dnat")), Some(4711));
        for foreign in
            ["lb-4711", "lb-4711-", "lb-4711-b4", "lb-x-lb", "lb--lb", "web-4711-lb", "lb-4711-lb-2"]
        {
            assert_eq!(namespace_owner(foreign), None, "{foreign}");
        }
        let path = directory_path(4711);
        assert_eq!(directory_owner(path.file_name().unwrap().to_str().unwrap()), Some(4711));
        assert_eq!(directory_owner("lb-4711-lb"), None);
    }
}
