//! Where the outer source addresses of tunnels come from.

use super::file::List;
use super::prefix::Prefix;
use super::section::Section;
use super::value;

pub(super) fn from_written(root: &mut Section, written: Option<&List<String>>) -> Option<Vec<Prefix>> {
    let words = written.map_or(&[][..], |list| list.value.as_slice());
    let mut prefixes: Vec<Prefix> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let field = format!("tunnel_source[{index}]");
        let Some(prefix) = root.required(&field, Some(word), "", value::tunnel_source) else { continue };
        if let Some(first) = prefixes.iter().find(|first| first.is_of(prefix.address)) {
            let version = if prefix.address.is_ipv4() { "IPv4" } else { "IPv6" };
            let message =
                format!("{prefix} is {version} as {first} is, and one of each is allowed; remove one");
            root.error(&field, word.referenced, message);
        }
        prefixes.push(prefix);
    }
    (prefixes.len() == words.len()).then_some(prefixes)
}
