//! Any sequence of changes, pauses and packets.

use proptest::prelude::*;

use crate::clients::Kind;
use crate::model::{Event, Model};
use crate::node::BACKENDS;

/// Connections of a sequence: so few that each is met several times.
const CONNECTIONS: u32 = 24;

fn an_event() -> impl Strategy<Value = Event> {
    let backend = 1..=BACKENDS;
    let change = prop_oneof![
        backend.clone().prop_map(Event::List),
        backend.clone().prop_map(Event::Remove),
        (backend.clone(), 0..4_u32).prop_map(|(backend, weight)| Event::Weigh(backend, weight)),
        backend.clone().prop_map(Event::Lose),
        backend.clone().prop_map(Event::Find),
        (backend.clone(), prop_oneof![Just(15_u32), Just(80)])
            .prop_map(|(backend, time)| Event::Drain(backend, time)),
        backend.clone().prop_map(Event::Disable),
        backend.prop_map(Event::Enable),
        Just(Event::Restart),
        (0..12_usize).prop_map(Event::Kill),
    ];
    let kind = prop_oneof![3 => Just(Kind::Syn), 8 => Just(Kind::Data), 1 => Just(Kind::Fin)];
    prop_oneof![
        3 => change,
        3 => prop_oneof![6 => 1..4_u32, 3 => 5..30_u32, 1 => 50..80_u32].prop_map(Event::Wait),
        14 => (0..CONNECTIONS, kind).prop_map(|(connection, kind)| Event::Packet(connection, kind)),
    ]
}

/// As many as `LB_SEQUENCES` says.
fn sequences(otherwise: u32) -> ProptestConfig {
    let cases = std::env::var("LB_SEQUENCES").ok().map(|number| number.parse().unwrap());
    ProptestConfig {
        cases: cases.unwrap_or(otherwise),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Lets all of that happen, and then nothing for a long time.
pub fn run(scheduler: &'static str, pin_bits: u32, events: &[Event]) {
    let mut model = Model::new(scheduler, pin_bits);
    events.iter().for_each(|&event| model.happen(event));
    model.come_to_rest();
}

proptest! {
    #![proptest_config(sequences(1000))]

    #[test]
    fn no_live_flow_changes_backend(events in prop::collection::vec(an_event(), 1..120)) {
        run("maglev", 8, &events);
    }

    /// Of datagrams nothing says which is the first.
    #[test]
    fn nor_one_of_datagrams(events in prop::collection::vec(an_event(), 1..120)) {
        let datagrams = |event| match event {
            Event::Packet(connection, _) => Event::Packet(connection, Kind::Datagram),
            other => other,
        };
        run("udp", 8, &events.into_iter().map(datagrams).collect::<Vec<_>>());
    }

    /// A table of one bucket: sixteen pins.
    #[test]
    fn nor_where_there_is_no_room(events in prop::collection::vec(an_event(), 1..120)) {
        run("maglev", 0, &events);
    }
}

proptest! {
    #![proptest_config(sequences(200))]

    #[test]
    fn nor_where_flows_take_turns(events in prop::collection::vec(an_event(), 1..120)) {
        run("round_robin", 8, &events);
    }

    #[test]
    fn nor_where_the_least_busy_takes_them(events in prop::collection::vec(an_event(), 1..120)) {
        run("least_connections", 8, &events);
    }

    #[test]
    fn nor_where_two_are_asked(events in prop::collection::vec(an_event(), 1..120)) {
        run("two_choices", 8, &events);
    }
}
