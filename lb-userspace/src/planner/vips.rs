//! VIPs and services, as the datapath's maps know them.

use std::collections::BTreeMap;

use lb_common::address::Address;
use lb_common::clock::epochs;
use lb_common::service::{QuicKey, Service, ServiceFlags, ServiceKey};
use lb_common::slot::BackendIndex;
use lb_common::standing::Takes;
use lb_common::vip::{Vip, VipFlags};

use crate::address::of_ip;
use crate::config::{self, Affinity, Config, Fragments, Prefix};
use crate::health::OnAllDown;
use crate::image::Image;
use crate::roster::{BackendId, Roll, Roster};

/// Adds the VIPs to the image, and returns what their services are named by.
pub(super) fn place(config: &Config, roster: &mut Roster, image: &mut Image) -> BTreeMap<Prefix, Address> {
    let mut names = BTreeMap::new();
    for service in &config.services {
        let Some(index) = roster.vip(service.vip) else { continue };
        let any_port = config.services.iter().any(|other| other.vip == service.vip && other.port.is_none());
        let mut flags = VipFlags::default();
        flags.set(VipFlags::ANSWERS_ECHO, config.answer_echo);
        flags.set(VipFlags::HAS_ANY_PORT, any_port);
        flags.set(VipFlags::IS_PREFIX, !service.vip.is_one_address());
        let vip = Vip { index, flags };
        let address = of_ip(service.vip.address);
        names.insert(service.vip, vip.name(address));
        if service.vip.is_one_address() {
            image.vips.insert(address, vip);
        } else {
            image.prefixes.insert((address, service.vip.mapped_length()), vip);
        }
    }
    names
}

/// Adds a service to the image.
pub(super) fn place_service(
    image: &mut Image,
    vip: Address,
    service: &config::Service,
    roll: &Roll,
    turns: u32,
    all_down: Option<OnAllDown>,
) {
    let mut flags = ServiceFlags::default()
        .with_quic(service.quic_server_id_length)
        .with_scheduler(service.flows.scheduler)
        .with_idle(epochs(service.flows.idle_timeout));
    flags.set(ServiceFlags::BY_SOURCE, service.affinity == Affinity::Source);
    flags.set(ServiceFlags::BY_ADDRESSES, service.fragments == Fragments::ByAddresses);
    flags.set(ServiceFlags::REJECTS, all_down == Some(OnAllDown::Reject));
    let outliers = service.health.as_ref().and_then(|health| health.settings.outliers);
    flags.set(ServiceFlags::WATCHED, outliers.is_some());
    let number = roll.number;
    let entry = Service { index: number, flags, table: number, slots: service.table_size, turns };
    let key = match service.port {
        Some(port) => ServiceKey::new(vip, port, service.protocol),
        None => ServiceKey::any_port(vip, service.protocol),
    };
    image.services.insert(key, entry);
    if service.fragments == Fragments::ByAddresses {
        image.services.insert(ServiceKey::fragments(vip, service.protocol), entry);
    }
    // One that keeps no flows keeps its ID, which leads nowhere: the flow's slot counts.
    let named = service.backends.iter().filter_map(|backend| {
        let member = roll.members.get(&BackendId::of(backend))?;
        let keeps = member.taking.has(Takes::KNOWN);
        Some((
            QuicKey::new(number, backend.quic_server_id?),
            if keeps { member.number } else { BackendIndex::NONE },
        ))
    });
    image.quic.extend(named);
}
