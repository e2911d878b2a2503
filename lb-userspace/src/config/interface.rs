//! The interfaces that the balancer is attached to.

use crate::attach::Mode;

use super::error::Position;
use super::field::{Choice, Entries, Field, List, Scalar, Text};
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

pub(super) static INTERFACES: List = List {
    name: "interfaces",
    about: "Where the services' packets come in.",
    remedy: Some("list at least one interface, such as - name: eth0"),
    may_be_empty: false,
    of: Entries::Sections(&[&[Field::Scalar(&NAME), Field::Scalar(&MODE)]]),
};

static NAME: Scalar<Text<String>> = Scalar {
    name: "name",
    about: "The kernel's name of the interface.",
    remedy: Some("write the interface's name, such as eth0"),
    form: Text(value::interface_name),
};

static MODE: Scalar<Choice<Mode>> = Scalar {
    name: "mode",
    about: "Where on the interface the program runs: in the network driver, in the kernel's receive path, or in the \
            driver if it can. Default: auto.",
    remedy: None,
    form: Choice(&[("auto", Mode::Auto), ("driver", Mode::Driver), ("generic", Mode::Generic)]),
};

/// Those that are right; what is wrong has been reported.
pub(super) fn read(root: &mut Section) -> Option<Vec<Interface>> {
    let mut names = Seen::new();
    let interfaces = root.list(INTERFACES.name)?.0.iter().enumerate().filter_map(|(index, entry)| {
        let mut interface = root.entry(INTERFACES.name, index, entry);
        let (name, mode) = (interface.required(&NAME), interface.optional(&MODE, Mode::Auto));
        let name_at = interface.word(&NAME)?.at;
        let mode_at = interface.word(&MODE).map_or(name_at, |word| word.at);
        let name = interface.unique(NAME.name, name_at, &mut names, name?, "remove one");
        Some(Interface { name: name?, mode: mode?, name_at: Some(name_at), mode_at: Some(mode_at) })
    });
    Some(interfaces.collect())
}
