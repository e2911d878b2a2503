//! Ctrl-C ends a benchmark, which writes what it has.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use lb_tests::bench::record::Record;
use lb_tests::process::Process;
use lb_tests::programs;
use nix::sys::signal::Signal;

#[test]
fn what_was_measured_is_in_the_file() -> Result<()> {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("interrupted-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let file = directory.join("figures.json");
    let mut command = Command::new(programs::ours("lb-bench")?);
    command.args(["datapath", "--only", "tcp4/ipip/established", "--json"]).arg(&file);
    let mut bench = Process::start("lb-bench", &mut command, directory.join("log"))?;
    bench.wait_until_ready(|log| Ok(log.contains("\ntcp4/ipip/established/1 ")))?;
    let status = bench.stop_with(Signal::SIGINT)?;
    let (log, record) = (bench.log(), Record::read(&file)?);
    assert_eq!(status.code(), Some(130), "{log}");
    assert_eq!(record.rows[0].name, "tcp4/ipip/established/1", "{log}");
    assert!(record.rows[0].figures[0].figure.median > 0.0, "{record:?}");
    assert!(log.contains("interrupted by signal 2"), "{log}");
    fs::remove_dir_all(directory)?;
    Ok(())
}
