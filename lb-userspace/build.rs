//! Builds the BPF programs, so that they are embedded in the binaries.

#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use toolchain::Toolchain;

const TARGET: &str = "bpfel-unknown-none";
const PROGRAMS: [&str; 5] = ["balancer", "agent", "bench", "pass", "rate"];

fn main() -> ExitCode {
    let crate_directory = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = crate_directory.parent().expect("lb-userspace lies in the workspace");
    for source in ["lb-ebpf", "lb-common/src", "Cargo.lock", "Cargo.toml", "xtask/src/toolchain.rs"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    println!("cargo::rerun-if-env-changed=LB_BPF_OBJECTS");
    println!("cargo::rerun-if-env-changed=BPF_LINKER");
    match embed(workspace) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

/// Puts the objects where the sources include them: those in `$LB_BPF_OBJECTS`, or freshly built ones.
fn embed(workspace: &Path) -> Result<(), String> {
    let objects = match env::var_os("LB_BPF_OBJECTS") {
        Some(ready) => {
            let ready = PathBuf::from(ready);
            for program in PROGRAMS {
                println!("cargo::rerun-if-changed={}", ready.join(program).display());
            }
            ready
        }
        None => build(workspace)?,
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for program in PROGRAMS {
        let object = objects.join(program);
        fs::copy(&object, out.join(program)).map_err(|error| format!("{}: {error}", object.display()))?;
    }
    Ok(())
}

/// Builds lb-ebpf and returns the directory of the objects. The compiler's messages go to standard error.
fn build(workspace: &Path) -> Result<PathBuf, String> {
    let toolchain = Toolchain::find(workspace);
    let Toolchain { compiler, linker } =
        toolchain.map_err(|missing| format!("{missing}; run: cargo xtask setup"))?;
    let target_directory = workspace.join("target/ebpf");
    let flags = [
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".into(),
        "-Ctarget-cpu=v3".into(),
        "-Ctarget-feature=+allows-misaligned-mem-access".into(),
        format!("--remap-path-prefix={}=.", workspace.display()),
    ];

    let mut cargo = Command::new(&compiler.cargo);
    for (name, _) in env::vars_os() {
        if belongs_to_this_build(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--package", "lb-ebpf", "--bins", "--profile", "ebpf"])
        .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
        .arg(&target_directory)
        .env("RUSTC", &compiler.rustc)
        // The standard library is built on stable compilers too.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .status()
        .map_err(|error| format!("{}: {error}", compiler.cargo.display()))?;
    if !status.success() {
        return Err("the BPF programs did not build; the compiler's messages stand above".into());
    }
    Ok(target_directory.join(TARGET).join("ebpf"))
}

/// Whether a variable would carry settings of this build into the inner one.
fn belongs_to_this_build(name: &str) -> bool {
    let of_the_user = ["CARGO_HOME", "CARGO_HTTP", "CARGO_NET", "CARGO_REGISTR", "CARGO_SOURCE"];
    let of_cargo = name.starts_with("CARGO") && !of_the_user.iter().any(|kept| name.starts_with(kept));
    let of_rustc = name.starts_with("RUSTC") || ["RUSTFLAGS", "RUSTDOC", "RUSTUP_TOOLCHAIN"].contains(&name);
    of_cargo || of_rustc || name == "TARGET"
}
