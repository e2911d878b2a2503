//! Where figures were measured.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A machine and its kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub processor: String,
    /// Processors that Linux runs on.
    pub processors: usize,
    /// MiB of memory.
    pub memory_mib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// The kernel's words on what it does against Spectre, version 2: each indirect jump costs by it.
    pub spectre_v2: String,
    /// Whether a hypervisor runs below.
    pub is_virtual: bool,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// The kernel shows no processor.
    pub fn this() -> Result<Machine> {
        let processors = read("/proc/cpuinfo")?;
        let first = |name: &str| {
            let line =
                processors.lines().find(|line| line.split(':').next().is_some_and(|n| n.trim() == name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let memory = read("/proc/meminfo")?;
        let kib = memory.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        Ok(Machine {
            processor: first("model name").context("/proc/cpuinfo names no processor")?,
            processors: processors.lines().filter(|line| line.starts_with("processor")).count(),
            memory_mib: kib.context("/proc/meminfo says no size")? / 1024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            spectre_v2: read("/sys/devices/system/cpu/vulnerabilities/spectre_v2")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            is_virtual: first("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        })
    }
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.to_owned())
}
