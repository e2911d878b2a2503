//! Attaching an XDP program to an interface.

mod occupant;
mod refusal;

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{Xdp, XdpMode};
use tracing::warn;

use crate::interface::{Interface, Place};
use crate::netlink;
use occupant::Occupant;
use refusal::Refusal;

/// Where on an interface the program runs.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    serde::Deserialize,
    serde::Serialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the driver, before the kernel has made anything of the frame.
    Driver,
    /// In the kernel's generic receive path: works on every interface, slower.
    Generic,
    /// In the driver if it can, else generic.
    #[default]
    Auto,
}

impl Mode {
    /// The name, as it is written in configurations and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Driver => "driver",
            Mode::Generic => "generic",
            Mode::Auto => "auto",
        }
    }
}

/// A program on an interface. Dropping it detaches the program, unless its link is pinned.
#[derive(Debug)]
pub struct Attachment {
    /// The interface's name.
    pub interface: String,
    /// The interface's index.
    pub index: u32,
    /// The mode in effect: [`Mode::Driver`] or [`Mode::Generic`].
    pub mode: Mode,
    /// Why it isn't the driver, where [`Mode::Auto`] asked for the best.
    pub note: Option<String>,
    /// What holds the program there.
    pub link: FdLink,
}

impl Attachment {
    /// Lets it outlive this process.
    ///
    /// # Errors
    ///
    /// The kernel refuses; nothing is attached then.
    pub fn pin(self, pin: &Path) -> Result<Attachment> {
        Ok(Attachment { link: self.link.pin(pin)?.into(), ..self })
    }
}

/// Returns the index of an interface that exists and runs no XDP program.
///
/// # Errors
///
/// A line that names the interfaces there are, or the program that is there and how to remove it.
pub fn check(interface: &str) -> Result<u32> {
    Ok(free(interface)?.index)
}

/// What a pinned link keeps on an interface.
#[derive(Debug)]
pub struct Held {
    link: FdLink,
    interface: Interface,
    place: Place,
}

impl Held {
    /// What the link that is pinned at `pin` keeps on this interface; none if nothing is pinned there, or its interface has
    /// gone.
    ///
    /// # Errors
    ///
    /// There is no such interface; the kernel doesn't tell.
    pub fn find(interface: &str, pin: &Path) -> Result<Option<Held>> {
        let interface = Interface::find(interface)?;
        if !pin.exists() {
            return Ok(None);
        }
        let shown = || pin.display().to_string();
        let link = FdLink::from(PinnedLink::from_pin(pin).with_context(shown)?);
        let program = link.info().with_context(shown)?.program_id();
        let place = interface.programs.iter().find(|(_, id)| *id == program).map(|(place, _)| *place);
        Ok(place.map(|place| Held { link, interface, place }))
    }

    /// The interface's index.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.interface.index
    }

    /// The mode in effect.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.place == Place::Generic { Mode::Generic } else { Mode::Driver }
    }

    /// Puts another program in the place of the one that is there, between two packets.
    ///
    /// # Errors
    ///
    /// The kernel refuses it; the former program stays.
    pub fn replace(self, program: &mut Xdp) -> Result<Attachment> {
        let mode = self.mode();
        let Held { link, interface, .. } = self;
        let refused = |error| anyhow::Error::new(error).context(format!("go on at {}", interface.name));
        let id = program.attach_to_link(XdpLink::try_from(link)?).map_err(refused)?;
        let link = FdLink::try_from(program.take_link(id)?)?;
        Ok(Attachment { interface: interface.name, index: interface.index, mode, note: None, link })
    }
}

/// Attaches a loaded program. An interface that runs another one is left as it is.
///
/// # Errors
///
/// As [`check`]; else a line with the reason why the mode can't be had. Nothing is attached then.
pub fn attach(program: &mut Xdp, interface: &str, mode: Mode) -> Result<Attachment> {
    let interface = free(interface)?;
    let (link, mode, note) = match mode {
        Mode::Driver => (link(program, &interface, Place::Driver)?, Mode::Driver, None),
        Mode::Generic => (link(program, &interface, Place::Generic)?, Mode::Generic, None),
        Mode::Auto => driver_or_generic(program, &interface)?,
    };
    Ok(Attachment { interface: interface.name, index: interface.index, mode, note, link })
}

fn free(name: &str) -> Result<Interface> {
    let interface = Interface::find(name)?;
    match Occupant::of(&interface) {
        Some(occupant) => bail!(occupant.to_string()),
        None => Ok(interface),
    }
}

fn driver_or_generic(program: &mut Xdp, interface: &Interface) -> Result<(FdLink, Mode, Option<String>)> {
    match link(program, interface, Place::Driver) {
        Ok(link) => Ok((link, Mode::Driver, None)),
        Err(error) => match error.downcast_ref::<Refusal>() {
            Some(refusal) if refusal.is_the_drivers() => {
                let note =
                    format!("{}; it runs in the kernel's generic path, which is slower", refusal.reason());
                Ok((link(program, interface, Place::Generic)?, Mode::Generic, Some(note)))
            }
            _ => Err(error),
        },
    }
}

fn link(program: &mut Xdp, interface: &Interface, place: Place) -> Result<FdLink> {
    let mode = match place {
        Place::Driver => XdpMode::Driver,
        Place::Generic => XdpMode::Skb,
        Place::Hardware => XdpMode::Hardware,
    };
    let attached = program.attach_to_if_index(interface.index, mode);
    let id = attached.map_err(|error| refused(interface, place, error))?;
    if let Ok(link) = FdLink::try_from(program.take_link(id)?) {
        return Ok(link);
    }
    // aya attaches through netlink where the kernel refuses a link. Nothing would detach such a program when this
    // process dies, and it can be neither pinned nor replaced atomically.
    let program = program.fd()?.as_fd().as_raw_fd();
    if let Err(error) = netlink::detach_xdp(interface.index, program, place) {
        warn!("{}: the program stays attached: {error}", interface.name);
    }
    bail!("{}: the kernel has no BPF links for XDP; Linux 5.9 or newer has", interface.name)
}

/// The kernel's answer in words. If somebody was faster, it says who.
fn refused(interface: &Interface, place: Place, error: aya::programs::ProgramError) -> anyhow::Error {
    let Some(refusal) = Refusal::of(interface, place, &error) else {
        return anyhow::Error::new(error).context(format!("attach to {}", interface.name));
    };
    if refusal.is_occupied()
        && let Ok(now) = Interface::find(&interface.name)
        && let Some(occupant) = Occupant::of(&now)
    {
        return anyhow::anyhow!(occupant.to_string());
    }
    refusal.into()
}
