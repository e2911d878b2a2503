//! Why the kernel didn't attach a program, in words.

use std::fmt;
use std::io;

use aya::programs::{ProgramError, XdpError};

use crate::interface::{Interface, Place};

/// An answer of the kernel, and what it was about.
#[derive(Debug)]
pub(super) struct Refusal {
    interface: String,
    driver: Option<String>,
    mtu: u32,
    place: Place,
    /// As in `errno.h`.
    errno: i32,
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// None if the error isn't the kernel's.
    pub fn of(interface: &Interface, place: Place, error: &ProgramError) -> Option<Refusal> {
        let errno = match error {
            ProgramError::SyscallError(error) => error.io_error.raw_os_error()?,
            ProgramError::XdpError(XdpError::NetlinkError(error)) => error.raw_os_error()?,
            _ => return None,
        };
        Some(Refusal {
            interface: interface.name.clone(),
            driver: interface.driver(),
            mtu: interface.mtu,
            place,
            errno,
        })
    }

    /// Whether another program was there first.
    pub fn is_occupied(&self) -> bool {
        matches!(self.errno, libc::EBUSY | libc::EEXIST)
    }

    /// Whether the generic path is worth a try.
    pub fn is_the_drivers(&self) -> bool {
        !self.is_occupied() && !matches!(self.errno, libc::EPERM | libc::EACCES | libc::ENODEV)
    }

    /// What stands in the way.
    pub fn reason(&self) -> String {
        let Refusal { interface, driver, mtu, .. } = self;
        let the_driver = match driver {
            Some(driver) => format!("the driver of {interface} ({driver})"),
            None => format!("the driver of {interface}"),
        };
        match self.errno {
            libc::EBUSY | libc::EEXIST => {
                format!("{interface}, or a bond or bridge above it, runs another XDP program")
            }
            libc::EPERM | libc::EACCES => {
                format!("{interface}: the kernel doesn't permit it, although the capabilities are there")
            }
            libc::ENODEV => format!("{interface} has just been removed"),
            errno if self.place != Place::Driver => {
                format!("{interface}, mode {}: {}", self.place.name(), io::Error::from_raw_os_error(errno))
            }
            // The bond asks each of its interfaces, and shares packets out by itself only in some of its modes.
            libc::EOPNOTSUPP if self.is("bond") => format!(
                "{the_driver} has no native XDP in its mode (balance-rr, active-backup, balance-xor and 802.3ad have), or \
                 an interface of it has none or runs a program of its own"
            ),
            libc::EOPNOTSUPP => format!("{the_driver} has no native XDP"),
            libc::ERANGE | libc::E2BIG | libc::EMSGSIZE => {
                let whose = if self.is("veth") { "the MTU of its peer" } else { "its MTU" };
                format!("{the_driver} can't run this program at {whose} (own MTU {mtu})")
            }
            // Transmitting from XDP takes queues of its own (virtio-net), and as many as the peer has (veth).
            libc::ENOSPC | libc::ENOMEM => format!("{the_driver} has no queues or memory left for XDP"),
            libc::EINVAL => format!("{the_driver} can't run XDP as it is set up (MTU {mtu}; see dmesg)"),
            errno => format!("{the_driver}: {}", io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether the interface is virtual and of that kind.
    fn is(&self, kind: &str) -> bool {
        self.driver.as_deref() == Some(kind)
    }

    fn remedy(&self) -> &'static str {
        match self.errno {
            _ if self.place != Place::Driver => "",
            libc::EOPNOTSUPP if self.is("vlan") => {
                "; name the interface below it, whose frames are read with their tags, or use the mode generic or auto"
            }
            libc::ERANGE | libc::E2BIG | libc::EMSGSIZE => "; lower it, or use the mode generic",
            libc::ENOSPC | libc::ENOMEM => "; change its channels (ethtool -L), or use the mode generic",
            libc::EOPNOTSUPP | libc::EINVAL => "; use the mode generic or auto",
            _ => "",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.reason(), self.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: i32) -> Refusal {
        refusal_of("veth", errno)
    }

    fn refusal_of(kind: &str, errno: i32) -> Refusal {
        Refusal {
            interface: "eth0".into(),
            driver: Some(kind.into()),
            mtu: 9000,
            place: Place::Driver,
            errno,
        }
    }

    /// The answers of Linux 6.1 to native XDP on each.
    #[test]
    fn what_lies_upon_other_interfaces_has_its_own_words() {
        let cases = [
            (
                "vlan",
                libc::EOPNOTSUPP,
                "the driver of eth0 (vlan) has no native XDP; name the interface below it, whose frames are read with \
                 their tags, or use the mode generic or auto",
            ),
            (
                "bond",
                libc::EOPNOTSUPP,
                "the driver of eth0 (bond) has no native XDP in its mode (balance-rr, active-backup, balance-xor and \
                 802.3ad have), or an interface of it has none or runs a program of its own; use the mode generic or auto",
            ),
            (
                "bridge",
                libc::EOPNOTSUPP,
                "the driver of eth0 (bridge) has no native XDP; use the mode generic or auto",
            ),
            ("veth", libc::EEXIST, "eth0, or a bond or bridge above it, runs another XDP program"),
        ];
        for (kind, errno, expected) in cases {
            assert_eq!(refusal_of(kind, errno).to_string(), expected, "{kind}");
        }
    }

    #[test]
    fn reasons_are_words() {
        let cases = [
            (libc::EOPNOTSUPP, "the driver of eth0 (veth) has no native XDP; use the mode generic or auto"),
            (
                libc::ERANGE,
                "the driver of eth0 (veth) can't run this program at the MTU of its peer (own MTU 9000); \
                 lower it, or use the mode generic",
            ),
            (libc::ENODEV, "eth0 has just been removed"),
            (libc::EIO, "the driver of eth0 (veth): Input/output error (os error 5)"),
        ];
        for (errno, expected) in cases {
            assert_eq!(refusal(errno).to_string(), expected);
        }
    }

    #[test]
    fn only_what_the_driver_lacks_leads_to_the_generic_path() {
        for errno in [libc::EOPNOTSUPP, libc::ERANGE, libc::EINVAL, libc::ENOSPC] {
            assert!(refusal(errno).is_the_drivers(), "{errno}");
        }
        for errno in [libc::EPERM, libc::EBUSY, libc::EEXIST, libc::ENODEV] {
            assert!(!refusal(errno).is_the_drivers(), "{errno}");
        }
    }
}
