//! What compiles and links the BPF programs.
//!
//! The target `bpfel-unknown-none` has no prebuilt `core`, so it is compiled from the compiler's own sources, and
//! linked by `bpf-linker`, whose LLVM must be of the compiler's major version.
//!
//! Compiled into xtask, which installs these, and into the build script of lb-userspace, which uses them. Therefore
//! this file needs nothing but the standard library.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler whose sources are at hand.
pub struct Compiler {
    /// Its cargo.
    pub cargo: PathBuf,
    /// The compiler itself.
    pub rustc: PathBuf,
}

/// What a build lacks.
#[derive(Debug)]
pub enum Missing {
    /// Sources of the standard library.
    Sources,
    /// `bpf-linker`.
    Linker,
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let what = match self {
            Missing::Sources => "the sources of Rust's standard library (rust-src)",
            Missing::Linker => "bpf-linker",
        };
        write!(out, "the BPF programs need {what}; run: cargo xtask setup")
    }
}

impl Compiler {
    /// The compiler in use if it has its sources, else Debian's (package `rustc-web`).
    pub fn find() -> Result<Compiler, Missing> {
        let in_use = PathBuf::from(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        [in_use, PathBuf::from("/usr/bin/cargo")]
            .into_iter()
            .find_map(Compiler::with_sources)
            .ok_or(Missing::Sources)
    }

    fn with_sources(cargo: PathBuf) -> Option<Compiler> {
        let beside = cargo.with_file_name("rustc");
        let rustc = if beside.is_file() { beside } else { PathBuf::from("rustc") };
        let sysroot = Command::new(&rustc).args(["--print", "sysroot"]).output().ok()?;
        let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).ok()?.trim());
        let has_sources = sysroot.join("lib/rustlib/src/rust/library/core").is_dir();
        has_sources.then_some(Compiler { cargo, rustc })
    }
}

/// `$BPF_LINKER`, the one that `cargo xtask setup` built, or the first on the PATH.
pub fn find_linker(workspace: &Path) -> Result<PathBuf, Missing> {
    if let Some(chosen) = env::var_os("BPF_LINKER") {
        return Ok(chosen.into());
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(workspace.join("target/tools/bin"))
        .chain(env::split_paths(&on_path))
        .map(|directory| directory.join("bpf-linker"))
        .find(|file| file.is_file())
        .ok_or(Missing::Linker)
}
