//! Checks that are sent to a VIP, by the program that forwards them.

use lb_common::backend::Backend;
use lb_common::datapath::check::check;
use lb_common::flow::Protocol;
use lb_common::mark;
use lb_common::siphash::{HashKey, Keyed};
use lb_common::slot::BackendIndex;
use lb_common::verdict::{DropReason, FORWARDED, NODE_COUNTERS, RECEIVED, Verdict};
use lb_common::wire::ethernet::Vlan;
use lb_userspace::frame::Frame;
use lb_userspace::image::{Counters, Image};

use crate::engine::{Action, Kernel};
use crate::frames::{ip_length, packet, packet_to, sent, tagged};
use crate::services::{Case, FAR_MTU, HASH_KEY, INGRESS, OTHER, VIP_V4, VIP_V6, image};
use crate::vectors;

/// The frame without its tags: the kernel takes them off, and writes the backend's own where it leaves.
fn untagged(frame: &[u8]) -> Option<Vec<u8>> {
    let mut frame = frame.to_vec();
    for _ in 0..2 {
        if [[0x81, 0x00], [0x88, 0xa8]].contains(&[frame[12], frame[13]]) {
            if frame.len() < 18 {
                return None;
            }
            frame.drain(12..16);
        }
    }
    Some(frame)
}

