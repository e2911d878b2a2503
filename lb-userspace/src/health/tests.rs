//! A service's backends over time.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

pub(super) const SETTINGS: Settings = Settings {
    interval: Interval { usual: Duration::from_secs(2), jitter: 10, adaptive: None },
    timeout: SECOND,
    limits: Limits { rise: 2, fall: 3 },
    slow_start: None,
    flapping: None,
    panic: None,
    backups: Threshold { below: Percent(50), until: Percent(50) },
    on_all_down: OnAllDown::Drop,
    least_healthy: 1,
    outliers: None,
};

const SLOW_START: SlowStart = SlowStart { time: Duration::from_secs(30), steps: 3 };

const FLAPPING: Flapping = Flapping {
    falls: 2,
    within: Duration::from_mins(1),
    hold: Duration::from_secs(20),
    longest: Duration::from_secs(80),
};

const OUTLIERS: Outliers = Outliers {
    share: Percent(40),
    least_flows: 100,
    normal: 5,
    times: 3,
    opening: Opening { first: Duration::from_secs(30), longest: Duration::from_mins(5) },
    trial: Percent(10),
};

const PRIMARY: Member = Member { weight: 1, is_backup: false };
const BACKUP: Member = Member { weight: 1, is_backup: true };

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

/// A pool of these members, named 0, 1, 2 and so on.
fn pool(settings: Settings, members: &[Member]) -> Pool<usize> {
    let mut pool = Pool::new(settings);
    follow(&mut pool, settings, members, 0);
    pool
}

fn follow(pool: &mut Pool<usize>, settings: Settings, members: &[Member], second: u64) {
    pool.follow(settings, &members.iter().copied().enumerate().collect(), |_| None, at(second));
}

/// A pool of which `up` says by `+`, `-` and `?` what the first checks showed.
fn checked(settings: Settings, members: &[Member], up: &str) -> Pool<usize> {
    let mut pool = pool(settings, members);
    show(&mut pool, up, 0);
    pool
}

/// So many checks that each backend is as `up` says.
fn show(pool: &mut Pool<usize>, up: &str, second: u64) {
    for (key, sign) in up.chars().enumerate().filter(|(_, sign)| *sign != '?') {
        let outcome = if sign == '+' { Outcome::Passed } else { Outcome::Failed };
        for _ in 0..3 {
            pool.count(&key, outcome, at(second));
        }
    }
}

/// What those that take new flows have of their weights, 1 for all of it; 0 for the others.
fn weights(pool: &mut Pool<usize>, second: u64) -> Vec<u32> {
    let parts = pool.decide(at(second)).parts;
    parts
        .into_values()
        .map(|part| if part.takes_new { if part.share == WHOLE { 1 } else { part.share } } else { 0 })
        .collect()
}

#[test]
fn until_anything_is_known_all_take_flows() {
    let mut pool = pool(SETTINGS, &[PRIMARY; 3]);
    assert_eq!(weights(&mut pool, 0), [1, 1, 1]);
    let decision = pool.decide(at(0));
    assert!(!decision.is_up && decision.all_down.is_none() && !decision.is_panic);
    // One that fails is the first to be known.
    show(&mut pool, "-??", 0);
    assert_eq!(weights(&mut pool, 0), [0, 1, 1]);
    show(&mut pool, "-?+", 0);
    assert_eq!(weights(&mut pool, 0), [0, 1, 1], "those that begin together don't wait for each other");
    assert!(pool.decide(at(0)).is_up);
    // Who joins them waits for its first check.
    follow(&mut pool, SETTINGS, &[PRIMARY; 4], 1);
    assert_eq!(weights(&mut pool, 1), [0, 1, 1, 0]);
    show(&mut pool, "???+", 1);
    assert_eq!(weights(&mut pool, 1), [0, 1, 1, 1]);
}

