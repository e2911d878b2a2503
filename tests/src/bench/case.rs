//! One thing that is measured: a node's configuration, and the packets that it gets.

use lb_common::flow::IpVersion;

/// What is measured, by a name.
#[derive(Clone, Debug)]
pub struct Case {
    /// Names it in output, and for `--only`.
    pub name: String,
    /// How the node is set up.
    pub node: Node,
    /// What comes in.
    pub traffic: Traffic,
    /// What it should cost at most, in nanoseconds a packet, on the machines that the figures were set for.
    pub goal: Option<f64>,
    /// Whether it is measured in a quick run too.
    pub is_quick: bool,
}

/// How the node is set up. All services are alike, each with a VIP of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Of the VIPs.
    pub version: IpVersion,
    /// How packets reach backends, in the configuration's words.
    pub forwarding: &'static str,
    /// IP version of the backends' addresses, which is the tunnels'.
    pub outer: IpVersion,
    /// In the configuration's words.
    pub scheduler: &'static str,
    /// Whether services take every port.
    pub is_any_port: bool,
    /// How many services.
    pub services: usize,
    /// How many backends each of them has.
    pub backends: usize,
    /// Slots of each one's lookup table.
    pub table_size: u32,
    /// What every slot is like.
    pub slots: Slots,
    /// Pins that the connection table has room for.
    pub flows: usize,
}

/// The state of a lookup table's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// All flows belong to one backend.
    Stable,
    /// On their way from one backend to another.
    Migrating,
    /// Some flows are pinned elsewhere.
    Tracked,
}

/// What comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// What each packet is.
    pub kind: Kind,
    /// How many flows there are.
    pub flows: usize,
    /// Which of them come, and how often.
    pub mix: Mix,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A TCP segment for a service.
    Tcp,
    /// A UDP datagram for a service.
    Udp,
    /// A TCP segment for an address that isn't a VIP.
    NotOurs,
    /// By turns the first and the second part of a UDP datagram in two parts.
    Parts,
    /// A router's word that a packet from the VIP was too long.
    IcmpError,
    /// An echo request to the VIP.
    Echo,
}

/// Which flows come, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All of them equally often, with packets from their middle.
    Established,
    /// Each flow once, with its first packet.
    Flood,
    /// One of ten packets is the first of a flow that never came before.
    TenthNew,
    /// Few flows have most of the packets: the n-th one 1/n of the first one's.
    Zipf,
}
