//! Who may ask the daemon, and where: missing or wrong.

use std::path::Path;

use super::super::{Access, Api, Tls, TlsClient};
use super::{edited, lines, parse};

/// The base document with a field `api` on its second line.
fn with_api(api: &str) -> String {
    edited("version: 1\n", &format!("version: 1\napi: {api}\n"))
}

/// The same with `tls`, of which one passage is replaced by another.
fn with_tls(from: &str, to: &str) -> String {
    const TLS: &str = "
  tls:
    listen: 192.0.2.10:9443
    certificate: /etc/lb/tls/lbd.pem
    key: /etc/lb/tls/lbd.key
    client_ca: /etc/lb/tls/clients.pem
    clients:
      - name: admin
        access: write
      - name: monitor
        access: read";
    assert!(TLS.contains(from), "{from:?}");
    with_api(&TLS.replacen(from, to, 1))
}

#[test]
fn each_field_means_what_it_says() {
    assert_eq!(parse(&with_api("")).unwrap().api, Api::default());
    assert_eq!(Api::default().socket, Path::new("/run/lb/lbd.sock"));
    let written = "{socket: /run/other.sock, write_group: lb-admin, read_group: lb}";
    let expected = Api {
        socket: "/run/other.sock".into(),
        write_group: Some("lb-admin".into()),
        read_group: Some("lb".into()),
        tls: None,
    };
    assert_eq!(parse(&with_api(written)).unwrap().api, expected);
    let tls = Tls {
        listen: "[2001:db8::10]:9443".parse().unwrap(),
        certificate: "/etc/lb/tls/lbd.pem".into(),
        key: "/etc/lb/tls/lbd.key".into(),
        client_ca: "/etc/lb/tls/clients.pem".into(),
        clients: vec![
            TlsClient { name: "admin".into(), access: Access::Write },
            TlsClient { name: "monitor".into(), access: Access::Read },
        ],
    };
    let text = with_tls("192.0.2.10:9443", "\"[2001:db8::10]:9443\"");
    assert_eq!(parse(&text).unwrap().api, Api { tls: Some(tls), ..Api::default() });
}

#[test]
fn faults_of_groups() {
    let rows = [
        (
            "{write_group: '', read_group: 'a b'}",
            vec![
                "lb.yaml:2:20: api.write_group: the name is empty; a group's name has 1 to 32 octets without spaces, colons, commas and /",
                "lb.yaml:2:36: api.read_group: \"a b\" contains ' '; a group's name has 1 to 32 octets without spaces, colons, commas and /",
            ],
        ),
        (
            "{read_group: abcdefghijklmnopqrstuvwxyz0123456}",
            vec![
                "lb.yaml:2:19: api.read_group: abcdefghijklmnopqrstuvwxyz0123456 is 33 octets long; a group's name has 1 to 32 octets without spaces, colons, commas and /",
            ],
        ),
    ];
    for (written, expected) in rows {
        assert_eq!(lines(&with_api(written)), expected, "{written}");
    }
}

#[test]
fn faults_of_tls() {
    let list = "list those who may use it, such as - {name: admin, access: write}";
    assert_eq!(
        lines(&with_api("{tls: {}}")),
        [
            "lb.yaml:2:12: api.tls.listen: missing; write an address and a port, such as 192.0.2.10:9443",
            "lb.yaml:2:12: api.tls.certificate: missing; write the path of the node's certificate",
            "lb.yaml:2:12: api.tls.key: missing; write the path of the certificate's private key",
            "lb.yaml:2:12: api.tls.client_ca: missing; write the path of the certificate that clients' certificates are signed with",
            &format!("lb.yaml:2:12: api.tls.clients: missing; {list}"),
        ]
    );
    let listen =
        "is not an IP address and a port; write them as in 192.0.2.10:9443 or \"[2001:db8::10]:9443\"";
    let rows = [
        ("192.0.2.10:9443", "192.0.2.10", format!("4:13: api.tls.listen: 192.0.2.10 {listen}")),
        ("192.0.2.10:9443", "192.0.2.10:0", format!("4:13: api.tls.listen: 192.0.2.10:0 {listen}")),
        ("192.0.2.10:9443", "lb:9443", format!("4:13: api.tls.listen: lb:9443 {listen}")),
        (
            "/etc/lb/tls/lbd.key",
            "lbd.key",
            "6:10: api.tls.key: lbd.key is not an absolute path; start it with /".into(),
        ),
        (
            "name: monitor",
            "name: admin",
            "11:15: api.tls.clients[1].name: admin is listed twice (first on line 9); remove one".into(),
        ),
        (
            "access: read",
            "access: root",
            "12:17: api.tls.clients[1].access: root is unknown; allowed: read, write".into(),
        ),
        (
            "\n        access: read",
            "",
            "11:9: api.tls.clients[1].access: missing; write read or write".into(),
        ),
        (
            "name: monitor\n        ",
            "",
            "11:9: api.tls.clients[1].name: missing; write the name in the client's certificate".into(),
        ),
        (
            "\n      - name: admin\n        access: write\n      - name: monitor\n        access: read",
            " []",
            format!("8:14: api.tls.clients: the list is empty; {list}"),
        ),
    ];
    for (from, to, expected) in rows {
        assert_eq!(lines(&with_tls(from, to)), [format!("lb.yaml:{expected}")], "{to}");
    }
}
