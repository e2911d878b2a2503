//! The backend's side: what the agent's program unpacks, on the host and in the kernel.

use std::cell::Cell;

use aya::Ebpf;
use aya::maps::{HashMap, MapData, PerCpuArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use etherparse::{IpFragOffset, IpNumber, Ipv4Options};
use fastrand::Rng;
use lb_common::address::Address;
use lb_common::datapath::decapsulate::{Outcome, Tunnels, decapsulate};
use lb_userspace::address::of_ip;
use lb_userspace::frame::Frame;
use lb_userspace::programs;

use crate::engine::{Action, host};
use crate::frames::*;
use crate::random;
use crate::services::*;

const BALANCERS: [&str; 2] = [NODE_V4, NODE_V6];
const VIPS: [&str; 2] = [VIP_V4, VIP_V6];

/// What became of a frame, and the one counter that moved.
type Unpacked = (Outcome, Vec<u8>);

struct Host(Cell<Option<Outcome>>);

impl Tunnels for Host {
    fn is_balancer(&self, source: &Address) -> bool {
        BALANCERS.map(|address| of_ip(ip(address))).contains(source)
    }

    fn is_vip(&self, destination: &Address) -> bool {
        VIPS.map(|address| of_ip(ip(address))).contains(destination)
    }

    fn count(&self, outcome: Outcome) {
        assert_eq!(self.0.replace(Some(outcome)), None, "counted twice");
    }
}

fn on_host(frame: &[u8]) -> Unpacked {
    let counted = Host(Cell::new(None));
    let mut frame = Frame::new(frame);
    let outcome = decapsulate(&mut frame, &counted);
    assert_eq!(counted.0.get(), Some(outcome));
    (outcome, frame.bytes().to_vec())
}

struct Kernel {
    ebpf: Ebpf,
    outcomes: PerCpuArray<MapData, u64>,
}

impl Kernel {
    fn load() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test loads BPF programs: run it as root");
        let mut ebpf = Ebpf::load(programs::AGENT).unwrap();
        let mut fill = |map: &str, addresses: [&str; 2]| {
            let mut map: HashMap<_, [u8; 16], u8> = ebpf.map_mut(map).unwrap().try_into().unwrap();
            for address in addresses {
                map.insert(of_ip(ip(address)).octets(), 1, 0).unwrap();
            }
        };
        fill("BALANCERS", BALANCERS);
        fill("VIPS", VIPS);
        let outcomes = PerCpuArray::try_from(ebpf.take_map("OUTCOMES").unwrap()).unwrap();
        let program: &mut Xdp = ebpf.program_mut("xdp_agent").unwrap().try_into().unwrap();
        program.load().unwrap();
        Kernel { ebpf, outcomes }
    }

    fn counters(&self) -> Vec<u64> {
        let sum = |index| self.outcomes.get(&index, 0).unwrap().iter().sum();
        (0..Outcome::ALL.len() as u32).map(sum).collect()
    }

    fn run(&mut self, frame: &[u8]) -> Unpacked {
        let before = self.counters();
        let mut room = vec![0; frame.len()];
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut room);
        let program: &mut Xdp = self.ebpf.program_mut("xdp_agent").unwrap().try_into().unwrap();
        let result = program.test_run(options).unwrap();
        room.truncate(result.data_size_out as usize);

        let moved =
            self.counters().iter().zip(before).map(|(after, before)| after - before).collect::<Vec<_>>();
        assert_eq!(moved.iter().sum::<u64>(), 1, "{moved:?}");
        let outcome = Outcome::ALL[moved.iter().position(|&count| count == 1).unwrap()];
        let dropped = matches!(outcome, Outcome::Refused | Outcome::Malformed);
        assert_eq!(result.return_value, if dropped { 1 } else { 2 }, "{outcome:?}");
        (outcome, room)
    }
}

