use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::change::{Change, diff};

const EXAMPLE: &str = include_str!("../../../../deploy/lb.yaml");

fn read(text: &str) -> Document {
    let read = Document::read(text, Path::new("lb.yaml")).map_err(|errors| errors.to_string());
    read.expect("a valid configuration").0
}

fn text(document: &Document, path: &[&str]) -> Option<String> {
    document.root().at(path).and_then(Node::text).map(str::to_owned)
}

#[test]
fn services_and_backends_are_found_by_their_names() {
    let document = read(EXAMPLE);
    let at = |path: &[&str]| text(&document, path);
    assert_eq!(at(&["services", "web", "backends", "alpha", "weight"]).as_deref(), Some("2"));
    assert_eq!(at(&["services", "[2001:db8::53]:53/udp", "udp"]).as_deref(), Some("stateless"));
    let id = ["services", "video", "backends", "198.51.100.5", "quic_server_id"];
    assert_eq!(at(&id).as_deref(), Some("0a01"), "digits stay the text that they are");
    assert_eq!(at(&["services", "web", "backends", "nobody"]), None);
}

#[test]
fn what_is_written_reads_back_as_the_same() {
    let document = read(EXAMPLE);
    let written = document.to_yaml();
    assert_eq!(read(&written), document, "{written}");
    assert_eq!(document.meaning(Path::new("lb.yaml")).unwrap().services, {
        let (_, config) = Document::read(EXAMPLE, Path::new("lb.yaml")).unwrap();
        config.services
    });
    assert!(
        written.starts_with("version: 1\ninstance: default\ninterfaces:\n  - name: eth0\n    mode: driver\n"),
        "{written}"
    );
    let backends = "    backends:\n      - address: 198.51.100.1\n        name: alpha\n        weight: 2\n";
    assert!(written.contains(backends), "{written}");
}

#[test]
fn anchors_are_resolved() {
    let document = read(
        "version: 1\ninterfaces: [{name: eth0}]\nservices:\n  - {name: a, vip: 192.0.2.1, port: &p 80, protocol: tcp, \
         forwarding: l2, backends: &b [{address: 10.0.0.1}]}\n  - {name: b, vip: 192.0.2.2, port: *p, protocol: tcp, \
         forwarding: l2, backends: *b}\n",
    );
    assert_eq!(text(&document, &["services", "b", "port"]).as_deref(), Some("80"));
    assert_eq!(
        text(&document, &["services", "b", "backends", "10.0.0.1", "address"]).as_deref(),
        Some("10.0.0.1")
    );
}

