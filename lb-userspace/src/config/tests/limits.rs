//! Files that are too large, or no text at all.

use std::fmt::Write;
use std::path::PathBuf;

use super::super::Config;
use super::{edited, lines};

/// A document with as many services as there are numbers, each with that many backends.
fn document(table_size: u32, backends: &[usize]) -> String {
    let mut text = "version: 1\ninterfaces: [{name: eth0}]\nservices:\n".to_owned();
    for (index, number) in backends.iter().enumerate() {
        let port = index + 1;
        writeln!(text, "  - {{vip: 192.0.2.1, port: {port}, protocol: tcp, forwarding: l2,").unwrap();
        writeln!(text, "    table_size: {table_size}, backends: [").unwrap();
        for backend in 0..*number {
            let (high, low) = (backend / 256, backend % 256);
            writeln!(text, "      {{address: 10.0.{high}.{low}, name: backend-{backend}, weight: 1}},")
                .unwrap();
        }
        writeln!(text, "    ]}}").unwrap();
    }
    text
}

#[test]
fn numbers() {
    let rows: [(&str, String, &[&str]); 6] = [
        ("as many services as there may be", document(65_537, &[0; 1_024]), &[]),
        (
            "one service more",
            document(65_537, &[0; 1_025]),
            &[
                "lb.yaml:3076:5: services[1024]: 1025 services are listed; the maps have room for 1024, raise maps.services",
            ],
        ),
        ("as many backends as there may be", document(65_537, &[8_000, 8_383]), &[]),
        (
            "two backends more",
            document(65_537, &[8_000, 8_385]),
            &[
                "lb.yaml:16392:7: services[1].backends[8383]: all services together list 16385 backends; the maps have room for 16383, raise maps.backends",
            ],
        ),
        ("a full table", document(251, &[251]), &[]),
        (
            "one backend more than slots",
            document(251, &[252]),
            &[
                "lb.yaml:5:32: services[0].backends: 252 backends are listed; a table of 251 slots has room for 251, raise table_size",
            ],
        ),
    ];
    for (name, text, expected) in rows {
        assert_eq!(lines(&text), expected, "{name}");
    }
}

#[test]
fn lengths() {
    let rows: [(&str, &str, String, &[&str]); 5] = [
        ("the longest name", "name: web", format!("name: {}", "w".repeat(255)), &[]),
        (
            "a name too long",
            "name: web",
            format!("name: {}", "w".repeat(256)),
            &[
                "lb.yaml:5:11: services[0].name: the name is 256 octets long; allowed are 1 to 255 octets without control characters",
            ],
        ),
        (
            "the longest socket",
            "version: 1",
            format!("version: 1\napi: {{socket: /{}}}", "s".repeat(106)),
            &[],
        ),
        (
            "a socket too long",
            "version: 1",
            format!("version: 1\napi: {{socket: /{}}}", "s".repeat(107)),
            &["lb.yaml:2:15: api.socket: the path is 108 octets long; at most 107 are allowed"],
        ),
        (
            "messages stay short",
            "vip: 192.0.2.1",
            format!("vip: {}", "1".repeat(10_000)),
            &[
                "lb.yaml:6:10: services[0].vip: 1111111111111111111111111111111111111111111111111111111111111111… is neither an IP address nor a prefix; write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1",
            ],
        ),
    ];
    for (name, from, to, expected) in rows {
        assert_eq!(lines(&edited(from, &to)), expected, "{name}");
    }
}

#[test]
fn a_file_that_is_not_there() {
    let errors = Config::read("/nonexistent/lb.yaml".as_ref()).unwrap_err();
    let expected = "/nonexistent/lb.yaml: No such file or directory (os error 2); \
                    check the path and that this user may read it";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_file_that_is_not_text() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let errors = Config::read(&directory).unwrap_err();
    let expected = format!(
        "{}: Is a directory (os error 21); check the path and that this user may read it",
        directory.display()
    );
    assert_eq!(errors.to_string(), expected);

    let file = std::env::temp_dir().join(format!("lb-config-test-{}.yaml", std::process::id()));
    std::fs::write(&file, b"version: 1\n# caf\xe9\n").unwrap();
    let errors = Config::read(&file).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    let expected = format!("{}:2:6: this is not UTF-8 text; save the file as UTF-8", file.display());
    assert_eq!(errors.to_string(), expected);
}
