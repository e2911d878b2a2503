//! What README.md quotes is what the programs say.

use std::fs;
use std::path::Path;

use lb_userspace::config::Config;

#[test]
fn the_configuration_error_is_a_real_one() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(workspace.join("README.md")).unwrap();
    let quoted = readme.lines().find(|line| line.starts_with("lbd: lb.yaml:")).unwrap();

    let example = fs::read_to_string(workspace.join("deploy/lb.yaml")).unwrap();
    let mistaken = example.replacen("forwarding: l2", "forwarding: ip-ip", 1);
    let errors = Config::parse(&mistaken, Path::new("lb.yaml")).unwrap_err();
    assert_eq!(quoted, format!("lbd: {errors}"));
}
