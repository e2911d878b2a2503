//! What the backend's kernel gets: the packet that was inside, or the frame as it came.

use std::sync::LazyLock;

use lb_common::datapath::decapsulate::Outcome;
use lb_userspace::config::Prefix;

use crate::datapath::agent;
use crate::datapath::reading::{Ip, sum};
use crate::datapath::world::World;

static BALANCERS: LazyLock<[Prefix; 4]> = LazyLock::new(World::all_tunnel_sources);

/// Both bits of ECN: congestion was met (RFC 3168, section 5).
const CONGESTION: u8 = 3;

/// Checks what the agent made of a frame.
///
/// # Panics
/// A law doesn't hold.
pub fn check(frame: &[u8], outcome: Outcome, unpacked: &[u8]) {
    let outer = Ip::of(frame);
    let from_balancer = outer.is_some_and(|outer| BALANCERS.iter().any(|known| known.contains(outer.source)));
    match outcome {
        Outcome::NotATunnel => {}
        Outcome::Stranger => assert!(!from_balancer),
        Outcome::Refused | Outcome::Malformed | Outcome::Congested => assert!(from_balancer),
        Outcome::Decapsulated => {
            assert!(from_balancer);
            return check_decapsulated(frame, &outer.expect("there was an outer header"), unpacked);
        }
    }
    assert_eq!(unpacked, frame, "what isn't unpacked is untouched");
}

fn check_decapsulated(frame: &[u8], outer: &Ip, unpacked: &[u8]) {
    let inner = Ip::of(unpacked).expect("there is a whole IP header");
    assert_eq!(inner.offset, outer.offset, "the tags stay");
    assert_eq!(unpacked[..inner.offset - 2], frame[..inner.offset - 2], "addresses and tags stay");
    assert!(agent::serves(inner.destination));
    let packet = inner.packet().expect("it is whole");
    let version = if inner.is_v4() { 4 } else { 6 };
    assert_eq!(packet.first().map(|first| first >> 4), Some(version), "header and type agree");

    let taken_off = frame.len() - unpacked.len();
    let fixed = if outer.is_v4() { 20 } else { 40 };
    assert!([fixed, fixed + 8].contains(&taken_off), "{taken_off} octets");
    let mut expected = frame[outer.offset + taken_off..].to_vec();
    if outer.traffic_class & CONGESTION == CONGESTION && ecn(&expected, inner.is_v4()) != CONGESTION {
        mark(&mut expected, &unpacked[inner.offset..], inner.is_v4());
    }
    assert_eq!(unpacked[inner.offset..], expected, "the packet inside is untouched");
}

fn ecn(packet: &[u8], is_v4: bool) -> u8 {
    if is_v4 { packet[1] & CONGESTION } else { packet[1] >> 4 & CONGESTION }
}

/// Marks a packet as one that met congestion, which its sender must be able to hear (RFC 6040, section 4.2).
fn mark(packet: &mut [u8], unpacked: &[u8], is_v4: bool) {
    assert_ne!(ecn(packet, is_v4), 0, "the sender can hear");
    if is_v4 {
        let header = |packet: &[u8]| sum(0, &packet[..20]);
        let before = header(packet);
        packet[1] |= CONGESTION;
        packet[10..12].copy_from_slice(&unpacked[10..12]);
        assert_eq!(header(packet) % 0xffff, before % 0xffff, "the checksum is as right as it was");
    } else {
        packet[1] |= CONGESTION << 4;
    }
}
