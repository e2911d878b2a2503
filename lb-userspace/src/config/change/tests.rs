use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::document::Document;

const BASE: &str = "\
version: 1
interfaces: [{name: eth0}]
services:
  - name: web
    vip: 192.0.2.1
    port: 80
    protocol: tcp
    forwarding: l2
    backends:
      - {name: alpha, address: 10.0.0.1, weight: 1}
      - {address: 10.0.0.2}
  - {vip: 192.0.2.2, port: 53, protocol: udp, forwarding: l2, backends: [{name: alpha, address: 10.0.0.1}]}
";

fn base() -> Document {
    Document::read(BASE, Path::new("lb.yaml")).unwrap().0
}

fn fields(pairs: &[(&str, &str)]) -> edit::Fields {
    let value = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect::<BTreeMap<_, _>>()
}

/// What an edit changes, in words; or why it is refused.
fn made(edits: &[Edit]) -> Result<Vec<String>, String> {
    let mut running = base();
    for edit in edits {
        edit.make(&mut running, &base())?;
    }
    let config = running.meaning(Path::new("lb.yaml"))?;
    running.name(&config);
    Ok(diff(&base(), &running).iter().map(ToString::to_string).collect())
}

fn web() -> String {
    "web".into()
}

#[test]
fn edits_and_what_is_said_of_them() {
    let rows = [
        (
            Edit::SetBackend { backend: "alpha".into(), service: None, fields: fields(&[("weight", "5")]) },
            &[
                "~ services.web.backends.alpha.weight: 1 -> 5",
                "+ services[192.0.2.2:53/udp].backends.alpha.weight: 5",
            ][..],
        ),
        (
            Edit::SetBackend {
                backend: "10.0.0.1".into(),
                service: Some(web()),
                fields: fields(&[("weight", "")]),
            },
            &["- services.web.backends.alpha.weight: 1"],
        ),
        (
            Edit::AddBackend {
                service: web(),
                fields: fields(&[("address", "10.0.0.9"), ("name", "delta")]),
            },
            &["+ services.web.backends.delta: address 10.0.0.9, name delta"],
        ),
        (
            Edit::AddBackend { service: web(), fields: fields(&[("address", "2001:DB8::9")]) },
            &["+ services.web.backends[2001:db8::9]: address 2001:DB8::9"],
        ),
        (
            Edit::RemoveBackend { backend: "10.0.0.2".into(), service: None },
            &["- services.web.backends[10.0.0.2]: address 10.0.0.2"],
        ),
        (
            Edit::DrainBackend { backend: "10.0.0.2".into(), service: None, seconds: Some(60) },
            &[
                "+ services.web.backends[10.0.0.2].state: draining",
                "+ services.web.backends[10.0.0.2].drain_timeout: 60",
            ],
        ),
        (
            Edit::AddService {
                service: "api".into(),
                fields: fields(&[
                    ("vip", "192.0.2.9"),
                    ("port", "any"),
                    ("protocol", "udp"),
                    ("forwarding", "gue"),
                    ("quic.server_id_length", "2"),
                ]),
            },
            &["+ services.api: name api, no backends, forwarding gue, port any, protocol udp, \
               quic (server_id_length 2), vip 192.0.2.9"],
        ),
        (
            Edit::SetService { service: "192.0.2.2:53/udp".into(), fields: fields(&[("port", "54")]) },
            &[
                "- services[192.0.2.2:53/udp]: vip 192.0.2.2, port 53, protocol udp, forwarding l2, backends alpha",
                "+ services[192.0.2.2:54/udp]: vip 192.0.2.2, port 54, protocol udp, forwarding l2, backends alpha",
            ],
        ),
        (
            Edit::RemoveService { service: "192.0.2.2:53/udp".into() },
            &[
                "- services[192.0.2.2:53/udp]: vip 192.0.2.2, port 53, protocol udp, forwarding l2, backends alpha",
            ],
        ),
    ];
    for (edit, expected) in rows {
        assert_eq!(made(std::slice::from_ref(&edit)).unwrap(), expected, "{edit:?}");
    }
}

