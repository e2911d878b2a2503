//! What a configuration means, and what is said about one that means nothing.

use std::path::Path;

use super::{Config, ConfigErrors};

mod api;
mod backends;
mod daemon;
mod defaults;
mod example;
mod flows;
mod health;
mod key;
mod limits;
mod loops;
mod maps;
mod mutations;
mod quic;
mod schema;
mod services;
mod shape;
mod tunnels;
mod vips;

/// The valid document that most rows edit.
const BASE: &str = "\
version: 1
interfaces:
  - name: eth0
services:
  - name: web
    vip: 192.0.2.1
    port: 80
    protocol: tcp
    forwarding: l2
    backends:
      - address: 10.0.0.1
        name: alpha
      - address: 10.0.0.2
  - vip: 2001:db8::1
    port: 53
    protocol: udp
    forwarding: ipip
    backends: []
";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("lb.yaml"))
}

/// The lines that are printed for `text`; none if it is valid.
fn lines(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

/// `BASE` with one passage, which must be there, replaced by another.
fn edited(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "the base document has no {from:?}");
    BASE.replacen(from, to, 1)
}
