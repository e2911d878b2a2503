//! A network namespace.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};

use crate::run::run;

/// A named network namespace; it is removed when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// Where `ip netns` keeps them.
pub const DIRECTORY: &str = "/run/netns";

impl Namespace {
    /// # Errors
    /// It exists, or the kernel refuses.
    pub fn create(name: String) -> Result<Namespace> {
        run(Command::new("ip").args(["netns", "add", &name]))?;
        Ok(Namespace { name })
    }

    /// The name, as `ip netns list` shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// A program that will run in here, and end when the thread that started it does, even by SIGKILL.
    ///
    /// Not `ip netns exec`: that mounts a `/sys` of its own, which hides the BPF file system.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "nsenter"]);
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program.as_ref());
        command
    }

    /// Does some work in here, on a thread that ends with it. It must not start processes that are to live longer.
    ///
    /// # Errors
    /// The kernel doesn't let us in; those of the work.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = File::open(self.path()).with_context(|| self.name.clone())?;
        let inside = move || {
            setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("entering {}", self.name))?;
            work()
        };
        thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Writes settings under `/proc/sys/net`, which shows each thread the namespace that it is in.
    ///
    /// # Errors
    /// The kernel refuses a value.
    pub fn set(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            settings.iter().try_for_each(|(name, value)| {
                let file = Path::new("/proc/sys/net").join(name);
                fs::write(&file, value).with_context(|| format!("writing {value} to {}", file.display()))
            })
        })
    }

    /// The processes that are in here.
    ///
    /// # Errors
    /// The namespace or `/proc` can't be read.
    pub fn processes(&self) -> Result<Vec<i32>> {
        processes(&self.name)
    }
}

/// The processes that are in a namespace.
///
/// # Errors
/// The namespace or `/proc` can't be read.
pub fn processes(name: &str) -> Result<Vec<i32>> {
    let here = fs::metadata(Path::new(DIRECTORY).join(name)).context(name.to_owned())?.ino();
    let is_here = |id: &i32| fs::metadata(format!("/proc/{id}/ns/net")).is_ok_and(|net| net.ino() == here);
    Ok(fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_here)
        .collect())
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("{error:#}");
        }
    }
}

/// Removes a namespace, even after Ctrl-C.
///
/// # Errors
/// There is none of that name.
pub fn remove(name: &str) -> Result<()> {
    let mut command = Command::new("ip");
    let output = command.args(["netns", "delete", name]).process_group(0).output().context("ip")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
