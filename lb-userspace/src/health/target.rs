//! Where a check is sent, and by which path.

use std::net::SocketAddr;

use lb_common::slot::BackendIndex;

/// Where a check is sent, and by which path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The backend's own, or the VIP with the service's port.
    pub address: SocketAddr,
    /// How it gets to the backend.
    pub path: Path,
}

/// How a check gets to its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The address is the backend's own, and the kernel's routes lead there.
    Direct,
    /// The address is the VIP's: the check is sent as traffic is, to the backend of this number in the map of backends.
    /// Its sockets carry the [mark](lb_common::mark) of it, for which `CAP_NET_ADMIN` is needed.
    Through(BackendIndex),
}

impl Target {
    /// The backend's own address.
    #[must_use]
    pub const fn direct(address: SocketAddr) -> Self {
        Target { address, path: Path::Direct }
    }

    /// The VIP, with the service's port, for a backend by its number in the map of backends.
    #[must_use]
    pub const fn through(vip: SocketAddr, backend: BackendIndex) -> Self {
        Target { address: vip, path: Path::Through(backend) }
    }
}
