//! Backends that are VIPs of the same node: packets for them would come to a load balancer again, and never end.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde_saphyr::Spanned;

use super::file;
use super::prefix::Prefix;
use super::section::Section;
use super::value;

/// Reports every backend that is inside the VIP of another service. Its own service's is reported where it is read.
pub(super) fn check(root: &mut Section, services: &[Spanned<file::Service>]) {
    let vips = Vips::of(services);
    for (number, service) in services.iter().enumerate() {
        let own = vip(&service.value);
        for (index, backend) in service.value.backends.iter().flat_map(|list| &list.value).enumerate() {
            let Some(word) = &backend.value.address else { continue };
            // What is no address has been reported.
            let Ok(address) = value::backend_address(&word.value) else { continue };
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
                root.error(
                    &format!("services[{number}].backends[{index}].address"),
                    word.referenced,
                    message,
                );
            }
        }
    }
}

fn vip(service: &file::Service) -> Option<Prefix> {
    value::vip(&service.vip.as_ref()?.value).ok()
}

/// The VIPs of a file, and where each stands first.
struct Vips {
    places: HashMap<Prefix, String>,
    /// Of all of them, the longest first.
    lengths: Vec<u8>,
}

impl Vips {
    fn of(services: &[Spanned<file::Service>]) -> Vips {
        let mut places = HashMap::new();
        for (number, service) in services.iter().enumerate() {
            if let (Some(vip), Some(word)) = (vip(&service.value), &service.value.vip) {
                let line = word.referenced.line();
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