#[test]
fn who_is_down_takes_no_new_flows_and_keeps_the_old_ones_for_a_while() {
    let mut pool = checked(SETTINGS, &[PRIMARY; 2], "++");
    for (second, expected) in [(10, [1, 1]), (12, [1, 1]), (14, [0, 1])] {
        pool.count(&0, Outcome::Failed, at(second));
        assert_eq!(weights(&mut pool, second), expected);
    }
    let part = pool.decide(at(20)).parts[&0];
    assert_eq!((part.down_since, part.status), (Some(at(14)), Status::Down));
    assert!(part.keeps_flows(Some(SECOND * 6), at(20)) && !part.keeps_flows(Some(SECOND * 5), at(20)));
    assert!(part.keeps_flows(None, at(1000)));
}

#[test]
fn when_all_are_down_the_settings_say_what_becomes_of_flows() {
    for (on_all_down, expected) in
        [(OnAllDown::Forward, [1, 1]), (OnAllDown::Drop, [0, 0]), (OnAllDown::Reject, [0, 0])]
    {
        let settings = Settings { on_all_down, panic: Some(SETTINGS.backups), ..SETTINGS };
        let mut pool = checked(settings, &[PRIMARY; 2], "--");
        assert_eq!(weights(&mut pool, 0), expected);
        let decision = pool.decide(at(0));
        assert_eq!((decision.all_down, decision.is_up, decision.is_panic), (Some(on_all_down), false, false));
    }
    assert_eq!(pool(SETTINGS, &[]).decide(at(0)).all_down, None);
}

#[test]
fn below_the_panic_threshold_checks_are_ignored_until_enough_are_back() {
    let panic = Some(Threshold { below: Percent(50), until: Percent(75) });
    let mut pool = checked(Settings { panic, ..SETTINGS }, &[PRIMARY; 4], "++--");
    for (up, is_panic, expected) in [
        ("++--", false, [1, 1, 0, 0]),
        ("+---", true, [1, 1, 1, 1]),
        ("++--", true, [1, 1, 1, 1]),
        ("+++-", false, [1, 1, 1, 0]),
        ("++--", false, [1, 1, 0, 0]),
    ] {
        show(&mut pool, up, 0);
        let decision = pool.decide(at(0));
        assert_eq!(decision.is_panic, is_panic, "{up}");
        assert_eq!(weights(&mut pool, 0), expected, "{up}");
        assert!(decision.parts.values().filter(|part| part.takes_new).all(|part| part.down_since.is_none()));
    }
}

#[test]
fn backups_are_used_while_too_few_others_are_healthy() {
    let members = [PRIMARY, PRIMARY, PRIMARY, BACKUP, BACKUP];
    let mut pool = checked(SETTINGS, &members, "+++++");
    for (up, uses_backups, expected) in [
        ("+++++", false, [1, 1, 1, 0, 0]),
        ("++-++", false, [1, 1, 0, 0, 0]),
        ("+--++", true, [1, 0, 0, 1, 1]),
        ("---++", true, [0, 0, 0, 1, 1]),
        ("---+-", true, [0, 0, 0, 1, 0]),
        ("++-+-", false, [1, 1, 0, 0, 0]),
    ] {
        show(&mut pool, up, 0);
        assert_eq!(weights(&mut pool, 0), expected, "{up}");
        assert_eq!(pool.decide(at(0)).uses_backups, uses_backups, "{up}");
    }
    let mut only = checked(SETTINGS, &[BACKUP, BACKUP], "+-");
    assert_eq!((weights(&mut only, 0), only.decide(at(0)).uses_backups), (vec![1, 0], false));
}

#[test]
fn healthy_backups_are_no_reason_to_panic() {
    let panic = Some(Threshold { below: Percent(50), until: Percent(50) });
    let members = [PRIMARY, PRIMARY, PRIMARY, PRIMARY, BACKUP, BACKUP];
    let mut pool = checked(Settings { panic, ..SETTINGS }, &members, "----++");
    assert_eq!(weights(&mut pool, 0), [0, 0, 0, 0, 1, 1]);
    show(&mut pool, "----+-", 0);
    assert_eq!(weights(&mut pool, 0), [1; 6]);
}

