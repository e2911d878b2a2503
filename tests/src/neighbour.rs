//! Who says on a link that an address is his: ARP and neighbour discovery, asked by the kernel.

use std::net::IpAddr;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::namespace::Namespace;
use crate::run::run;
use crate::wait;

/// Asks the link of an interface for an address, whatever the routes say, and gives the MAC address that answers.
///
/// `None` after the kernel's three questions, a second apart.
///
/// # Errors
/// The kernel doesn't ask, or doesn't come to an end in time; Ctrl-C.
pub fn ask(from: &Namespace, interface: &str, address: IpAddr) -> Result<Option<String>> {
    let address = address.to_string();
    let neighbour = |words: &[&str]| {
        run(Command::new("ip")
            .args(["-n", from.name(), "neigh"])
            .args(words)
            .args([&address, "dev", interface]))
    };
    // What is known from before would not be asked again.
    let _ = neighbour(&["delete"]);
    run(Command::new("ip")
        .args(["-n", from.name(), "neigh", "replace", &address, "dev", interface])
        .args(["nud", "none", "use"]))?;
    wait::until(&format!("an answer for {address}"), || {
        Ok(match known(from, interface, &address)? {
            Some(Entry { lladdr: Some(mac), .. }) => Some(Some(mac)),
            Some(Entry { state, .. }) if state.iter().any(|state| state == "FAILED") => Some(None),
            _ => None,
        })
    })
}

/// Whether the kernel has heard of that address on a link, and its MAC address.
///
/// # Errors
/// There is no such interface.
pub fn heard_of(namespace: &Namespace, interface: &str, address: IpAddr) -> Result<Option<String>> {
    Ok(known(namespace, interface, &address.to_string())?.and_then(|entry| entry.lladdr))
}

/// A line of `ip neigh`.
#[derive(Deserialize)]
struct Entry {
    lladdr: Option<String>,
    state: Vec<String>,
}

fn known(namespace: &Namespace, interface: &str, address: &str) -> Result<Option<Entry>> {
    let listed = run(Command::new("ip").args([
        "-n",
        namespace.name(),
        "-json",
        "neigh",
        "show",
        "to",
        address,
        "dev",
        interface,
    ]))?;
    let entries: Vec<Entry> = serde_json::from_str(&listed).context("ip -json neigh show")?;
    Ok(entries.into_iter().next())
}
