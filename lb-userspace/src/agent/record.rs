//! What the agent has changed on this host, in a file, so that a killed agent's changes aren't taken for someone
//! else's.
//!
//! Each change is written down before it is made and struck out after it is undone; without changes there is no file.
//! Whoever starts next goes on from there.

use std::cell::RefCell;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::config::Prefix;

/// The changes, in memory and on disk. Only one process in a network namespace has it at a time.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
    lock: PathBuf,
    changes: RefCell<Changes>,
    /// Holds the lock.
    _locked: File,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
struct Changes {
    /// The boot that they were made in: the next one begins without them.
    boot: String,
    vips: Vec<Prefix>,
    sysctls: Vec<Setting>,
}

/// A kernel setting that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Setting {
    /// Its name with dots.
    pub name: String,
    /// The value to restore.
    pub former: u32,
    /// The value that was set.
    pub value: u32,
}

impl Record {
    /// Opens the record of this network namespace, with what a killed agent left in it.
    pub fn open(directory: &Path) -> Result<Record> {
        // A name that is never given to a second namespace, as its inode's number would be.
        let namespace = namespace().context("ask for the number of this network namespace (Linux 5.14)")?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("boot_id")?;
        Record::open_as(directory, &namespace.to_string(), boot.trim())
    }

    fn open_as(directory: &Path, name: &str, boot: &str) -> Result<Record> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.with_context(|| directory.display().to_string())?;
        let lock = directory.join(format!("{name}.lock"));
        let locked = hold(&lock)?;
        let file = directory.join(format!("{name}.json"));
        let none = Changes { boot: boot.to_owned(), ..Changes::default() };
        let changes = match fs::read(&file) {
            Ok(octets) => {
                serde_json::from_slice(&octets).with_context(|| format!("{}; remove it", file.display()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => none.clone(),
            Err(error) => return Err(error).context(file.display().to_string()),
        };
        let changes = if changes.boot == boot { changes } else { none };
        Ok(Record { file, lock, changes: RefCell::new(changes), _locked: locked })
    }

    /// The VIPs that were added.
    pub fn vips(&self) -> Vec<Prefix> {
        self.changes.borrow().vips.clone()
    }

    /// The settings that were changed.
    pub fn settings(&self) -> Vec<Setting> {
        self.changes.borrow().sysctls.clone()
    }

    /// Writes down that a VIP is about to be added.
    pub fn note_vip(&self, vip: Prefix) -> Result<()> {
        self.change(|changes| changes.vips.push(vip))
    }

    /// Strikes out a VIP that is gone or isn't ours.
    pub fn strike_vip(&self, vip: Prefix) {
        self.strike(|changes| changes.vips.retain(|noted| *noted != vip));
    }

    /// Writes down that a setting is about to be changed.
    pub fn note_setting(&self, setting: Setting) -> Result<()> {
        self.change(|changes| {
            changes.sysctls.retain(|noted| noted.name != setting.name);
            changes.sysctls.push(setting);
        })
    }

    /// Strikes out a setting that has its former value, or one that somebody else gave it.
    pub fn strike_setting(&self, name: &str) {
        self.strike(|changes| changes.sysctls.retain(|noted| noted.name != name));
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) -> Result<()> {
        let mut changes = self.changes.borrow().clone();
        change(&mut changes);
        self.write(&changes).with_context(|| self.file.display().to_string())?;
        self.changes.replace(changes);
        Ok(())
    }

    fn strike(&self, change: impl FnOnce(&mut Changes)) {
        if let Err(error) = self.change(change) {
            warn!("{error:#}");
        }
    }

    /// Whole or not at all, whenever the process is killed.
    fn write(&self, changes: &Changes) -> io::Result<()> {
        if changes.vips.is_empty() && changes.sysctls.is_empty() {
            return match fs::remove_file(&self.file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_vec(changes)?)?;
        fs::rename(new, &self.file)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // While it is locked, so that nobody has locked what is removed.
        if let Err(error) = fs::remove_file(&self.lock) {
            warn!("{}: {error}", self.lock.display());
        }
    }
}

/// Locks a file until it is closed, which the kernel does for the dead too.
fn hold(lock: &Path) -> Result<File> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(lock);
        let file = file.with_context(|| lock.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another lb-agent is at work in this network namespace ({} is locked); stop it, or give its VIPs and \
                 this one's to one agent",
                lock.display()
            ),
            Err(TryLockError::Error(error)) => return Err(error).context(lock.display().to_string()),
        }
        // Its former holder may have removed it between opening and locking.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// The number of the calling thread's network namespace, as `SO_NETNS_COOKIE` tells it (socket(7)).
fn namespace() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: both pointers are of variables that live until the call returns, and `length` is the first one's size.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if status == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    /// A directory of one test's own.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            Directory(std::env::temp_dir().join(format!("lb-agent-{}-{name}", std::process::id())))
        }

        fn open(&self, boot: &str) -> Result<Record> {
            Record::open_as(&self.0, "7", boot)
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const VIP: Prefix = Prefix { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)), length: 28 };

    fn setting(former: u32) -> Setting {
        Setting { name: "net.ipv4.conf.all.arp_ignore".into(), former, value: 1 }
    }

    #[test]
    fn what_was_not_undone_is_there_at_the_next_start() {
        let directory = Directory::new("next");
        let record = directory.open("a").unwrap();
        record.note_vip(VIP).unwrap();
        record.note_setting(setting(0)).unwrap();
        assert_eq!(directory.files(), ["7.json", "7.lock"]);
        drop(record);

        let record = directory.open("a").unwrap();
        assert_eq!((record.vips(), record.settings()), (vec![VIP], vec![setting(0)]));
        record.strike_vip(VIP);
        record.strike_setting(&setting(0).name);
        drop(record);
        assert_eq!(directory.files(), [""; 0]);
    }

    #[test]
    fn a_record_of_another_boot_is_none() {
        let directory = Directory::new("boot");
        directory.open("a").unwrap().note_vip(VIP).unwrap();
        assert!(directory.open("b").unwrap().vips().is_empty());
    }

    #[test]
    fn a_second_agent_is_refused() {
        let directory = Directory::new("second");
        let _first = directory.open("a").unwrap();
        let error = directory.open("a").unwrap_err().to_string();
        assert!(error.starts_with("another lb-agent is at work in this network namespace"), "{error}");
    }

    #[test]
    fn a_namespace_has_a_number() {
        assert_eq!(namespace().unwrap(), namespace().unwrap());
        assert_ne!(namespace().unwrap(), 0);
    }
}