#[test]
fn a_service_is_up_with_enough_healthy_backends() {
    let mut pool = checked(Settings { least_healthy: 2, ..SETTINGS }, &[PRIMARY; 3], "++-");
    assert!(pool.decide(at(0)).is_up);
    show(&mut pool, "+--", 0);
    assert!(!pool.decide(at(0)).is_up);
    assert_eq!(weights(&mut pool, 0), [1, 0, 0], "the one that is left goes on");
}

#[test]
fn who_comes_back_or_joins_begins_gently_and_who_is_there_from_the_start_does_not() {
    let settings = Settings { slow_start: Some(SLOW_START), ..SETTINGS };
    let mut pool = checked(settings, &[PRIMARY; 2], "++");
    assert_eq!(weights(&mut pool, 0), [1, 1]);
    show(&mut pool, "-+", 10);
    assert_eq!(weights(&mut pool, 10), [0, 1]);
    show(&mut pool, "++", 20);
    let steps: Vec<u32> = [20, 29, 30, 40, 49].map(|second| weights(&mut pool, second)[0]).to_vec();
    assert_eq!(steps, [16_384, 16_384, 32_768, 49_152, 49_152]);
    assert_eq!(pool.decide(at(49)).next, Some(at(50)));
    assert_eq!(weights(&mut pool, 50), [1, 1]);
    assert_eq!(pool.decide(at(50)).next, None);

    follow(&mut pool, settings, &[PRIMARY; 3], 60);
    show(&mut pool, "???", 60);
    assert_eq!(weights(&mut pool, 60), [1, 1, 0]);
    show(&mut pool, "+++", 61);
    assert_eq!(weights(&mut pool, 61), [1, 1, 16_384]);
}

#[test]
fn what_was_known_before_a_restart_stays_until_checks_say_otherwise() {
    let settings = Settings { slow_start: Some(SLOW_START), ..SETTINGS };
    let mut before = checked(settings, &[PRIMARY; 3], "+-?");
    let kept: Vec<Option<Kept>> = (0..3).map(|key| before.course(&key).unwrap().keep(at(100))).collect();
    assert_eq!(kept[1], Some(Kept { condition: Condition::Down, seconds: 100 }));
    assert_eq!(kept[2], None);
    assert_eq!(weights(&mut before, 100), [1, 0, 1]);

    let mut after = Pool::new(settings);
    let members: BTreeMap<_, _> = [PRIMARY; 3].into_iter().enumerate().collect();
    after.follow(settings, &members, |&key| kept[key], at(5));
    assert_eq!(weights(&mut after, 5), [1, 0, 0], "with its whole weight");
    for (key, outcome) in [(0, Outcome::Failed), (1, Outcome::Passed)] {
        assert!(!after.count(&key, outcome, at(6)), "a single result");
    }
    assert!(after.count(&1, Outcome::Passed, at(7)));
    assert_eq!(weights(&mut after, 7), [1, 16_384, 0]);
}

#[test]
fn who_flaps_is_held_down_and_stands_in_if_nobody_else_can_serve() {
    let mut pool = checked(Settings { flapping: Some(FLAPPING), ..SETTINGS }, &[PRIMARY; 2], "++");
    for second in [0, 10] {
        show(&mut pool, "-+", second);
        show(&mut pool, "++", second + 5);
    }
    let decision = pool.decide(at(15));
    assert_eq!(decision.parts[&0].status, Status::Held { until: at(30) });
    assert_eq!((decision.parts[&0].down_since, decision.next), (None, Some(at(30))));
    assert_eq!(weights(&mut pool, 15), [0, 1]);
    show(&mut pool, "+-", 16);
    assert_eq!(weights(&mut pool, 16), [1, 0]);
    show(&mut pool, "++", 17);
    assert_eq!([29, 30].map(|second| weights(&mut pool, second)), [[0, 1], [1, 1]]);
}

