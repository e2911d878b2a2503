//! `cargo xtask setup`: installs what building and testing need, each in a line that says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::apt;
use crate::programs::{find, succeeds};
use crate::toolchain::{Compiler, Missing, Toolchain, linker_root};
use crate::vm::Kernel;

/// The version that was tried with LLVM 21 to 23, which Rust 1.90 to 1.99 use.
const BPF_LINKER: &str = "0.13.0";

/// The version that was tried with the libFuzzer of libfuzzer-sys 0.4.
const CARGO_FUZZ: &str = "0.13.2";

/// Programs of the system: name, Debian package, who needs it.
const SYSTEM_PROGRAMS: [(&str, &str, &str); 4] = [
    ("ip", "iproute2", "network namespaces of the demo and tests"),
    ("nsenter", "util-linux", "starts programs in a namespace"),
    ("ethtool", "ethtool", "turns checksum offload off on virtual links"),
    ("curl", "curl", "the client of the demo"),
];

/// As above, for the end-to-end tests alone.
const TEST_PROGRAMS: [(&str, &str, &str); 5] = [
    ("nft", "nftables", "what `bench rate` compares with"),
    ("iperf3", "iperf3", "long transfers of the end-to-end tests"),
    ("systemd-analyze", "systemd", "checks the systemd units"),
    ("dnsmasq", "dnsmasq-base", "a name server whose health is checked"),
    ("traceroute", "traceroute", "what an operator sees on the way to a VIP"),
];