/// What the datapath that is compiled for the host makes of a check.
fn on_the_host(image: &Image, frame: &[u8], backend: BackendIndex) -> (Action, Option<Vec<u8>>) {
    let Some(frame) = untagged(frame) else { return (Action::Drop, None) };
    let entry = image.backends.get(&backend).copied().unwrap_or(Backend::EMPTY);
    let mut frame = Frame::new(&frame);
    match check(&mut frame, &Backend { vlan: Vlan::NONE, ..entry }, Keyed::new(HashKey::new(HASH_KEY))) {
        Verdict::Forward { egress: INGRESS } => (Action::Transmit, Some(frame.bytes().to_vec())),
        Verdict::Forward { .. } => (Action::Redirect, Some(frame.bytes().to_vec())),
        Verdict::Drop(_) => (Action::Drop, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_check_leaves_as_traffic_does() {
    let mut kernel = Kernel::load(image());
    let mut checks = 0;
    for case in Case::ALL.into_iter().filter(|case| *case != Case::Unreachable && !case.backends().is_empty())
    {
        for payload in [0, 11, 1000] {
            let frame = packet(case, payload);
            let (action, expected) = sent(case, &frame);
            let expected = untagged(&expected).unwrap();
            let came = kernel.check(&frame, mark::toward(case.backend()));
            assert_eq!(came, (action, expected, 0), "{case:?}, {payload} octets");
            // By an interface of a VLAN, and another one inside.
            let tags = tagged(&frame, &[[0x88, 0xa8, 0, 7], [0x81, 0, 0, 8]]);
            assert_eq!(kernel.check(&tags, mark::toward(case.backend())), came, "{case:?}, tagged");
            checks += 2;
        }
    }
    let mut expected = [0; NODE_COUNTERS];
    (expected[RECEIVED], expected[FORWARDED]) = (checks, checks);
    assert_eq!(kernel.check_counters(), expected);
    assert_eq!(kernel.take_counters(), Counters::default(), "no check is traffic");
}

#[test]
fn only_checks_are_touched() {
    let mut kernel = Kernel::load(image());
    for case in [Case::L2V4, Case::V6InGueV4] {
        let frame = tagged(&packet(case, 10), &[[0x81, 0, 0, 8]]);
        for mark in [0, 1, 0x4c41_0001, u32::from(case.backend().0)] {
            assert_eq!(kernel.check(&frame, mark), (Action::Transmit, frame.clone(), mark));
        }
    }
    assert_eq!(kernel.check_counters(), [0; NODE_COUNTERS]);
}

/// What the kernel answers for a connection that isn't there any more.
#[test]
fn resets_of_nobody_do_not_reach_a_vip() {
    const RST: u8 = 4;
    const FIN: u8 = 1;
    let mut kernel = Kernel::load(image());
    let segment = |vip: &str, flags: u8| {
        let mut frame = packet_to(vip, 80, Protocol::TCP, 0);
        let ip = if vip.contains(':') { 40 } else { 20 };
        frame[14 + ip + 13] = flags;
        frame
    };
    for (vip, flags, action) in [
        (VIP_V4, RST, Action::Drop),
        (VIP_V6, RST, Action::Drop),
        (Case::PrefixV4.vip(), RST, Action::Drop),
        (VIP_V4, FIN, Action::Transmit),
        ("203.0.113.77", RST, Action::Transmit),
        ("2001:db8:c::77", RST, Action::Transmit),
    ] {
        let frame = segment(vip, flags);
        assert_eq!(kernel.check(&frame, 0), (action, frame, 0), "{vip}, {flags}");
    }
    assert_eq!(kernel.check_counters(), [0; NODE_COUNTERS]);
}

#[test]
fn what_cannot_be_forwarded_does_not_leave() {
    let mut kernel = Kernel::load(image());
    let fits = packet(Case::FarV4InV4, usize::from(FAR_MTU) - 60);
    assert_eq!(ip_length(&fits), usize::from(FAR_MTU) - 20);
    let too_long = packet(Case::FarV4InV4, usize::from(FAR_MTU) - 59);
    let mut short = packet(Case::V4InV4, 10);
    short.truncate(40);
    let mut other = packet(Case::V4InV4, 10);
    (other[12], other[13]) = (0x08, 0x06);
    let last = u16::MAX;
    for (frame, backend, expected) in [
        (&fits, Case::FarV4InV4.backend(), Verdict::Forward { egress: OTHER }),
        (&too_long, Case::FarV4InV4.backend(), Verdict::Drop(DropReason::ExceedsMtu)),
        (&fits, Case::Unreachable.backend(), Verdict::Drop(DropReason::NoBackend)),
        (&fits, BackendIndex(0), Verdict::Drop(DropReason::NoBackend)),
        (&fits, BackendIndex(last), Verdict::Drop(DropReason::NoBackend)),
        (&short, Case::V4InV4.backend(), Verdict::Drop(DropReason::BadLength)),
        (&other, Case::V4InV4.backend(), Verdict::Drop(DropReason::BadHeader)),
    ] {
        let before = kernel.check_counters();
        let (action, ..) = kernel.check(frame, mark::toward(backend));
        let after = kernel.check_counters();
        let moved: Vec<_> = (0..NODE_COUNTERS).filter(|&counter| after[counter] != before[counter]).collect();
        assert_eq!(moved, [RECEIVED, expected.counter()], "{expected:?}");
        assert_eq!(action == Action::Drop, matches!(expected, Verdict::Drop(_)), "{expected:?}");
    }
}

/// Whether `BPF_PROG_TEST_RUN` takes a frame: it wants a whole IP header behind an Ethernet header that announces one.
fn is_tried(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.len() >= 14 + 20,
        Some([0x86, 0xdd]) => frame.len() >= 14 + 40,
        Some(_) => frame.len() > 14,
        None => false,
    }
}

#[test]
fn host_and_kernel_agree_on_every_packet() {
    let image = image();
    let mut kernel = Kernel::load(image.clone());
    let backends = [Case::L2V4, Case::V4InV4, Case::V6InV6, Case::V6InGueV4, Case::V4InGueV6, Case::FarL2];
    for frame in vectors::frames().into_iter().flatten().filter(|frame| is_tried(frame)) {
        for case in backends {
            let (action, sent) = on_the_host(&image, &frame, case.backend());
            let (kernel_action, kernel_sent, _) = kernel.check(&frame, mark::toward(case.backend()));
            assert_eq!(kernel_action, action, "{case:?}: {frame:02x?}");
            if let Some(sent) = sent {
                assert_eq!(kernel_sent, sent, "{case:?}: {frame:02x?}");
            }
        }
    }
}
