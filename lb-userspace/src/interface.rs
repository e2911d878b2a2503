//! Network interfaces as the kernel lists them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkMessage, LinkXdp};

use crate::netlink;

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the driver.
    Driver,
    /// In the kernel's generic receive path.
    Generic,
    /// On the network card.
    Hardware,
}

impl Place {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Place::Driver => "driver",
            Place::Generic => "generic",
            Place::Hardware => "hardware",
        }
    }

    /// The kernel's `XDP_FLAGS_…_MODE` (`linux/if_link.h`).
    pub fn flag(self) -> u32 {
        match self {
            Place::Generic => 1 << 1,
            Place::Driver => 1 << 2,
            Place::Hardware => 1 << 3,
        }
    }
}

/// One network interface.
#[derive(Debug)]
pub(crate) struct Interface {
    pub name: String,
    pub index: u32,
    /// In octets, without the link-layer header.
    pub mtu: u32,
    pub flags: LinkFlags,
    /// What a virtual interface is (`veth`, `bridge`); hardware has none.
    pub kind: Option<String>,
    /// The XDP programs on it, by identifier.
    pub programs: Vec<(Place, u32)>,
}

impl Interface {
    /// Every interface of this network namespace.
    pub fn all() -> Result<Vec<Interface>> {
        let answers = netlink::dump(RouteNetlinkMessage::GetLink(LinkMessage::default()));
        let answers = answers.context("list the interfaces")?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(Interface::of(link)),
            _ => None,
        });
        Ok(links.collect())
    }

    /// The interface of that name.
    pub fn find(name: &str) -> Result<Interface> {
        let mut all = Interface::all()?;
        let Some(position) = all.iter().position(|interface| interface.name == name) else {
            let names: Vec<_> = all.iter().map(|interface| interface.name.as_str()).collect();
            bail!("there is no interface {name} here; there are {}", names.join(", "));
        };
        Ok(all.swap_remove(position))
    }

    /// The name of its driver, if it can be found.
    pub fn driver(&self) -> Option<String> {
        if self.kind.is_some() {
            return self.kind.clone();
        }
        let directory = Path::new("/sys/class/net").join(&self.name);
        // A mount of sysfs shows the namespace it was mounted in, where another interface may have this name.
        let index = fs::read_to_string(directory.join("ifindex")).ok()?;
        if index.trim() != self.index.to_string() {
            return None;
        }
        let driver = fs::read_link(directory.join("device/driver")).ok()?;
        Some(driver.file_name()?.to_string_lossy().into_owned())
    }

    fn of(LinkMessage { header, attributes, .. }: LinkMessage) -> Interface {
        let LinkHeader { index, flags, .. } = header;
        let none = Interface { name: String::new(), index, mtu: 0, flags, kind: None, programs: Vec::new() };
        attributes.into_iter().fold(none, Interface::with)
    }

    fn with(mut self, attribute: LinkAttribute) -> Interface {
        match attribute {
            LinkAttribute::IfName(name) => self.name = name,
            LinkAttribute::Mtu(mtu) => self.mtu = mtu,
            LinkAttribute::LinkInfo(infos) => {
                self.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            LinkAttribute::Xdp(xdp) => {
                self.programs = xdp.iter().filter_map(program).collect();
            }
            _ => {}
        }
        self
    }
}

/// `IFLA_XDP_PROG_ID` is left out: it repeats one of these.
fn program(attribute: &LinkXdp) -> Option<(Place, u32)> {
    match attribute {
        LinkXdp::DrvProgId(id) => Some((Place::Driver, *id)),
        LinkXdp::SkbProgId(id) => Some((Place::Generic, *id)),
        LinkXdp::HwProgId(id) => Some((Place::Hardware, *id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_interface_is_named_with_those_there_are() {
        let error = Interface::find("nosuch0").unwrap_err().to_string();
        assert!(error.starts_with("there is no interface nosuch0 here; there are "), "{error}");
        assert!(error.contains("lo"), "{error}");
    }

    #[test]
    fn programs_are_read_from_every_place() {
        let attributes = vec![LinkXdp::ProgId(7), LinkXdp::DrvProgId(7), LinkXdp::SkbProgId(8)];
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Xdp(attributes));
        assert_eq!(Interface::of(message).programs, [(Place::Driver, 7), (Place::Generic, 8)]);
    }
}
