//! Owner and groups decide who may write and who may read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result};
use lb_tests::run::{Finished, finish};
use lb_tests::wait::PATIENCE;
use lb_tests::{Balancer, Host, Lab, SERVICES, balancer, programs};

/// Groups that every Linux distribution has.
const WRITERS: (&str, u32) = ("daemon", 1);
const READERS: (&str, u32) = ("adm", 4);
const OTHERS: u32 = 65_534;

const USER: u32 = 65_534;

const READ: &[&str] = &["status"];
const WRITE: &[&str] = &["backend", "drain", "b1"];

/// A configuration with groups.
fn configure(lab: &Lab, groups: &str) -> String {
    let yaml = balancer::configure(lab.directory(), &SERVICES[..1]);
    yaml.replace("lbd.sock}", &format!("lbd.sock{groups}}}"))
}

/// Runs `lbctl` as a user, with one supplementary group.
fn lbctl(lab: &Lab, group: u32, arguments: &[&str]) -> Result<Finished> {
    // Where that user can read it: nobody knows where this was built.
    let program = lab.directory().join("lbctl");
    if !program.exists() {
        fs::copy(programs::ours("lbctl")?, &program)?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        fs::set_permissions(lab.directory(), Permissions::from_mode(0o711))?;
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={USER}"), format!("--regid={OTHERS}"), format!("--groups={group}")]);
    command.arg(&program).arg("--socket").arg(balancer::socket(lab.directory())).args(arguments);
    finish(&mut command, PATIENCE)
}

#[test]
fn members_of_the_groups_may_read_or_write_and_others_are_told_of_them() -> Result<()> {
    let lab = Lab::new()?;
    let ((writers, writing), (readers, reading)) = (WRITERS, READERS);
    let balancer = Balancer::start_with(
        &lab,
        &configure(&lab, &format!(", write_group: {writers}, read_group: {readers}")),
    )?;
    let no_reader = format!(
        "lbctl: user {USER} may not see this; run it as root or as a member of one of the groups {writers}, {readers}\n"
    );
    let no_writer = format!(
        "lbctl: user {USER} may not change this; run it as root or as a member of the group {writers}\n"
    );
    let rows = [
        ("a writer reads", writing, READ, None),
        ("a writer writes", writing, WRITE, None),
        ("a reader reads", reading, READ, None),
        ("a reader writes", reading, WRITE, Some(&no_writer)),
        ("another reads", OTHERS, READ, Some(&no_reader)),
        ("another writes", OTHERS, WRITE, Some(&no_writer)),
    ];
    for (what, group, arguments, refused) in rows {
        let Finished { status, stderr, .. } = lbctl(&lab, group, arguments)?;
        let code = i32::from(refused.is_some());
        assert_eq!(
            (status.code(), stderr.as_str()),
            (Some(code), refused.map_or("", String::as_str)),
            "{what}"
        );
    }
    balancer.lbctl(WRITE).context("root writes")?;
    Ok(())
}

#[test]
fn without_groups_the_sockets_permissions_decide() -> Result<()> {
    let lab = Lab::new()?;
    let _balancer = Balancer::start_with(&lab, &configure(&lab, ""))?;
    let socket = balancer::socket(lab.directory());
    // A packager's unit may choose the group: that of lbd's process.
    std::os::unix::fs::chown(&socket, None, Some(READERS.1))?;

    let Finished { status, stderr, .. } = lbctl(&lab, READERS.1, WRITE)?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let Finished { status, stderr, .. } = lbctl(&lab, OTHERS, READ)?;
    let group = READERS.0;
    let reason = format!("no permission; run this as root or as a member of the group {group}");
    assert_eq!((status.code(), stderr), (Some(3), format!("lbctl: {}: {reason}\n", socket.display())));
    Ok(())
}

#[test]
fn a_group_that_does_not_exist_stops_lbd_before_anything_is_touched() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, configure(&lab, ", read_group: no-such-group"))?;
    let Finished { status, stderr, .. } = finish(&mut balancer::command(&lab, &file)?, PATIENCE)?;
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("lbd: api.read_group: there is no group no-such-group on this node; "),
        "{stderr}"
    );
    assert_eq!(lb_tests::xdp::attached(lab.host(Host::Balancer), "eth0")?, None);
    Ok(())
}
