//! Packets of many clients.

use etherparse::{PacketBuilder, TcpHeader};

/// What a packet says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Syn,
    Data,
    Fin,
    Datagram,
}

/// A segment of the connection of that number, or a datagram.
pub fn segment(connection: u32, kind: Kind) -> Vec<u8> {
    let [_, high, middle, low] = connection.to_be_bytes();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(
        [203, 0, high, middle],
        [192, 0, 2, 1],
        61,
    );
    let mut header = TcpHeader::new(10_000 + u16::from(low), 80, 1, 65_535);
    match kind {
        Kind::Syn => header.syn = true,
        Kind::Data => header.ack = true,
        Kind::Datagram => {
            let mut frame = Vec::new();
            builder.udp(header.source_port, header.destination_port).write(&mut frame, &[]).unwrap();
            return frame;
        }
        Kind::Fin => (header.ack, header.fin) = (true, true),
    }
    let mut frame = Vec::new();
    builder.tcp_header(header).write(&mut frame, &[]).unwrap();
    frame
}
