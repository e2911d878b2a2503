//! What must hold for every packet, whatever is in it.
//!
//! They are checked against the packet that came, with a reading of it that shares nothing with the datapath, and against
//! what the tests' services are like.

mod answered;
mod forwarded;
mod unpacked;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use lb_common::verdict::{Answer, DropReason, PassReason, RECEIVED, ServiceCounters, Verdict};
use lb_userspace::config::Prefix;
use lb_userspace::image::Counters;

use super::host::{Action, Outcome};
use super::reading::Ip;
use super::services::Case;
use super::world::World;

pub use unpacked::check as check_unpacked;

/// Every way in which a packet's walk can end.
pub fn every_verdict() -> impl Iterator<Item = Verdict> {
    [Verdict::Forward { egress: 0 }]
        .into_iter()
        .chain(Answer::ALL.map(Verdict::Answer))
        .chain(PassReason::ALL.map(Verdict::Pass))
        .chain(DropReason::ALL.map(Verdict::Drop))
}

/// The verdict that was counted. Of one to forward, the interface isn't known.
///
/// # Panics
/// The packet wasn't counted exactly once as received, and exactly once by what became of it.
pub fn verdict_of(counted: &Counters) -> Verdict {
    assert_eq!(counted.node[RECEIVED], 1, "received once");
    let ends: Vec<_> = every_verdict().filter(|verdict| counted.node[verdict.counter()] > 0).collect();
    let [verdict] = ends[..] else { panic!("one verdict, not {ends:?}") };
    assert_eq!(counted.node.iter().sum::<u64>(), 2, "each counted once");
    verdict
}

/// Checks what became of a frame that had as much room in front of it as drivers give, or less.
///
/// # Panics
/// A law doesn't hold.
pub fn check(world: &World, frame: &[u8], has_room: bool, outcome: &Outcome) {
    let verdict = verdict_of(&outcome.counted);
    check_reading(frame, verdict);
    check_signs(frame, &outcome.counted);
    match verdict {
        Verdict::Forward { .. } => forwarded::check(world, frame, outcome),
        Verdict::Answer(answer) => {
            assert_eq!(outcome.action, Action::Transmit);
            match answer {
                Answer::EchoReply => {
                    assert!(world.answers_echo, "echo requests are not answered");
                    answered::check_echo(frame, outcome);
                }
                Answer::TimeExceeded | Answer::TooBig | Answer::Rejected => {
                    answered::check_error(frame, answer, outcome);
                }
            }
        }
        Verdict::Pass(_) => {
            assert_eq!(outcome.action, Action::Pass);
            assert_eq!(outcome.frame, frame, "what is passed is untouched");
            assert_nothing_counted_but(&outcome.counted, None);
        }
        Verdict::Drop(reason) => {
            assert_eq!(outcome.action, Action::Drop);
            let spoilt = matches!(reason, DropReason::NoHeadroom | DropReason::NoInterface);
            assert!(spoilt || outcome.frame == frame, "what is dropped is untouched");
            assert!(!has_room || reason != DropReason::NoHeadroom, "there was room");
            let dropped = only_service(&outcome.counted).map(|(service, ServiceCounters { pins, .. })| {
                let mut counters = ServiceCounters { pins, ..ServiceCounters::default() };
                counters.dropped[reason as usize] = 1;
                (service, counters)
            });
            assert_nothing_counted_but(&outcome.counted, dropped);
        }
    }
}

/// A packet that can be read, to one host, for a VIP, is never taken for something else, and nothing else for it.
fn check_reading(frame: &[u8], verdict: Verdict) {
    let taken = !matches!(
        verdict,
        Verdict::Pass(PassReason::NotIp | PassReason::Truncated | PassReason::ForMany | PassReason::NotAVip)
    );
    let to_one = frame.first().is_some_and(|first| first & 1 == 0);
    let is_for_vip = to_one && Ip::of(frame).is_some_and(|ip| !is_mapped(&ip) && is_a_vip(&ip));
    assert_eq!(taken, is_for_vip, "{verdict:?}");
}

/// Of a watched service's packets only SYNs and resets show anything, and each one thing.
fn check_signs(frame: &[u8], counted: &Counters) {
    let Some((backend, signs)) = counted.signs.first_key_value() else { return };
    assert_eq!((counted.signs.len(), signs.begun + signs.again + signs.resets), (1, 1));
    let case = Case::ALL.into_iter().rev().find(|case| case.backend() <= *backend);
    assert!(case.is_some_and(Case::is_watched), "{case:?}");
    let payload = Ip::of(frame).and_then(|ip| ip.payload()).expect("what shows something has whole headers");
    let control = frame[payload.offset + 13];
    assert_eq!(payload.protocol, 6);
    assert!(if signs.resets > 0 { control & 4 != 0 } else { control & 0x16 == 2 }, "{control:x}: {signs:?}");
}

/// No IPv6 packet on the wire is from or to such an address (RFC 4291, section 2.5.5.2).
fn is_mapped(ip: &Ip) -> bool {
    [ip.source, ip.destination].iter().any(|address| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.to_ipv4_mapped().is_some(),
    })
}

fn is_a_vip(ip: &Ip) -> bool {
    static VIPS: LazyLock<BTreeSet<Prefix>> = LazyLock::new(|| Case::ALL.map(Case::vips).into());
    VIPS.iter().any(|vip| vip.contains(ip.destination))
}

/// A packet's headers end before the packet: what stands in a frame's padding isn't looked at.
fn assert_has_transport_header(ip: &Ip) {
    let payload = ip.payload().expect("a whole packet has whole headers");
    let needed = match payload.protocol {
        _ if payload.is_later_fragment => 0,
        6 => 20,
        _ => 8,
    };
    assert!(payload.offset + needed <= ip.offset + ip.length, "there is room for the header");
}

/// The one service that counted the packet, if any did.
fn only_service(counted: &Counters) -> Option<(u32, ServiceCounters)> {
    assert!(counted.services.len() <= 1, "one service at most: {:?}", counted.services);
    counted.services.first_key_value().map(|(service, counters)| (*service, *counters))
}

fn assert_nothing_counted_but(counted: &Counters, service: Option<(u32, ServiceCounters)>) {
    assert!(counted.services.clone().into_iter().eq(service), "{:?}", counted.services);
    assert!(counted.backends.is_empty(), "{:?}", counted.backends);
}

/// The service of a number.
fn case_of(service: u32) -> Case {
    Case::ALL[service as usize]
}
