//! The backend's side as it is compiled for the host.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::LazyLock;

use lb_common::address::Address;
use lb_common::datapath::decapsulate::{Outcome, Tunnels, decapsulate};
use lb_userspace::address::of_ip;
use lb_userspace::config::Prefix;
use lb_userspace::frame::Frame;

use super::services::{GUE_PORT, VIP_V4, VIP_V6};
use super::world::World;

/// The VIPs that the backend serves; the first and the last are prefixes.
const VIPS: [&str; 4] = ["192.0.2.64/28", VIP_V4, VIP_V6, "2001:db8:f:1::/64"];

/// The VIPs that the backend serves, as it is told them.
///
/// # Panics
/// One can't be read.
#[must_use]
pub fn vips() -> [Prefix; 4] {
    VIPS.map(|text| lb_userspace::config::vip(text).expect("it is an address or a prefix"))
}

/// Whether the backend serves that address.
#[must_use]
pub fn serves(address: IpAddr) -> bool {
    static SERVED: LazyLock<[Prefix; 4]> = LazyLock::new(vips);
    SERVED.iter().any(|vip| vip.contains(address))
}

/// What became of a frame, which is the one counter that moved, and its octets.
pub type Unpacked = (Outcome, Vec<u8>);

/// A prefix as the maps hold it: an address, and how many of its 128 bits count.
fn key_of(prefix: Prefix) -> (Address, u32) {
    (of_ip(prefix.address), prefix.mapped_length())
}

/// Where tunnels begin.
pub static BALANCERS: LazyLock<[(Address, u32); 4]> =
    LazyLock::new(|| World::all_tunnel_sources().map(key_of));

struct Agent(Cell<Option<Outcome>>);

impl Tunnels for Agent {
    fn is_balancer(&self, source: &Address) -> bool {
        World::all_tunnel_sources()
            .map(key_of)
            .iter()
            .any(|(prefix, bits)| prefix.shares_prefix(*source, *bits))
    }

    fn is_vip(&self, destination: &Address) -> bool {
        static SERVED: LazyLock<[(Address, u32); 4]> = LazyLock::new(|| vips().map(key_of));
        SERVED.iter().any(|(prefix, bits)| prefix.shares_prefix(*destination, *bits))
    }

    fn gue_port(&self) -> u16 {
        GUE_PORT
    }

    fn count(&self, outcome: Outcome) {
        assert_eq!(self.0.replace(Some(outcome)), None, "counted twice");
    }
}

/// Unpacks a frame if it is a tunnel's.
///
/// # Panics
/// It isn't counted, or not as what became of it.
pub fn unpack(frame: &[u8]) -> Unpacked {
    let counted = Agent(Cell::new(None));
    let mut frame = Frame::new(frame);
    let outcome = decapsulate(&mut frame, &counted);
    assert_eq!(counted.0.get(), Some(outcome));
    (outcome, frame.bytes().to_vec())
}
