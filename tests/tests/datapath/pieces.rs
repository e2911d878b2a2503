//! Frames longer than a page, which the kernel hands to the program in several pieces: the host build, which has them in
//! one, does the same with them.

use fastrand::Rng;
use lb_common::verdict::{Answer, FORWARDED, Verdict};
use lb_userspace::image::Image;
use lb_userspace::programs;

use crate::engine::{Action, Host, Kernel};
use crate::frames::{echo, echo_reply, error_about, fragments, from_client, packet, sent, tagged};
use crate::mutate::mutate;
use crate::random::with_own_client;
use crate::services::{Case, VIP_V4, VIP_V6, image};

/// The longest IP packet of the networks around the node.
const MTU: u16 = 9000;

/// A first piece has what is left of a page of 4,096 octets: 3,520 for `BPF_PROG_TEST_RUN` (`max_data_sz` in
/// `net/bpf/test_run.c`). These are shorter, about as long, and of two and three pieces.
const PAYLOADS: [usize; 11] = [1400, 3400, 3465, 3466, 3467, 3500, 4000, 4096, 7560, 7700, 8880];

/// One service of each way of forwarding, in each version of IP.
const WAYS: [Case; 12] = [
    Case::L2V4,
    Case::L2V6,
    Case::V4InV4,
    Case::V6InV6,
    Case::V6InV4,
    Case::V4InV6,
    Case::V4InGueV4,
    Case::V6InGueV6,
    Case::V6InGueV4,
    Case::V4InGueV6,
    Case::TaggedL2V4,
    Case::TaggedV4InV6,
];

fn long_image() -> Image {
    let mut image = image();
    for backend in image.backends.values_mut() {
        backend.mtu = MTU;
    }
    image
}

/// Only such programs get frames in pieces: the loaded one is.
fn assert_multi_buffer() {
    assert!(programs::multi_buffer(), "this kernel has no multi-buffer XDP (Linux 5.18)");
}

#[test]
fn long_frames_go_every_way() {
    assert_multi_buffer();
    let image = long_image();
    let host = Host::new(&image);
    let mut kernel = Kernel::load(image.clone());
    for case in WAYS {
        for payload in PAYLOADS {
            let plain = packet(case, payload);
            let tag = tagged(&plain, &[[0x81, 0x00, 0, 7]]);
            for frame in [plain, tag] {
                let expected = sent(case, &frame);
                let in_kernel = kernel.run(&frame);
                assert_eq!(host.run(&frame), in_kernel, "{case:?}, {payload}");
                assert!((in_kernel.action, in_kernel.frame) == expected, "{case:?}, {payload}");
                assert_eq!(in_kernel.counted.node[FORWARDED], 1, "{case:?}, {payload}");
            }
        }
    }
}

#[test]
fn long_frames_are_answered() {
    assert_multi_buffer();
    let image = image();
    let host = Host::new(&image);
    let mut kernel = Kernel::load(image.clone());
    for payload in PAYLOADS {
        for vip in [VIP_V4, VIP_V6] {
            let data = vec![0x5a; payload];
            let (frame, reply) = (echo(vip, &data), echo_reply(vip, &data));
            let in_kernel = kernel.run(&frame);
            assert_eq!(host.run(&frame), in_kernel, "{vip}, {payload}");
            assert!(in_kernel.action == Action::Transmit && in_kernel.frame == reply, "{vip}, {payload}");
        }
    }
    // The MTU is 1500 here. Each has a client of its own: a client is told only so often.
    let too_big = Verdict::Answer(Answer::TooBig).counter();
    let ways = [(Case::L2V4, [3, 4], 1500), (Case::V6InV4, [2, 0], 1480), (Case::V4InGueV6, [3, 4], 1452)];
    let packets = ways.into_iter().flat_map(|way| PAYLOADS[1..].iter().map(move |payload| (way, *payload)));
    for (client, ((case, kind, mtu), payload)) in (300..).zip(packets) {
        let frame = from_client(&packet(case, payload), client);
        let in_kernel = kernel.run(&frame);
        assert_eq!(host.run(&frame), in_kernel, "{case:?}, {payload}");
        assert_eq!(in_kernel.frame, error_about(&frame, case.vip(), kind, mtu), "{case:?}, {payload}");
        assert_eq!(in_kernel.counted.node[too_big], 1, "{case:?}, {payload}");
    }
}

#[test]
fn host_and_kernel_agree_on_odd_long_frames() {
    const PACKETS: u32 = 6_000;
    assert_multi_buffer();
    let mut random = Rng::with_seed(0x6a62);
    let image = long_image();
    let host = Host::new(&image);
    let mut kernel = Kernel::load(image.clone());
    let mut forwarded = 0;
    for number in 0..PACKETS {
        let frame = packet(*random.choice(&Case::ALL).unwrap(), random.usize(3000..8960));
        let frame = match random.u8(..4) {
            0 => tagged(&frame, &[[0x81, 0x00, random.u8(..), random.u8(..)]]),
            1 => fragments(&frame, random.u16(..), &[random.usize(1..370) * 8])[random.usize(..2)].clone(),
            _ => frame,
        };
        let other = packet(*random.choice(&Case::ALL).unwrap(), 4000);
        let mut frame = if random.bool() { mutate(&mut random, frame, &other) } else { frame };
        with_own_client(&mut frame, number);
        let in_kernel = kernel.run(&frame);
        assert_eq!(host.run(&frame), in_kernel, "packet {number}: {:02x?}", &frame[..96.min(frame.len())]);
        forwarded += in_kernel.counted.node[FORWARDED];
    }
    assert!(forwarded > u64::from(PACKETS) / 4, "{forwarded}");
}
