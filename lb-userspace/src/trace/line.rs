//! A description as one line of text.

use std::fmt::{Display, Formatter, Result};
use std::net::{IpAddr, SocketAddr};

use super::packet::{Datagram, Packet};

/// As in `2026-01-31T12:00:00.000000Z forwarded, eth0 203.0.113.2:40000 -> 192.0.2.1:80 tcp, 94 octets, web: to b1 by
/// ipip 198.51.100.10 -> 198.51.100.11, out of eth0 to 02:00:00:00:00:01`.
impl Display for Packet {
    fn fmt(&self, out: &mut Formatter) -> Result {
        write!(out, "{} {}", self.time, self.verdict)?;
        if let Some(reason) = &self.reason {
            write!(out, ": {reason}")?;
        }
        write!(out, ", {} ", self.ingress)?;
        match (&self.packet, &self.link) {
            (Some(packet), _) => packet.fmt(out)?,
            (None, Some(link)) => {
                write!(out, "{} -> {} type {}", link.source, link.destination, link.ethertype)?;
            }
            (None, None) => write!(out, "no header")?,
        }
        write!(out, ", {} octets", self.length)?;
        if let Some(service) = &self.service {
            write!(out, ", {service}")?;
        }
        if let (Some(backend), Some(forwarding)) = (&self.backend, &self.forwarding) {
            write!(out, ": to {backend} by {forwarding}")?;
            if let Some(outer) = &self.outer {
                write!(out, " ")?;
                outer.ends(out)?;
            }
        }
        if let (Some(egress), Some(link)) = (&self.egress, &self.link) {
            write!(out, ", out of {egress} to {}", link.destination)?;
        }
        Ok(())
    }
}

impl Datagram {
    fn ends(&self, out: &mut Formatter) -> Result {
        end(out, self.source, self.source_port)?;
        write!(out, " -> ")?;
        end(out, self.destination, self.destination_port)
    }
}

/// As in `203.0.113.2:40000 -> 192.0.2.1:80 tcp` and `203.0.113.2 -> 192.0.2.1 udp fragment at 1480`.
impl Display for Datagram {
    fn fmt(&self, out: &mut Formatter) -> Result {
        self.ends(out)?;
        match self.protocol.parse::<u8>() {
            Ok(number) => write!(out, " protocol {number}")?,
            Err(_) => write!(out, " {}", self.protocol)?,
        }
        match self.fragment {
            Some(offset) => write!(out, " fragment at {offset}"),
            None => Ok(()),
        }
    }
}

fn end(out: &mut Formatter, address: IpAddr, port: Option<u16>) -> Result {
    match port {
        Some(port) => write!(out, "{}", SocketAddr::new(address, port)),
        None => write!(out, "{address}"),
    }
}
