//! The benchmark of rates sends each way what it says: a few packets, whatever time they take.

use lb_tests::bench::rate::load::{Load, Protocol};
use lb_tests::bench::rate::rig::Rig;
use lb_tests::bench::rate::way::Way;

#[test]
fn every_way_forwards_to_its_backends() {
    let mut rig = Rig::new().unwrap();
    for (protocol, length) in [(Protocol::Udp, 64), (Protocol::Syn, 1500)] {
        rig.load(&Load { protocol, length, flows: 1000 }).unwrap();
        for way in Way::ALL {
            // The rig looks at addresses and counters of what arrives.
            let sample = rig.sample(way, 100, 2000).unwrap();
            assert!(sample.rate > 0.0 && sample.lost < 0.5, "{way:?}: {sample:?}");
        }
    }
}

#[test]
fn packets_that_went_another_way_are_noticed() {
    let mut arrived = [0; 32];
    arrived[17..27].fill(5);
    Way::Ours.check(&arrived, 50).unwrap();
    for way in [Way::Plain, Way::Dnat] {
        assert!(way.check(&arrived, 50).unwrap_err().to_string().contains("of 50 packets"), "{way:?}");
    }
    arrived[3] = 1;
    Way::Ours.check(&arrived, 51).unwrap_err();
}
