//! What packets are told of: the same by the host build and by the loaded program.

use std::collections::BTreeSet;

use fastrand::Rng;
use lb_common::event::{CAPTURED, Event, NO_SERVICE, Sampling};
use lb_common::slot::BackendIndex;
use lb_common::verdict::{FORWARDED, NODE_COUNTERS, PassReason, RECEIVED, Verdict};

use crate::engine::{Action, Host, Kernel, Outcome};
use crate::frames::{packet, packet_to};
use crate::mutate::mutate;
use crate::random::any_packet;
use crate::services::{Case, INGRESS, OTHER, VIP_V4, image};
use crate::vectors::rows;

/// Every packet.
const ALL: Sampling = Sampling { every: [1; NODE_COUNTERS], most: u32::MAX, service: NO_SERVICE };

/// What must be told of a packet, save what only the walk knows: number, service and backend.
fn event_of(outcome: &Outcome) -> Event {
    let moved = (RECEIVED + 1..NODE_COUNTERS).find(|&counter| outcome.counted.node[counter] > 0).unwrap();
    let mut event = Event {
        counter: moved as u32,
        every: 1,
        ingress: INGRESS,
        egress: match outcome.action {
            Action::Drop | Action::Pass => 0,
            Action::Transmit => INGRESS,
            Action::Redirect => OTHER,
        },
        length: outcome.frame.len() as u32,
        captured: outcome.frame.len().min(CAPTURED) as u32,
        ..Event::EMPTY
    };
    let captured = event.captured as usize;
    event.octets[..captured].copy_from_slice(&outcome.frame[..captured]);
    event
}

/// The only one. Only what is held of it counts, and the clocks differ.
fn told(mut events: Vec<Event>) -> Event {
    assert_eq!(events.len(), 1, "{events:?}");
    let mut event = events.remove(0);
    event.time = 0;
    event.octets[event.captured as usize..].fill(0);
    event
}

