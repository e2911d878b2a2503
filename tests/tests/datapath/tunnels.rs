//! The backend's side: what the agent's program unpacks, on the host and in the kernel.

use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, MapData, PerCpuArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use etherparse::{IpEcn, IpFragOffset, Ipv4Options};
use fastrand::Rng;
use lb_common::address::Address;
use lb_common::datapath::decapsulate::Outcome;
use lb_common::flow::Protocol;
use lb_common::verdict::FORWARDED;
use lb_tests::datapath::agent::{self, BALANCERS, Unpacked, unpack};
use lb_tests::datapath::laws;
use lb_userspace::address::of_ip;
use lb_userspace::config::Forwarding;
use lb_userspace::programs;

use crate::engine::Host;
use crate::frames::*;
use crate::mutate::mutate;
use crate::random;
use crate::services::*;

pub struct Kernel {
    ebpf: Ebpf,
    program: &'static str,
    outcomes: PerCpuArray<MapData, u64>,
}

impl Kernel {
    /// The program of that name.
    pub fn load(name: &'static str) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test loads BPF programs: run it as root");
        let mut ebpf =
            EbpfLoader::new().override_global("GUE_PORT", &GUE_PORT, true).load(programs::AGENT).unwrap();
        let mut balancers: LpmTrie<_, [u8; 16], u8> = ebpf.map_mut("BALANCERS").unwrap().try_into().unwrap();
        for (prefix, bits) in BALANCERS.iter() {
            balancers.insert(&Key::new(*bits, prefix.octets()), 1, 0).unwrap();
        }
        let mut vips: LpmTrie<_, [u8; 16], u8> = ebpf.map_mut("VIPS").unwrap().try_into().unwrap();
        for vip in agent::vips() {
            vips.insert(&Key::new(vip.mapped_length(), of_ip(vip.address).octets()), 1, 0).unwrap();
        }
        let outcomes = PerCpuArray::try_from(ebpf.take_map("OUTCOMES").unwrap()).unwrap();
        let program: &mut Xdp = ebpf.program_mut(name).unwrap().try_into().unwrap();
        program.load().unwrap();
        Kernel { ebpf, program: name, outcomes }
    }

    fn counters(&self) -> Vec<u64> {
        let sum = |index| self.outcomes.get(&index, 0).unwrap().iter().sum();
        (0..Outcome::ALL.len() as u32).map(sum).collect()
    }

    pub fn run(&mut self, frame: &[u8]) -> Unpacked {
        let before = self.counters();
        let mut room = vec![0; frame.len()];
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut room);
        let program: &mut Xdp = self.ebpf.program_mut(self.program).unwrap().try_into().unwrap();
        let result = program.test_run(options).unwrap();
        room.truncate(result.data_size_out as usize);

        let moved =
            self.counters().iter().zip(before).map(|(after, before)| after - before).collect::<Vec<_>>();
        assert_eq!(moved.iter().sum::<u64>(), 1, "{moved:?}");
        let outcome = Outcome::ALL[moved.iter().position(|&count| count == 1).unwrap()];
        assert_eq!(result.return_value, if outcome.passes() { 2 } else { 1 }, "{outcome:?}");
        (outcome, room)
    }
}

/// The frame of each row.
pub fn frames() -> Vec<Vec<u8>> {
    rows().into_iter().map(|(_, frame, _)| frame).collect()
}

fn rows() -> Vec<(&'static str, Vec<u8>, Unpacked)> {
    unpacked().into_iter().chain(marked()).chain(untouched()).collect()
}

/// A frame inside IPv4 or IPv6, as the load balancer sends it.
fn ipip(frame: &[u8], backend: &str) -> Vec<u8> {
    sent_to(backend, Forwarding::Ipip, frame, 0x12345).1
}

/// The same inside UDP.
fn gue(frame: &[u8], backend: &str) -> Vec<u8> {
    sent_to(backend, Forwarding::Gue { port: GUE_PORT }, frame, 0x12345).1
}

