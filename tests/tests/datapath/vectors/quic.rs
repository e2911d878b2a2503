//! QUIC: by the server's ID in the connection ID, else by the flow.

use super::{Expected, Row, row};
use crate::frames::{flow_hash, fragments, sent_to, udp_with};
use crate::services::{Case, QUIC_CONFIGURATION, QUIC_SERVER_ID_LENGTH, chosen, server_id};

const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;

/// A connection ID of eight octets that a backend made.
fn connection_id(configuration: u8, server: u64) -> Vec<u8> {
    let id = &server.to_le_bytes()[..usize::from(QUIC_SERVER_ID_LENGTH)];
    [&[configuration << 5 | 7], id, &[0x77; 4]].concat()
}

fn short(id: &[u8]) -> Vec<u8> {
    [&[0x43], id, &[0xee; 30]].concat()
}

fn long(kind: u8, version: u32, id: &[u8]) -> Vec<u8> {
    [&[0xc0 | kind << 4], &version.to_be_bytes()[..], &[id.len() as u8], id, &[0, 0xee, 0xee], &[0xee; 30]]
        .concat()
}

pub fn rows() -> Vec<Row> {
    let case = Case::Quic;
    let to = |payload: &[u8]| udp_with(case.vip(), case.port(), payload);
    let expect = |frame: &[u8], backend: usize| {
        let (action, sent) = sent_to(case.backends()[backend], case.forwarding(), frame, 0);
        Expected::To(case, backend, action, sent)
    };
    let by_flow = chosen(case, flow_hash(&to(&[])));
    // One that the flow's hash would not have chosen.
    let named = (by_flow + 1) % 4;
    let id = connection_id(QUIC_CONFIGURATION, server_id(named).octets);

    let followed = [
        ("short header", short(&id)),
        ("handshake, version 1", long(2, V1, &id)),
        ("retry, version 1", long(3, V1, &id)),
        ("handshake, version 2", long(3, V2, &id)),
        ("a longer connection ID", long(2, V1, &[&id[..], &[9; 12]].concat())),
    ];
    let not_followed = [
        ("initial, version 1", long(0, V1, &id)),
        ("0-RTT, version 1", long(1, V1, &id)),
        ("initial, version 2", long(1, V2, &id)),
        ("0-RTT, version 2", long(2, V2, &id)),
        ("an unknown version", long(2, 0x1a2a_3a4a, &id)),
        ("version negotiation", long(2, 0, &id)),
        ("an unknown server", short(&connection_id(QUIC_CONFIGURATION, 0x00ff_ffff))),
        ("another configuration", short(&connection_id(QUIC_CONFIGURATION ^ 1, server_id(named).octets))),
        ("the configuration that is not to be routed", short(&connection_id(7, server_id(named).octets))),
        ("a connection ID that is too short", long(2, V1, &id[..3])),
        ("a connection ID that reaches behind the packet", id[..4].to_vec()),
        ("no payload at all", Vec::new()),
    ];
    let mut rows = Vec::new();
    for (name, payload) in followed {
        let frame = to(&payload);
        let expected = expect(&frame, named);
        rows.push(row(format!("QUIC: {name}"), frame, expected));
    }
    for (name, payload) in not_followed {
        let frame = to(&payload);
        let expected = expect(&frame, by_flow);
        rows.push(row(format!("QUIC, by its flow: {name}"), frame, expected));
    }
    let part = fragments(&to(&[short(&id), vec![0; 100]].concat()), 3000, &[64]).remove(0);
    let expected = expect(&part, by_flow);
    rows.push(row("QUIC, by its flow: a part of a packet", part, expected));
    rows
}
