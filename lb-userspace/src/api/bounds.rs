//! How much of everything a client may take.

use std::time::Duration;

/// Bounds on requests and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For a TLS handshake.
    pub handshake: Duration,
    /// From the end of one request, or from the connection, to the end of the next one's header: also how long a
    /// connection may be idle.
    pub header: Duration,
    /// From a request's header to the beginning of its answer.
    pub request: Duration,
    /// That a client takes nothing of an answer.
    pub write: Duration,
    /// Octets of a request's body.
    pub body: usize,
    /// Octets of a request's header.
    pub header_octets: usize,
    /// Connections at a time, on the unix socket and over TCP each.
    pub connections: usize,
    /// Connections at a time of one user.
    pub connections_of_user: usize,
    /// Connections at a time of one address.
    pub connections_of_address: usize,
}

/// Those of lbd.
pub const BOUNDS: Bounds = Bounds {
    handshake: Duration::from_secs(5),
    header: Duration::from_secs(5),
    request: Duration::from_mins(1),
    write: Duration::from_mins(1),
    // A configuration of 32,768 services and 65,534 backends has less.
    body: 32 << 20,
    header_octets: 16 << 10,
    connections: 512,
    connections_of_user: 256,
    connections_of_address: 32,
};
