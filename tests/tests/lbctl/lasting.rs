//! Commands that last until they are stopped.

use anyhow::Result;
use lb_tests::process::Process;
use lb_tests::{Balancer, Lab, SERVICES, wait};
use nix::sys::signal::Signal;

use crate::lbctl;

/// Starts `lbctl`, and waits until it has printed something.
fn start(lab: &Lab, name: &str, arguments: &[&str]) -> Result<Process> {
    let log = lab.directory().join(format!("{name}.log"));
    let mut process = Process::start("lbctl", lbctl(lab)?.args(arguments), log)?;
    process.wait_until_ready(|log| Ok(!log.is_empty()))?;
    Ok(process)
}

#[test]
fn watch_asks_again_until_ctrl_c_and_over_a_restart_of_lbd() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..1])?;
    let mut json = start(&lab, "json", &["service", "list", "-o", "json", "--watch", "1"])?;
    let mut table = start(&lab, "table", &["status", "--watch", "1"])?;
    let times = |process: &Process, words: &str| process.log().matches(words).count();
    wait::until("three answers", || Ok((times(&json, "\"l2-v4\"") >= 3).then_some(())))?;
    balancer.stop()?;
    wait::until("the reason", || Ok((times(&json, "lbd isn't running here") >= 1).then_some(())))?;
    let before = times(&json, "\"l2-v4\"");
    let _balancer = Balancer::start(&lab, &SERVICES[..1])?;
    wait::until("an answer again", || Ok((times(&json, "\"l2-v4\"") > before).then_some(())))?;
    assert!(times(&table, "received") > 1 && !table.log().contains('\x1b'), "{}", table.log());
    assert_eq!(json.stop_with(Signal::SIGINT)?.code(), Some(0));
    assert_eq!(table.stop_with(Signal::SIGINT)?.code(), Some(0));
    Ok(())
}

#[test]
fn events_are_followed_until_ctrl_c_or_the_end_of_lbd() -> Result<()> {
    let lab = Lab::new()?;
    let balancer = Balancer::start(&lab, &SERVICES[..2])?;
    balancer.wait_until_active()?;
    let mut all = start(&lab, "all", &["events", "--follow"])?;
    let mut one = start(&lab, "one", &["events", "--follow", "--service", "l2-v6"])?;
    balancer.lbctl(&["backend", "drain", "b1"])?;
    for process in [&all, &one] {
        let words = "service l2-v6: backend b1 takes no new flows";
        wait::until(words, || Ok(process.log().contains(words).then_some(())))?;
    }
    assert!(all.log().contains("service l2-v4: backend b1 takes no new flows"), "{}", all.log());
    assert!(!one.log().contains("l2-v4") && !one.log().contains("attached"), "{}", one.log());
    assert_eq!(one.stop_with(Signal::SIGINT)?.code(), Some(0));

    balancer.stop()?;
    let status = wait::until("the end of lbctl events", || all.ended())?;
    assert_eq!((status.code(), all.log().lines().last()), (Some(1), Some("lbctl: lbd has ended")));
    Ok(())
}
