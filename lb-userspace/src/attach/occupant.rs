//! An XDP program that is already on an interface: whose it is, and how to remove it.

use std::fmt;
use std::fs;

use aya::programs::links::LinkType;
use aya::programs::{loaded_links, loaded_programs};

use crate::interface::{Interface, Place};

/// The program that is in the way. All but the identifier is a best effort: it may take more rights than we have.
#[derive(Debug)]
pub(super) struct Occupant {
    interface: String,
    place: Place,
    id: u32,
    name: Option<String>,
    hold: Hold,
    /// Processes that hold the link or the program, as `name (pid 1)`.
    holders: Vec<String>,
}

/// What keeps the program on the interface.
#[derive(Debug, PartialEq, Eq)]
enum Hold {
    /// A BPF link that a process holds.
    Link(u32),
    /// A BPF link that no process holds: it is pinned somewhere.
    Pinned(u32),
    /// The interface itself.
    Interface,
    Unknown,
}

impl Occupant {
    /// The first program on that interface.
    pub fn of(interface: &Interface) -> Option<Occupant> {
        let &(place, id) = interface.programs.first()?;
        let descriptors = Descriptor::all_of_program(id);
        let mut of_link = descriptors.iter().filter(|descriptor| descriptor.index == Some(interface.index));
        // Whoever holds only the program doesn't keep it attached: not worth naming if a link's holder is known.
        let mut holders: Vec<_> = of_link.clone().map(|descriptor| descriptor.holder.clone()).collect();
        let link = of_link.find_map(|descriptor| descriptor.link);
        if holders.is_empty() {
            holders = descriptors.iter().map(|descriptor| descriptor.holder.clone()).collect();
        }
        holders.sort();
        holders.dedup();
        Some(Occupant {
            interface: interface.name.clone(),
            place,
            id,
            name: name(id),
            hold: link.map_or_else(|| hold_without_process(id), Hold::Link),
            holders,
        })
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occupant { interface, place, id, .. } = self;
        write!(formatter, "{interface} already runs ")?;
        match &self.name {
            Some(name) => write!(formatter, "the XDP program {name}")?,
            None => write!(formatter, "an XDP program")?,
        }
        write!(formatter, " (id {id}, mode {})", place.name())?;
        match self.holders.as_slice() {
            [] => write!(formatter, ", held by no process that can be seen from here")?,
            holders => write!(formatter, ", held by {}", holders.join(", "))?,
        }
        write!(formatter, "; it was left alone. To remove it: ")?;
        let off = match place {
            Place::Driver => format!("ip link set dev {interface} xdpdrv off"),
            Place::Generic => format!("ip link set dev {interface} xdpgeneric off"),
            Place::Hardware => format!("ip link set dev {interface} xdpoffload off"),
        };
        match self.hold {
            Hold::Interface => write!(formatter, "{off}"),
            Hold::Link(link) => write!(formatter, "end that process, or bpftool link detach id {link}"),
            Hold::Pinned(link) => write!(formatter, "bpftool link detach id {link}"),
            Hold::Unknown => write!(formatter, "{off}, or if it is held by a BPF link, bpftool link detach"),
        }
    }
}

/// An open file of some process that stands for a program, or for a link to it.
#[derive(Debug, PartialEq, Eq)]
struct Descriptor {
    holder: String,
    link: Option<u32>,
    /// The interface that the link is on.
    index: Option<u32>,
}

impl Descriptor {
    fn all_of_program(id: u32) -> Vec<Descriptor> {
        let mut found = Vec::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
            let files = fs::read_dir(process.path().join("fdinfo")).into_iter().flatten().flatten();
            let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
            for text in texts.filter(|text| number(text, "prog_id") == Some(id)) {
                let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                found.push(Descriptor::parse(&text, format!("{} (pid {pid})", name.trim())));
            }
        }
        found
    }

    fn parse(text: &str, holder: String) -> Descriptor {
        Descriptor { holder, link: number(text, "link_id"), index: number(text, "ifindex") }
    }
}

/// The number behind `key:` in the text of an fdinfo file.
fn number(text: &str, key: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().parse().ok()
}

fn name(program: u32) -> Option<String> {
    let info = loaded_programs().flatten().find(|info| info.id() == program)?;
    info.name_as_str().map(str::to_owned).filter(|name| !name.is_empty())
}

fn hold_without_process(program: u32) -> Hold {
    let mut links = Vec::new();
    for link in loaded_links() {
        match link {
            Ok(link) if link.program_id() == program && link.link_type().ok() == Some(LinkType::Xdp) => {
                links.push(link.id());
            }
            Ok(_) => {}
            // Listing takes CAP_SYS_ADMIN.
            Err(_) => return Hold::Unknown,
        }
    }
    match links.as_slice() {
        [] => Hold::Interface,
        [link] => Hold::Pinned(*link),
        // The same program on several interfaces; aya doesn't say which link is on which.
        _ => Hold::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\nlink_type:\txdp\nlink_id:\t3\n\
                        prog_tag:\t3b185187f1855c4c\nprog_id:\t45\nifindex:\t7\n";
    const PROGRAM: &str =
        "pos:\t0\nprog_type:\t6\nprog_jited:\t1\nprog_tag:\t3b185187f1855c4c\nprog_id:\t45\n";

    fn occupant(hold: Hold, holders: &[&str]) -> String {
        let holders = holders.iter().map(|&holder| holder.to_owned()).collect();
        let name = Some("xdp_pass".into());
        Occupant { interface: "eth0".into(), place: Place::Driver, id: 45, name, hold, holders }.to_string()
    }

    #[test]
    fn descriptors_are_read() {
        let link = Descriptor { holder: String::new(), link: Some(3), index: Some(7) };
        assert_eq!(Descriptor::parse(LINK, String::new()), link);
        let program = Descriptor { holder: String::new(), link: None, index: None };
        assert_eq!(Descriptor::parse(PROGRAM, String::new()), program);
        assert_eq!(number(PROGRAM, "prog_id"), Some(45));
        assert_eq!(number("pos:\t0\n", "prog_id"), None);
    }

    #[test]
    fn the_way_out_depends_on_what_holds_it() {
        let start = "eth0 already runs the XDP program xdp_pass (id 45, mode driver), ";
        let cases = [
            (
                occupant(Hold::Interface, &[]),
                "held by no process that can be seen from here; it was left alone. \
                 To remove it: ip link set dev eth0 xdpdrv off",
            ),
            (
                occupant(Hold::Link(3), &["katran (pid 12)"]),
                "held by katran (pid 12); it was left alone. To remove it: end that process, \
                 or bpftool link detach id 3",
            ),
        ];
        for (written, expected) in cases {
            assert_eq!(written, format!("{start}{expected}"));
        }
    }
}
