//! The API's answers as tables for people.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::api::{Backend, BackendState, Service, Status};

/// What can be shown as a table.
pub trait Tabular {
    /// The table, without a line break at its end.
    fn table(&self) -> String;
}

impl Tabular for Vec<Service> {
    fn table(&self) -> String {
        let mut table =
            titled(["SERVICE", "ADDRESS", "FORWARDING", "BACKENDS", "PACKETS", "BYTES", "DROPPED"]);
        for service in self {
            table.add_row([
                service.name.clone(),
                endpoint(service),
                service.forwarding.clone(),
                service.backends.to_string(),
                service.packets.to_string(),
                service.bytes.to_string(),
                reasons(&service.dropped),
            ]);
        }
        aligned(table, &[3, 4, 5])
    }
}

impl Tabular for Service {
    fn table(&self) -> String {
        let mut table = titled(["SERVICE", &self.name]);
        let slots = &self.slots;
        let rows = [
            ("address", endpoint(self)),
            ("forwarding", self.forwarding.clone()),
            ("scheduler", self.scheduler.clone()),
            ("backends", self.backends.to_string()),
            ("table size", self.table_size.to_string()),
            ("fingerprint", self.fingerprint.clone()),
            ("generation", self.generation.to_string()),
            ("slots stable", slots.stable.to_string()),
            ("slots migrating", format!("{}, settled in {} s", slots.migrating, slots.settled_in)),
            ("slots tracked", slots.tracked.to_string()),
            ("pins", reasons(&self.pins)),
            ("packets", self.packets.to_string()),
            ("bytes", self.bytes.to_string()),
            ("answered", self.answered.to_string()),
            ("dropped", reasons(&self.dropped)),
        ];
        rows.into_iter().for_each(|(name, value)| {
            table.add_row([name.to_owned(), value]);
        });
        aligned(table, &[])
    }
}

impl Tabular for Vec<Backend> {
    fn table(&self) -> String {
        let mut table =
            titled(["SERVICE", "BACKEND", "ADDRESS", "WEIGHT", "SLOTS", "PACKETS", "BYTES", "STATE"]);
        for backend in self {
            table.add_row([
                backend.service.clone(),
                backend.name.clone(),
                backend.address.to_string(),
                backend.weight.to_string(),
                backend.slots.to_string(),
                backend.packets.to_string(),
                backend.bytes.to_string(),
                state(backend),
            ]);
        }
        aligned(table, &[3, 4, 5, 6])
    }
}

impl Tabular for Status {
    fn table(&self) -> String {
        let mut table = titled(["PACKETS", "COUNT"]);
        let mut row = |name: String, count: u64| {
            table.add_row([name, count.to_string()]);
        };
        row("received".into(), self.received);
        row("forwarded".into(), self.forwarded);
        self.answered.iter().for_each(|(answer, &count)| row(format!("answered: {answer}"), count));
        self.passed.iter().for_each(|(reason, &count)| row(format!("passed: {reason}"), count));
        self.dropped.iter().for_each(|(reason, &count)| row(format!("dropped: {reason}"), count));

        let interfaces: Vec<_> = self
            .interfaces
            .iter()
            .map(|interface| format!("{} ({})", interface.name, interface.mode.name()))
            .collect();
        let interfaces = if interfaces.is_empty() { "no interface".into() } else { interfaces.join(", ") };
        format!("lbd {} on {interfaces}\n{}", self.version, aligned(table, &[1]))
    }
}

/// As in `active`, `down: 10.0.0.1 doesn't answer on eth0`, `draining: 12 flows, 7 slots` and `draining: safe to stop`.
fn state(backend: &Backend) -> String {
    let name = match backend.state {
        BackendState::Active => return "active".into(),
        BackendState::Draining => "draining",
        BackendState::Down => "down",
        BackendState::Disabled => "disabled",
        BackendState::Leaving => "leaving",
    };
    let mut said = name.to_owned();
    if let Some(reason) = &backend.reason {
        said = format!("{said}: {reason}");
    }
    match (backend.state, backend.safe_to_stop) {
        (BackendState::Down, true) => said,
        (_, true) => format!("{said}: safe to stop"),
        (_, false) => {
            format!("{said}: {} flows, {} slots", backend.pinned, backend.slots + backend.former_slots)
        }
    }
}

fn titled<const N: usize>(titles: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles);
    table
}

/// Numbers to the right, and no blanks at either end of a line.
fn aligned(mut table: Table, numbers: &[usize]) -> String {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    for &number in numbers {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// As in `192.0.2.1:80/tcp`, `[2001:db8::1]:80/tcp` and `192.0.2.0/24 any/udp`.
fn endpoint(service: &Service) -> String {
    let Service { vip, port, protocol, .. } = service;
    match (port, vip.parse()) {
        (Some(port), Ok(vip)) => format!("{}/{protocol}", std::net::SocketAddr::new(vip, *port)),
        (Some(port), Err(_)) => format!("{vip} {port}/{protocol}"),
        (None, _) => format!("{vip} any/{protocol}"),
    }
}

fn reasons(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "0".into();
    }
    counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
}
