use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lb_common::backend::Link;
use lb_common::clock::Tick;
use lb_common::wire::ethernet::Vlan;

use super::*;
use crate::fitness::UNDECIDED;
use crate::next_hop::{NextHop, NextHops};
use crate::planner::{self, Write};

const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 254));

fn config(services: &[&str]) -> Config {
    let service = |(backends, number): (&&str, u8)| {
        format!(
            "  - {{name: s{number}, vip: 192.0.2.{number}, port: 80, protocol: tcp, forwarding: l2, table_size: 251, \
             drain_timeout: 90s, backends: [{backends}]}}\n"
        )
    };
    let services: String = services.iter().zip(1..).map(service).collect();
    let text = format!("version: 1\ninterfaces: [{{name: eth0}}]\nservices:\n{services}");
    Config::parse(&text, Path::new("lb.yaml")).unwrap()
}

fn reached() -> NextHops {
    let hop = |number| NextHop {
        link: Link { egress: 2, mtu: 1500, vlan: Vlan::NONE, addresses: [number; 12] },
        source: NODE,
        gateway: None,
    };
    (1..=4).map(|number| (IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)), Ok(hop(number)))).collect()
}

/// What the maps hold for a configuration, and what the planner knows then.
fn running(config: &Config) -> (Planner, Image) {
    let mut planner = Planner::new(config.maps);
    let mut image = Image::default();
    let desired = planner.desired(config, &image, observed(&reached(), &BTreeMap::new()));
    plan(&Image::default(), &desired.image).iter().for_each(|write| planner::write(&mut image, write));
    (planner, image)
}

fn observed<'a>(next_hops: &'a NextHops, refused: &'a BTreeMap<u32, u64>) -> Observed<'a> {
    Observed { next_hops, fitnesses: &UNDECIDED, census: None, refused, now: Tick(1000) }
}

fn with_forecast<T>(present: &[&str], next: &[&str], look: impl FnOnce(&Forecast, &Image) -> T) -> T {
    let (present, next) = (config(present), config(next));
    let (planner, image) = running(&present);
    let (next_hops, refused) = (reached(), BTreeMap::new());
    look(&Forecast::of(&planner, &present, &next, &image, observed(&next_hops, &refused)), &image)
}

const A: &str = "{name: a, address: 10.0.0.1}";
const B: &str = "{name: b, address: 10.0.0.2}";

#[test]
fn a_change_of_one_backend_writes_its_services_table_alone() {
    let both = format!("{A}, {B}");
    let heavier = "{name: a, address: 10.0.0.1, weight: 3}, {name: b, address: 10.0.0.2}";
    with_forecast(&[&both, &both, &both], &[&both, heavier, &both], |forecast, image| {
        let writes = plan(image, &forecast.after.image);
        let number = forecast.after.services[1].index;
        let own: Vec<_> = forecast.after.services[1].backends.iter().map(|backend| backend.index).collect();
        let is_own = |write: &Write| match write {
            Write::Slots(table, _) => *table == number,
            Write::Role(backend, _) => own.contains(backend),
            _ => false,
        };
        assert!(!writes.is_empty() && writes.iter().all(is_own), "{writes:?}");
        let effect = forecast.effect();
        assert_eq!((effect.services.len(), effect.writes), (1, writes.len()));
        let service = &effect.services[0];
        let moved =
            writes.iter().map(|write| if let Write::Slots(_, slots) = write { slots.len() } else { 0 }).sum();
        assert_eq!((service.service.as_str(), service.slots_moved as usize), ("s2", moved));
        assert!(service.settled_in > 3600, "{service:?}");
    });
}

#[test]
fn equal_configurations_have_no_effect() {
    with_forecast(&[A, B], &[A, B], |forecast, _| assert_eq!(forecast.effect(), Effect::default()));
}

#[test]
fn what_comes_and_goes() {
    let next = "{name: b, address: 10.0.0.2}, {name: far, address: 10.0.0.9}";
    with_forecast(&[&format!("{A}, {B}"), A], &[next], |forecast, _| {
        let effect = forecast.effect();
        let [first, second] = effect.services.as_slice() else { panic!("{effect:?}") };
        assert_eq!((second.service.as_str(), second.what, second.backends.len()), ("s2", What::Removed, 0));
        let told: Vec<_> = first
            .backends
            .iter()
            .map(|backend| (backend.backend.as_str(), backend.what, backend.slots))
            .collect();
        let expected = [("b", What::Changed, 251), ("far", What::Added, 0), ("a", What::Removed, 0)];
        assert_eq!(told, expected);
        let notes: Vec<_> = first.backends.iter().map(|backend| backend.note.as_deref()).collect();
        assert!(notes[1].is_some_and(|note| note.contains("not asked for yet")), "{notes:?}");
        assert_eq!(notes[2], Some("it keeps its flows for 90 s at most"));
    });
}

#[test]
fn what_may_do_damage() {
    let both = format!("{A}, {B}");
    let drained = |state: &str| format!("{A}, {{name: b, address: 10.0.0.2, state: {state}}}");
    let all = |state: &str| drained(state).replacen("0.1}", &format!("0.1, state: {state}}}"), 1);
    let (some_drained, all_drained, all_disabled) = (drained("draining"), all("draining"), all("disabled"));
    let rows = [
        (&both[..], &some_drained[..], None),
        (&both, &all_drained, Some("a, b")),
        (&some_drained, &all_drained, Some("a")),
        (&some_drained, B, None),
        (&some_drained, "{name: b, address: 10.0.0.2, state: draining}", Some("a")),
        (A, &all_disabled, Some("a")),
        (A, "{name: far, address: 10.0.0.9}", Some("a")),
        (&all_drained, &all_disabled, None),
        (A, "", Some("a")),
        ("", "", None),
    ];
    for (present, next, last) in rows {
        let dangers =
            with_forecast(&[present], &[next], |forecast, _| forecast.dangers(&BTreeMap::new(), 10));
        let said = last.map(|last| format!("new flows: {last} was the last"));
        assert_eq!(dangers.len(), usize::from(last.is_some()), "{present} to {next}: {dangers:?}");
        assert!(said.is_none_or(|said| dangers[0].contains(&said)), "{present} to {next}: {dangers:?}");
    }
    let recent = BTreeMap::from([(1, 7)]);
    let removed = |recent: &BTreeMap<u32, u64>| {
        with_forecast(&[A, B], &[A], |forecast, _| forecast.dangers(recent, 12))
    };
    assert_eq!(removed(&recent), ["service s2 has had 7 packets in the last 12 s; its flows end at once"]);
    assert!(removed(&BTreeMap::from([(0, 7)])).is_empty());
}
