//! IP addresses, between the standard library's types and the maps'.

use std::net::IpAddr;

use lb_common::address::Address;

/// As the maps hold it.
#[must_use]
pub fn of_ip(ip: IpAddr) -> Address {
    match ip {
        IpAddr::V4(ip) => Address::v4(ip.octets()),
        IpAddr::V6(ip) => Address::v6(ip.octets()),
    }
}
