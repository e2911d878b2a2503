//! What the maps hold: read back by a process that goes on with another one's maps.

use std::sync::Arc;

use anyhow::{Context, Result};
use lb_common::address::Address;
use lb_common::backend::Forwarding;
use lb_common::service::{Scheduler, Service};
use lb_common::slot::BackendIndex;
use lb_common::standing::Role;

use super::Balancer;
use super::plain::Plain;
use crate::image::Image;
use crate::rotation::TURNS;

impl Balancer {
    /// What the maps hold. Tables that no service names are taken out.
    ///
    /// # Errors
    /// The kernel refuses to read a map.
    pub fn image(&mut self) -> Result<Image> {
        let mut image = Image::default();
        image.vips.extend(self.vips.entries().map(|entry| (entry.address, entry.entered())));
        image.services.extend(self.services.entries().map(|entry| (entry.key, entry.entered())));
        for prefix in &self.prefixes {
            let (key, Plain(vip)) = prefix.context("VIPs")?;
            image.prefixes.insert((Address::v6(key.data()), key.prefix_len()), vip);
        }
        for server in &self.quic {
            let (Plain(key), number) = server.context("QUIC server IDs")?;
            image.quic.insert(key, BackendIndex(number as u16));
        }
        for service in image.services.values() {
            if let Some(table) = self.tables.get(service.table) {
                let mut slots = table.slots();
                slots.truncate(entries(service));
                image.tables.insert(service.table, Arc::new(slots));
            }
        }
        let unnamed: Vec<u32> =
            self.tables.numbers().filter(|number| !image.tables.contains_key(number)).collect();
        unnamed.into_iter().try_for_each(|number| self.tables.remove(number))?;
        for (number, standing) in (0..).zip(self.standings.iter()).skip(1) {
            let index = BackendIndex(number);
            let Plain(backend) = self.backends.get(&u32::from(number), 0).context("backends")?;
            if backend.forwarding != Forwarding::NONE {
                image.backends.insert(index, backend);
            }
            if standing.role() != Role::default() {
                image.roles.insert(index, standing.role());
            }
        }
        let Plain(settings) = self.settings.get(&0, 0).context("settings")?;
        image.settings = settings;
        Ok(image)
    }
}

/// Entries of a service's lookup table: its slots, and its turns behind them.
fn entries(service: &Service) -> usize {
    let turns = if service.flags.scheduler() == Scheduler::HASH { 0 } else { TURNS };
    (service.slots + turns) as usize
}
