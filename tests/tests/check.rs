//! `lbd check` and `lbd schema`, which need neither root nor a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use lb_tests::programs;
use lb_tests::run::{Finished, finish};
use lb_tests::wait::PATIENCE;

/// `lbd` without any capability, whoever runs the test.
fn lbd(arguments: &[&str]) -> Result<Finished> {
    let mut command = Command::new("setpriv");
    if nix::unistd::geteuid().is_root() {
        command.args(["--bounding-set", "-all"]);
    }
    command.args(["--inh-caps", "-all"]).arg(programs::ours("lbd")?).args(arguments);
    finish(&mut command, PATIENCE)
}

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

#[test]
fn a_valid_file_is_one_line() -> Result<()> {
    let file = deployed("lb.yaml");
    let Finished { status, stdout, stderr } = lbd(&["check", file.to_str().unwrap()])?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let said = format!("{}: valid, with 3 services, 7 backends, 2 interfaces\n", file.display());
    assert_eq!(stdout, said);
    Ok(())
}

#[test]
fn every_fault_is_a_line() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("lb-check-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let (file, state) = (directory.join("lb.yaml"), directory.join("state"));
    let text = format!(
        "version: 1\nstate_directory: {}\ncolour: red\ninterfaces: [{{name: eth0, mode: native}}]\nservices: []\n",
        state.display()
    );
    fs::write(&file, &text)?;
    let broken = lbd(&["check", file.to_str().unwrap()])?;
    fs::write(&file, text.replace("colour: red\n", "").replace(", mode: native", ""))?;
    let repaired = lbd(&["check", file.to_str().unwrap()])?;
    // A key would have been made there.
    let made = state.exists();
    fs::remove_dir_all(&directory)?;

    let shown = file.display();
    let expected = format!(
        "lbd: {shown}:3:1: colour: unknown field; allowed here are version, instance, interfaces, api, log, \
         state_directory, hash_key, hash_key_file, answer_echo, tunnel_source, maps, defaults, services\n\
         lbd: {shown}:4:33: interfaces[0].mode: native is unknown; allowed: auto, driver, generic\n"
    );
    assert_eq!((broken.status.code(), broken.stdout.as_str(), broken.stderr), (Some(1), "", expected));
    assert_eq!((repaired.status.code(), repaired.stderr.as_str()), (Some(0), ""));
    assert_eq!(repaired.stdout, format!("{shown}: valid, with 0 services, 0 backends, 1 interface\n"));
    assert!(!made);
    Ok(())
}

#[test]
fn the_schema_is_the_published_one() -> Result<()> {
    let Finished { status, stdout, stderr } = lbd(&["schema"])?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, fs::read_to_string(deployed("lb.schema.json"))?);
    Ok(())
}
