//! New flows in turn, in the kernel: the number of the turn is what an atomic addition says was there.

use std::collections::BTreeSet;

use lb_common::flow::Protocol;

use crate::engine::{Host, Kernel};
use crate::frames::packet_to;
use crate::many::image;

#[test]
fn new_flows_go_to_one_backend_after_the_other() {
    const BACKENDS: usize = 7;
    let image = image(1, BACKENDS, "scheduler: round_robin, ");
    let host = Host::new(&image);
    let mut kernel = Kernel::load(image);
    let mut chosen = Vec::new();
    for client in 0..3 * BACKENDS as u16 {
        let mut frame = packet_to("192.0.0.0", 8000, Protocol::TCP, 10);
        frame[34..36].copy_from_slice(&(10_000 + client).to_be_bytes());
        // A connection begins.
        frame[47] = 0x02;
        let outcome = kernel.run(&frame);
        assert_eq!(outcome, host.run(&frame), "client {client}");
        chosen.push(outcome.frame[..6].to_vec());
    }
    for turn in chosen.chunks(BACKENDS) {
        assert_eq!(turn.iter().collect::<BTreeSet<_>>().len(), BACKENDS, "{turn:02x?}");
    }
}
