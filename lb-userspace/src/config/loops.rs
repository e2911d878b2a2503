//! Backends that are VIPs of the same node: packets for them would come to a load balancer again, and never end.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::backend::{ADDRESS, BACKENDS};
use super::prefix::Prefix;
use super::section::Section;
use super::service::VIP;
use super::tree::Node;
use super::value;

/// Reports every backend that is inside the VIP of another service. Its own service's is reported where it is read.
pub(super) fn check(root: &mut Section, services: &[Node]) {
    let vips = Vips::of(services);
    for (number, service) in services.iter().enumerate() {
        let own = vip(service);
        let backends = service.field(BACKENDS.name).map_or(&[][..], Node::entries);
        for (index, backend) in backends.iter().enumerate() {
            let Some(node) = backend.field(ADDRESS.name) else { continue };
            // What is no address has been reported.
            let Some(Ok(address)) = node.word().map(value::backend_address) else { continue };
            if own.is_some_and(|own| own.contains(address)) {
                continue;
            }
            if let Some((vip, place)) = vips.around(address) {
                let is = if vip.is_one_address() {
                    "is the VIP".to_owned()
                } else {
                    format!("is inside the VIP {vip}")
                };
                let message = format!(
                    "{address} {is} of {place}, so its packets would come back here; write the backend's own address"
                );
                root.error(&format!("services[{number}].backends[{index}].address"), node.at, message);
            }
        }
    }
}

fn vip(service: &Node) -> Option<Prefix> {
    value::vip(service.field(VIP.name)?.word()?).ok()
}

/// The VIPs of a file, and where each stands first.
struct Vips {
    places: HashMap<Prefix, String>,
    /// Of all of them, the longest first.
    lengths: Vec<u8>,
}

impl Vips {
    fn of(services: &[Node]) -> Vips {
        let mut places = HashMap::new();
        for (number, service) in services.iter().enumerate() {
            if let (Some(vip), Some(node)) = (vip(service), service.field(VIP.name)) {
                let line = node.at.line;
                places.entry(vip).or_insert_with(|| format!("services[{number}] (line {line})"));
            }
        }
        let lengths: BTreeSet<u8> = places.keys().map(|vip| vip.length).collect();
        Vips { places, lengths: lengths.into_iter().rev().collect() }
    }

    /// The smallest one that an address is in.
    fn around(&self, address: IpAddr) -> Option<(Prefix, &str)> {
        let most = Prefix::of_one(address).length;
        let mut prefixes = self
            .lengths
            .iter()
            .filter(|length| **length <= most)
            .map(|&length| Prefix::around(address, length));
        prefixes.find_map(|prefix| Some((prefix, self.places.get(&prefix)?.as_str())))
    }
}
