//! The program on the interfaces, also on those that go and come back.

use std::collections::BTreeMap;

use anyhow::{Error, Result};
use aya::programs::Xdp;

use super::log;
use crate::attach::{Attachment, Mode, attach};
use crate::config::{Config, InterfaceField};
use crate::next_hop::Device;

/// Where the program is, in the order of the configuration. Dropping it detaches the program everywhere.
pub(super) struct Attachments {
    present: Vec<Attachment>,
    /// Why the program isn't on an interface that is there, as it was told last.
    obstacles: BTreeMap<String, String>,
}

impl Attachments {
    /// The program on no interface.
    pub fn none() -> Self {
        Attachments { present: Vec::new(), obstacles: BTreeMap::new() }
    }

    /// Attaches the program to every interface of the configuration.
    ///
    /// # Errors
    /// The first that refuses it: with its place in the file.
    pub fn all(config: &Config, program: &mut Xdp) -> Result<Self> {
        let mut attachments = Attachments::none();
        for (index, interface) in config.interfaces.iter().enumerate() {
            let attachment = attach(program, &interface.name, interface.mode)
                .map_err(|error| located(config, index, InterfaceField::Mode, &error))?;
            log::attached(&attachment);
            attachments.present.push(attachment);
        }
        Ok(attachments)
    }

    /// Forgets the interfaces that have gone, and attaches the program to those that are back.
    pub fn follow(&mut self, config: &Config, program: &mut Xdp, devices: &BTreeMap<u32, Device>) {
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
            match attach(program, name, interface.mode) {
                Ok(attachment) => {
                    log::attached(&attachment);
                    self.present.push(attachment);
                    self.obstacles.remove(name);
                }
                Err(error) => self.note(name, format!("{error:#}")),
            }
        }
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

/// An error in the words of the configuration's.
pub(super) fn located(config: &Config, index: usize, field: InterfaceField, error: &Error) -> Error {
    config.interface_error(index, field, format!("{error:#}")).into()
}
