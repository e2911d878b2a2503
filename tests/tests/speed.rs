//! What a packet costs: only as ratios within one run that no slow machine can spoil.

use lb_tests::bench::case::{Case, Kind, Mix};
use lb_tests::bench::cases;
use lb_tests::bench::datapath::{Effort, Stand};
use lb_tests::bench::figures::Figure;

/// Short series, so that two that stand side by side are disturbed alike.
const EFFORT: Effort = Effort { samples: 15, first: 20_000, counted: 40_000 };

/// Who shares the machine's caches may take them away for a while, but not in each of so many rounds.
const ROUNDS: usize = 8;

/// A case of the benchmark.
fn case(name: &str) -> Case {
    cases::all().into_iter().find(|case| case.name == name).unwrap()
}

/// What the second of two cases costs, in each of some rounds and for each nanosecond of the first: up to the first round in
/// which that is `enough`.
fn ratios(cases: [Case; 2], enough: impl Fn(f64) -> bool) -> Vec<f64> {
    let mut stands = cases.map(|case| Stand::set_up(&case).unwrap());
    let mut ratios = Vec::new();
    while ratios.len() < ROUNDS && !ratios.last().is_some_and(|&ratio| enough(ratio)) {
        let mut nets = [Vec::new(), Vec::new()];
        for _ in 0..EFFORT.samples {
            for (stand, nets) in stands.iter_mut().zip(&mut nets) {
                nets.push(stand.sample(EFFORT).unwrap()[1]);
            }
        }
        let [first, second] = nets.map(|nets| Figure::of(&nets).quiet);
        assert!(first > 0.0, "{first:.1} ns");
        ratios.push(second / first);
    }
    stands.iter().for_each(|stand| stand.check().unwrap());
    ratios
}

/// A million flows have no memory of their own: they cost what one costs, and some misses of the caches.
#[test]
fn a_million_flows_cost_at_most_three_times_what_one_costs() {
    let cases = [case("tcp4/ipip/established/1"), case("tcp4/ipip/established/1M")];
    assert_eq!(cases.each_ref().map(|case| case.traffic.flows), [1, 1_000_000]);
    assert!(cases.iter().all(|case| (case.traffic.kind, case.traffic.mix) == (Kind::Tcp, Mix::Established)));
    let is_enough = |ratio| ratio <= 3.0;
    let ratios = ratios(cases, is_enough);
    assert!(ratios.last().is_some_and(|&ratio| is_enough(ratio)), "{ratios:?}");
}

/// The loaded program takes the fast path: what is walked takes several times as long.
#[test]
fn packets_for_one_port_cost_less_than_those_for_any() {
    let cases = [case("tcp4/ipip/established/1k"), case("tcp4/ipip/any-port/established/1k")];
    let is_enough = |ratio| ratio >= 1.2;
    let ratios = ratios(cases, is_enough);
    assert!(ratios.last().is_some_and(|&ratio| is_enough(ratio)), "{ratios:?}");
}
