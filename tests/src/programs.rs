//! Where the programs are that run in the lab.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One of this project's, by name. It lies beside the running executable, or above if that is a test.
///
/// # Errors
/// It was not built.
pub fn ours(name: &str) -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let beside = executable.parent().context("an executable lies in a directory")?;
    let directory = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside };
    existing(directory.join(name)).with_context(|| {
        format!(
            "{} is not built: run `cargo xtask test`, or `cargo build --workspace`",
            directory.join(name).display()
        )
    })
}

/// nginx: the machine's, or the one that `cargo xtask setup` unpacked.
///
/// # Errors
/// There is neither.
pub fn nginx() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/nginx/usr/sbin");
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), unpacked])
        .find_map(|directory| existing(directory.join("nginx")))
        .context("nginx is missing: run `cargo xtask setup`")
}

fn existing(file: PathBuf) -> Option<PathBuf> {
    file.is_file().then_some(file)
}
