//! The systemd units: their options are known, and their capabilities are enough. Needs root.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use lb_tests::process::Process;
use lb_tests::run::{Finished, finish};
use lb_tests::wait::PATIENCE;
use lb_tests::{Host, Lab, SERVICES, agent, balancer, programs};

fn unit(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd").join(program).with_extension("service")
}

/// What a unit says of a setting.
fn setting(program: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(unit(program))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    Ok(value.with_context(|| format!("{program}: {name}"))?.to_owned())
}

#[test]
fn systemd_knows_every_option() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("lb-units-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg("--man=no");
    for program in ["lbd", "lb-agent"] {
        // The programs are where they were built.
        let built = programs::ours(program)?.display().to_string();
        let text = fs::read_to_string(unit(program))?.replace(&format!("/usr/bin/{program}"), &built);
        let file = directory.join(program).with_extension("service");
        fs::write(&file, text)?;
        verify.arg(file);
    }
    let verified = finish(&mut verify, PATIENCE);
    fs::remove_dir_all(&directory)?;
    let Finished { status, stderr, .. } = verified?;
    // The machine's own units may be named as well.
    let about_ours = stderr.lines().filter(|line| line.contains(&*directory.to_string_lossy()));
    assert_eq!(about_ours.collect::<Vec<_>>(), [""; 0]);
    assert!(status.success(), "{stderr}");
    Ok(())
}

#[test]
fn the_capabilities_of_the_units_are_enough() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.directory().join("lb.yaml");
    fs::write(&file, balancer::configure(lab.directory(), &SERVICES))?;
    let programs = [
        ("lbd", Host::Balancer, balancer::command(&lab, &file)?),
        ("lb-agent", Host::BACKENDS[0], agent::command(&lab, Host::BACKENDS[0], &agent::every_vip())?),
    ];
    for (program, host, unconfined) in programs {
        let capabilities = setting(program, "CapabilityBoundingSet")?;
        assert_eq!(capabilities, "CAP_BPF CAP_NET_ADMIN CAP_PERFMON");
        let set: String =
            capabilities.split(' ').map(|name| name.replace("CAP_", ",+").to_lowercase()).collect();
        let mut confined = lab.host(host).command("setpriv");
        confined.args(["--bounding-set", &format!("-all{set}"), "--no-new-privs"]);
        let words: Vec<&OsStr> = unconfined.get_args().skip_while(|word| *word != "--").skip(1).collect();
        confined.args(words);
        let log = lab.directory().join(program).with_extension("log");
        let mut process = Process::start(program, &mut confined, log)?;
        process.wait_until_ready(|log| Ok(log.lines().any(|line| line.ends_with(" ready"))))?;
        // CAP_NET_ADMIN is 12, CAP_PERFMON 38, CAP_BPF 39 (capability.h).
        let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
        assert!(status.contains(&format!("CapEff:\t{:016x}\n", 1_u64 << 12 | 1 << 38 | 1 << 39)), "{status}");
        assert_eq!(process.stop()?.code(), Some(0), "{}", process.log());
    }
    Ok(())
}
