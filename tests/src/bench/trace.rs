//! The packets of a case: a frame, and what of it differs from packet to packet.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use etherparse::PacketBuilder;
use fastrand::Rng;
use lb_common::flow::IpVersion;
use lb_common::replay::{LONGEST, NEW, RESTORED, Stage, Step};

use super::case::{Case, Kind, Mix};
use super::node::{PORT, vip};
use crate::datapath::services::{CLIENT_MAC, NODE_MAC};

/// Traces are no shorter than this, so that what reads them is the same work for all.
const SHORTEST: usize = 1024;

const ETHERNET: u32 = 14;
const IPV4: u32 = 20;
const IPV6: u32 = 40;
const ICMP: u32 = 8;

const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

/// Where the last 32 bits of the client's address stand: an IPv4 network of 2^24 clients, or an IPv6 one.
const CLIENT_V4: [u8; 4] = [10, 0, 0, 0];
const CLIENT_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xc, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0];
/// Of those who are no VIP.
const OTHER_V4: [u8; 4] = [203, 0, 113, 0];

/// The packets of a case.
pub struct Trace {
    /// The first of them.
    pub frame: Vec<u8>,
    /// The same for the kernel, with the places of what differs.
    pub stage: Stage,
    /// What differs.
    pub steps: Vec<Step>,
}

impl Trace {
    /// The packets of a case, the same in every run.
    ///
    /// # Errors
    /// The frame can't be built, or is shorter than what is written anew for each packet.
    pub fn of(case: &Case) -> Result<Trace> {
        let frame = frame(case)?;
        let steps = steps(case);
        let places = places(case);
        let stage = Stage {
            octets: std::array::from_fn(|i| frame.get(i).copied().unwrap_or_default()),
            length: frame.len() as u32,
            client_at: places.client,
            vip_at: places.vip,
            ports_at: places.ports,
            control_at: places.control,
            steps: steps.len() as u32,
        };
        ensure!(
            frame.len() >= RESTORED && steps.len() <= LONGEST,
            "{}: a frame of {}",
            case.name,
            frame.len()
        );
        Ok(Trace { frame, stage, steps })
    }

    /// The packet of a step.
    #[must_use]
    pub fn packet(&self, number: usize) -> Vec<u8> {
        let (mut frame, step, stage) = (self.frame.clone(), self.steps[number], &self.stage);
        let mut put =
            |place: u32, octets: &[u8]| frame[place as usize..][..octets.len()].copy_from_slice(octets);
        put(stage.client_at, &step.client.to_ne_bytes());
        put(stage.vip_at, &step.vip.to_ne_bytes());
        put(stage.ports_at, &step.ports.to_ne_bytes());
        put(stage.control_at, &[step.control as u8]);
        frame
    }
}

/// Octets of a frame before each field.
struct Places {
    client: u32,
    vip: u32,
    ports: u32,
    control: u32,
}

fn places(case: &Case) -> Places {
    let (network, source, destination) = match case.node.version {
        IpVersion::V4 => (IPV4, 12, 16),
        IpVersion::V6 => (IPV6, 20, 36),
    };
    let transport = ETHERNET + network;
    let vip = ETHERNET + destination;
    match case.traffic.kind {
        Kind::Tcp | Kind::Udp | Kind::NotOurs => Places {
            client: ETHERNET + source,
            vip,
            ports: transport,
            // A UDP datagram has payload there.
            control: transport + 13,
        },
        // The place of a part in its datagram.
        Kind::Parts => Places { client: ETHERNET + source, vip, ports: transport, control: ETHERNET + 7 },
        Kind::Echo => Places { client: ETHERNET + source, vip, ports: transport + 4, control: transport + 8 },
        Kind::IcmpError => Places {
            client: transport + ICMP + destination,
            vip,
            ports: transport + ICMP + network,
            control: transport + ICMP + network + 7,
        },
    }
}

