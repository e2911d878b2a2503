//! A service's backends.

use std::net::IpAddr;

use super::file::{self, List};
use super::section::{Section, Seen};
use super::value;

/// Backends of all services together: as many as the datapath's backend map has room for.
pub(super) const MOST: usize = lb_common::backend::CAPACITY - 1;

/// A server that answers for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Unique in its service; the lookup table depends on it. The address unless the file says otherwise.
    pub name: String,
    /// Where packets are sent. Never the service's VIP.
    pub address: IpAddr,
    /// Its share of new flows among the weights of its service, 0 to 65,535. 0 takes none.
    pub weight: u32,
}

/// What a service's backends must differ in.
#[derive(Default)]
struct Taken {
    addresses: Seen<IpAddr>,
    names: Seen<String>,
}

/// `vip` is the service's, if it is known.
pub(super) fn from_written(
    service: &mut Section,
    written: Option<&List<file::Backend>>,
    vip: Option<IpAddr>,
) -> Option<Vec<Backend>> {
    let entries = service.list("backends", written, "write backends: [] if there are none yet")?;
    let mut taken = Taken::default();
    let backends: Vec<Backend> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            backend(&mut service.entry("backends", index, entry), &entry.value, vip, &mut taken)
        })
        .collect();

    let understood = !backends.is_empty() && backends.len() == entries.len();
    if let Some(list) = written
        && understood
        && backends.iter().all(|backend| backend.weight == 0)
    {
        let message =
            "every backend has weight 0, so none would take a flow; give one a weight of at least 1";
        service.error("backends", list.referenced, message);
    }
    Some(backends)
}

fn backend(
    section: &mut Section,
    written: &file::Backend,
    vip: Option<IpAddr>,
    taken: &mut Taken,
) -> Option<Backend> {
    let remedy = "write the backend's IP address";
    let address = section.required("address", written.address.as_ref(), remedy, value::backend_address);
    let weight =
        section.optional("weight", written.weight.as_ref(), 1, |text| value::number(text, &(0..=65_535)));

    let mut default_name = None;
    if let (Some(address), Some(word)) = (address, &written.address) {
        if vip == Some(address) {
            let message = format!("{address} is the service's VIP; write the backend's own address");
            section.error("address", word.referenced, message);
        }
        // The same address twice is one fault, even where it is the name too.
        default_name = section
            .unique("address", word.referenced, &mut taken.addresses, address, "remove one")
            .map(|address| (address.to_string(), word.referenced));
    }
    let name = section.name(written.name.as_ref(), default_name, &mut taken.names);
    Some(Backend { name: name?, address: address?, weight: weight? })
}