/// Traffic of backends 0, 1, 2 and so on: of a thousand flows so many with troubles.
fn traffic(troubles: &[u32]) -> BTreeMap<usize, Traffic> {
    troubles.iter().map(|&troubles| Traffic { flows: 1000, troubles }).enumerate().collect()
}

#[test]
fn an_outlier_is_ejected_tried_and_taken_back() {
    let settings = Settings { outliers: Some(OUTLIERS), slow_start: Some(SLOW_START), ..SETTINGS };
    let mut pool = checked(settings, &[PRIMARY; 4], "++++");
    assert_eq!(weights(&mut pool, 0), [1; 4]);
    // There is room for one, and it is for the worst.
    pool.look(&traffic(&[0, 300, 900, 0]), at(10));
    assert_eq!(weights(&mut pool, 10), [1, 1, 0, 1]);
    assert_eq!(pool.decide(at(10)).parts[&2].status, Status::Ejected { until: at(40) });
    assert_eq!(pool.decide(at(10)).next, Some(at(40)));
    // Tried, and as bad as before: twice as long.
    assert_eq!(weights(&mut pool, 40), [1, 1, 6553, 1]);
    pool.look(&traffic(&[0, 0, 900, 0]), at(50));
    assert_eq!(pool.decide(at(50)).parts[&2].status, Status::Ejected { until: at(110) });
    // Tried, and good: it begins gently.
    pool.look(&traffic(&[0, 0, 0, 0]), at(110));
    assert_eq!(weights(&mut pool, 110), [1, 1, 16_384, 1]);
    assert_eq!(weights(&mut pool, 140), [1; 4]);
}

/// On trial it has few flows: they add up over looks.
#[test]
fn a_trial_ends_with_few_flows_too() {
    let settings = Settings { outliers: Some(OUTLIERS), ..SETTINGS };
    let mut pool = checked(settings, &[PRIMARY; 4], "++++");
    pool.look(&traffic(&[0, 0, 900, 0]), at(0));
    assert_eq!(pool.decide(at(40)).parts[&2].status, Status::OnTrial);
    let few = Traffic { flows: OUTLIERS.least_flows / 3, troubles: 0 };
    for (second, status) in
        [(50, Status::OnTrial), (60, Status::OnTrial), (70, Status::OnTrial), (80, Status::Up)]
    {
        let mut seen = traffic(&[0, 0, 0, 0]);
        seen.insert(2, few);
        pool.look(&seen, at(second));
        assert_eq!(pool.decide(at(second)).parts[&2].status, status, "{second}");
    }
}

#[test]
fn fewer_are_ejected_when_others_go_down() {
    let settings = Settings { outliers: Some(OUTLIERS), ..SETTINGS };
    let mut pool = checked(settings, &[PRIMARY; 5], "+++++");
    pool.look(&traffic(&[0, 900, 800, 0, 0]), at(0));
    assert_eq!(weights(&mut pool, 0), [1, 0, 0, 1, 1]);
    show(&mut pool, "-++++", 10);
    assert_eq!(weights(&mut pool, 10).iter().sum::<u32>(), 3, "one of the two is back");
    show(&mut pool, "-++--", 10);
    assert_eq!(weights(&mut pool, 10), [0, 1, 1, 0, 0]);
}