/// The frame as the kernel gets it.
fn plain(frame: &[u8]) -> Vec<u8> {
    sent_to(BACKEND_V4, Forwarding::L2, frame, 0).1
}

fn four() -> Vec<u8> {
    to(VIP_V4)
}

fn six() -> Vec<u8> {
    to(VIP_V6)
}

fn to(vip: &str) -> Vec<u8> {
    packet_to(vip, 80, Protocol::TCP, 100)
}

fn unpacked() -> Vec<(&'static str, Vec<u8>, Unpacked)> {
    let (v4, v6) = (four(), six());
    let tags = [[0x88, 0xa8, 0, 5], [0x81, 0, 0, 7]];
    let padded = |frame: Vec<u8>| [&frame[..], &[0; 9]].concat();
    let [first, last, inside_v6] = ["192.0.2.64", "192.0.2.79", "2001:db8:f:1:8000::5"].map(to);
    [
        ("IPv4 in IPv4", ipip(&v4, BACKEND_V4), plain(&v4)),
        ("IPv6 in IPv4", ipip(&v6, BACKEND_V4), plain(&v6)),
        ("IPv6 in IPv6", ipip(&v6, BACKEND_V6), plain(&v6)),
        ("IPv4 in IPv6", ipip(&v4, BACKEND_V6), plain(&v4)),
        ("IPv4 in UDP in IPv4", gue(&v4, BACKEND_V4), plain(&v4)),
        ("IPv6 in UDP in IPv4", gue(&v6, BACKEND_V4), plain(&v6)),
        ("IPv6 in UDP in IPv6", gue(&v6, BACKEND_V6), plain(&v6)),
        ("IPv4 in UDP in IPv6", gue(&v4, BACKEND_V6), plain(&v4)),
        ("padding behind the outer packet", padded(ipip(&v4, BACKEND_V4)), padded(plain(&v4))),
        ("a VLAN tag", tagged(&ipip(&v4, BACKEND_V4), &tags[1..]), tagged(&plain(&v4), &tags[1..])),
        ("two VLAN tags", tagged(&ipip(&v6, BACKEND_V4), &tags), tagged(&plain(&v6), &tags)),
        ("the first address of a prefix", ipip(&first, BACKEND_V4), plain(&first)),
        ("the last address of a prefix", ipip(&last, BACKEND_V6), plain(&last)),
        ("an IPv6 address inside a prefix", gue(&inside_v6, BACKEND_V6), plain(&inside_v6)),
        ("a VLAN tag, UDP", tagged(&gue(&v4, BACKEND_V6), &tags[1..]), tagged(&plain(&v4), &tags[1..])),
    ]
    .map(|(behaviour, frame, unpacked)| (behaviour, frame, (Outcome::Decapsulated, unpacked)))
    .into()
}

/// RFC 6040, section 4.2: what arrives, by the inner and the outer ECN.
fn marked() -> Vec<(&'static str, Vec<u8>, Unpacked)> {
    let ecn_v4 = |frame: &[u8], ecn| with_ipv4(frame, |ip| ip.ecn = IpEcn::try_new(ecn).unwrap());
    let ecn_v6 = |frame: &[u8], ecn| with_ipv6(frame, |ip| ip.traffic_class = ip.traffic_class & !3 | ecn);
    let (v4, v6) = (four(), six());
    let v4_in_v4 = |inner, outer| ecn_v4(&ipip(&ecn_v4(&v4, inner), BACKEND_V4), outer);
    let v6_in_v6 = |inner, outer| ecn_v6(&ipip(&ecn_v6(&v6, inner), BACKEND_V6), outer);
    let v4_in_udp = |inner, outer| ecn_v6(&gue(&ecn_v4(&v4, inner), BACKEND_V6), outer);
    let arrives = |frame| (Outcome::Decapsulated, plain(frame));
    let lost = |frame: &[u8]| (Outcome::Congested, frame.to_vec());
    // Both 0 and its complement are the checksum of a header that adds up to nothing.
    let odd_checksum = |frame: &[u8], offset: usize| with_octets(frame, offset + 10, &[0xff, 0xff]);
    let odd = odd_checksum(&ecn_v4(&v4, 3), 14);
    vec![
        ("a marked packet with an odd checksum", odd_checksum(&v4_in_v4(3, 3), 34), arrives(&odd)),
        ("no congestion, ECT(0)", v4_in_v4(2, 2), arrives(&ecn_v4(&v4, 2))),
        ("congestion, ECT(0)", v4_in_v4(2, 3), arrives(&ecn_v4(&v4, 3))),
        ("congestion, ECT(1)", v4_in_v4(1, 3), arrives(&ecn_v4(&v4, 3))),
        ("congestion met before the tunnel", v4_in_v4(3, 3), arrives(&ecn_v4(&v4, 3))),
        ("congestion, not ECN-capable", v4_in_v4(0, 3), lost(&v4_in_v4(0, 3))),
        ("congestion, ECT(0), IPv6", v6_in_v6(2, 3), arrives(&ecn_v6(&v6, 3))),
        ("congestion, not ECN-capable, IPv6", v6_in_v6(0, 3), lost(&v6_in_v6(0, 3))),
        ("congestion, ECT(0), UDP", v4_in_udp(2, 3), arrives(&ecn_v4(&v4, 3))),
    ]
}

