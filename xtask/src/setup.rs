//! `cargo xtask setup`: installs what building and testing need, each in a line that says so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::programs::{find, is_root, succeeds};
use crate::toolchain::{Compiler, find_linker};

/// The version that was tried with LLVM 21 to 23, which Rust 1.90 to 1.99 use.
const BPF_LINKER: &str = "0.13.0";

/// Programs of the system: name, Debian package, who needs it.
const SYSTEM_PROGRAMS: [(&str, &str, &str); 5] = [
    ("cc", "gcc", "Rust links with it"),
    ("ip", "iproute2", "network namespaces of the demo and tests"),
    ("nsenter", "util-linux", "starts programs in a namespace"),
    ("ethtool", "ethtool", "turns checksum offload off on virtual links"),
    ("curl", "curl", "the client of the demo"),
];

/// Makes sure of everything, and says what was added.
pub fn run(workspace: &Path) -> Result<()> {
    let lacking: Vec<_> = SYSTEM_PROGRAMS.iter().filter(|(program, ..)| find(program).is_none()).collect();
    for (program, package, reason) in &lacking {
        println!("setup: {program} is missing ({reason}): installing Debian package {package}");
    }
    apt_install(&lacking.iter().map(|(_, package, _)| *package).collect::<Vec<_>>())?;
    unpack_nginx(workspace)?;
    let compiler = compiler_with_sources()?;
    bpf_linker(workspace, &compiler)?;
    println!("setup: ready ({}, {})", compiler.cargo.display(), find_linker(workspace)?.display());
    Ok(())
}

/// The demo's backends run nginx. An installed nginx would start serving this machine's port 80, so the package
/// is only unpacked, unless the machine has it anyway.
fn unpack_nginx(workspace: &Path) -> Result<()> {
    let directory = workspace.join("target/tools/nginx");
    let unpacked = directory.join("usr/sbin/nginx");
    if find("nginx").is_some() || unpacked.is_file() {
        return Ok(());
    }
    println!("setup: nginx is missing (the demo's backends): unpacking Debian's package under target/tools");
    std::fs::create_dir_all(&directory)?;
    let download = || succeeds_in(&directory, "apt-get", &["download", "nginx"]);
    if !download() {
        update_package_lists()?;
        if !download() {
            bail!("apt-get download nginx failed; install nginx yourself (its service may stay off)");
        }
    }
    let package = std::fs::read_dir(&directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download nginx left no package")?;
    if !succeeds("dpkg-deb", ["--extract".as_ref(), package.as_os_str(), directory.as_os_str()]) {
        bail!("{}: not a Debian package", package.display());
    }
    if !succeeds(&unpacked, ["-v"]) {
        bail!("{} does not run here; install nginx yourself (its service may stay off)", unpacked.display());
    }
    Ok(())
}

fn compiler_with_sources() -> Result<Compiler> {
    if let Ok(compiler) = Compiler::find() {
        return Ok(compiler);
    }
    println!("setup: rust-src is missing (BPF has no prebuilt core library): rustup component add rust-src");
    if !succeeds("rustup", ["component", "add", "rust-src"]) {
        println!(
            "setup: rustup could not; installing Debian packages rustc-web, cargo-web, rust-web-src instead"
        );
        apt_install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    Compiler::find()
        .map_err(|_| anyhow::anyhow!("no compiler has its sources; run: rustup component add rust-src"))
}

fn bpf_linker(workspace: &Path, compiler: &Compiler) -> Result<()> {
    if find_linker(workspace).is_ok() {
        return Ok(());
    }
    let llvm = llvm_version(compiler)?;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    if !Path::new(&prefix).join("include/llvm-c").is_dir() {
        println!("setup: LLVM {llvm} is missing (bpf-linker): installing Debian package llvm-{llvm}-dev");
        apt_install(&[&format!("llvm-{llvm}-dev")])?;
    }
    println!("setup: bpf-linker is missing (links BPF programs): building {BPF_LINKER}, a few minutes");
    let feature = format!("llvm-{llvm}");
    let status = Command::new(env!("CARGO"))
        .args([
            "install",
            "--quiet",
            "bpf-linker",
            "--version",
            BPF_LINKER,
            "--locked",
            "--no-default-features",
        ])
        .args(["--features", &feature, "--root"])
        .arg(workspace.join("target/tools"))
        .env("LLVM_PREFIX", prefix)
        .status()?;
    if !status.success() {
        bail!("bpf-linker did not build; its messages stand above ($BPF_LINKER may name one of your own)");
    }
    Ok(())
}

/// Major version of the LLVM in a compiler.
fn llvm_version(compiler: &Compiler) -> Result<u32> {
    let version = Command::new(&compiler.rustc).arg("-vV").output()?;
    String::from_utf8(version.stdout)?
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse().ok())
        .with_context(|| format!("{} -vV names no LLVM version", compiler.rustc.display()))
}

fn apt_install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install --yes {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!("this system has no apt-get; install the equivalents of: {}", packages.join(" "));
    }
    if !is_root() && !succeeds("sudo", ["--non-interactive", "true"]) {
        bail!("no permission to install; as root, run: {by_hand}");
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    if !apt_get(&arguments) {
        update_package_lists()?;
        if !apt_get(&arguments) {
            bail!("apt-get install failed; as root, run: {by_hand}");
        }
    }
    Ok(())
}

fn update_package_lists() -> Result<()> {
    if !apt_get(&["update"]) {
        bail!("apt-get update failed; as root, run: apt-get update");
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> bool {
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo"] };
    let line: Vec<&str> = sudo.iter().chain(&environment).chain(arguments).copied().collect();
    succeeds(line[0], &line[1..])
}

fn succeeds_in(directory: &Path, program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .current_dir(directory)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}