#[test]
fn errors_name_services_and_backends_and_no_places() {
    let rows = [
        (
            &["services", "web", "backends", "alpha", "weight"][..],
            "much",
            "services.web.backends.alpha.weight: much is \
            not a decimal number; allowed are 0 to 65535",
        ),
        (
            &["services", "[2001:db8::53]:53/udp", "udp"],
            "sticki",
            "services[[2001:db8::53]:53/udp].udp: sticki is \
            unknown; allowed: sticky, stateless",
        ),
        (
            &["services", "web", "backends", "beta", "address"],
            "198.51.100.1",
            "services.web.backends.beta.address: \
            198.51.100.1 is listed twice; remove one",
        ),
        (
            &["services", "web", "backends", "beta", "wieght"],
            "2",
            "services.web.backends.beta.wieght: unknown field; did you mean weight? allowed",
        ),
    ];
    for (path, value, expected) in rows {
        let mut document = read(EXAMPLE);
        document.root_mut().set(path, Some(Node::Text(value.into())));
        let error = document.meaning(Path::new("lb.yaml")).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_key_is_not_shown() {
    let shown = read(EXAMPLE).without_secret().to_yaml();
    assert!(shown.contains("hash_key: \"(hidden)\"\n") && !shown.contains("0001020304"), "{shown}");
}

/// A value, as JSON has it.
#[expect(clippy::unnecessary_wraps, reason = "a value, where there may be none")]
fn some(text: &str) -> Option<Node> {
    Some(serde_json::from_str(text).unwrap())
}

/// What a change makes of the example, line by line.
fn patches(path: &[&str], is: Option<Node>) -> Vec<String> {
    let former = read(EXAMPLE);
    let mut wanted = former.clone();
    assert!(wanted.root_mut().set(path, is));
    let patched = patched(EXAMPLE, &diff(&former, &wanted), &wanted).expect("a change in place");
    let (before, after): (Vec<_>, Vec<_>) = (EXAMPLE.lines().collect(), patched.lines().collect());
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("-{line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+{line}"));
    gone.chain(new).collect()
}

#[test]
fn a_file_is_changed_in_place() {
    let weight = ["services", "web", "backends", "alpha", "weight"];
    assert_eq!(patches(&weight, some("\"5\"")), ["-        weight: 2", "+        weight: 5"]);
    let added = ["services", "web", "backends", "delta"];
    assert_eq!(
        patches(&added, some("{\"name\": \"delta\", \"address\": \"198.51.100.9\"}")),
        ["+      - name: delta", "+        address: 198.51.100.9"]
    );
    let quic = ["services", "video", "backends", "198.51.100.5", "quic_server_id"];
    assert_eq!(
        patches(&quic, some("\"0a05\"")),
        ["-        quic_server_id: 0a01", "+        quic_server_id: 0a05"]
    );
    assert_eq!(patches(&["answer_echo"], None), ["-answer_echo: true"]);
    assert_eq!(
        patches(
            &["services", "api"],
            some(
                "{\"name\": \"api\", \"vip\": \"192.0.2.9\", \"port\": \"80\", \
            \"protocol\": \"tcp\", \"forwarding\": \"l2\", \"backends\": {}}"
            )
        ),
        ["+  - name: api", "+    vip: 192.0.2.9", "+    backends: []"]
    );
    assert!(patches(&["services", "web"], None).contains(&"-  - name: web".to_owned()));
    assert_eq!(
        patches(&["tunnel_source"], some("[\"10.0.0.0/8\"]")).last().unwrap(),
        "+tunnel_source: [\"10.0.0.0/8\"]"
    );
}

#[test]
fn the_first_backend_and_the_last_one() {
    let empty = EXAMPLE.replace(
        "    backends:\n      - address: 2001:db8:1::1\n      - address: 198.51.100.4\n",
        "    backends: []  # none yet\n",
    );
    assert_ne!(empty, EXAMPLE);
    let (few, none) = (read(EXAMPLE), read(&empty));
    let there = patched(&empty, &diff(&none, &few), &few).expect("in place");
    assert!(there.contains("# How a packet reaches its backend."), "{there}");
    let gone = patched(EXAMPLE, &diff(&few, &none), &none).expect("in place");
    assert!(gone.contains("backends: []") && gone.contains("# How a packet reaches its backend."), "{gone}");
}

#[test]
fn what_cannot_be_changed_in_place_is_not() {
    let anchored = "version: 1\ninterfaces: [{name: eth0}]\nservices:\n  - {name: a, vip: 192.0.2.1, port: &p 80, \
                    protocol: tcp, forwarding: l2, backends: []}\n  - {name: b, vip: 192.0.2.2, port: *p, protocol: tcp, \
                    forwarding: l2, backends: []}\n";
    let former = read(anchored);
    let mut wanted = former.clone();
    wanted.root_mut().set(&["services", "a", "port"], Some(Node::Text("81".into())));
    let changes = diff(&former, &wanted);
    if let Some(text) = patched(anchored, &changes, &wanted) {
        assert!(diff(&read(&text), &wanted).is_empty());
    }
    let many = vec![changes[0].clone(); 1_000_000];
    assert_eq!(patched(anchored, &many, &wanted), None, "too much work");
}

fn written(name: &str) -> String {
    let mut document = read(EXAMPLE);
    document.root_mut().set(&["services", "web", "name"], Some(Node::Text(name.into())));
    document.to_yaml()
}

/// How it reads back.
fn named(name: &str) -> Option<String> {
    let (tree, faults) = tree::read(&written(name));
    assert!(faults.is_empty(), "{faults:?}");
    Some(tree?.field("services")?.entries()[0].field("name")?.word()?.to_owned())
}

#[test]
fn words_that_yaml_takes_for_something_else() {
    for name in [
        "null", "~", "true", "010", "0x10", "1e3", "a: b", "a #b", "- a", ".nan", "...", "---", "<<", "", " ",
    ] {
        assert_eq!(named(name).as_deref(), Some(name), "{}", written(name));
    }
}

proptest! {
    #[test]
    fn every_text_reads_back(name in any::<String>()) {
        prop_assert_eq!(named(&name), Some(name));
    }

    /// Whatever is changed: the file says it afterwards, or it is left alone.
    #[test]
    fn a_changed_file_says_what_is_wanted(edits in prop::collection::vec((0_usize..6, 0_usize..4, 1_u32..100), 1..6)) {
        let former = read(EXAMPLE);
        let mut wanted = former.clone();
        for (what, which, number) in edits {
            let name = ["alpha", "beta", "gamma", "delta"][which];
            let backend = ["services", "web", "backends", name];
            let value = Some(Node::Text(number.to_string()));
            match what {
                0 => wanted.root_mut().set(&backend, None),
                1 => wanted.root_mut().set(&backend, some(&format!(
                    "{{\"name\": \"{name}\", \"address\": \"198.51.101.{number}\"}}"
                ))),
                2 => wanted.root_mut().set(&[&backend[..], &["weight"]].concat(), value),
                3 => wanted.root_mut().set(&[&backend[..], &["weight"]].concat(), None),
                4 => wanted.root_mut().set(&["services", "web", "idle_timeout"], value.filter(|_| number > 10)),
                _ => wanted.root_mut().set(&["services", "video"], None),
            };
        }
        prop_assume!(wanted.meaning(Path::new("")).is_ok());
        let changes: Vec<Change> = diff(&former, &wanted);
        prop_assume!(!changes.is_empty());
        let text = patched(EXAMPLE, &changes, &wanted);
        prop_assert!(text.is_some(), "{:?}", changes);
        prop_assert!(diff(&read(&text.unwrap()), &wanted).is_empty());
    }
}