#[test]
fn edits_that_are_refused() {
    let rows = [
        (
            Edit::RemoveService { service: "wep".into() },
            "there is no service wep; did you mean web? lbctl service list shows all",
        ),
        (
            Edit::RemoveBackend { backend: "alhpa".into(), service: None },
            "there is no backend alhpa; did you mean alpha? lbctl backend list shows all",
        ),
        (
            Edit::RemoveBackend { backend: "10.0.0.2".into(), service: Some("192.0.2.2:53/udp".into()) },
            "there is no backend 10.0.0.2 in service 192.0.2.2:53/udp; lbctl backend list shows all",
        ),
        (
            Edit::AddService { service: web(), fields: fields(&[]) },
            "there is a service web already; lbctl service set changes it",
        ),
        (
            Edit::AddService {
                service: "api".into(),
                fields: fields(&[("vip", "192.0.2.9"), ("port", "80"), ("protocol", "tcp")]),
            },
            "services.api.forwarding: missing; ",
        ),
        (
            Edit::SetService {
                service: web(),
                fields: fields(&[("vip", "192.0.2.2"), ("port", "53"), ("protocol", "udp")]),
            },
            "services[192.0.2.2:53/udp].vip: 192.0.2.2:53/udp is listed twice; remove one",
        ),
        (
            Edit::SetService { service: web(), fields: fields(&[("backends", "x")]) },
            "backends are changed one by one; see lbctl backend",
        ),
        (
            Edit::SetService { service: web(), fields: fields(&[("name", "wob")]) },
            "a name can't be changed; add it anew and remove the former one",
        ),
        (
            Edit::SetService { service: web(), fields: fields(&[("port.number", "5")]) },
            "port.number is unknown: port has no fields",
        ),
        (
            Edit::AddBackend { service: web(), fields: fields(&[("name", "delta")]) },
            "services.web.backends.delta.address: missing; write the backend's IP address",
        ),
        (
            Edit::AddBackend { service: web(), fields: fields(&[("address", "10.0.0.1")]) },
            "services.web.backends[10.0.0.1].address: 10.0.0.1 is listed twice; remove one",
        ),
        (
            Edit::SetBackend { backend: "alpha".into(), service: None, fields: fields(&[("wieght", "5")]) },
            "services.web.backends.alpha.wieght: unknown field; did you mean weight? ",
        ),
    ];
    for (edit, expected) in rows {
        let error = made(std::slice::from_ref(&edit)).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn to_enable_is_to_take_back_what_was_ordered() {
    let backend = || "alpha".to_owned();
    let drain = Edit::DrainBackend { backend: backend(), service: None, seconds: Some(60) };
    let disable = Edit::DisableBackend { backend: backend(), service: None };
    let enable = Edit::EnableBackend { backend: backend(), service: None };
    assert_eq!(made(&[drain, enable.clone()]).unwrap(), [""; 0]);
    assert_eq!(made(&[disable, enable]).unwrap(), [""; 0]);
}

fn change(path: &[&str], was: Option<&str>, is: Option<&str>) -> Change {
    let node = |text: Option<&str>| text.map(|text| Node::Text(text.into()));
    Change { path: path.iter().map(|&name| name.to_owned()).collect(), was: node(was), is: node(is) }
}

#[test]
fn three_ways() {
    let weight = ["services", "web", "backends", "alpha", "weight"];
    let rows = [
        ("the file stays", "weight: 1}", Some("5"), "kept"),
        ("the file says it too", "weight: 5}", Some("5"), "done"),
        ("the file says something else", "weight: 3}", Some("5"), "dropped"),
        ("the file says nothing of it any more", "state: active}", Some("5"), "dropped"),
        ("taken out, and the file does it too", "state: active}", None, "done"),
    ];
    for (what, in_file, is, expected) in rows {
        let file = Document::read(&BASE.replace("weight: 1}", in_file), Path::new("")).unwrap().0;
        let changes = [change(&weight, Some("1"), is)];
        let Reread { kept, done, dropped } = reread(&file, &changes);
        let counts = [("kept", kept.len()), ("done", done.len()), ("dropped", dropped.len())];
        for (name, count) in counts {
            assert_eq!(count, usize::from(name == expected), "{what}");
        }
    }
    let gone =
        Document::read("version: 1\ninterfaces: [{name: eth0}]\nservices: []\n", Path::new("")).unwrap().0;
    let added = change(&["services", "web", "backends", "alpha", "state"], None, Some("draining"));
    let dropped = reread(&gone, &[added]).dropped;
    assert_eq!(dropped[0].reason, "what it belongs to isn't in the file any more");
}

#[test]
fn the_key_stays_hidden() {
    let said = change(&["hash_key"], Some("00"), Some("11")).without_secret().to_string();
    assert_eq!(said, "~ hash_key: \"(hidden)\" -> \"(hidden)\"");
}

/// Fields of two services with two backends each.
fn any_document() -> impl Strategy<Value = Document> {
    let backends = prop::collection::btree_map("[a-c]", prop::option::of(0_u32..3), 0..3);
    let services = prop::collection::btree_map("[x-z]", (0_u32..3, backends), 0..3);
    services.prop_shuffle_entries()
}

trait Shuffled {
    fn prop_shuffle_entries(self) -> BoxedStrategy<Document>;
}

impl<S> Shuffled for S
where
    S: Strategy<Value = BTreeMap<String, (u32, BTreeMap<String, Option<u32>>)>> + 'static,
{
    fn prop_shuffle_entries(self) -> BoxedStrategy<Document> {
        let text = |number: u32| Node::Text(number.to_string());
        let node = move |(port, backends): (u32, BTreeMap<String, Option<u32>>)| {
            let backends = backends.into_iter().map(|(name, weight)| {
                let weight = weight.map(|weight| ("weight".to_owned(), text(weight)));
                (name, Node::Map(weight.into_iter().collect()))
            });
            Node::Map(vec![("port".into(), text(port)), ("backends".into(), Node::Map(backends.collect()))])
        };
        self.prop_map(move |services| {
            services.into_iter().map(|(name, it)| (name, node(it))).collect::<Vec<_>>()
        })
        .prop_shuffle()
        .prop_map(|services| {
            let mut document = base();
            document.root_mut().set(&["services"], Some(Node::Map(services)));
            document
        })
        .boxed()
    }
}

proptest! {
    #[test]
    fn differences_lead_from_one_to_the_other(from in any_document(), to in any_document()) {
        let changes = diff(&from, &to);
        prop_assert!(diff(&apply(&from, &changes), &to).is_empty());
        prop_assert_eq!(changes.is_empty(), diff(&to, &from).is_empty());
        prop_assert!(diff(&from, &from).is_empty());
    }

    /// Whatever the file says now: every change is decided over once, and those that stay can be made.
    #[test]
    fn each_change_is_decided_over(saved in any_document(), running in any_document(), file in any_document()) {
        let changes = diff(&saved, &running);
        let reread = reread(&file, &changes);
        let decided = reread.kept.len() + reread.done.len() + reread.dropped.len();
        prop_assert_eq!(decided, changes.len());
        let now = reread.running(&file);
        prop_assert!(reread.kept.iter().all(|change| now.root().at(&change.path) == change.is.as_ref()));
        prop_assert!(diff(&file, &now).len() <= reread.kept.len());
    }

    #[test]
    fn a_file_that_did_not_change_keeps_all(saved in any_document(), running in any_document()) {
        let changes = diff(&saved, &running);
        let reread = reread(&saved, &changes);
        prop_assert_eq!(&reread.kept, &changes);
        prop_assert!(diff(&reread.running(&saved), &running).is_empty());
    }
}
