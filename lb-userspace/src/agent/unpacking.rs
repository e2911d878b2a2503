//! The program that takes the outer header off, on the interfaces.

use anyhow::{Context, Result, ensure};
use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, PerCpuArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};
use lb_common::datapath::decapsulate::{CAPACITY, Outcome};
use tracing::info;

use super::reverse_path;
use crate::address;
use crate::attach::{self, Attachment, Mode};
use crate::config::Prefix;
use crate::programs;

/// The loaded program with its maps, attached. Dropping it detaches and unloads it.
#[derive(Debug)]
pub struct Unpacking {
    ebpf: Ebpf,
    _attachments: Vec<Attachment>,
}

impl Unpacking {
    /// Loads the program, tells it the addresses, and attaches it to each interface.
    pub fn start(
        balancers: &[Prefix],
        vips: &[Prefix],
        gue_port: u16,
        interfaces: &[&str],
        mode: Mode,
    ) -> Result<Unpacking> {
        let mut ebpf = EbpfLoader::new()
            .override_global("GUE_PORT", &gue_port, true)
            .load(programs::AGENT)
            .context("load the BPF maps")?;
        fill(&mut ebpf, "BALANCERS", balancers)?;
        fill(&mut ebpf, "VIPS", vips)?;

        let name = if programs::multi_buffer() { "xdp_agent_frags" } else { "xdp_agent" };
        let program =
            ebpf.program_mut(name).with_context(|| format!("the BPF object has no program {name}"))?;
        let program: &mut Xdp = program.try_into()?;
        program.load().context("load the XDP program")?;
        let mut attachments = Vec::new();
        for interface in interfaces {
            let attachment = attach::attach(program, interface, mode)?;
            let mode = attachment.mode.name();
            match &attachment.note {
                None => info!("{interface}: attached, mode {mode}"),
                Some(note) => info!("{interface}: attached, mode {mode}: {note}"),
            }
            reverse_path::warn_if_strict(interface)?;
            attachments.push(attachment);
        }
        Ok(Unpacking { ebpf, _attachments: attachments })
    }

    /// How many packets had that outcome.
    pub fn packets(&self, outcome: Outcome) -> Result<u64> {
        let map = self.ebpf.map("OUTCOMES").context("the BPF object has no map OUTCOMES")?;
        let counters = PerCpuArray::<_, u64>::try_from(map)?;
        Ok(counters.get(&(outcome as u32), 0)?.iter().sum())
    }

    /// Packets by outcome, as `decapsulated=5 refused=0 …`.
    pub fn outcomes(&self) -> Result<String> {
        let count = |outcome: Outcome| Ok(format!("{}={}", outcome.name(), self.packets(outcome)?));
        Ok(Outcome::ALL.map(count).into_iter().collect::<Result<Vec<_>>>()?.join(" "))
    }
}

/// Puts prefixes into a map that is asked whether an address is in one of them.
fn fill(ebpf: &mut Ebpf, name: &'static str, prefixes: &[Prefix]) -> Result<()> {
    let number = prefixes.len();
    ensure!(number <= CAPACITY, "{number} addresses and prefixes are too many: {CAPACITY} at most");
    let map = ebpf.map_mut(name).with_context(|| format!("the BPF object has no map {name}"))?;
    let mut map = LpmTrie::<_, [u8; 16], u8>::try_from(map)?;
    for prefix in prefixes {
        // The octets of an address are its memory on the little-endian machines that the program is built for.
        let key = Key::new(prefix.mapped_length(), address::of_ip(prefix.address).octets());
        map.insert(&key, 1, 0).with_context(|| format!("put {prefix} into {name}"))?;
    }
    Ok(())
}