/// A frame of 64 octets, or the shortest there is.
fn frame(case: &Case) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC);
    let network = match vip(case.node.version, 0) {
        IpAddr::V4(vip) => link.ipv4(CLIENT_V4, vip.octets(), 61),
        IpAddr::V6(vip) => link.ipv6(CLIENT_V6, vip.octets(), 61),
    };
    let is_v4 = case.node.version == IpVersion::V4;
    match case.traffic.kind {
        Kind::Tcp | Kind::NotOurs => network.tcp(1, PORT, 1, 65_535).write(&mut frame, &[0x5a; 10])?,
        Kind::Udp => network.udp(1, PORT).write(&mut frame, &[0x5a; 22])?,
        Kind::Parts => {
            network.udp(1, PORT).write(&mut frame, &[0x5a; 22])?;
            // More parts follow.
            frame[20] = 0x20;
        }
        Kind::Echo if is_v4 => network.icmpv4_echo_request(7, 9).write(&mut frame, &[0x5a; 22])?,
        Kind::Echo => network.icmpv6_echo_request(7, 9).write(&mut frame, &[0x5a; 22])?,
        Kind::IcmpError => {
            let mut quoted = Vec::new();
            match vip(case.node.version, 0) {
                IpAddr::V4(vip) => PacketBuilder::ipv4(vip.octets(), CLIENT_V4, 61),
                IpAddr::V6(vip) => PacketBuilder::ipv6(vip.octets(), CLIENT_V6, 61),
            }
            .tcp(PORT, 1, 1, 65_535)
            .write(&mut quoted, &[])?;
            if is_v4 {
                network.icmpv4_raw(3, 4, [0, 0, 5, 0]).write(&mut frame, &quoted)?;
            } else {
                network.icmpv6_raw(2, 0, [0, 0, 5, 0]).write(&mut frame, &quoted)?;
            }
        }
    }
    Ok(frame)
}

fn steps(case: &Case) -> Vec<Step> {
    let mut rng = Rng::with_seed(7);
    let traffic = case.traffic;
    let flows: Vec<Step> = (0..traffic.flows).map(|_| flow(case, &mut rng)).collect();
    let length = match traffic.mix {
        Mix::Established => flows.len().max(SHORTEST),
        Mix::Flood | Mix::TenthNew | Mix::Zipf => LONGEST,
    };
    let zipf = Zipf::new(flows.len());
    let step = |number: usize| match traffic.mix {
        Mix::Established if traffic.kind == Kind::Parts => {
            // First, second; 185 * 8 octets are before the second.
            Step {
                control: if number.is_multiple_of(2) { 0 } else { 185 },
                ..flows[number / 2 % flows.len()]
            }
        }
        Mix::Established => flows[number % flows.len()],
        Mix::Flood => Step { control: SYN | NEW, ..flow(case, &mut rng) },
        Mix::TenthNew if rng.u32(..10) == 0 => Step { control: SYN | NEW, ..flow(case, &mut rng) },
        Mix::TenthNew => flows[rng.usize(..flows.len())],
        Mix::Zipf => flows[zipf.draw(&mut rng)],
    };
    (0..length).map(step).collect()
}

/// A flow of a client of its own, to one of the services.
fn flow(case: &Case, rng: &mut Rng) -> Step {
    let [a, b, c, _] = rng.u32(..).to_ne_bytes();
    let service = vip(case.node.version, rng.usize(..case.node.services));
    let vip = match (case.traffic.kind, service) {
        (Kind::NotOurs, _) => u32::from_ne_bytes([OTHER_V4[0], OTHER_V4[1], rng.u8(..), rng.u8(..)]),
        (_, IpAddr::V4(vip)) => u32::from_ne_bytes(vip.octets()),
        (_, IpAddr::V6(vip)) => u32::from_ne_bytes(std::array::from_fn(|i| vip.octets()[12 + i])),
    };
    let [high, low] = rng.u16(1024..).to_be_bytes();
    let [port_high, port_low] = PORT.to_be_bytes();
    let ports = match case.traffic.kind {
        // What is quoted went from the service to the client.
        Kind::IcmpError => [port_high, port_low, high, low],
        _ => [high, low, port_high, port_low],
    };
    Step { client: u32::from_ne_bytes([10, a, b, c]), vip, ports: u32::from_ne_bytes(ports), control: ACK }
}

/// Draws numbers of which the n-th comes 1/n as often as the first.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(most: usize) -> Self {
        let mut sum = 0.0;
        Zipf(
            (1..=most)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let wanted = rng.f64() * self.0.last().copied().unwrap_or_default();
        self.0.partition_point(|sum| *sum < wanted).min(self.0.len() - 1)
    }
}
