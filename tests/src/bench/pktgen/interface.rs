//! What the kernel and the driver say of an interface.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::run::run;

/// An interface that is up.
#[derive(Clone, Debug)]
pub struct Interface {
    name: String,
    /// Queues that packets leave by.
    pub queues: usize,
}

/// What came in by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Packets.
    pub packets: u64,
    /// Packets that nothing took: the kernel's, and those that the card had no room for.
    pub dropped: u64,
    /// Packets by queue; nothing if the driver doesn't tell.
    pub queues: BTreeMap<u32, u64>,
}

#[derive(Deserialize)]
struct Link {
    flags: Vec<String>,
    #[serde(default = "one")]
    num_tx_queues: usize,
    stats64: Counters,
}

const fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct Counters {
    rx: CountersIn,
}

#[derive(Deserialize)]
struct CountersIn {
    packets: u64,
    dropped: u64,
    #[serde(default)]
    missed_errors: u64,
}

impl Interface {
    /// The one of that name.
    ///
    /// # Errors
    /// There is none, or it is down.
    pub fn find(name: &str) -> Result<Interface> {
        let names = names()?;
        ensure!(
            names.iter().any(|known| known == name),
            "{name}: no such interface; there are: {}",
            names.join(", ")
        );
        let link = link(name)?;
        let has = |flag: &str| link.flags.iter().any(|found| found == flag);
        ensure!(has("UP"), "{name} is down; run: ip link set {name} up");
        ensure!(has("LOWER_UP"), "{name} has no carrier: is the cable in, and the other end up?");
        Ok(Interface { name: name.into(), queues: link.num_tx_queues })
    }

    /// What has come in so far.
    ///
    /// # Errors
    /// The interface has gone.
    pub fn received(&self) -> Result<Received> {
        let Counters { rx } = link(&self.name)?.stats64;
        let statistics = run(Command::new("ethtool").args(["--statistics", &self.name])).unwrap_or_default();
        Ok(Received {
            packets: rx.packets,
            dropped: rx.dropped + rx.missed_errors,
            queues: queues(&statistics),
        })
    }

    /// The MAC address of the next host on the way to an address.
    ///
    /// # Errors
    /// There is no way there by this interface, or that host wasn't heard of.
    pub fn next_mac(&self, address: IpAddr) -> Result<[u8; 6]> {
        #[derive(Deserialize)]
        struct Route {
            gateway: Option<IpAddr>,
        }
        #[derive(Deserialize)]
        struct Neighbour {
            lladdr: Option<String>,
        }
        let ip = |arguments: &[&str]| run(Command::new("ip").arg("-json").args(arguments));
        let by_hand = "or give --mac";
        let routes = ip(&["route", "get", &address.to_string(), "oif", &self.name])
            .with_context(|| format!("no way to {address} by {}; add a route, {by_hand}", self.name))?;
        let routes: Vec<Route> = serde_json::from_str(&routes).context("ip -json route get")?;
        let next = routes.first().and_then(|route| route.gateway).unwrap_or(address);
        let neighbours = ip(&["neigh", "show", "to", &next.to_string(), "dev", &self.name])?;
        let neighbours: Vec<Neighbour> = serde_json::from_str(&neighbours).context("ip -json neigh show")?;
        let Some(mac) = neighbours.into_iter().find_map(|neighbour| neighbour.lladdr) else {
            bail!("{next} has no MAC address on {} yet: ping it, {by_hand}", self.name);
        };
        super::mac(&mac).map_err(anyhow::Error::msg)
    }
}

fn names() -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Named {
        ifname: String,
    }
    let links: Vec<Named> = serde_json::from_str(&run(Command::new("ip").args(["-json", "link", "show"]))?)?;
    Ok(links.into_iter().map(|link| link.ifname).collect())
}

fn link(name: &str) -> Result<Link> {
    // Numbers of errors come with the second.
    let arguments = ["-json", "-details", "-statistics", "-statistics", "link", "show", "dev", name];
    let links: Vec<Link> =
        serde_json::from_str(&run(Command::new("ip").args(arguments))?).context("ip -json link show")?;
    links.into_iter().next().with_context(|| format!("{name} has gone"))
}

/// Packets that came in by queue, out of `ethtool --statistics`: each driver has names of its own, as `rx_queue_0_packets`,
/// `rx0_packets`, `rx-0.packets`, `queue_0_rx_cnt` and `[0]: rx_ucast_packets`.
fn queues(statistics: &str) -> BTreeMap<u32, u64> {
    let (mut all, mut by_xdp) = (BTreeMap::new(), BTreeMap::new());
    for line in statistics.lines() {
        let Some((name, count)) = line.rsplit_once(':') else { continue };
        let Ok(count) = count.trim().parse::<u64>() else { continue };
        let (words, numbers) = parts(name);
        let [queue] = numbers[..] else { continue };
        let words: Vec<&str> =
            words.iter().map(String::as_str).filter(|word| !["queue", "ring"].contains(word)).collect();
        match words[..] {
            ["rx", "packets" | "cnt" | "pkts"] | ["rx", "ucast" | "rx", "packets"] => {
                all.insert(queue, count);
            }
            ["rx", "xdp", "packets"] => {
                by_xdp.insert(queue, count);
            }
            _ => {}
        }
    }
    // A veth counts in this one all that it hands over by NAPI, and nothing without.
    by_xdp.retain(|_, count| *count > 0);
    if all.is_empty() { by_xdp } else { all }
}

/// Words and numbers of a counter's name.
fn parts(name: &str) -> (Vec<String>, Vec<u32>) {
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    for piece in name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty())
    {
        let digits = piece.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let word = &piece[..piece.len() - digits.len()];
        if !word.is_empty() {
            words.push(word.to_lowercase());
        }
        if !digits.is_empty() {
            // What isn't a number makes a name that isn't known.
            numbers.push(digits.parse().unwrap_or(u32::MAX));
        }
    }
    (words, numbers)
}

#[cfg(test)]
mod tests {
    use super::queues;

    #[test]
    fn queues_are_found_in_every_drivers_names() {
        for [first, second] in [
            ["rx_queue_0_packets", "rx_queue_1_packets"],
            ["rx0_packets", "rx1_packets"],
            ["rx-0.packets", "rx-1.packets"],
            ["queue_0_rx_cnt", "queue_1_rx_cnt"],
            ["[0]: rx_ucast_packets", "[1]: rx_ucast_packets"],
            ["rx_queue_0_xdp_packets", "rx_queue_1_xdp_packets"],
        ] {
            let text =
                format!("NIC statistics:\n     {first}: 12\n     {second}: 30\n     rx_queue_0_bytes: 7\n");
            assert_eq!(queues(&text), [(0, 12), (1, 30)].into(), "{first}");
        }
    }

    #[test]
    fn packets_of_xdp_are_not_counted_twice() {
        let text = "     rx_queue_0_xdp_packets: 5\n     rx_queue_0_packets: 9\n     tx_queue_0_packets: 3\n     rx_packets: 9\n";
        assert_eq!(queues(text), [(0, 9)].into());
    }
}
