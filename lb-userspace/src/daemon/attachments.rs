//! The program on the interfaces, also on those that go and come back.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Error, Result};
use aya::programs::Xdp;

use super::log;
use crate::attach::{self, Attachment, Held, Mode, attach};
use crate::config::{Config, Interface, InterfaceField};
use crate::instance::Instance;
use crate::next_hop::Device;

/// Where the program is, in the order of the configuration. It stays there when this is dropped.
#[derive(Default)]
pub(super) struct Attachments {
    present: Vec<Attachment>,
    /// Why the program isn't on an interface that is there, as it was told last.
    obstacles: BTreeMap<String, String>,
}

/// Checks what can be known of the interfaces before anything is touched.
///
/// # Errors
/// One doesn't exist, or runs a program that isn't this instance's: with its place in the file.
pub(super) fn check(config: &Config, instance: &Instance) -> Result<()> {
    for (index, interface) in config.interfaces.iter().enumerate() {
        let checked = held(interface, instance).and_then(|held| match held {
            Some(_) => Ok(()),
            None => attach::check(&interface.name).map(drop),
        });
        checked.map_err(|error| located(config, index, InterfaceField::Name, &error))?;
    }
    Ok(())
}

/// The interfaces whose drivers run a former process's program, by index.
pub(super) fn held_in_driver(config: &Config, instance: &Instance) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for interface in &config.interfaces {
        let fits = |held: &Held| held.mode() == Mode::Driver && fits(interface.mode, held.mode());
        let held = held(interface, instance)?.filter(fits);
        found.extend(held.map(|held| held.index()));
    }
    Ok(found)
}

impl Attachments {
    /// Attaches the program to every interface of the configuration, or puts it in the place of a former process's one, and
    /// takes it off all others.
    ///
    /// # Errors
    /// The first that refuses it: with its place in the file.
    pub fn all(config: &Config, instance: &Instance, program: &mut Xdp) -> Result<Self> {
        let mut attachments = Attachments::default();
        // What may well fail goes first: nothing outlives this process yet, and former programs are where they were.
        let changes_mode = |interface: &Interface| -> Result<bool> {
            Ok(held(interface, instance)?.is_some_and(|held| !fits(interface.mode, held.mode())))
        };
        let mut interfaces = Vec::new();
        for (index, interface) in config.interfaces.iter().enumerate() {
            interfaces.push((changes_mode(interface)?, index, interface));
        }
        interfaces.sort_by_key(|(changes_mode, ..)| *changes_mode);
        let mut found = Vec::new();
        for (_, index, interface) in interfaces {
            let put = find_or_attach(interface, instance, program)
                .map_err(|error| located(config, index, InterfaceField::Mode, &error))?;
            found.push((interface, put));
        }
        for (interface, put) in found {
            let attachment = put.finish(interface, instance, program)?;
            log::attached(&attachment);
            attachments.present.push(attachment);
        }
        attachments.sort(config);
        let names: Vec<_> = config.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        for link in instance.links_but(&names)? {
            log::left(&link);
            Instance::unlink(&link)?;
        }
        Ok(attachments)
    }

    /// Forgets the interfaces that have gone, and attaches the program to those that are back.
    pub fn follow(
        &mut self,
        config: &Config,
        instance: &Instance,
        program: &mut Xdp,
        devices: &BTreeMap<u32, Device>,
    ) {
        self.present.retain(|attachment| {
            let stays = devices.contains_key(&attachment.index);
            if !stays {
                log::lost(&attachment.interface);
            }
            stays
        });
        for interface in &config.interfaces {
            let name = &interface.name;
            if self.has(name) || !devices.values().any(|device| device.name == *name) {
                continue;
            }
            let put = find_or_attach(interface, instance, program);
            match put.and_then(|put| put.finish(interface, instance, program)) {
                Ok(attachment) => {
                    log::attached(&attachment);
                    self.present.push(attachment);
                    self.obstacles.remove(name);
                }
                Err(error) => self.note(name, format!("{error:#}")),
            }
        }
        self.sort(config);
    }

    fn sort(&mut self, config: &Config) {
        let place = |attachment: &Attachment| {
            config.interfaces.iter().position(|interface| interface.name == attachment.interface)
        };
        self.present.sort_by_key(place);
    }

    /// Where the program is.
    pub fn iter(&self) -> impl Iterator<Item = &Attachment> {
        self.present.iter()
    }

    /// The interfaces whose drivers run the program, by index.
    pub fn in_driver(&self) -> Vec<u32> {
        let in_driver = self.present.iter().filter(|attachment| attachment.mode == Mode::Driver);
        in_driver.map(|attachment| attachment.index).collect()
    }

    fn has(&self, interface: &str) -> bool {
        self.present.iter().any(|attachment| attachment.interface == interface)
    }

    /// Tells why the program isn't there, once for as long as the reason is the same.
    fn note(&mut self, interface: &str, obstacle: String) {
        if self.obstacles.get(interface) != Some(&obstacle) {
            log::obstacle(&obstacle);
            self.obstacles.insert(interface.to_owned(), obstacle);
        }
    }
}

/// What a former process left on an interface.
fn held(interface: &Interface, instance: &Instance) -> Result<Option<Held>> {
    Held::find(&interface.name, &instance.link(&interface.name)?)
}

/// Whether the mode that is in effect is one that was asked for.
fn fits(asked: Mode, present: Mode) -> bool {
    asked == Mode::Auto || asked == present
}

/// An interface on its way to the program.
enum Put {
    /// A former process's program is there.
    Held(Held),
    /// The program is there, and ends with this process.
    Attached(Attachment),
    /// The program is there, and outlives this process.
    Pinned(Attachment),
}

fn find_or_attach(interface: &Interface, instance: &Instance, program: &mut Xdp) -> Result<Put> {
    let pin = instance.link(&interface.name)?;
    match held(interface, instance)? {
        Some(held) if fits(interface.mode, held.mode()) => Ok(Put::Held(held)),
        Some(held) => change_mode(interface, held.mode(), &pin, program).map(Put::Pinned),
        None => {
            // Of an interface that has gone.
            Instance::unlink(&pin)?;
            attach(program, &interface.name, interface.mode).map(Put::Attached)
        }
    }
}

/// Attaches the program in another mode than the one that a former process's is in: the kernel allows one at a time. If it
/// can't be had, the program runs in the former mode.
fn change_mode(interface: &Interface, former: Mode, pin: &Path, program: &mut Xdp) -> Result<Attachment> {
    Instance::unlink(pin)?;
    let attached = attach(program, &interface.name, interface.mode).and_then(|attached| attached.pin(pin));
    attached.inspect_err(|_| {
        let back = attach(program, &interface.name, former).and_then(|attached| attached.pin(pin));
        if let Err(error) = back {
            log::obstacle(&format!("{error:#}"));
        }
    })
}

impl Put {
    fn finish(self, interface: &Interface, instance: &Instance, program: &mut Xdp) -> Result<Attachment> {
        match self {
            Put::Held(held) => held.replace(program),
            Put::Attached(attachment) => attachment.pin(&instance.link(&interface.name)?),
            Put::Pinned(attachment) => Ok(attachment),
        }
    }
}

/// An error in the words of the configuration's.
fn located(config: &Config, index: usize, field: InterfaceField, error: &Error) -> Error {
    config.interface_error(index, field, format!("{error:#}")).into()
}
