//! `cargo xtask vm`: a command on a kernel of Debian's, in a machine that is emulated, with this machine's files.
//!
//! Nothing that the command writes stays, but for what it writes into a directory that is shared.

mod initramfs;
mod kernel;

use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use initramfs::Archive;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::setup;

pub use kernel::Kernel;

/// What runs, and on which machine.
#[derive(Args, Clone, Debug)]
pub struct Machine {
    /// Count instructions: the machine's clock advances by a nanosecond with each, on one processor
    #[arg(long)]
    pub count_instructions: bool,
    /// Processors, unless instructions are counted
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub processors: u8,
    /// Two network cards that are joined by a cable, with one queue each
    #[arg(long)]
    pub cable: bool,
    /// A directory in which files stay that the command writes
    #[arg(long, value_name = "DIRECTORY")]
    pub share: Option<PathBuf>,
    /// The command has to end within this
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub minutes: u16,
    /// What runs as root there, in this directory
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl Machine {
    /// Two processors and nothing special.
    pub fn new(command: Vec<String>) -> Machine {
        Machine { count_instructions: false, processors: 2, cable: false, share: None, minutes: 10, command }
    }
}

/// What the machine's root file system, network and console need before there are files.
const MODULES: [&str; 5] = ["virtio_pci", "virtio_console", "virtio_rng", "9p", "overlay"];
/// As above; the first is part of some kernels' second.
const TRANSPORT: &str = "9pnet_virtio";

/// MiB.
const MEMORY: u16 = 2048;

/// Variables that the command has, if they are set here.
const ENVIRONMENT: [&str; 4] = ["HOME", "PATH", "RUST_BACKTRACE", "RUST_LOG"];

/// Runs it, and returns the command's exit code.
///
/// # Errors
/// Something is missing that can't be installed, the machine doesn't start, or the command doesn't end in time.
pub fn run(workspace: &Path, machine: &Machine) -> Result<u8> {
    let (kernel, busybox) = setup::virtual_machine(workspace)?;
    let directory = Directory::create(env::temp_dir().join(format!("lb-vm-{}", std::process::id())))?;
    let share =
        machine.share.as_ref().map(|share| share.canonicalize().with_context(|| share.display().to_string()));
    let share = share.transpose()?;
    let archive = directory.0.join("initramfs");
    fs::write(&archive, initramfs(&kernel, &busybox, &script(&kernel, machine, share.as_deref())?)?)?;
    let mut child = emulator(&kernel, machine, share.as_deref(), &directory.0)
        // Left open: else the machine's port is closed too.
        .stdin(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64")?;
    wait(&mut child, machine.minutes)?;
    let code = fs::read_to_string(directory.0.join("code")).unwrap_or_default();
    let Ok(code) = code.trim().parse() else {
        let console = fs::read(directory.0.join("console")).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        let lines: Vec<&str> = console.lines().collect();
        bail!(
            "the virtual machine ended before the command; it said last:\n{}",
            lines[lines.len().saturating_sub(20)..].join("\n")
        );
    };
    Ok(code)
}

/// Until it has ended.
///
/// # Errors
/// It doesn't in time, or Ctrl-C: it is ended then.
fn wait(child: &mut Child, minutes: u16) -> Result<()> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&is_interrupted)).context("signal handler")?;
    }
    let end = Instant::now() + Duration::from_mins(u64::from(minutes));
    loop {
        let has_ended = child.try_wait()?.is_some();
        let was_interrupted = is_interrupted.load(Ordering::Relaxed);
        let is_late = Instant::now() > end;
        if !has_ended && (was_interrupted || is_late) {
            child.kill()?;
            child.wait()?;
        }
        ensure!(!was_interrupted, "interrupted");
        if has_ended {
            return Ok(());
        }
        ensure!(!is_late, "the virtual machine: not done within {minutes} minutes");
        thread::sleep(Duration::from_millis(20));
    }
}

