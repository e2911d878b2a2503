//! Text that is not YAML, or whose fields and values are not those of a configuration.

use std::fmt::Write;

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
        &["lb.yaml:2:1: a second YAML document begins here; remove it, a configuration is one document"],
    ),
    (
        "an unknown field with no known one near",
        "port: 80",
        "colour: 80",
        &[
            "lb.yaml:5:5: services[0].port: missing; write 1 to 65535, or any",
            "lb.yaml:7:5: services[0].colour: unknown field; allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, table_size, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, health, quic, backends",
        ],
    ),
    (
        "a field with a letter too few",
        "port: 80",
        "prt: 80",
        &[
            "lb.yaml:7:5: services[0].prt: unknown field; did you mean port? allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, table_size, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, health, quic, backends",
        ],
    ),
    (
        "a field cut short",
        "- address: 10.0.0.1",
        "- addr: 10.0.0.1",
        &[
            "lb.yaml:11:9: services[0].backends[0].addr: unknown field; did you mean address? allowed here are name, address, weight, state, drain_timeout, backup, quic_server_id",
        ],
    ),
    (
        "an unknown field of the file",
        "version: 1",
        "version: 1\napis: /run/lb.sock",
        &[
            "lb.yaml:2:1: apis: unknown field; did you mean api? allowed here are version, instance, interfaces, api, log, state_directory, hash_key, hash_key_file, answer_echo, tunnel_source, maps, defaults, services",
        ],
    ),
    (
        "an unknown field of the maps",
        "version: 1",
        "version: 1\nmaps: {vips: 100}",
        &["lb.yaml:2:8: maps.vips: unknown field; allowed here are services, backends, fragments, flows"],
    ),
    (
        "maps that are a number",
        "version: 1",
        "version: 1\nmaps: 100",
        &["lb.yaml:2:7: maps: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "an unknown field of an interface",
        "name: eth0",
        "name: eth0\n    modes: auto",
        &["lb.yaml:4:5: interfaces[0].modes: unknown field; did you mean mode? allowed here are name, mode"],
    ),
    (
        "a field of a service in a backend",
        "name: alpha",
        "port: 80",
        &[
            "lb.yaml:12:9: services[0].backends[0].port: unknown field; allowed here are name, address, weight, state, drain_timeout, backup, quic_server_id",
        ],
    ),
    (
        "an unknown field of quic",
        "protocol: udp",
        "protocol: udp\n    quic: {server_id_length: 2, config: 0}",
        &[
            "lb.yaml:17:33: services[1].quic.config: unknown field; did you mean configuration? allowed here are server_id_length, configuration",
        ],
    ),
    (
        "a value where quic's fields belong",
        "protocol: udp",
        "protocol: udp\n    quic: 2",
        &["lb.yaml:17:11: services[1].quic: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "a field twice",
        "port: 80",
        "port: 80\n    port: 81",
        &["lb.yaml:8:5: services[0].port: it is given twice (first on line 7); remove one"],
    ),
    (
        "a list where a value belongs",
        "port: 80",
        "port: [80]",
        &[
            "lb.yaml:7:11: services[0].port: a single value is expected here; write it without dashes, brackets and braces",
        ],
    ),
    (
        "fields where a value belongs",
        "vip: 192.0.2.1",
        "vip: {address: 192.0.2.1}",
        &[
            "lb.yaml:6:10: services[0].vip: a single value is expected here; write it without dashes, brackets and braces",
        ],
    ),
    (
        "a value where a list belongs",
        "interfaces:\n  - name: eth0",
        "interfaces: eth0",
        &["lb.yaml:2:13: interfaces: a list is expected here; start each entry with a dash"],
    ),
    (
        "a value where fields belong",
        "- name: eth0",
        "- eth0",
        &["lb.yaml:3:5: interfaces[0]: fields are expected here; write them as name: value, one a line"],
    ),
    (
        "fields where a list belongs",
        "backends: []",
        "backends: {address: 10.0.0.1}",
        &["lb.yaml:18:15: services[1].backends: a list is expected here; start each entry with a dash"],
    ),
    (
        "a bracketed IPv6 address",
        "vip: 2001:db8::1",
        "vip: [2001:db8::1]",
        &[
            "lb.yaml:14:10: services[1].vip: a single value is expected here; write it without dashes, brackets and braces",
        ],
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
        "YAML's merge",
        "name: alpha",
        "<<: {name: alpha}",
        &[
            "lb.yaml:12:9: services[0].backends[0].<<: YAML's merge is not supported; write the fields out, or put them into defaults",
        ],
    ),
    (
        "a list for a name",
        "port: 80",
        "port: 80\n    [a, b]: 1",
        &["lb.yaml:8:13: the field has no name; write it as name: value"],
    ),
    (
        "lists in lists",
        "backends: []",
        "backends: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
        &["lb.yaml:18:31: lists and fields are nested more than 16 deep; check brackets and indentation"],
    ),
    (
        "an alias of itself",
        "backends: []",
        "backends: &all [*all]",
        &["lb.yaml:18:21: the alias stands for something that contains it; write the value out"],
    ),
];

#[test]
fn faults_of_the_shape() {
    for (name, from, to, expected) in ROWS {
        assert_eq!(lines(&edited(from, to)), *expected, "{name}");
    }
}

/// Ten aliases of ten aliases, and so on: millions of values.
#[test]
fn aliases_have_a_limit() {
    let mut text = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=6 {
        let entries = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{entries}]").unwrap();
    }
    let said = lines(&text);
    let expected = "lb.yaml:8:20: aliases stand for too much; write the value out";
    assert!(said.iter().any(|line| line == expected), "{said:?}");
}

