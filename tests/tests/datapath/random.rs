//! Random packets, and what holds for all of them.

use std::collections::BTreeMap;

use fastrand::Rng;
use lb_common::clock::{Tick, ticks};
use lb_common::verdict::Verdict;
use lb_userspace::config::Prefix;
use lb_userspace::frame::Frame;

use crate::engine::{Action, Host, Kernel, kernel_time};
use crate::frames::{
    echo, extended, fragments, from_client, icmp_error, ip_length, ip_offset, packet, packet_to, parsed,
    reply, tagged,
};
use crate::services::{Case, image, image_with, ip, v4};

/// A well-formed packet, mostly for one of the services, of any flow.
pub fn any_packet(random: &mut Rng) -> Vec<u8> {
    let case = *random.choice(&Case::ALL).unwrap();
    let payload = if random.u8(..) < 32 { random.usize(..1460) } else { random.usize(..64) };
    let is_ipv4 = ip(case.vip()).is_ipv4();
    let mut frame = match random.u8(..32) {
        0 => packet_to(case.vip(), random.u16(..), case.protocol(), payload),
        1 => echo(case.vip(), &vec![random.u8(..); payload]),
        2 => icmp_error(
            case.vip(),
            if is_ipv4 { [3, random.u8(..6)] } else { [random.u8(..6), 0] },
            &reply(case),
        ),
        3 => {
            let parts = fragments(&packet(case, payload + 64), random.u16(..4), &[48]);
            parts[random.usize(..2)].clone()
        }
        4 if !is_ipv4 => {
            let headers: [(u8, &[u8]); 3] = [
                (0, &[0, 0, 1, 4, 0, 0, 0, 0]),
                (60, &[0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                (43, &[0, 0, 0, 0, 0, 0, 0, 0]),
            ];
            let count = random.usize(..8);
            let chain: Vec<_> = (0..count).map(|_| headers[random.usize(..3)]).collect();
            extended(&packet(case, payload), &chain)
        }
        _ => packet(case, payload),
    };
    // The client's port lies behind either header; in what has none, these octets are as good as others.
    let ports = if frame[12] == 0x08 { 34 } else { 54 };
    if frame.len() > ports + 1 && random.bool() {
        frame[ports] = random.u8(..);
        frame[ports + 1] = random.u8(..);
    }
    if random.u8(..32) == 0 {
        let hop_limit = if frame[12] == 0x08 { 22 } else { 21 };
        frame[hop_limit] = random.u8(..3);
    }
    match random.u8(..16) {
        0 => tagged(&frame, &[[0x81, 0x00, random.u8(..), random.u8(..)]]),
        1 => tagged(&frame, &[[0x88, 0xa8, 0, 1], [0x81, 0x00, 0, 2]]),
        _ => frame,
    }
}

/// A client is sent errors only so often: most packets have a client of their own.
pub fn with_own_client(frame: &mut [u8], number: u32) {
    let [_, high, middle, low] = number.to_be_bytes();
    let offset = ip_offset_or_none(frame);
    // The end of an IPv4 source address stands where the middle of an IPv6 one does.
    if let Some(offset) = offset.filter(|offset| frame.len() > offset + 16) {
        frame[offset + 13..offset + 16].copy_from_slice(&[high, middle, low]);
    }
}

fn ip_offset_or_none(frame: &[u8]) -> Option<usize> {
    [14, 18, 22].into_iter().find(|&offset| {
        frame.len() >= offset && matches!([frame[offset - 2], frame[offset - 1]], [0x08, 0x00] | [0x86, 0xdd])
    })
}

/// A client hears of errors no more often than once in a tick, whatever its address in its IPv6 network.
#[test]
fn a_client_is_told_once_in_a_tick() {
    let image = image();
    let host = Host::new(&image);
    for case in [Case::V4InV4, Case::V6InV6] {
        let frame = packet(case, 1459);
        let mut neighbour = frame.clone();
        if frame[12] == 0x86 {
            neighbour[14 + 8 + 15] ^= 1;
        }
        let answered = |(tick, frame): (u32, &[u8])| {
            host.tables.set_time(Tick(tick));
            host.run_frame(Frame::new(frame)).action == Action::Transmit
        };
        let asked = [(7, &frame), (7, &frame), (7, &neighbour), (8, &neighbour), (8, &frame), (20, &frame)];
        let asked = asked.map(|(tick, frame)| (tick, &frame[..]));
        assert_eq!(asked.map(answered), [true, false, false, true, false, true], "{case:?}");
    }

    let mut kernel = Kernel::load(image.clone());
    let frame = packet(Case::V4InV4, 1459);
    let (answers, ticks) = count_answers(|_| kernel.run(&frame).action);
    assert!((1..=ticks).contains(&answers), "{answers} answers in {ticks} ticks");
}

/// All clients together hear of so many errors in a tick.
#[test]
fn all_clients_share_a_ration() {
    const MOST: u32 = 128;
    let image = image();
    let host = Host::new(&image);
    let long = packet(Case::V4InV4, 1459);
    host.tables.set_time(Tick(1));
    let mut answers = 0;
    for client in 0..1000 {
        let frame = Frame::new(&from_client(&long, client));
        answers += u32::from(host.run_frame(frame).action == Action::Transmit);
    }
    assert_eq!(answers, MOST);

    let mut kernel = Kernel::load(image.clone());
    let (answers, ticks) = count_answers(|client| kernel.run(&from_client(&long, client)).action);
    assert!((1..=MOST * ticks).contains(&answers), "{answers} answers in {ticks} ticks");
}

/// An identification is used again: who remembered its first part for ever would send another packet's parts there.
#[test]
fn the_way_of_a_first_part_is_forgotten() {
    let image = image();
    let host = Host::new(&image);
    let [first, second]: [_; 2] = fragments(&packet(Case::L2V4, 200), 7, &[104]).try_into().unwrap();
    let run = |seconds, frame: &[u8]| {
        host.tables.set_time(Tick(ticks(seconds)));
        host.run_frame(Frame::new(frame)).action
    };
    let actions =
        [run(100, &first), run(130, &second), run(131, &second), run(200, &first), run(200, &second)];
    let [sent, dropped] = [Action::Transmit, Action::Drop];
    assert_eq!(actions, [sent, sent, dropped, sent, sent]);
}

/// Runs 2,000 packets, and says how many were answered and how many ticks that took, the first and the last included.
fn count_answers(run: impl FnMut(u16) -> Action) -> (u32, u32) {
    let began = kernel_time();
    let answered = (0..2000).map(run).filter(|action| *action == Action::Transmit).count();
    (answered as u32, kernel_time().since(began) + 1)
}

/// What goes to a backend by `l2` is the same packet; what goes by a tunnel has it inside, octet for octet.
#[test]
fn what_leaves_holds_the_packet_unchanged() {
    let mut random = Rng::with_seed(0x69);
    let image = image();
    let host = Host::new(&image);
    let forwarded_place = Verdict::Forward { egress: 0 }.counter();
    let mut forwarded = 0;
    for _ in 0..30_000 {
        let frame = any_packet(&mut random);
        let outcome = host.run(&frame);
        if outcome.counted.node[forwarded_place] == 1 {
            let inside = &frame[ip_offset(&frame)..][..ip_length(&frame)];
            let found = outcome.frame.windows(inside.len()).any(|window| window == inside);
            assert!(found, "{frame:02x?}");
            forwarded += 1;
        }
    }
    assert!(forwarded > 10_000, "{forwarded}");
}

/// A flow's backend is the same for every form of its packets.
#[test]
fn a_flow_in_every_form_has_one_backend() {
    let image = image();
    let host = Host::new(&image);
    let backend = |frame: &[u8]| {
        let outcome = host.run(frame);
        outcome.counted.backends.into_keys().next().unwrap_or_else(|| panic!("{frame:02x?}"))
    };
    for client_port in (1024..60_000_u16).step_by(97) {
        let from_port = |mut frame: Vec<u8>, offset: usize| {
            frame[offset..offset + 2].copy_from_slice(&client_port.to_be_bytes());
            frame
        };
        let frame = from_port(packet(Case::Many, 200), 34);
        let chosen = backend(&frame);
        assert_eq!(chosen, backend(&tagged(&frame, &[[0x81, 0, 0, 7]])), "tagged");
        for part in fragments(&frame, client_port, &[104]) {
            assert_eq!(chosen, backend(&part), "fragmented");
        }
        // The quoted reply's destination port is the client's.
        let error = from_port(icmp_error(Case::Many.vip(), [3, 4], &reply(Case::Many)), 14 + 20 + 8 + 22);
        assert_eq!(chosen, backend(&error), "inside an error");
    }
}

/// Flows spread over a service's backends in equal shares; those of one client stay together where they should.
#[test]
fn flows_spread_and_clients_stay_together() {
    let image = image();
    let host = Host::new(&image);
    let mut shares = BTreeMap::new();
    let mut of_one_client = BTreeMap::new();
    for client_port in 1024..=u16::MAX {
        let chosen = |case: Case| {
            let mut frame = packet(case, 0);
            frame[34..36].copy_from_slice(&client_port.to_be_bytes());
            host.run(&frame).counted.backends.into_keys().next().unwrap()
        };
        *shares.entry(chosen(Case::Many)).or_insert(0_u32) += 1;
        *of_one_client.entry(chosen(Case::BySource)).or_insert(0_u32) += 1;
    }
    let mean = shares.values().sum::<u32>() / 4;
    assert_eq!(shares.len(), 4);
    assert!(shares.values().all(|share| share.abs_diff(mean) < mean / 20), "{shares:?}");
    assert_eq!(of_one_client.len(), 1, "{of_one_client:?}");
}

/// The outer source addresses of tunnels vary within their prefix, and the checksum is right for each.
#[test]
fn outer_sources_vary_within_their_prefix() {
    let prefix = |text: &str, length| Prefix { address: ip(text), length };
    let image = image_with(|config| {
        config.tunnel_sources = vec![prefix("172.20.0.0", 20), prefix("2001:db8:99::", 64)];
    });
    let host = Host::new(&image);
    let mut sources = BTreeMap::<_, u32>::new();
    for client_port in 1024..9000_u16 {
        for case in [Case::V4InV4, Case::V4InV6, Case::V4InGueV4, Case::V4InGueV6] {
            let mut frame = packet(case, 0);
            frame[34..36].copy_from_slice(&client_port.to_be_bytes());
            let sent = host.run(&frame).frame;
            let source = match parsed(&sent).net.unwrap() {
                etherparse::LaxNetSlice::Ipv4(ip) => {
                    let header = ip.header().to_header();
                    assert_eq!(header.header_checksum, header.calc_header_checksum());
                    assert_eq!(
                        u32::from_be_bytes(header.source) >> 12,
                        u32::from_be_bytes(v4("172.20.0.0")) >> 12
                    );
                    u32::from_be_bytes(header.source)
                }
                etherparse::LaxNetSlice::Ipv6(ip) => {
                    let source = u128::from_be_bytes(ip.header().source());
                    assert_eq!(source >> 16, u128::from_be_bytes(crate::services::v6("2001:db8:99::")) >> 16);
                    source as u32
                }
                etherparse::LaxNetSlice::Arp(_) => panic!("ARP was not sent"),
            };
            *sources.entry(source).or_default() += 1;
        }
    }
    assert!(sources.len() > 4096, "{}", sources.len());
}