fn emulator(kernel: &Kernel, machine: &Machine, share: Option<&Path>, directory: &Path) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    // Without the instructions that fill memory octet by octet, of which each octet would count.
    command.args(["-cpu", "max,-erms,-fsrm", "-m", &MEMORY.to_string()]);
    if machine.count_instructions {
        command.args(["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off"]);
    } else {
        command.args(["-accel", "tcg,thread=multi", "-smp", &machine.processors.to_string()]);
    }
    command.arg("-kernel").arg(kernel.image()).arg("-initrd").arg(directory.join("initramfs"));
    command.args([
        "-append",
        "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off tsc=reliable no_timer_check nokaslr \
         random.trust_cpu=on init_on_alloc=0",
    ]);
    command.arg("-serial").arg(format!("file:{}", shown(&directory.join("console"))));
    command.args(["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]);
    command.args([
        "-chardev",
        "stdio,id=output,signal=off",
        "-device",
        "virtserialport,chardev=output,name=output",
    ]);
    command.arg("-chardev").arg(format!("file,id=code,path={}", shown(&directory.join("code"))));
    command.args(["-device", "virtserialport,chardev=code,name=code"]);
    command.args(["-virtfs", "local,path=/,mount_tag=root,security_model=none,multidevs=remap,readonly=on"]);
    if let Some(share) = share {
        let path = shown(share);
        command.arg("-virtfs");
        command.arg(format!("local,path={path},mount_tag=shared,security_model=none,multidevs=remap"));
    }
    if machine.cable {
        for (number, card) in [(0, "near"), (1, "far")] {
            command.arg("-netdev").arg(format!("hubport,hubid=0,id={card}"));
            // The device sends by its timer, that is at a certain instruction, and not whenever the host has time.
            command.arg("-device").arg(format!(
                "virtio-net-pci,netdev={card},mac=02:00:00:00:01:0{number},ioeventfd=off,tx=timer,x-txtimer=20000"
            ));
        }
    }
    command
}

/// A path as a value of the emulator's options, where a comma is written twice.
fn shown(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn initramfs(kernel: &Kernel, busybox: &Path, script: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "proc", "sys", "host", "layer", "new", "modules"] {
        archive.directory(directory);
    }
    archive.file("bin/busybox", &fs::read(busybox)?);
    archive.file("init", include_bytes!("vm/init.sh"));
    archive.file("start.sh", include_bytes!("vm/start.sh"));
    archive.file("command.sh", script.as_bytes());
    let mut files = Vec::new();
    for module in MODULES.into_iter().chain([TRANSPORT]) {
        for file in kernel.files_of(module)? {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    let mut order = String::new();
    for file in files {
        let name = file.file_name().context("a module is a file")?.to_string_lossy();
        let name = name.trim_end_matches(".xz");
        archive.file(&format!("modules/{name}"), &kernel::module(&file)?);
        order.extend([name, "\n"]);
    }
    archive.file("modules/order", order.as_bytes());
    Ok(archive.finish())
}

/// What `start.sh` reads.
fn script(kernel: &Kernel, machine: &Machine, share: Option<&Path>) -> Result<String> {
    let set = |name: &str, value: &str| format!("{name}={}\n", quoted(value));
    let exported =
        ENVIRONMENT.iter().filter_map(|name| Some(format!("export {}", set(name, &env::var(name).ok()?))));
    let words: Vec<String> = machine.command.iter().map(|word| quoted(word)).collect();
    let lines = [
        set("MODULES", &kernel.modules().canonicalize()?.display().to_string()),
        set("DIRECTORY", &env::current_dir()?.display().to_string()),
        set("SHARED", &share.map(|share| share.display().to_string()).unwrap_or_default()),
    ];
    let command = format!("export LB_VM=1\nrun() {{ exec setsid --wait {}; }}\n", words.join(" "));
    Ok(lines.into_iter().chain(exported).chain([command]).collect())
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A directory for the machine's files, which goes with this.
struct Directory(PathBuf);

impl Directory {
    fn create(path: PathBuf) -> Result<Directory> {
        DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        // The emulator appends to none.
        File::create(path.join("console"))?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
