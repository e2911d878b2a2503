//! Where the outer source addresses of tunnels come from.

use super::field::{Entries, List, Scalar, Text};
use super::prefix::Prefix;
use super::section::Section;
use super::value;

pub(super) static TUNNEL_SOURCE: List = List {
    name: "tunnel_source",
    about: "Where the outer source addresses of tunnels are taken from: at most one prefix of each IP version. \
            Default: the node's own address.",
    remedy: None,
    may_be_empty: true,
    of: Entries::Scalars(&PREFIX),
};

static PREFIX: Scalar<Text<Prefix>> = Scalar {
    name: "prefix",
    about: "An address, or a prefix with zeros behind it.",
    remedy: None,
    form: Text(value::tunnel_source),
};

/// Those that are right; what is wrong has been reported.
pub(super) fn read(root: &mut Section) -> Vec<Prefix> {
    let mut prefixes: Vec<Prefix> = Vec::new();
    let entries = root.list(TUNNEL_SOURCE.name).map_or(&[][..], |(entries, _)| entries);
    for (index, entry) in entries.iter().enumerate() {
        let Some(Ok(prefix)) = entry.word().map(value::tunnel_source) else { continue };
        if let Some(first) = prefixes.iter().find(|first| first.is_of(prefix.address)) {
            let version = if prefix.address.is_ipv4() { "IPv4" } else { "IPv6" };
            let message =
                format!("{prefix} is {version} as {first} is, and one of each is allowed; remove one");
            root.error(&format!("{}[{index}]", TUNNEL_SOURCE.name), entry.at, message);
        }
        prefixes.push(prefix);
    }
    prefixes
}
