//! How new flows are shared out.

use std::collections::BTreeMap;

use crate::clients::{Kind, segment};
use crate::node::Node;

/// How many of so many new connections each backend gets; none of them ends.
fn shares(node: &mut Node, connections: std::ops::Range<u32>) -> BTreeMap<u8, u32> {
    let mut shares = BTreeMap::new();
    for connection in connections {
        let backend = node.walk(&segment(connection, Kind::Syn)).unwrap();
        assert_eq!(node.walk(&segment(connection, Kind::Data)), Some(backend), "{connection}");
        *shares.entry(backend).or_default() += 1;
    }
    shares
}

#[test]
fn round_robin_takes_turns_by_weight() {
    let mut node = Node::new("round_robin", 10);
    let order: Vec<_> =
        (0..6).map(|connection| node.walk(&segment(connection, Kind::Syn)).unwrap()).collect();
    assert_eq!(order[..3], order[3..]);
    let mut node = Node::new("weighted_round_robin", 10);
    node.weigh(2, 2);
    assert_eq!(shares(&mut node, 0..400), [(1, 100), (2, 200), (3, 100)].into());
}

#[test]
fn random_follows_weights() {
    let mut node = Node::new("random", 10);
    node.weigh(2, 2);
    let shares = shares(&mut node, 0..4000);
    let expected = [(1, 1000), (2, 2000), (3, 1000)];
    assert!(expected.iter().all(|(backend, share)| shares[backend].abs_diff(*share) < 200), "{shares:?}");
}

/// A backend that was away has none: it gets the next ones.
#[test]
fn least_connections_go_where_there_are_fewest() {
    let mut node = Node::new("least_connections", 10);
    node.weigh(3, 2);
    assert_eq!(shares(&mut node, 0..400), [(1, 100), (2, 100), (3, 200)].into());
    node.list(4, true);
    assert_eq!(shares(&mut node, 1000..1080), [(4, 80)].into());
    // Those that end make room.
    let ended =
        (0..400).filter(|&connection| node.walk(&segment(connection, Kind::Data)) == Some(1)).take(60);
    let ended: Vec<_> = ended.collect();
    for connection in ended {
        node.walk(&segment(connection, Kind::Fin));
    }
    assert_eq!(shares(&mut node, 2000..2030), [(1, 30)].into());
}

/// Two are asked: the one with fewer gets more, and all of them get some.
#[test]
fn two_choices_even_out() {
    let mut node = Node::new("two_choices", 10);
    let first = shares(&mut node, 0..3000);
    assert!(first.values().all(|share| share.abs_diff(1000) < 20), "{first:?}");
    node.list(4, true);
    let then = shares(&mut node, 5000..5600);
    assert!(then[&4] > 250, "{then:?}");
}

/// With a new backend too, while the slots are on their way.
#[test]
fn all_of_a_clients_flows_go_to_one_backend_by_source_hash() {
    let mut node = Node::new("source_hash", 10);
    let homes = |node: &mut Node| -> Vec<Vec<u8>> {
        // The last octet of a connection's number is its port, the others are its client's.
        let of_client = |node: &mut Node, client: u32| {
            let homes = (0..8).map(|port| node.walk(&segment(client << 8 | port, Kind::Syn)).unwrap());
            homes.collect::<Vec<_>>()
        };
        (0..100).map(|client| of_client(node, client)).collect()
    };
    let before = homes(&mut node);
    assert!(before.iter().all(|homes| homes.iter().all(|home| *home == homes[0])), "{before:?}");
    // Who is there stays, also with new connections, while the slots migrate.
    node.list(4, true);
    assert_eq!(homes(&mut node), before);
}
