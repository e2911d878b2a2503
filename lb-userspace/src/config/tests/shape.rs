//! Text that is not the YAML of a configuration: its first fault, alone.

use super::{BASE, edited, lines};

/// What the row is about, the passage of the base document, what stands there instead, and every line.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("an empty file", BASE, "", &["lb.yaml:1:1: the file is empty; start it with version: 1"]),
    (
        "nothing but comments",
        BASE,
        "# nothing yet\n---\n",
        &["lb.yaml:1:1: the file is empty; start it with version: 1"],
    ),
    (
        "a lone word",
        BASE,
        "services\n",
        &["lb.yaml:1:1: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "a list",
        BASE,
        "- name: eth0\n",
        &["lb.yaml:1:1: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "an open quote",
        "name: web",
        "name: \"web",
        &[
            "lb.yaml:6:5: this is not YAML, invalid indentation in multiline quoted scalar; check indentation, quotes and brackets",
        ],
    ),
    (
        "an open bracket",
        "backends: []",
        "backends: [",
        &["lb.yaml:18:15: this is not YAML, unclosed bracket '['; check indentation, quotes and brackets"],
    ),
    (
        "a closing bracket too many",
        "backends: []",
        "backends: []]",
        &["lb.yaml:18:17: this is not YAML, misplaced bracket; check indentation, quotes and brackets"],
    ),
    (
        "a field indented too far",
        "    port: 80",
        "      port: 80",
        &[
            "lb.yaml:7:11: this is not YAML, mapping values are not allowed in this context; check indentation, quotes and brackets",
        ],
    ),
    (
        "a tab",
        "    port: 80",
        "\tport: 80",
        &[
            "lb.yaml:6:10: this is not YAML, while scanning a plain scalar, found a tab; check indentation, quotes and brackets",
        ],
    ),
    (
        "a field indented too little",
        "    port: 53",
        "  port: 53",
        &[
            "lb.yaml:15:3: this is not YAML, while parsing a block collection, did not find expected '-' indicator; check indentation, quotes and brackets",
        ],
    ),
    (
        "a colon without a space",
        "port: 80",
        "port:80",
        &["lb.yaml:7:5: this is not YAML, simple key expected ':'; check indentation, quotes and brackets"],
    ),
    (
        "a second document",
        "version: 1\n",
        "version: 1\n---\n",
        &["lb.yaml:3:1: a second YAML document begins here; remove it, a configuration is one document"],
    ),
    (
        "an unknown field with no known one near",
        "port: 80",
        "colour: 80",
        &[
            "lb.yaml:7:5: unknown field colour; allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, quic, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, table_size, backends",
        ],
    ),
    (
        "a field with a letter too few",
        "port: 80",
        "prt: 80",
        &[
            "lb.yaml:7:5: unknown field prt; did you mean port? allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, quic, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, table_size, backends",
        ],
    ),
    (
        "a field cut short",
        "- address: 10.0.0.1",
        "- addr: 10.0.0.1",
        &[
            "lb.yaml:11:9: unknown field addr; did you mean address? allowed here are name, address, weight, state, drain_timeout, quic_server_id",
        ],
    ),
    (
        "an unknown field of the file",
        "version: 1",
        "version: 1\napis: /run/lb.sock",
        &[
            "lb.yaml:2:1: unknown field apis; did you mean api? allowed here are version, instance, interfaces, api, log, state_directory, hash_key, hash_key_file, answer_echo, tunnel_source, maps, services",
        ],
    ),
    (
        "an unknown field of the maps",
        "version: 1",
        "version: 1\nmaps: {vips: 100}",
        &["lb.yaml:2:8: unknown field vips; allowed here are services, backends, fragments, flows"],
    ),
    (
        "maps that are a number",
        "version: 1",
        "version: 1\nmaps: 100",
        &["lb.yaml:2:7: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "an unknown field of an interface",
        "name: eth0",
        "name: eth0\n    modes: auto",
        &["lb.yaml:4:5: unknown field modes; did you mean mode? allowed here are name, mode"],
    ),
    (
        "a field of a service in a backend",
        "name: alpha",
        "port: 80",
        &[
            "lb.yaml:12:9: unknown field port; allowed here are name, address, weight, state, drain_timeout, quic_server_id",
        ],
    ),
    (
        "an unknown field of quic",
        "protocol: udp",
        "protocol: udp\n    quic: {server_id_length: 2, config: 0}",
        &[
            "lb.yaml:17:33: unknown field config; did you mean configuration? allowed here are server_id_length, configuration",
        ],
    ),
    (
        "a value where quic's fields belong",
        "protocol: udp",
        "protocol: udp\n    quic: 2",
        &["lb.yaml:17:11: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "a field twice",
        "port: 80",
        "port: 80\n    port: 81",
        &["lb.yaml:8:5: port is given twice; remove one"],
    ),
    (
        "a list where a value belongs",
        "port: 80",
        "port: [80]",
        &["lb.yaml:7:11: a single value is expected here; write it without dashes, brackets and braces"],
    ),
    (
        "fields where a value belongs",
        "vip: 192.0.2.1",
        "vip: {address: 192.0.2.1}",
        &["lb.yaml:6:10: a single value is expected here; write it without dashes, brackets and braces"],
    ),
    (
        "a value where a list belongs",
        "interfaces:\n  - name: eth0",
        "interfaces: eth0",
        &["lb.yaml:2:13: a list is expected here; start each entry with a dash"],
    ),
    (
        "a value where fields belong",
        "- name: eth0",
        "- eth0",
        &["lb.yaml:3:5: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "fields where a list belongs",
        "backends: []",
        "backends: {address: 10.0.0.1}",
        &["lb.yaml:18:15: a list is expected here; start each entry with a dash"],
    ),
    (
        "a bracketed IPv6 address",
        "vip: 2001:db8::1",
        "vip: [2001:db8::1]",
        &["lb.yaml:14:10: a single value is expected here; write it without dashes, brackets and braces"],
    ),
    ("a type's tag", "port: 80", "port: !!int 80", &["lb.yaml:7:17: the value has a tag; write it without"]),
    ("a tag", "port: 80", "port: !port 80", &["lb.yaml:7:17: the value has a tag; write it without"]),
    (
        "an alias of nothing",
        "port: 80",
        "port: *http",
        &["lb.yaml:7:11: the alias has no anchor; write the value out"],
    ),
    (
        "an alias of itself",
        "backends: []",
        "backends: &all [*all]",
        &["lb.yaml:18:21: the alias stands for something that contains it; write the value out"],
    ),
];

#[test]
fn the_first_fault_of_the_shape() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}