fn rows() -> Vec<(&'static str, Vec<u8>, Unpacked)> {
    use Outcome::{Malformed, NotATunnel, Refused, Stranger};
    let (v4, v6) = (tcp_v4(80, 100), tcp_v6(80, 100));
    let in_v4 = |frame: &[u8], inner| in_ipv4(frame, BACKEND_V4, inner, 0);
    let in_v6 = |frame: &[u8], inner| in_ipv6(frame, BACKEND_V6, inner, 0, 0x12345);
    let four_in_four = in_v4(&v4, IpNumber::IPV4);
    let six_in_six = in_v6(&v6, IpNumber::IPV6);

    let padding = [0; 9];
    let unpacked = [
        ("IPv4 in IPv4", four_in_four.clone(), to_backend(&v4)),
        ("IPv6 in IPv4", in_v4(&v6, IpNumber::IPV6), to_backend(&v6)),
        ("IPv6 in IPv6", six_in_six.clone(), to_backend(&v6)),
        ("IPv4 in IPv6", in_v6(&v4, IpNumber::IPV4), to_backend(&v4)),
        (
            "padding behind the outer packet",
            [&four_in_four[..], &padding].concat(),
            [&to_backend(&v4)[..], &padding].concat(),
        ),
    ];
    let unpacked =
        unpacked.map(|(behaviour, frame, inner)| (behaviour, frame, (Outcome::Decapsulated, inner)));

    let untouched = [
        ("no tunnel", v4.clone(), NotATunnel),
        ("ARP", with_octets(&v4, 12, &[0x08, 0x06]), NotATunnel),
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
        (
            "an address that isn't a VIP",
            in_v4(&with_ipv4(&v4, |ip| ip.destination[3] ^= 1), IpNumber::IPV4),
            Refused,
        ),
        (
            "an IPv6 address that isn't a VIP",
            in_v6(&with_ipv6(&v6, |ip| ip.destination[15] ^= 1), IpNumber::IPV6),
            Refused,
        ),
        ("half an inner header", four_in_four[..50].to_vec(), Malformed),
        ("an inner packet that ends early", four_in_four[..four_in_four.len() - 1].to_vec(), Malformed),
        ("an inner IPv6 packet that ends early", six_in_six[..six_in_six.len() - 1].to_vec(), Malformed),
        ("IPv6 where IPv4 was announced", in_v4(&v6, IpNumber::IPV4), Malformed),
        ("IPv4 where IPv6 was announced", in_v6(&v4, IpNumber::IPV6), Malformed),
    ];
    let untouched = untouched.map(|(behaviour, frame, outcome)| (behaviour, frame.clone(), (outcome, frame)));
    unpacked.into_iter().chain(untouched).collect()
}

fn with_octets(frame: &[u8], offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[offset..offset + octets.len()].copy_from_slice(octets);
    frame
}

#[test]
fn on_the_host() {
    for (behaviour, frame, expected) in rows() {
        assert_eq!(on_host(&frame), expected, "{behaviour}");
    }
}

#[test]
fn in_the_kernel() {
    let mut kernel = Kernel::load();
    for (behaviour, frame, expected) in rows() {
        assert_eq!(kernel.run(&frame), expected, "{behaviour}");
    }
}

/// What the balancer packs, the agent unpacks; damaged or not, host and kernel do the same with it.
#[test]
fn host_and_kernel_agree() {
    let mut random = Rng::with_seed(0x7475);
    let image = image();
    let mut kernel = Kernel::load();
    let mut unpacked = 0;
    for number in 0..10_000 {
        let frame = random::packet(&mut random);
        let packed = host(&image, &frame);
        let tunnelled = packed.action != Action::Drop && packed.frame.len() > frame.len();
        let arriving = if number % 2 == 0 { random::mutate(&mut random, packed.frame) } else { packed.frame };
        let result = on_host(&arriving);
        assert_eq!(result, kernel.run(&arriving), "packet {number}: {arriving:02x?}");
        if number % 2 == 1 && tunnelled {
            assert_eq!(result, (Outcome::Decapsulated, to_backend(&frame)), "packet {number}");
            unpacked += 1;
        }
    }
    assert!(unpacked > 500, "{unpacked}");
}
