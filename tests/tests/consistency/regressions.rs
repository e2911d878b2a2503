//! Sequences that once went wrong, named after what they broke.

use crate::clients::Kind::{Data, Syn};
use crate::model::Event::{Disable, Drain, Lose, Packet, Wait};
use crate::sequences::run;

/// A connection whose backend dies goes on at another one, and is no new one there that has to confirm its pin.
#[test]
fn a_pin_that_was_moved_is_confirmed() {
    run("maglev", 8, &[Drain(1, 80), Packet(9, Syn), Disable(3), Packet(9, Data), Wait(16), Packet(9, Data)]);
}

/// The grace time of a backend ends also where no slot is on its way.
#[test]
fn deadlines_are_noticed_where_all_slots_are_stable() {
    let lost = [Packet(0, Syn), Packet(5, Syn), Lose(2), Packet(5, Data), Wait(25), Packet(5, Data)];
    run("round_robin", 8, &lost);
}
