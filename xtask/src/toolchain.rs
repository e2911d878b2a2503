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

/// The oldest compiler that will do: `rust-version` in Cargo.toml.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// A compiler, its sources, and a linker that fits it.
pub struct Toolchain {
    /// The compiler.
    pub compiler: Compiler,
    /// `bpf-linker`.
    pub linker: PathBuf,
}

impl Toolchain {
    /// The compiler in use if it has all it needs, else Debian's.
    ///
    /// # Errors
    /// What the compiler in use lacks, since nobody has to have the other one.
    pub fn find(workspace: &Path) -> Result<Toolchain, Missing> {
        let of = |compiler: Result<Compiler, Missing>| {
            let compiler = compiler?;
            Ok(Toolchain { linker: compiler.linker(workspace)?, compiler })
        };
        of(Compiler::in_use()).or_else(|missing| of(Compiler::of_debian()).map_err(|_| missing))
    }
}

/// A compiler that is new enough, with its sources at hand.
pub struct Compiler {
    /// Its cargo.
    pub cargo: PathBuf,
    /// The compiler itself.
    pub rustc: PathBuf,
    /// Major version of the LLVM in it.
    pub llvm: u32,
}

impl Compiler {
    /// The one that builds this.
    pub fn in_use() -> Result<Compiler, Missing> {
        let cargo = PathBuf::from(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let beside = cargo.with_file_name("rustc");
        let rustc = if beside.is_file() { beside } else { PathBuf::from("rustc") };
        Compiler::of(cargo, rustc)
    }

    /// That of Debian's packages, of which `rustc-web` is new enough.
    pub fn of_debian() -> Result<Compiler, Missing> {
        Compiler::of("/usr/bin/cargo".into(), "/usr/bin/rustc".into())
    }

    fn of(cargo: PathBuf, rustc: PathBuf) -> Result<Compiler, Missing> {
        let says = |arguments: &[&str]| {
            let output = Command::new(&rustc).args(arguments).output().ok()?;
            String::from_utf8(output.stdout).ok()
        };
        let about = says(&["-vV"]).unwrap_or_default();
        let of = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        let (Some(release), Some(llvm)) = (of("release"), of("LLVM version").and_then(major)) else {
            return Err(Missing::Compiler { rustc });
        };
        if !is_new_enough(release) {
            return Err(Missing::Release { rustc, release: release.to_owned() });
        }
        let sysroot = PathBuf::from(says(&["--print", "sysroot"]).unwrap_or_default().trim());
        if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
            return Err(Missing::Sources { rustc });
        }
        Ok(Compiler { cargo, rustc, llvm })
    }

    /// `$BPF_LINKER`, or the one that `cargo xtask setup` built for this compiler.
    ///
    /// Not one on the PATH, because it doesn't tell which LLVM it has.
    pub fn linker(&self, workspace: &Path) -> Result<PathBuf, Missing> {
        if let Some(chosen) = env::var_os("BPF_LINKER") {
            return Ok(chosen.into());
        }
        self.built_linker(workspace)
    }

    fn built_linker(&self, workspace: &Path) -> Result<PathBuf, Missing> {
        let built = linker_root(workspace, self.llvm).join("bin/bpf-linker");
        // It doesn't run if the LLVM that it was built with has gone.
        let runs = Command::new(&built).arg("--version").output().is_ok_and(|output| output.status.success());
        if runs { Ok(built) } else { Err(Missing::Linker { llvm: self.llvm }) }
    }
}

/// Where `cargo install` puts a linker with that LLVM.
pub fn linker_root(workspace: &Path, llvm: u32) -> PathBuf {
    workspace.join(format!("target/tools/llvm-{llvm}"))
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// Compares `1.95` with `1.96.0-nightly`.
fn is_new_enough(release: &str) -> bool {
    let numbers = |version: &str| {
        let plain = version.split('-').next().unwrap_or_default();
        plain.split('.').map(|number| number.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>()
    };
    numbers(release) >= numbers(OLDEST)
}

/// What a build lacks.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// Any compiler there.
    Compiler {
        /// What isn't one.
        rustc: PathBuf,
    },
    /// A compiler that is new enough.
    Release {
        /// The one that isn't.
        rustc: PathBuf,
        /// Its version.
        release: String,
    },
    /// Sources of the standard library.
    Sources {
        /// Whose.
        rustc: PathBuf,
    },
    /// `bpf-linker`.
    Linker {
        /// Major version of the LLVM that it must have.
        llvm: u32,
    },
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "the BPF programs need ")?;
        match self {
            Missing::Compiler { rustc } => {
                write!(out, "a Rust compiler, and {} is none", rustc.display())
            }
            Missing::Release { rustc, release } => {
                write!(out, "Rust {OLDEST} or newer, and {} is {release}", rustc.display())
            }
            Missing::Sources { rustc } => {
                write!(out, "the sources of Rust's standard library (rust-src) for {}", rustc.display())
            }
            Missing::Linker { llvm } => write!(out, "bpf-linker with LLVM {llvm}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// A directory with a compiler that only talks.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, release: &str, has_sources: bool) -> Fake {
            let directory = env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
            let fake = Fake(directory);
            let says = format!("release: {release}\nLLVM version: 22.1.2");
            fake.program("rustc", &format!("[ $1 = -vV ] && echo '{says}' || echo {}", fake.0.display()));
            if has_sources {
                fs::create_dir_all(fake.0.join("lib/rustlib/src/rust/library/core")).unwrap();
            }
            fake
        }

        fn program(&self, name: &str, script: &str) -> PathBuf {
            let file = self.0.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            file
        }

        fn compiler(&self) -> Result<Compiler, Missing> {
            Compiler::of(self.0.join("cargo"), self.0.join("rustc"))
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// For as long as what is returned lives, no other test writes programs or starts them: one that another test's child has
    /// still open for writing can't be started ("text file busy").
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn a_compiler_is_taken_if_it_is_new_enough_and_has_its_sources() {
        let _alone = alone();
        let compiler = Fake::new("good", "1.96.0-nightly", true);
        assert_eq!(compiler.compiler().map(|compiler| compiler.llvm), Ok(22));

        let old = Fake::new("old", "1.94.9", true);
        let release = Missing::Release { rustc: old.0.join("rustc"), release: "1.94.9".into() };
        assert_eq!(old.compiler().map(|compiler| compiler.llvm), Err(release));

        let bare = Fake::new("bare", OLDEST, false);
        let sources = Missing::Sources { rustc: bare.0.join("rustc") };
        assert_eq!(bare.compiler().map(|compiler| compiler.llvm), Err(sources));
    }

    #[test]
    fn a_linker_with_another_llvm_or_one_that_does_not_run_is_not_taken() {
        let _alone = alone();
        let fake = Fake::new("linker", OLDEST, true);
        let compiler = fake.compiler().unwrap();
        let missing = Err(Missing::Linker { llvm: 22 });
        fake.program("target/tools/llvm-21/bin/bpf-linker", "exit 0");
        assert_eq!(compiler.built_linker(&fake.0), missing);
        let broken = fake.program("target/tools/llvm-22/bin/bpf-linker", "exit 127");
        assert_eq!(compiler.built_linker(&fake.0), missing);
        assert_eq!(fake.program("target/tools/llvm-22/bin/bpf-linker", "exit 0"), broken);
        assert_eq!(compiler.built_linker(&fake.0), Ok(broken));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (release, expected) in
            [("1.95.0", true), ("1.100.0", true), ("2.0.0", true), ("1.94.1", false), ("1.9.0", false)]
        {
            assert_eq!(is_new_enough(release), expected, "{release}");
        }
    }
}
