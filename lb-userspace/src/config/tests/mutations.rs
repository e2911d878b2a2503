//! Whatever a file holds, it is read or refused; nothing panics, and each fault is one line.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config as Settings, RngAlgorithm, TestRng, TestRunner};

use super::{BASE, parse};

const EXAMPLE: &str = include_str!("../../../../deploy/lb.yaml");

/// What is likely to matter to a YAML parser or to a check of ours.
const PIECES: &[&str] = &[
    "",
    "\n",
    " ",
    "\t",
    "\r",
    "\0",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "#",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "<<: ",
    "---\n",
    "...\n",
    "%",
    "? ",
    ",",
    "~",
    "null",
    "-1",
    "0",
    "1",
    "65536",
    "99999999999999999999",
    "1e9",
    "é",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "name",
    "vip",
    "port: 80",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "/",
    "/24",
    "/0",
    "/128",
    "any",
    "gue",
    "by-addresses",
    "quic: {server_id_length: 8}\n",
    "quic_server_id: 0a\n",
    "maps: {services: 1, backends: 2, fragments: 1024}\n",
    "    tunnel_source: ['2001:db8::/16']\n",
    "      - address: 10.0.0.9\n",
];

/// One change: where it begins, how many characters it takes away (0 to 8), and what it puts there.
fn change() -> impl Strategy<Value = (Index, usize, &'static str)> {
    (any::<Index>(), 0_usize..=8, prop::sample::select(PIECES))
}

fn apply(text: &str, changes: &[(Index, usize, &str)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (place, removed, inserted) in changes {
        let start = place.index(text.len() + 1);
        let end = (start + removed).min(text.len());
        text.splice(start..end, inserted.chars());
    }
    text.into_iter().collect()
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = parse(text) else { return Ok(()) };
    prop_assert!(errors.iter().count() > 0, "refused without a reason: {text:?}");
    for error in errors.iter() {
        let line = error.to_string();
        prop_assert!(line.starts_with("lb.yaml:"), "{line:?}");
        prop_assert!(!line.contains(char::is_control), "{line:?}");
        prop_assert!(!line.contains("failed to"), "{line:?}");
        prop_assert!(line.contains("; "), "says not what to do: {line:?}");
        prop_assert!(line.len() < 500, "{line:?}");
    }
    Ok(())
}

#[test]
fn every_change_is_read_or_refused() {
    let settings = Settings { cases: 2_000, failure_persistence: None, ..Settings::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(settings, seed);
    let texts = (prop::sample::select(&[BASE, EXAMPLE][..]), prop::collection::vec(change(), 1..=4));
    runner.run(&texts, |(text, changes)| check(&apply(text, &changes))).unwrap();
}

#[test]
fn nesting_has_a_limit() {
    for piece in ["[", "{a: ", "- ", "? ", "[{", "!x [", "&a ["] {
        for prefix in ["", "interfaces: ", "version: 1\nservices:\n  - vip: "] {
            check(&format!("{prefix}{}", piece.repeat(100_000))).unwrap();
        }
    }
}