/// Each fault is one line, wherever it is.
#[test]
fn all_faults_at_once() {
    let text = "\
version: 1
colour: red
interfaces:
  - name: eth0
    mode: native
  - eth1
  - nam: eth2
    mode: [auto]
api:
  tls: {listen: here}
hash_key: [secret]
services:
  - name: web
    vip: 192.0.2.1
    vip: 192.0.2.2
    port: *http
    protocol: !!str tcp
    forwarding: nat
    colour: blue
    backends:
      address: 10.0.0.1
  - vip: 192.0.2.1
    port: 0
    protocol: tcp
    weight: 3
    backends:
      - {address: 192.0.2.1, wieght: 3, weight: -1}
";
    let expected = [
        "2:1: colour: unknown field; allowed here are version, instance, interfaces, api, log, state_directory, hash_key, hash_key_file, answer_echo, tunnel_source, maps, defaults, services",
        "5:11: interfaces[0].mode: native is unknown; allowed: auto, driver, generic",
        "6:5: interfaces[1]: fields are expected here; write them as name: value, one a line",
        "7:5: interfaces[2].nam: unknown field; did you mean name? allowed here are name, mode",
        "8:11: interfaces[2].mode: a single value is expected here; write it without dashes, brackets and braces",
        "10:8: api.tls.certificate: missing; write the path of the node's certificate",
        "10:8: api.tls.key: missing; write the path of the certificate's private key",
        "10:8: api.tls.client_ca: missing; write the path of the certificate that clients' certificates are signed with",
        "10:8: api.tls.clients: missing; list those who may use it, such as - {name: admin, access: write}",
        "10:17: api.tls.listen: here is not an IP address and a port; write them as in 192.0.2.10:9443 or \"[2001:db8::10]:9443\"",
        "11:11: hash_key: a single value is expected here; write it without dashes, brackets and braces",
        "15:5: services[0].vip: it is given twice (first on line 14); remove one",
        "16:11: the alias has no anchor; write the value out",
        "17:21: the value has a tag; write it without",
        "18:17: services[0].forwarding: nat is unknown; allowed: l2, ipip, gue",
        "19:5: services[0].colour: unknown field; allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, table_size, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, health, quic, backends",
        "21:7: services[0].backends: a list is expected here; start each entry with a dash",
        "22:5: services[1].forwarding: missing; write l2, ipip or gue",
        "23:11: services[1].port: 0 is out of range; allowed are 1 to 65535, and any",
        "25:5: services[1].weight: unknown field; allowed here are name, vip, port, protocol, forwarding, gue_port, affinity, fragments, table_size, scheduler, udp, idle_timeout, drain_timeout, down_grace, down_flows, health, quic, backends",
        "27:19: services[1].backends[0].address: 192.0.2.1 is the service's VIP; write the backend's own address",
        "27:30: services[1].backends[0].wieght: unknown field; did you mean weight? allowed here are name, address, weight, state, drain_timeout, backup, quic_server_id",
        "27:49: services[1].backends[0].weight: -1 is out of range; allowed are 0 to 65535",
    ];
    assert_eq!(lines(text), expected.map(|line| format!("lb.yaml:{line}")));
}