/// As above, for virtual machines alone.
const VM_PROGRAMS: [(&str, &str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86", "runs virtual machines"),
    ("depmod", "kmod", "lists a kernel's modules"),
    ("modprobe", "kmod", "finds a kernel's modules"),
    ("xz", "xz-utils", "decompresses modules"),
];

/// Makes sure of everything that building and the demo need, and says what was added.
pub fn run(workspace: &Path) -> Result<()> {
    system_programs(&SYSTEM_PROGRAMS)?;
    nginx(workspace)?;
    let Toolchain { compiler, linker } = toolchain(workspace)?;
    println!("setup: ready ({}, {})", compiler.rustc.display(), linker.display());
    Ok(())
}

/// Makes sure of the programs that only the end-to-end tests run.
pub fn programs_of_tests() -> Result<()> {
    system_programs(&TEST_PROGRAMS)
}

/// Makes sure of what `bench rate` compares with.
pub fn programs_of_rate(workspace: &Path) -> Result<()> {
    system_programs(&TEST_PROGRAMS[..1])?;
    unpacked_program(workspace, "haproxy", "usr/sbin/haproxy", "what `bench rate` compares with")
}

/// Makes sure of what `bench instructions` compares with.
pub fn programs_of_instructions(workspace: &Path) -> Result<()> {
    system_programs(&TEST_PROGRAMS[..1])?;
    unpacked_program(workspace, "ipvsadm", "sbin/ipvsadm", "what `bench instructions` compares with")
}

/// Makes sure of what virtual machines need: an emulator, a kernel and its first program. Returns the latter two.
pub fn virtual_machine(workspace: &Path) -> Result<(Kernel, PathBuf)> {
    ensure!(cfg!(target_arch = "x86_64"), "virtual machines are for x86-64 alone");
    system_programs(&VM_PROGRAMS)?;
    let tools = workspace.join("target/tools");
    let busybox = tools.join("busybox");
    let program = busybox.join("bin/busybox");
    if !program.is_file() {
        println!(
            "setup: busybox-static is missing (virtual machines): unpacking Debian's package under target/tools"
        );
        apt::unpack("busybox-static", &busybox)?;
    }
    Ok((Kernel::find_or_unpack(&tools)?, program))
}

fn system_programs(programs: &[(&str, &str, &str)]) -> Result<()> {
    let lacking: Vec<_> = programs.iter().filter(|(program, ..)| find(program).is_none()).collect();
    for (program, package, reason) in &lacking {
        println!("setup: {program} is missing ({reason}): installing Debian package {package}");
    }
    apt::install(&lacking.iter().map(|(_, package, _)| *package).collect::<Vec<_>>())
}

/// Makes sure of what looks at the code itself, which only testing needs.
pub fn formatter_and_lints() -> Result<()> {
    let lacks = |subcommand: &str| !succeeds(env!("CARGO"), [subcommand, "--version"]);
    for (subcommand, component, package) in
        [("fmt", "rustfmt", "rustfmt-web"), ("clippy", "clippy", "rust-web-clippy")]
    {
        if !lacks(subcommand) {
            continue;
        }
        println!("setup: cargo {subcommand} is missing: rustup component add {component}");
        if !succeeds("rustup", ["component", "add", component]) {
            println!("setup: rustup could not; installing Debian package {package} instead");
            apt::install(&[package])?;
        }
        if lacks(subcommand) {
            bail!("cargo {subcommand} still doesn't run; install {component} for {}", env!("CARGO"));
        }
    }
    Ok(())
}

/// Makes sure of what only fuzzing needs. Returns cargo-fuzz.
pub fn fuzzer(workspace: &Path) -> Result<PathBuf> {
    if find("c++").is_none() {
        println!("setup: c++ is missing (compiles libFuzzer): installing Debian package g++");
        apt::install(&["g++"])?;
    }
    let root = workspace.join("target/tools/cargo-fuzz");
    let program = root.join("bin/cargo-fuzz");
    let is_that_version = Command::new(&program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii().ends_with(CARGO_FUZZ.as_bytes()));
    if !is_that_version {
        println!(
            "setup: cargo-fuzz is missing (builds and runs fuzz targets): building {CARGO_FUZZ} under target/tools"
        );
        let status = Command::new(env!("CARGO"))
            .args([
                "install",
                "--quiet",
                "--force",
                "cargo-fuzz",
                "--version",
                CARGO_FUZZ,
                "--locked",
                "--root",
            ])
            .arg(&root)
            .status()?;
        if !status.success() {
            bail!("cargo-fuzz did not build; its messages stand above");
        }
    }
    Ok(program)
}

/// The demo's backends run nginx.
fn nginx(workspace: &Path) -> Result<()> {
    unpacked_program(workspace, "nginx", "usr/sbin/nginx", "the demo's backends")
}

/// A program that would start serving this machine's own ports if it was installed: the package is only unpacked, unless
/// the machine has it anyway, and the libraries that it needs are installed.
fn unpacked_program(workspace: &Path, name: &str, program: &str, reason: &str) -> Result<()> {
    let directory = workspace.join("target/tools").join(name);
    let runs = || has_libraries(&directory.join(program));
    if find(name).is_some() || runs() {
        return Ok(());
    }
    println!("setup: {name} is missing ({reason}): unpacking Debian's package under target/tools");
    let by_hand = || format!("install {name} yourself (its service may stay off)");
    apt::unpack(name, &directory).with_context(by_hand)?;
    if !runs() {
        let libraries = apt::dependencies(name, "lib")?;
        let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
        println!("setup: {name} needs libraries: installing Debian packages {}", libraries.join(", "));
        apt::install(&libraries).with_context(by_hand)?;
    }
    if !runs() {
        // Else the tests would find it and try to run it.
        fs::remove_dir_all(&directory)?;
        bail!("Debian's {name} does not run here; {}", by_hand());
    }
    Ok(())
}

/// Whether a program is there, with every library that it needs.
fn has_libraries(program: &Path) -> bool {
    let output = Command::new("ldd").arg(program).output();
    output.is_ok_and(|output| {
        output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("not found")
    })
}

/// The compiler in use and a linker for it. Where the linker's LLVM can't be had, Debian's compiler, which comes with
/// an LLVM of its suite.
fn toolchain(workspace: &Path) -> Result<Toolchain> {
    if let Ok(toolchain) = Toolchain::find(workspace) {
        return Ok(toolchain);
    }
    let in_use = with_sources(Compiler::in_use()).and_then(|compiler| linked(workspace, compiler));
    in_use.or_else(|error| {
        println!("setup: {error:#}");
        println!("setup: using Debian's compiler for the BPF programs: packages {}", DEBIAN.join(", "));
        let compiler = Compiler::of_debian().or_else(|_| {
            apt::install(&DEBIAN)?;
            anyhow::Ok(Compiler::of_debian()?)
        })?;
        linked(workspace, compiler)
    })
}

/// Debian's newer compiler, which it keeps for its web browsers; the one called `rustc` is too old.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

fn with_sources(compiler: Result<Compiler, Missing>) -> Result<Compiler> {
    if let Err(Missing::Sources { .. }) = compiler {
        println!(
            "setup: rust-src is missing (BPF has no prebuilt core library): rustup component add rust-src"
        );
        if !succeeds("rustup", ["component", "add", "rust-src"]) {
            bail!("rustup could not add rust-src");
        }
        return Ok(Compiler::in_use()?);
    }
    Ok(compiler?)
}

fn linked(workspace: &Path, compiler: Compiler) -> Result<Toolchain> {
    if compiler.linker(workspace).is_err() {
        build_linker(workspace, &compiler)?;
    }
    Ok(Toolchain { linker: compiler.linker(workspace)?, compiler })
}

fn build_linker(workspace: &Path, compiler: &Compiler) -> Result<()> {
    let llvm = compiler.llvm;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    if !Path::new(&prefix).join("include/llvm-c").is_dir() {
        println!("setup: LLVM {llvm} is missing (bpf-linker): installing Debian package llvm-{llvm}-dev");
        apt::install(&[&format!("llvm-{llvm}-dev")])?;
    }
    println!(
        "setup: bpf-linker with LLVM {llvm} is missing (links BPF programs): building {BPF_LINKER}, a few minutes"
    );
    let feature = format!("llvm-{llvm}");
    let status = Command::new(&compiler.cargo)
        .args(["install", "--quiet", "--force", "bpf-linker", "--version", BPF_LINKER, "--locked"])
        .args(["--no-default-features", "--features", &feature, "--root"])
        .arg(linker_root(workspace, llvm))
        .env("RUSTC", &compiler.rustc)
        .env("LLVM_PREFIX", prefix)
        .status()?;
    if !status.success() {
        bail!("bpf-linker did not build; its messages stand above ($BPF_LINKER may name one of your own)");
    }
    Ok(())
}
