//! Backends that are VIPs.

use super::lines;

/// Two services, of which the second's VIP and backend are given.
fn file(vip: &str, backend: &str) -> String {
    format!(
        "\
version: 1
interfaces:
  - name: eth0
services:
  - {{vip: 192.0.2.1, port: 80, protocol: tcp, forwarding: ipip, backends: [{{address: 198.51.100.1}}]}}
  - {{vip: 192.0.2.1, port: 443, protocol: tcp, forwarding: ipip, backends: []}}
  - {{vip: '2001:db8::/48', port: any, protocol: udp, forwarding: l2, backends: []}}
  - vip: '{vip}'
    port: 5
    protocol: udp
    forwarding: l2
    backends:
      - address: '{backend}'
"
    )
}

#[test]
fn backends_inside_a_vip() {
    let rows: [(&str, &str, &str, &[&str]); 7] = [
        ("no VIP", "203.0.113.1", "198.51.100.2", &[]),
        ("next to a prefix", "203.0.113.0/24", "2001:db8:1::1", &[]),
        (
            "the VIP of two other services",
            "203.0.113.1",
            "192.0.2.1",
            &[
                "lb.yaml:13:18: services[3].backends[0].address: 192.0.2.1 is the VIP of services[0] (line 5), so its packets would come back here; write the backend's own address",
            ],
        ),
        (
            "inside a prefix that stands before it",
            "203.0.113.1",
            "2001:db8:0:7::1",
            &[
                "lb.yaml:13:18: services[3].backends[0].address: 2001:db8:0:7::1 is inside the VIP 2001:db8::/48 of services[2] (line 7), so its packets would come back here; write the backend's own address",
            ],
        ),
        (
            "inside a prefix that stands behind it",
            "198.51.100.0/28",
            "203.0.113.7",
            &[
                "lb.yaml:5:86: services[0].backends[0].address: 198.51.100.1 is inside the VIP 198.51.100.0/28 of services[3] (line 8), so its packets would come back here; write the backend's own address",
            ],
        ),
        (
            "each inside the other's",
            "198.51.100.1",
            "192.0.2.1",
            &[
                "lb.yaml:5:86: services[0].backends[0].address: 198.51.100.1 is the VIP of services[3] (line 8), so its packets would come back here; write the backend's own address",
                "lb.yaml:13:18: services[3].backends[0].address: 192.0.2.1 is the VIP of services[0] (line 5), so its packets would come back here; write the backend's own address",
            ],
        ),
        (
            "inside its own service's, said once",
            "192.0.2.0/24",
            "192.0.2.1",
            &[
                "lb.yaml:13:18: services[3].backends[0].address: 192.0.2.1 is inside the service's VIP 192.0.2.0/24; write the backend's own address",
            ],
        ),
    ];
    for (name, vip, backend, expected) in rows {
        assert_eq!(lines(&file(vip, backend)), *expected, "{name}");
    }
}
