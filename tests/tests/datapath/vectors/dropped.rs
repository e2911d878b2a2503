//! What is for a VIP, and nobody gets.

use lb_common::verdict::DropReason::{BadHeader, BadLength, LongChain, NoBackend, RoutingHeader};

use super::{Expected, Row, row};
use crate::frames::{echo, extended, packet, tagged, with_ipv4, with_ipv6};
use crate::services::{Case, VIP_V4, VIP_V6};

pub fn rows() -> Vec<Row> {
    [of_no_service(), of_a_service()].into_iter().flatten().collect()
}

/// Wrong before it is known which service they are for.
fn of_no_service() -> Vec<Row> {
    let v4 = packet(Case::L2V4, 10);
    let v6 = packet(Case::L2V6, 10);
    let tag = [0x81, 0x00, 0x00, 0x07];
    let shortened = |frame: &[u8], by: usize| frame[..frame.len() - by].to_vec();
    let first_octet = |frame: &[u8], octet: u8| {
        let mut frame = frame.to_vec();
        frame[14] = octet;
        frame
    };
    let total = |length| with_ipv4(&v4, |ip| ip.total_len = length);
    let payload = |length| with_ipv6(&v6, |ip| ip.payload_length = length);
    let options: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    // The rest of the header would be padding.
    let short_echo = with_ipv4(&echo(VIP_V4, b""), |ip| ip.total_len = 27);
    let short_echo_v6 = with_ipv6(&echo(VIP_V6, b""), |ip| ip.payload_length = 7);
    let too_long: &[u8] = &[0, 255, 1, 4, 0, 0, 0, 0];
    let routing: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 0];
    [
        ("IPv4 with version 6", first_octet(&v4, 0x65), BadHeader),
        ("IPv4 with version 0", first_octet(&v4, 0x05), BadHeader),
        ("IPv4 with a header of four words", first_octet(&v4, 0x44), BadHeader),
        ("IPv4 with a header of no words", first_octet(&v4, 0x40), BadHeader),
        ("IPv6 with version 4", first_octet(&v6, 0x45), BadHeader),
        ("IPv4 shorter than it says", shortened(&v4, 1), BadLength),
        ("IPv6 shorter than it says", shortened(&v6, 1), BadLength),
        ("IPv4 shorter than it says, behind a tag", shortened(&tagged(&v4, &[tag]), 1), BadLength),
        ("IPv4 shorter than its header", total(19), BadLength),
        ("an echo request without room for its header", short_echo, BadLength),
        ("an ICMPv6 echo request without room for its header", short_echo_v6, BadLength),
        ("IPv4 of no length", total(0), BadLength),
        ("IPv4 of the greatest length", total(65_535), BadLength),
        ("IPv6 of the greatest length", payload(65_535), BadLength),
        ("IPv4 options that reach behind the packet", first_octet(&v4, 0x4f), BadLength),
        ("an IPv6 option header that reaches behind the frame", extended(&v6, &[(0, too_long)]), BadLength),
        ("half an IPv6 option header", extended(&v6, &[(0, options)])[..58].to_vec(), BadLength),
        ("seven extension headers", extended(&v6, &[(60, options); 7]), LongChain),
        ("a routing header with another destination", extended(&v6, &[(43, routing)]), RoutingHeader),
    ]
    .map(|(behaviour, frame, reason)| row(behaviour, frame, Expected::Drop(None, reason)))
    .into()
}

fn of_a_service() -> Vec<Row> {
    let total = |case: Case, length| with_ipv4(&packet(case, 0), |ip| ip.total_len = length);
    let payload = |case: Case, length| with_ipv6(&packet(case, 0), |ip| ip.payload_length = length);
    [
        ("no backend can be reached", Case::Unreachable, packet(Case::Unreachable, 0), NoBackend),
        ("no backend is configured", Case::Empty, packet(Case::Empty, 0), NoBackend),
        ("IPv4 without room for a TCP header", Case::L2V4, total(Case::L2V4, 39), BadLength),
        ("IPv4 without anything behind it", Case::L2V4, total(Case::L2V4, 20), BadLength),
        ("IPv6 without room for a TCP header", Case::L2V6, payload(Case::L2V6, 19), BadLength),
        ("an IPv6 jumbogram's length of zero", Case::L2V6, payload(Case::L2V6, 0), BadLength),
        ("IPv4 without room for a UDP header", Case::Udp, total(Case::Udp, 27), BadLength),
        ("IPv6 without room for a UDP header", Case::UdpV6, payload(Case::UdpV6, 7), BadLength),
    ]
    .map(|(behaviour, case, frame, reason)| row(behaviour, frame, Expected::Drop(Some(case), reason)))
    .into()
}
