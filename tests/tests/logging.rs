//! What `lbd` logs, and how. Needs root.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use lb_tests::process::Process;
use lb_tests::run::{Finished, finish};
use lb_tests::wait::PATIENCE;
use lb_tests::{Lab, SERVICES, balancer};
use serde_json::Value;

/// The lines of a run from start to end, by that field `log` and that environment.
fn lines(log: &str, environment: impl Fn(&str) -> Vec<(&'static str, String)>) -> Result<Vec<String>> {
    let lab = Lab::new()?;
    let (file, log_file) = (lab.directory().join("lb.yaml"), lab.directory().join("lbd.log"));
    let yaml = balancer::configure(lab.directory(), &SERVICES[..1]);
    fs::write(&file, format!("{yaml}{log}\n"))?;
    // As systemd names its journal; the log keeps its inode when it is emptied.
    let status = File::create(&log_file)?.metadata()?;
    let stream = format!("{}:{}", status.dev(), status.ino());
    let mut command = balancer::command(&lab, &file)?;
    command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM").envs(environment(&stream));
    let mut daemon = Process::start("lbd", &mut command, log_file)?;
    let socket = balancer::socket(lab.directory());
    // It answers before it is told to end.
    daemon.wait_until_ready(|_| Ok(std::os::unix::net::UnixStream::connect(&socket).is_ok()))?;
    daemon.stop()?;
    Ok(daemon.log().lines().map(str::to_owned).collect())
}

#[test]
fn lines_of_json_have_a_time_a_level_and_a_message() -> Result<()> {
    let lines = lines("log: {format: json}", |_| Vec::new())?;
    let mut messages = Vec::new();
    for line in lines {
        let line: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(["INFO", "WARN"].contains(&line["level"].as_str().context("a level")?), "{line}");
        messages.push(line["message"].as_str().context("a message")?.to_owned());
    }
    assert!(messages.iter().any(|message| message == "attached to eth0 in driver mode"), "{messages:?}");
    Ok(())
}

#[test]
fn the_environment_comes_before_the_level() -> Result<()> {
    let attached = |lines: &[String]| lines.iter().any(|line| line.contains("attached to eth0"));
    let quiet = lines("log: {level: error}", |_| Vec::new())?;
    assert!(!attached(&quiet), "{quiet:?}");
    let asked = lines("log: {level: error}", |_| vec![("RUST_LOG", "info".into())])?;
    assert!(attached(&asked), "{asked:?}");
    Ok(())
}

#[test]
fn an_environment_that_means_nothing_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, balancer::configure(lab.directory(), &SERVICES[..1]))?;
    let mut command = balancer::command(&lab, &file)?;
    let Finished { status, stderr, .. } = finish(command.env("RUST_LOG", "lb=loud"), PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    let start = "lbd: RUST_LOG is \"lb=loud\"; write a level, such as info, or levels of modules, such as \
                 info,hyper=warn: ";
    assert!(stderr.starts_with(start) && stderr.lines().count() == 1, "{stderr}");
    Ok(())
}

#[test]
fn the_journal_has_its_own_times() -> Result<()> {
    let to_file = lines("", |_| vec![("JOURNAL_STREAM", "0:0".into())])?;
    assert!(to_file.iter().all(|line| line.starts_with("20")), "{to_file:?}");
    let to_journal = lines("", |stream| vec![("JOURNAL_STREAM", stream.to_owned())])?;
    assert!(!to_journal.is_empty());
    for line in to_journal {
        let level = line.trim_start().split(' ').next().unwrap_or_default();
        assert!(["INFO", "WARN"].contains(&level), "{line}");
    }
    Ok(())
}
