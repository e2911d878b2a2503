//! The interfaces that the balancer is attached to.

use crate::attach::Mode;

use super::error::Position;
use super::file::{self, List};
use super::section::{Section, Seen};
use super::value;

/// An interface and where on it the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As the kernel calls it. Whether there is one is seen when the program is attached.
    pub name: String,
    /// Where on the interface the program runs.
    pub mode: Mode,
    /// Where the file says its name.
    pub name_at: Option<Position>,
    /// Where the file says its mode, or else its name.
    pub mode_at: Option<Position>,
}

/// What of an interface an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceField {
    /// Its name.
    Name,
    /// Its mode.
    Mode,
}

const MODES: &[(&str, Mode)] = &[("auto", Mode::Auto), ("driver", Mode::Driver), ("generic", Mode::Generic)];

const REMEDY: &str = "list at least one interface, such as - name: eth0";

pub(super) fn from_written(
    root: &mut Section,
    written: Option<&List<file::Interface>>,
) -> Option<Vec<Interface>> {
    let entries = root.list("interfaces", written, REMEDY)?;
    if let (Some(list), []) = (written, entries) {
        root.error("interfaces", list.referenced, format!("the list is empty; {REMEDY}"));
    }
    let mut names = Seen::new();
    let interfaces = entries.iter().enumerate().filter_map(|(index, entry)| {
        interface(&mut root.entry("interfaces", index, entry), &entry.value, &mut names)
    });
    Some(interfaces.collect())
}

fn interface(
    section: &mut Section,
    written: &file::Interface,
    names: &mut Seen<String>,
) -> Option<Interface> {
    let remedy = "write the interface's name, such as eth0";
    let name = section.required("name", written.name.as_ref(), remedy, value::interface_name);
    let mode = section.optional("mode", written.mode.as_ref(), Mode::Auto, |text| value::choice(text, MODES));
    let word = written.name.as_ref()?;
    let name = section.unique("name", word.referenced, names, name?, "remove one");
    let name_at = Position::of(word.referenced);
    let mode_at = written.mode.as_ref().map_or(name_at, |word| Position::of(word.referenced));
    Some(Interface { name: name?, mode: mode?, name_at, mode_at })
}
