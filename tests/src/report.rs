//! What the demo says, as a person likes to read it.

use comfy_table::{CellAlignment, Table, presets};

use crate::accounts::{Tally, octets, total};
use crate::host::Host;
use crate::snapshot::Snapshot;

/// Who answered how many requests, a line for each service.
#[must_use]
pub fn requests(tallies: &[Tally]) -> String {
    let heads = ["SERVICE", "VIP", "REACHED BY", "REQUESTS", "ANSWERED"];
    let mut table = table(heads.into_iter().chain(Host::BACKENDS.map(Host::name)));
    for tally in tallies {
        let service = &tally.service;
        let mut row = vec![service.name.to_owned(), service.vip.to_string(), service.way().to_owned()];
        row.extend([tally.requests, tally.answered()].map(|count| count.to_string()));
        row.extend(tally.by_backend.map(|count| count.to_string()));
        table.add_row(row);
    }
    align_right(&mut table, 3);
    table.trim_fmt()
}

/// That replies don't pass the load balancer: the octets of both directions.
#[must_use]
pub fn directions(tallies: &[Tally], counted: &Snapshot) -> String {
    let to_services: u64 = counted.services.iter().map(|service| service.bytes).sum();
    let mut table = table(["OCTETS DURING THE REQUESTS", "", ""]);
    let rows = [
        ("bodies that the client received", octets(tallies), "from the backends"),
        ("all that the load balancer received", counted.kernel.octets, "by the kernel's count"),
        ("of these, packets to services", to_services, "requests and acknowledgements, by lbctl's count"),
    ];
    for (what, octets, note) in rows {
        table.add_row([what.to_owned(), grouped(octets), note.to_owned()]);
    }
    align_right(&mut table, 1);
    align_left(&mut table, 2);
    table.trim_fmt()
}

/// That no packet is lost without a trace: lbctl's count beside the kernel's.
#[must_use]
pub fn packets(counted: &Snapshot) -> String {
    let (node, kernel) = (&counted.node, &counted.kernel);
    let mut table = table(["PACKETS DURING THE REQUESTS", "LBCTL", "KERNEL"]);
    let rows = [
        ("received", node.received, Some(kernel.received)),
        ("= forwarded to backends", node.forwarded, Some(kernel.transmitted)),
        ("+ answered", total(&node.answered), None),
        ("+ passed to the kernel", total(&node.passed), None),
        ("+ dropped", total(&node.dropped), Some(kernel.dropped)),
    ];
    for (what, own, kernel) in rows {
        table.add_row([what.to_owned(), grouped(own), kernel.map(grouped).unwrap_or_default()]);
    }
    align_right(&mut table, 1);
    table.trim_fmt()
}

fn table<'text>(heads: impl IntoIterator<Item = &'text str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heads);
    table
}

fn align_right(table: &mut Table, from: usize) {
    table.column_iter_mut().skip(from).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
}

fn align_left(table: &mut Table, from: usize) {
    table.column_iter_mut().skip(from).for_each(|column| column.set_cell_alignment(CellAlignment::Left));
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::SERVICES;

    #[test]
    fn requests_are_a_table() {
        let tally = Tally { service: SERVICES[1], requests: 62, by_backend: [21, 20, 20], octets: 186 };
        assert_eq!(
            requests(&[tally]),
            " SERVICE  VIP            REACHED BY   REQUESTS  ANSWERED  b1  b2  b3\n \
             l2-v6    2001:db8:f::1  MAC address        62        61  21  20  20"
        );
    }

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
