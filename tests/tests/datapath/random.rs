//! The host build and the loaded program agree on every packet, however odd.

use std::collections::BTreeMap;

use fastrand::Rng;
use lb_common::verdict::{DropReason, PassReason, RECEIVED, TRANSMITTED, Verdict};

use crate::engine::{Action, Kernel, host};
use crate::frames::{tcp_v4, tcp_v4_from, tcp_v6, udp_v4};
use crate::services::{Case, image};

/// A well-formed packet, mostly for one of the services, of any flow.
pub fn packet(random: &mut Rng) -> Vec<u8> {
    let case = *random.choice(&Case::ALL).unwrap();
    let port = if random.u8(..) < 16 { random.u16(..) } else { case.port() };
    let payload = if random.u8(..) < 32 { random.usize(..1460) } else { random.usize(..64) };
    let mut frame = match random.u8(..4) {
        0 => udp_v4(port, payload),
        1 => tcp_v6(port, payload),
        _ => tcp_v4(port, payload),
    };
    // The client's port lies behind either header.
    let ports = if frame[12] == 0x08 { 34 } else { 54 };
    frame[ports] = random.u8(..);
    frame[ports + 1] = random.u8(..);
    frame
}

/// Damages it: octets changed, mostly in the headers, cut off, or added.
pub fn mutate(random: &mut Rng, mut frame: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.usize(..4) {
        let place = random.usize(..frame.len().min(80));
        frame[place] = match random.u8(..3) {
            0 => random.u8(..),
            1 => frame[place] ^ 1 << random.u8(..8),
            _ => *random.choice(&[0, 1, 4, 5, 6, 17, 41, 0x45, 0x46, 0x60, 0x86, 0xdd, 0xff]).unwrap(),
        };
    }
    match random.u8(..8) {
        0 => frame.truncate(random.usize(14..=frame.len())),
        1 => frame.extend(vec![random.u8(..); random.usize(..64)]),
        _ => {}
    }
    frame
}

#[test]
fn host_and_kernel_agree() {
    const PACKETS: usize = 20_000;
    let mut random = Rng::with_seed(0x6c62);
    let image = image();
    let mut kernel = Kernel::load(image.clone());
    let mut verdicts = BTreeMap::new();
    for number in 0..PACKETS {
        let frame = packet(&mut random);
        let frame = if random.bool() { mutate(&mut random, frame) } else { frame };
        let (on_host, in_kernel) = (host(&image, &frame), kernel.run(&frame));
        assert_eq!(on_host, in_kernel, "packet {number}: {frame:02x?}");

        let ended: u64 = in_kernel.counted.node[TRANSMITTED..].iter().sum();
        assert_eq!((in_kernel.counted.node[RECEIVED], ended), (1, 1), "packet {number} is counted once");
        let place = (0..).zip(in_kernel.counted.node).skip(1).find(|(_, count)| *count == 1);
        *verdicts.entry(place.map(|(place, _): (usize, _)| place)).or_insert(0) += 1;
    }
    // Every reason that a packet alone can cause was met; a lack of headroom it can't.
    let mut expected: Vec<_> = vec![Verdict::Transmit { egress: 0 }.counter()];
    expected.extend(PassReason::ALL.map(|reason| Verdict::Pass(reason).counter()));
    expected.extend(DropReason::ALL.map(|reason| Verdict::Drop(reason).counter()));
    expected.retain(|&place| place != Verdict::Drop(DropReason::NoHeadroom).counter());
    for place in expected {
        assert!(verdicts.contains_key(&Some(place)), "no packet with counter {place}: {verdicts:?}");
    }
}

/// What goes to a backend by `l2` is the same packet; what goes by a tunnel has it inside, octet for octet.
#[test]
fn what_leaves_holds_the_packet_unchanged() {
    let mut random = Rng::with_seed(0x69);
    let image = image();
    let mut forwarded = 0;
    for _ in 0..20_000 {
        let frame = packet(&mut random);
        let outcome = host(&image, &frame);
        if matches!(outcome.action, Action::Transmit | Action::Redirect) {
            assert!(outcome.frame.ends_with(&frame[14..]), "{frame:02x?}");
            forwarded += 1;
        } else {
            assert_eq!(outcome.frame, frame);
        }
    }
    assert!(forwarded > 5_000, "{forwarded}");
}

/// Flows spread over a service's backends in equal shares, and each stays with its own.
#[test]
fn flows_spread_and_stay() {
    let image = image();
    let mut shares = BTreeMap::new();
    for client_port in 1024..=u16::MAX {
        let backend = |payload| {
            let outcome = host(&image, &tcp_v4_from(client_port, Case::Many.port(), payload));
            outcome.counted.backends.into_keys().next().unwrap()
        };
        let chosen = backend(0);
        assert_eq!(chosen, backend(200));
        *shares.entry(chosen).or_insert(0_u32) += 1;
    }
    let mean = shares.values().sum::<u32>() / 4;
    assert_eq!(shares.len(), 4);
    assert!(shares.values().all(|share| share.abs_diff(mean) < mean / 20), "{shares:?}");
}