fn untouched() -> Vec<(&'static str, Vec<u8>, Unpacked)> {
    use Outcome::{Malformed, NotATunnel, Refused, Stranger};
    let (v4, v6) = (four(), six());
    let (four_in_four, six_in_six) = (ipip(&v4, BACKEND_V4), ipip(&v6, BACKEND_V6));
    let in_udp = gue(&v4, BACKEND_V4);
    let for_another = |frame: &[u8]| match frame[12] {
        0x08 => with_ipv4(frame, |ip| ip.destination[3] ^= 1),
        _ => with_ipv6(frame, |ip| ip.destination[15] ^= 1),
    };
    let shortened = |frame: &[u8], by: usize| frame[..frame.len() - by].to_vec();
    [
        ("no tunnel", v4.clone(), NotATunnel),
        ("ARP", with_octets(&v4, 12, &[0x08, 0x06]), NotATunnel),
        ("UDP to another port", with_octets(&in_udp, 36, &[0, 53]), NotATunnel),
        ("half an outer header", four_in_four[..30].to_vec(), NotATunnel),
        (
            "an outer header with options",
            with_ipv4(&four_in_four, |ip| ip.options = Ipv4Options::from([1, 1, 1, 0])),
            NotATunnel,
        ),
        ("a first fragment", with_ipv4(&four_in_four, |ip| ip.more_fragments = true), NotATunnel),
        (
            "a later fragment",
            with_ipv4(&four_in_four, |ip| ip.fragment_offset = IpFragOffset::try_new(3).unwrap()),
            NotATunnel,
        ),
        ("a stranger's tunnel in IPv4", with_ipv4(&four_in_four, |ip| ip.source[3] ^= 1), Stranger),
        ("a stranger's tunnel in IPv6", with_ipv6(&six_in_six, |ip| ip.source[15] ^= 1), Stranger),
        ("a stranger's tunnel in UDP", with_ipv4(&in_udp, |ip| ip.source[3] ^= 1), Stranger),
        (
            "a balancer's IPv4 address in IPv6",
            with_ipv6(&six_in_six, |ip| ip.source = Address::v4(crate::services::v4(NODE_V4)).octets()),
            NotATunnel,
        ),
        ("an address that isn't a VIP", ipip(&for_another(&v4), BACKEND_V4), Refused),
        ("an IPv6 address that isn't a VIP", ipip(&for_another(&v6), BACKEND_V6), Refused),
        ("an address that isn't a VIP, UDP", gue(&for_another(&v4), BACKEND_V4), Refused),
        ("an address before a prefix", ipip(&to("192.0.2.63"), BACKEND_V4), Refused),
        ("an address behind a prefix", ipip(&to("192.0.2.80"), BACKEND_V4), Refused),
        ("an IPv6 address behind a prefix", ipip(&to("2001:db8:f:2::"), BACKEND_V6), Refused),
        ("half an inner header", four_in_four[..50].to_vec(), Malformed),
        ("an inner packet that ends early", shortened(&four_in_four, 1), Malformed),
        ("an inner IPv6 packet that ends early", shortened(&six_in_six, 1), Malformed),
        ("an inner packet shorter than its header", with_octets(&four_in_four, 36, &[0, 19]), Malformed),
        ("an inner packet of no length", with_octets(&in_udp, 44, &[0, 0]), Malformed),
        ("UDP without an IP packet", with_octets(&in_udp, 42, &[0x01]), Malformed),
        ("UDP without anything", in_udp[..42].to_vec(), Malformed),
        ("IPv6 where IPv4 was announced", with_octets(&four_in_four, 34, &[0x65]), Malformed),
        ("IPv4 where IPv6 was announced", with_octets(&six_in_six, 54, &[0x45]), Malformed),
    ]
    .map(|(behaviour, frame, outcome)| (behaviour, frame.clone(), (outcome, frame)))
    .into()
}

