//! What the daemon needs for itself, missing or wrong.

use super::{edited, lines};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("no version", "version: 1\n", "", &["lb.yaml:1:1: version: missing; write version: 1"]),
    (
        "another version says nothing else",
        "version: 1\ninterfaces:\n  - name: eth0",
        "version: 2\ninterfaces: []",
        &["lb.yaml:1:10: version: 2 is not supported; this program reads version 1"],
    ),
    (
        "no interfaces",
        "interfaces:\n  - name: eth0\n",
        "",
        &["lb.yaml:1:1: interfaces: missing; list at least one interface, such as - name: eth0"],
    ),
    (
        "an empty list of interfaces",
        "interfaces:\n  - name: eth0\n",
        "interfaces: []\n",
        &["lb.yaml:2:13: interfaces: the list is empty; list at least one interface, such as - name: eth0"],
    ),
    (
        "an interface without a name",
        "name: eth0",
        "mode: auto",
        &["lb.yaml:3:5: interfaces[0].name: missing; write the interface's name, such as eth0"],
    ),
    (
        "an empty entry",
        "- name: eth0",
        "-",
        &["lb.yaml:3:4: interfaces[0].name: missing; write the interface's name, such as eth0"],
    ),
    (
        "an interface twice",
        "name: eth0",
        "name: eth0\n  - name: eth0\n    mode: driver",
        &["lb.yaml:4:11: interfaces[1].name: eth0 is listed twice (first on line 3); remove one"],
    ),
    (
        "an empty interface name",
        "name: eth0",
        "name: ''",
        &[
            "lb.yaml:3:11: interfaces[0].name: the name is empty; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an interface name of 16 octets",
        "name: eth0",
        "name: enp129s0f1np1.45",
        &[
            "lb.yaml:3:11: interfaces[0].name: enp129s0f1np1.45 is 16 octets long; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an interface name with a slash",
        "name: eth0",
        "name: eth0/1",
        &[
            "lb.yaml:3:11: interfaces[0].name: eth0/1 contains '/'; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an interface name with a space",
        "name: eth0",
        "name: eth 0",
        &[
            "lb.yaml:3:11: interfaces[0].name: \"eth 0\" contains ' '; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an interface name with a line end",
        "name: eth0",
        "name: \"eth0\\n\"",
        &[
            "lb.yaml:3:11: interfaces[0].name: \"eth0\\n\" contains '\\n'; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an interface name that is a directory",
        "name: eth0",
        "name: ..",
        &[
            "lb.yaml:3:11: interfaces[0].name: .. is no name; an interface's name has 1 to 15 octets without spaces, / and :",
        ],
    ),
    (
        "an unknown mode",
        "name: eth0",
        "name: eth0\n    mode: native",
        &["lb.yaml:4:11: interfaces[0].mode: native is unknown; allowed: auto, driver, generic"],
    ),
    (
        "a relative socket",
        "version: 1",
        "version: 1\napi: {socket: lbd.sock}",
        &["lb.yaml:2:15: api.socket: lbd.sock is not an absolute path; start it with /"],
    ),
    (
        "a relative state directory",
        "version: 1",
        "version: 1\nstate_directory: ''",
        &["lb.yaml:2:18: state_directory: \"\" is not an absolute path; start it with /"],
    ),
    (
        "neither yes nor no",
        "version: 1",
        "version: 1\nanswer_echo: yes",
        &["lb.yaml:2:14: answer_echo: yes is unknown; allowed: true, false"],
    ),
    (
        "a short key",
        "version: 1",
        "version: 1\nhash_key: 000102030405060708090a0b0c0d0e",
        &[
            "lb.yaml:2:11: hash_key: the key has 30 digits; write 32 hexadecimal digits, such as openssl rand -hex 16 prints",
        ],
    ),
    (
        "a key with a prefix",
        "version: 1",
        "version: 1\nhash_key: 0x000102030405060708090a0b0c0d0e",
        &[
            "lb.yaml:2:11: hash_key: character 2 is not a hexadecimal digit; write 32 hexadecimal digits, such as openssl rand -hex 16 prints",
        ],
    ),
    (
        "a key and a file with a key",
        "version: 1",
        "version: 1\nhash_key: 000102030405060708090a0b0c0d0e0f\nhash_key_file: /nonexistent/key",
        &["lb.yaml:3:16: hash_key_file: hash_key is given as well; remove one of them"],
    ),
    (
        "a relative path of a key",
        "version: 1",
        "version: 1\nhash_key_file: lb.key",
        &["lb.yaml:2:16: hash_key_file: lb.key is not an absolute path; start it with /"],
    ),
    (
        "a file with a key that is not there",
        "version: 1",
        "version: 1\nhash_key_file: /nonexistent/key",
        &[
            "lb.yaml:2:16: hash_key_file: /nonexistent/key: No such file or directory (os error 2); check the path and that this user may read it",
        ],
    ),
    (
        "a directory for a file with a key",
        "version: 1",
        "version: 1\nhash_key_file: /proc",
        &[
            "lb.yaml:2:16: hash_key_file: /proc is not a file; write the path of a file with 32 hexadecimal digits",
        ],
    ),
    (
        "an empty name of an instance",
        "version: 1",
        "version: 1\ninstance: ''",
        &[
            "lb.yaml:2:11: instance: the name is empty; an instance's name has 1 to 32 of a to z, 0 to 9 and -",
        ],
    ),
    (
        "an instance's name of 33 octets",
        "version: 1",
        "version: 1\ninstance: abcdefghijklmnopqrstuvwxyz0123456",
        &[
            "lb.yaml:2:11: instance: abcdefghijklmnopqrstuvwxyz0123456 is 33 octets long; an instance's name has 1 to 32 of a to z, 0 to 9 and -",
        ],
    ),
    (
        "an instance's name with a slash",
        "version: 1",
        "version: 1\ninstance: a/b",
        &["lb.yaml:2:11: instance: a/b contains '/'; an instance's name has 1 to 32 of a to z, 0 to 9 and -"],
    ),
    (
        "an unknown level and format",
        "version: 1",
        "version: 1\nlog: {level: loud, format: xml}",
        &[
            "lb.yaml:2:14: log.level: loud is unknown; allowed: error, warn, info, debug, trace",
            "lb.yaml:2:28: log.format: xml is unknown; allowed: text, json",
        ],
    ),
    (
        "an empty key",
        "version: 1",
        "version: 1\nhash_key: ''",
        &[
            "lb.yaml:2:11: hash_key: the key has 0 digits; write 32 hexadecimal digits, such as openssl rand -hex 16 prints",
        ],
    ),
];

#[test]
fn faults_of_the_daemon() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}