/// Something that happens to a pool of ten.
#[derive(Clone, Debug)]
enum Event {
    Result(usize, bool),
    Look(Vec<u32>),
    Weights(Vec<u32>),
    Share(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0_usize..10, any::<bool>()).prop_map(|(key, passed)| Event::Result(key, passed)),
        3 => prop::collection::vec(prop_oneof![Just(0_u32), Just(0), 0_u32..1000], 10).prop_map(Event::Look),
        1 => prop::collection::vec(prop_oneof![Just(0_u32), 1_u32..=65_535], 1..10).prop_map(Event::Weights),
        1 => (0_u8..=100).prop_map(Event::Share),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens: no more than their share are ejected, somebody takes flows if anybody can, and weights are in
    /// bounds.
    #[test]
    fn a_pool_in_use_keeps_its_promises(
        events in prop::collection::vec((event(), 0_u64..20), 1..120),
        backups in 0_usize..10,
    ) {
        let mut settings = Settings {
            slow_start: Some(SLOW_START),
            flapping: Some(FLAPPING),
            outliers: Some(OUTLIERS),
            panic: Some(Threshold { below: Percent(30), until: Percent(60) }),
            ..SETTINGS
        };
        let mut members = vec![PRIMARY; 10];
        members.iter_mut().take(backups).for_each(|member| member.is_backup = true);
        let mut pool = pool(settings, &members);
        let mut second = 0;
        for (event, pause) in events {
            second += pause;
            match event {
                Event::Result(key, passed) => {
                    let before = pool.course(&key).map(Course::condition);
                    let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
                    let changed = pool.count(&key, outcome, at(second));
                    prop_assert_eq!(changed, before != pool.course(&key).map(Course::condition));
                }
                Event::Look(troubles) => pool.look(&traffic(&troubles), at(second)),
                Event::Weights(weights) => {
                    members.truncate(weights.len().max(1));
                    members.resize(weights.len(), PRIMARY);
                    members.iter_mut().zip(&weights).for_each(|(member, &weight)| member.weight = weight);
                    follow(&mut pool, settings, &members, second);
                }
                Event::Share(share) => {
                    settings.outliers = Some(Outliers { share: Percent(share), ..OUTLIERS });
                    follow(&mut pool, settings, &members, second);
                }
            }
            let decision = pool.decide(at(second));
            let of = |status: fn(&Status) -> bool| {
                let parts = decision.parts.iter().filter(|(key, _)| members[**key].weight > 0);
                parts.filter(|(_, part)| status(&part.status)).count()
            };
            let ejected = of(|status| matches!(status, Status::Ejected { .. } | Status::OnTrial));
            let up = of(|status| !matches!(status, Status::Down | Status::Unknown));
            let limit = settings.outliers.map_or(0, |outliers| outliers.share.of(up));
            prop_assert!(ejected <= limit, "{} of {} are ejected", ejected, up);

            let takers: Vec<&Part> = decision.parts.values().filter(|part| part.takes_new).collect();
            let can_serve = decision.all_down.is_none() && members.iter().any(|member| member.weight > 0);
            prop_assert_eq!(!takers.is_empty(), can_serve);
            prop_assert!(takers.iter().all(|part| (1..=WHOLE).contains(&part.share)));
            prop_assert!(decision.is_panic || takers.iter().all(|part| part.status != Status::Down));
            prop_assert!(decision.next.is_none_or(|next| next > at(second)));
            prop_assert_eq!(&pool.decide(at(second)), &decision, "asking again changes nothing");
        }
        // Left alone for long, who is up and takes flows has its whole weight or is on trial.
        let last = at(second + 10_000);
        pool.decide(last);
        let whole = pool.decide(Moment(last.0 + SLOW_START.time));
        prop_assert!(whole.next.is_none());
    }

    /// Panic begins below its lower share and ends at its upper one, whatever came before, and all or the healthy take flows.
    #[test]
    fn panic_follows_its_thresholds(ups in prop::collection::vec(0_usize..=10, 1..50)) {
        let panic = Some(Threshold { below: Percent(30), until: Percent(60) });
        let mut pool = checked(Settings { panic, ..SETTINGS }, &[PRIMARY; 10], "++++++++++");
        let mut is_panic = false;
        for up in ups {
            let shown: String = (0..10).map(|key| if key < up { '+' } else { '-' }).collect();
            show(&mut pool, &shown, 0);
            is_panic = up < 3 || is_panic && up < 6;
            let decision = pool.decide(at(0));
            prop_assert_eq!(decision.is_panic, is_panic && up > 0);
            let takers = decision.parts.values().filter(|part| part.takes_new).count();
            prop_assert_eq!(takers, if is_panic && up > 0 { 10 } else { up });
        }
    }
}
