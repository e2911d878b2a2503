//! Header formats: the only place that knows where a field stands and that the network is big-endian.

pub mod ethernet;
pub mod extension;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod ports;
pub mod quic;
pub mod tcp;
pub mod udp;
