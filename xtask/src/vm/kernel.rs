//! A kernel of Debian's with its modules, unpacked but not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::apt;
use crate::programs::succeeds;

/// The package that needs the suite's newest kernel.
const NEWEST: &str = "linux-image-amd64";

/// A kernel and where its files are.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As `uname -r` shows it.
    pub release: String,
    root: PathBuf,
}

impl Kernel {
    /// The one under a directory of tools; the suite's newest, if there is none yet.
    ///
    /// # Errors
    /// It can't be fetched.
    pub fn find_or_unpack(tools: &Path) -> Result<Kernel> {
        let directory = tools.join("kernel");
        if let Ok(kernel) = Kernel::unpacked(&directory) {
            return Ok(kernel);
        }
        let package = apt::dependencies(NEWEST, "linux-image-")?.swap_remove(0);
        println!(
            "setup: a kernel is missing (virtual machines): unpacking Debian's {package} under target/tools"
        );
        apt::unpack(&package, &directory)?;
        let unpacked = Kernel::unpacked(&directory).and_then(|kernel| {
            let lists = ["-b".as_ref(), directory.as_os_str(), kernel.release.as_ref()];
            ensure!(succeeds("depmod", lists), "depmod can't list the modules of {package}");
            Ok(kernel)
        });
        unpacked.inspect_err(|_| {
            // Else the next run would take it.
            let _ = fs::remove_dir_all(&directory);
        })
    }

    fn unpacked(directory: &Path) -> Result<Kernel> {
        let image = fs::read_dir(directory.join("boot"))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned));
        let release = image.with_context(|| format!("{}: no kernel", directory.display()))?;
        Ok(Kernel { release, root: directory.to_path_buf() })
    }

    /// The kernel itself.
    pub fn image(&self) -> PathBuf {
        self.root.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The directory of modules.
    pub fn modules(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.release)
    }

    /// The files of a module and of those that it needs, in the order in which they must be loaded.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn files_of(&self, module: &str) -> Result<Vec<PathBuf>> {
        let output = Command::new("modprobe")
            .arg("-d")
            .arg(&self.root)
            .args(["-S", &self.release, "--show-depends", module])
            .output()
            .context("modprobe")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("Linux {} has no module {module}", self.release);
        }
        let file = |line: &str| line.strip_prefix("insmod ").map(|file| PathBuf::from(file.trim()));
        Ok(text.lines().filter_map(file).collect())
    }
}

/// The content of a module's file, which later kernels compress.
///
/// # Errors
/// It can't be read or is damaged.
pub fn module(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "xz") {
        let output =
            Command::new("xz").args(["--decompress", "--stdout"]).arg(file).output().context("xz")?;
        ensure!(output.status.success(), "{}: not a compressed file", file.display());
        return Ok(output.stdout);
    }
    fs::read(file).with_context(|| file.display().to_string())
}