#[test]
fn nobody_asks() {
    let image = image();
    let (host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    for (frame, _) in rows().iter().flat_map(|row| &row.steps) {
        let _ = host.run(frame);
        kernel.run(frame);
    }
    assert_eq!((host.tables.take_events(), kernel.take_events()), (vec![], vec![]));
    assert_eq!(kernel.lost(), [0; NODE_COUNTERS]);
}

#[test]
fn host_and_kernel_tell_the_same_of_every_vector() {
    let image = image();
    let (mut host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    host.tables.set_sampling(ALL);
    kernel.sample(&ALL);
    for row in rows() {
        for (frame, _) in &row.steps {
            let outcome = host.run(frame);
            let event = told(host.tables.take_events());
            let Event { service, backend, number, .. } = event;
            assert_eq!(event, Event { service, backend, number, ..event_of(&outcome) }, "{}", row.behaviour);
            // Only those of a service are counted for one, and only those for a backend name it.
            let counted: BTreeSet<_> = outcome.counted.services.into_keys().collect();
            assert!(counted.is_subset(&[service].into()), "{}: {service}", row.behaviour);
            let sent: Vec<_> = outcome.counted.backends.into_keys().collect();
            let named: Vec<_> = (backend != 0).then_some(BackendIndex(backend as u16)).into_iter().collect();
            assert_eq!(named, sent, "{}", row.behaviour);

            kernel.run(frame);
            assert_eq!(told(kernel.take_events()), event, "{}", row.behaviour);
        }
    }
    assert_eq!(kernel.lost(), [0; NODE_COUNTERS]);
}

#[test]
fn host_and_kernel_tell_the_same_of_random_packets() {
    let image = image();
    let (mut host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    host.tables.set_sampling(ALL);
    kernel.sample(&ALL);
    let mut random = Rng::with_seed(25);
    let (mut verdicts, mut agreed) = (BTreeSet::new(), 0);
    for _ in 0..2000 {
        let frame = any_packet(&mut random);
        let frame = mutate(&mut random, frame, &[]);
        let (by_host, by_kernel) = (host.run(&frame), kernel.run(&frame));
        let (host, kernel) = (told(host.tables.take_events()), told(kernel.take_events()));
        for (event, outcome) in [(host, &by_host), (kernel, &by_kernel)] {
            let Event { service, backend, number, .. } = event;
            assert_eq!(event, Event { service, backend, number, ..event_of(outcome) }, "{frame:02x?}");
            verdicts.insert(event.counter);
        }
        // One client is sent errors only so often, which is a matter of time.
        if by_host == by_kernel {
            assert_eq!((host.service, host.backend), (kernel.service, kernel.backend), "{frame:02x?}");
            agreed += 1;
        }
    }
    assert!(verdicts.len() > 10 && agreed > 1800, "{verdicts:?}, {agreed}");
}

#[test]
fn frames_of_every_length_are_held_to_their_end_or_to_that_of_the_event() {
    let image = image();
    let (mut host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    host.tables.set_sampling(ALL);
    kernel.sample(&ALL);
    let frame: Vec<u8> = (0..=255).collect();
    for length in 14..=2 * CAPTURED {
        let outcome = host.run(&frame[..length]);
        let expected = Event { number: length as u64 - 13, ..event_of(&outcome) };
        assert_eq!(told(host.tables.take_events()), expected);
        kernel.run(&frame[..length]);
        assert_eq!(told(kernel.take_events()), expected);
    }
}

#[test]
fn one_in_so_many_of_each_verdict() {
    let image = image();
    let (mut host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    let mut sampling = ALL;
    sampling.every[FORWARDED] = 10;
    sampling.every[Verdict::Pass(PassReason::NotAVip).counter()] = 0;
    host.tables.set_sampling(sampling);
    kernel.sample(&sampling);
    let elsewhere = packet_to("203.0.113.77", 80, lb_common::flow::Protocol::TCP, 0);
    let mut frames = vec![packet(Case::L2V4, 0); 35];
    frames.extend(vec![elsewhere; 5]);
    frames.push(packet(Case::Empty, 0));
    for frame in frames {
        let _ = host.run(&frame);
        kernel.run(&frame);
    }
    for events in [host.tables.take_events(), kernel.take_events()] {
        let told: Vec<_> = events.iter().map(|event| (event.counter as usize, event.number)).collect();
        let dropped = (events.last().unwrap().counter as usize, 1);
        assert_eq!(told, [(FORWARDED, 1), (FORWARDED, 11), (FORWARDED, 21), (FORWARDED, 31), dropped]);
        assert_eq!(Verdict::of_counter(dropped.0).and_then(Verdict::reason), Some("no_backend"));
    }
    // What isn't due isn't lost.
    assert_eq!(kernel.lost(), [0; NODE_COUNTERS]);
}

#[test]
fn one_service() {
    let image = image();
    let (mut host, mut kernel) = (Host::new(&image), Kernel::load(image.clone()));
    let sampling = Sampling { service: Case::Udp as u32, ..ALL };
    host.tables.set_sampling(sampling);
    kernel.sample(&sampling);
    for frame in [packet(Case::L2V4, 0), packet(Case::Udp, 0), packet_to(VIP_V4, 1, Case::Udp.protocol(), 0)]
    {
        let _ = host.run(&frame);
        kernel.run(&frame);
    }
    for events in [host.tables.take_events(), kernel.take_events()] {
        let event = told(events);
        assert_eq!((event.service, event.backend), (Case::Udp as u32, u32::from(Case::Udp.backend().0)));
    }
}

#[test]
fn what_has_no_room_is_counted() {
    let mut kernel = Kernel::load(image());
    let frame = packet(Case::L2V4, 0);
    let sampling = Sampling { most: 0, ..ALL };
    kernel.sample(&sampling);
    kernel.run(&frame);
    let mut expected = [0; NODE_COUNTERS];
    expected[FORWARDED] = 1;
    assert_eq!((kernel.lost(), kernel.take_events()), (expected, vec![]));

    // More than the ring holds.
    kernel.sample(&ALL);
    let packets = 2000;
    for _ in 0..packets {
        kernel.run(&frame);
    }
    let lost = kernel.lost()[FORWARDED] - 1;
    let held = kernel.take_events();
    assert!(lost > 0 && held.len() > 1000, "{lost} lost, {} held", held.len());
    assert_eq!(held.len() as u64 + lost, packets);
    // It goes on with the next one.
    kernel.run(&frame);
    assert_eq!(told(kernel.take_events()).backend, u32::from(BackendIndex(1).0));
}
