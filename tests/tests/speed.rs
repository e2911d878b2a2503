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

/// A million flows have no memory of their own: they cost what one costs, and some misses of the caches.
#[test]
fn a_million_flows_cost_at_most_three_times_what_one_costs() {
    let cases = [case("tcp4/ipip/established/1"), case("tcp4/ipip/established/1M")];
    assert_eq!(cases.each_ref().map(|case| case.traffic.flows), [1, 1_000_000]);
    assert!(cases.iter().all(|case| (case.traffic.kind, case.traffic.mix) == (Kind::Tcp, Mix::Established)));
    let mut stands = cases.map(|case| Stand::set_up(&case).unwrap());
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let mut nets = [Vec::new(), Vec::new()];
        for _ in 0..EFFORT.samples {
            for (stand, nets) in stands.iter_mut().zip(&mut nets) {
                nets.push(stand.sample(EFFORT).unwrap()[1]);
            }
        }
        let [one, million] = nets.map(|nets| Figure::of(&nets).quiet);
        assert!(one > 0.0, "{one:.1} ns for one flow");
        ratios.push(million / one);
        if million <= 3.0 * one {
            break;
        }
    }
    stands.iter().for_each(|stand| stand.check().unwrap());
    assert!(ratios.last().is_some_and(|&ratio| ratio <= 3.0), "{ratios:?}");
}
