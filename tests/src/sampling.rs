//! What the program on an interface tells of, as the kernel has it.

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData};
use aya::programs::loaded_programs;
use lb_common::verdict::NODE_COUNTERS;

use crate::host::Host;
use crate::lab::Lab;
use crate::xdp;

/// The memory of a [`Sampling`](lb_common::event::Sampling): one word for each verdict, and two more.
type Words = [u32; NODE_COUNTERS + 2];

/// One in so many packets, by the verdict's counter; 0 for none.
///
/// # Errors
/// The load balancer runs no program, or another one.
pub fn every(lab: &Lab) -> Result<[u32; NODE_COUNTERS]> {
    let id = xdp::attached(lab.host(Host::Balancer), "eth0")?.context("no program on eth0")?;
    let program = loaded_programs().flatten().find(|program| program.id() == id).context("it has gone")?;
    for map in program.map_ids()?.context("its maps aren't named")? {
        let map = MapData::from_id(map)?;
        if map.info()?.name_as_str() == Some("SAMPLING") {
            let words: Words = Array::<_, Words>::try_from(Map::Array(map))?.get(&0, 0)?;
            return words.first_chunk().copied().context("one word for each verdict");
        }
    }
    anyhow::bail!("program {id} has no map SAMPLING")
}

/// Whether any packet is told of.
///
/// # Errors
/// As of [`every`].
pub fn is_on(lab: &Lab) -> Result<bool> {
    Ok(every(lab)?.iter().any(|&every| every > 0))
}
