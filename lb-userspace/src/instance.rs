//! An instance's directory in bpffs, where its maps, program and links are pinned: they outlive the process.
//!
//! | path under `/sys/fs/bpf/lb/<instance>` | what it is |
//! | --- | --- |
//! | `maps/<NAME>`, `maps/tables/<number>` | the maps; complete from the first moment that `maps` is there |
//! | `maps/layout` | a symbolic link to [`Layout`] in words |
//! | `maps-new` | maps that are being made |
//! | `programs/xdp_lb` | the program |
//! | `links/<interface>` | keeps the program on the interface |

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::syscall;

/// Where bpffs is mounted (`systemd` does it).
const BPFFS: &str = "/sys/fs/bpf";

/// An instance that no other process has. The lock ends with this; what is pinned stays.
#[derive(Debug)]
pub struct Instance {
    name: String,
    directory: PathBuf,
    _lock: Flock<File>,
}

/// What a process has to know of maps to go on with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// [`lb_common::LAYOUT`].
    pub version: u32,
    /// [`HashKey::check`](lb_common::siphash::HashKey::check) of the key by which flows have found their slots.
    pub key: u64,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{:016x}", self.version, self.key)
    }
}

impl Layout {
    fn parse(text: &str) -> Option<Layout> {
        let (version, key) = text.split_once('-')?;
        Some(Layout { version: version.parse().ok()?, key: u64::from_str_radix(key, 16).ok()? })
    }
}

impl Instance {
    /// Takes an instance, and makes its directory if it's the first time.
    ///
    /// # Errors
    /// Another process has it; there is no bpffs.
    pub fn take(name: &str) -> Result<Instance> {
        let kind = statfs(BPFFS).with_context(|| BPFFS.to_owned())?.filesystem_type();
        if kind != BPF_FS_MAGIC {
            bail!(
                "{BPFFS} is no BPF filesystem, so that nothing could outlive lbd; mount one (mount -t bpf bpf {BPFFS}); \
                 ip netns exec hides it, nsenter --net=/run/netns/NAME doesn't"
            );
        }
        let directory = Path::new(BPFFS).join("lb").join(name);
        let shown = directory.display();
        // Nobody else may hold the lock.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.with_context(|| shown.to_string())?;
        let open = File::open(&directory).with_context(|| shown.to_string())?;
        match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Instance { name: name.to_owned(), directory, _lock: lock }),
            Err((_, nix::Error::EWOULDBLOCK)) => bail!(
                "another lbd has the instance {name} ({shown}); stop it, or name another `instance:` in the configuration"
            ),
            Err((_, error)) => Err(error).with_context(|| shown.to_string()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The maps that packets are balanced by, and their layout; none if there are none, or nothing says how to read them.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn maps(&self) -> Result<Option<(PathBuf, Option<Layout>)>> {
        let maps = self.directory.join("maps");
        match fs::read_link(maps.join("layout")) {
            Ok(text) => Ok(Some((maps, Layout::parse(&text.to_string_lossy())))),
            Err(error) if error.kind() == ErrorKind::NotFound && maps.exists() => Ok(Some((maps, None))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| maps.display().to_string()),
        }
    }

    /// An empty directory for new maps of that layout.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn make_maps(&self, layout: &Layout) -> Result<PathBuf> {
        let maps = self.new_maps();
        remove(&maps)?;
        fs::create_dir_all(maps.join("tables")).with_context(|| maps.display().to_string())?;
        symlink(layout.to_string(), maps.join("layout")).with_context(|| maps.display().to_string())?;
        Ok(maps)
    }

    /// Puts the new maps in the place of the former ones, which lose their pins. Returns where they are now.
    ///
    /// # Errors
    /// The kernel refuses; the former ones are still in place then.
    pub fn exchange_maps(&self) -> Result<PathBuf> {
        let (maps, new) = (self.directory.join("maps"), self.new_maps());
        if maps.exists() {
            renameat2(AT_FDCWD, &new, AT_FDCWD, &maps, RenameFlags::RENAME_EXCHANGE)
                .with_context(|| maps.display().to_string())?;
            remove(&new)?;
            return Ok(maps);
        }
        fs::rename(&new, &maps).with_context(|| maps.display().to_string())?;
        Ok(maps)
    }

    /// Where an interface's link is pinned, in a directory that exists.
    ///
    /// # Errors
    /// The kernel refuses the directory.
    pub fn link(&self, interface: &str) -> Result<PathBuf> {
        Ok(self.existing("links")?.join(pin_name(interface)))
    }

    /// The pinned links of other interfaces than these.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn links_but(&self, interfaces: &[&str]) -> Result<Vec<PathBuf>> {
        let kept: Vec<_> = interfaces.iter().map(|interface| pin_name(interface)).collect();
        let links = self.existing("links")?;
        let entries = fs::read_dir(&links).with_context(|| links.display().to_string())?;
        let entries = entries.flatten().filter(|entry| !kept.iter().any(|kept| entry.file_name() == **kept));
        Ok(entries.map(|entry| entry.path()).collect())
    }

    /// Takes the program off the interface of a pinned link, and removes the pin. Nothing happens if it isn't there.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn unlink(pin: &Path) -> Result<()> {
        if !pin.exists() {
            return Ok(());
        }
        match syscall::detach_link(pin) {
            // Its interface has gone.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
            detached => detached.with_context(|| pin.display().to_string())?,
        }
        remove(pin)
    }

    /// Where the program is to be pinned: nothing is there.
    ///
    /// # Errors
    /// The kernel refuses the directory, or to unpin the former program.
    pub fn program(&self) -> Result<PathBuf> {
        let program = self.existing("programs")?.join("xdp_lb");
        remove(&program)?;
        Ok(program)
    }

    /// Takes the program off all interfaces, and removes everything. `false` if there was nothing.
    ///
    /// # Errors
    /// The kernel refuses to remove something.
    pub fn detach(self) -> Result<bool> {
        let was_there = self.maps()?.is_some();
        // First what is attached: packets are the kernel's from then on.
        for link in self.links_but(&[])? {
            Instance::unlink(&link)?;
        }
        for directory in ["links", "programs", "maps", "maps-new"] {
            remove(&self.directory.join(directory))?;
        }
        remove(&self.directory)?;
        Ok(was_there)
    }

    fn new_maps(&self) -> PathBuf {
        self.directory.join("maps-new")
    }

    fn existing(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        Ok(directory)
    }
}

/// New maps that haven't taken their place are nobody's.
impl Drop for Instance {
    fn drop(&mut self) {
        let _ = remove(&self.new_maps());
    }
}

/// bpffs reserves names with dots, which interfaces may have. None has a colon.
fn pin_name(interface: &str) -> String {
    interface.replace('.', ":")
}

/// Removes a pin, or a directory with all that is in it.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_as_it_is_written() {
        let layout = Layout { version: 3, key: 0xabc };
        assert_eq!(layout.to_string(), "3-0000000000000abc");
        assert_eq!(Layout::parse("3-0000000000000abc"), Some(layout));
        for text in ["", "3", "3-", "x-1", "3-xyz"] {
            assert_eq!(Layout::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_pin_has_a_dot() {
        assert_eq!(pin_name("eth0.100"), "eth0:100");
    }
}
