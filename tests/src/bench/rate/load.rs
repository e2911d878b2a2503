//! What is sent.

use anyhow::Result;
use etherparse::{PacketBuilder, UdpHeader};
use fastrand::Rng;
use lb_common::course::{Course, Shot};

use crate::datapath::services::{CLIENT_MAC, NODE_MAC};

/// The service.
pub const VIP: [u8; 4] = [198, 18, 0, 0];
/// Its port.
pub const PORT: u16 = 80;

const IPV4: usize = 14;
const TRANSPORT: usize = IPV4 + 20;

/// Packets of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What they are.
    pub protocol: Protocol,
    /// Octets of a frame, without its checksum.
    pub length: usize,
    /// Flows that take turns.
    pub flows: usize,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A UDP datagram.
    Udp,
    /// The first packet of a TCP connection.
    Syn,
}

impl Load {
    /// As `udp/64/100k`.
    #[must_use]
    pub fn name(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Udp => "udp",
            Protocol::Syn => "syn",
        };
        let flows = match self.flows {
            1_000_000.. => format!("{}M", self.flows / 1_000_000),
            flows => format!("{}k", flows / 1_000),
        };
        format!("{protocol}/{}/{flows}", self.length)
    }

    /// The frame of one client.
    ///
    /// # Errors
    /// The packet can't be built.
    pub fn frame(&self, client: [u8; 4], port: u16) -> Result<Vec<u8>> {
        let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC).ipv4(client, VIP, 61);
        let mut frame = Vec::new();
        match self.protocol {
            Protocol::Udp => {
                let payload = vec![0x5a; self.length - TRANSPORT - UdpHeader::LEN];
                link.udp(port, PORT).write(&mut frame, &payload)?;
            }
            Protocol::Syn => {
                let payload = vec![0x5a; self.length - TRANSPORT - 20];
                link.tcp(port, PORT, 1, 65_535).syn().write(&mut frame, &payload)?;
            }
        }
        Ok(frame)
    }

    /// Where the checksum of TCP or UDP stands.
    const fn checksum_at(&self) -> usize {
        match self.protocol {
            Protocol::Udp => TRANSPORT + 6,
            Protocol::Syn => TRANSPORT + 16,
        }
    }

    /// The frame for the kernel, with nothing sent yet.
    #[must_use]
    pub fn course(&self, frame: &[u8]) -> Course {
        Course {
            octets: std::array::from_fn(|place| frame[place]),
            began: 0,
            ended: 0,
            egress: 0,
            checksum_at: self.checksum_at() as u32,
            flows: self.flows as u32,
            next: 0,
            first: 0,
            last: 0,
            sent: 0,
            unused: 0,
        }
    }

    /// Flows of clients of their own, the same in every run.
    ///
    /// # Errors
    /// The packet can't be built.
    pub fn shots(&self) -> Result<Vec<Shot>> {
        let mut rng = Rng::with_seed(7);
        // All but a few octets are alike, so the checksums of one frame are enough, made again for those.
        let base = self.frame([0; 4], 0)?;
        let shot = |_| {
            let [a, b, c, _] = rng.u32(..).to_ne_bytes();
            let client = [10, a, b, c];
            let port = rng.u16(1024..).to_be_bytes();
            let added = [u16::from_be_bytes([10, a]), u16::from_be_bytes([b, c])];
            let network = updated(word(&base, IPV4 + 10), &added);
            let transport =
                updated(word(&base, self.checksum_at()), &[added[0], added[1], u16::from_be_bytes(port)]);
            let [high, low] = PORT.to_be_bytes();
            Shot {
                client: u32::from_ne_bytes(client),
                ports: u32::from_ne_bytes([port[0], port[1], high, low]),
                network_checksum: u16::from_ne_bytes(network.to_be_bytes()),
                transport_checksum: u16::from_ne_bytes(transport.to_be_bytes()),
                unused: 0,
            }
        };
        Ok((0..self.flows).map(shot).collect())
    }
}

fn word(frame: &[u8], place: usize) -> u16 {
    u16::from_be_bytes([frame[place], frame[place + 1]])
}

/// The checksum with words instead of zeros (RFC 1624).
fn updated(checksum: u16, words: &[u16]) -> u16 {
    let mut sum = u32::from(!checksum) + words.iter().copied().map(u32::from).sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shots_make_the_frames_of_their_clients() {
        for protocol in [Protocol::Udp, Protocol::Syn] {
            for length in [64, 1500] {
                let load = Load { protocol, length, flows: 1000 };
                let first = load.frame([0; 4], 0).unwrap();
                assert_eq!(first.len(), length);
                for shot in load.shots().unwrap() {
                    let mut frame = first.clone();
                    let (client, ports) = (shot.client.to_ne_bytes(), shot.ports.to_ne_bytes());
                    frame[26..30].copy_from_slice(&client);
                    frame[34..38].copy_from_slice(&ports);
                    frame[24..26].copy_from_slice(&shot.network_checksum.to_ne_bytes());
                    let checksum_at = load.checksum_at();
                    frame[checksum_at..][..2].copy_from_slice(&shot.transport_checksum.to_ne_bytes());
                    let expected = load.frame(client, u16::from_be_bytes([ports[0], ports[1]])).unwrap();
                    assert_eq!(frame, expected);
                }
            }
        }
    }
}