fn with_octets(frame: &[u8], offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[offset..offset + octets.len()].copy_from_slice(octets);
    frame
}

#[test]
fn on_the_host() {
    for (behaviour, frame, expected) in rows() {
        assert_eq!(unpack(&frame), expected, "{behaviour}");
    }
}

#[test]
fn in_the_kernel() {
    for program in ["xdp_agent", "xdp_agent_frags"] {
        let mut kernel = Kernel::load(program);
        for (behaviour, frame, expected) in rows() {
            assert_eq!(kernel.run(&frame), expected, "{behaviour}");
        }
    }
}

/// Longer than a page: the kernel hands it over in several pieces.
#[test]
fn long_frames_are_unpacked() {
    let mut kernel = Kernel::load("xdp_agent_frags");
    for payload in [3400, 3466, 3500, 4096, 7700, 8800] {
        let [v4, v6] = [VIP_V4, VIP_V6].map(|vip| packet_to(vip, 80, Protocol::TCP, payload));
        for (inner, outer) in [
            (&v4, ipip(&v4, BACKEND_V4)),
            (&v6, ipip(&v6, BACKEND_V6)),
            (&v4, gue(&v4, BACKEND_V6)),
            (&v6, gue(&v6, BACKEND_V4)),
        ] {
            let expected = (Outcome::Decapsulated, plain(inner));
            assert_eq!(unpack(&outer), expected, "{payload}");
            assert_eq!(kernel.run(&outer), expected, "{payload}");
            let cut = &outer[..outer.len() - 1];
            assert_eq!(kernel.run(cut), (Outcome::Malformed, cut.to_vec()), "{payload}, cut");
        }
    }
}

/// What the balancer packs, the agent unpacks; damaged or not, host and kernel do the same with it.
#[test]
fn host_and_kernel_agree() {
    let mut random = Rng::with_seed(0x7475);
    let image = image();
    let balancer = Host::new(&image);
    let mut kernel = Kernel::load("xdp_agent");
    let mut unpacked = 0;
    for number in 0..100_000 {
        let frame = random::any_packet(&mut random);
        let packed = balancer.run(&frame);
        let forwarded = packed.counted.node[FORWARDED] == 1;
        let tunnelled = forwarded && packed.frame.len() > frame.len();
        let arriving = if number % 2 == 0 { mutate(&mut random, packed.frame, &frame) } else { packed.frame };
        let result = unpack(&arriving);
        laws::check_unpacked(&arriving, result.0, &result.1);
        assert_eq!(result, kernel.run(&arriving), "packet {number}: {arriving:02x?}");
        let for_these_vips = matches!(result.0, Outcome::Decapsulated);
        if number % 2 == 1 && tunnelled && for_these_vips {
            let inside = &frame[ip_offset(&frame)..][..ip_length(&frame)];
            assert!(result.1.ends_with(inside), "packet {number}: {frame:02x?}");
            unpacked += 1;
        }
    }
    assert!(unpacked > 5_000, "{unpacked}");
}
