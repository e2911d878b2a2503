//! The lab leaves the machine as it was. Needs root.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use lb_tests::directory::Directory;
use lb_tests::process::Process;
use lb_tests::{Host, Lab, leftovers, namespace, nginx, wait};
use nix::sys::signal::Signal;

/// Held by each test, because labs of one process have the same names: none may start before the names are looked for.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_lab_leaves_nothing() -> Result<()> {
    let _alone = alone();
    let lab = Lab::new()?;
    let server = nginx::start(&lab, Host::Backend1)?;
    let process = PathBuf::from(format!("/proc/{}", server.id()));
    assert_eq!(lab.host(Host::Backend1).processes()?, [server.id().as_raw()]);
    assert_eq!(namespaces_of(process::id()).len(), Host::ALL.len());
    assert!(process.exists() && lab.directory().exists());

    drop(server);
    assert!(!process.exists());
    drop(lab);
    assert_nothing_of(process::id());
    Ok(())
}

#[test]
fn a_panic_leaves_nothing() {
    let _alone = alone();
    let work = || {
        let lab = Lab::new().unwrap();
        let _server = nginx::start(&lab, Host::Backend1).unwrap();
        panic!("as a failed test does");
    };
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
    assert_nothing_of(process::id());
}

#[test]
fn what_a_killed_lab_leaves_is_removed_by_the_next() -> Result<()> {
    let _alone = alone();
    let files = files()?;
    let mut demo = start_demo(&files)?;
    demo.wait_until_ready(|said| Ok(said.contains("Ctrl-C")))?;
    demo.stop_with(Signal::SIGKILL)?;
    let left = namespaces_of(number(&demo));
    assert_eq!(left.len(), Host::ALL.len());
    wait::until("the end of its programs", || {
        // A lab of another process may be faster in removing them.
        let is_empty = |name: &String| namespace::processes(name).unwrap_or_default().is_empty();
        Ok(left.iter().all(is_empty).then_some(()))
    })?;

    let _lab = Lab::new()?;
    assert_nothing_of(number(&demo));
    Ok(())
}

#[test]
fn ctrl_c_leaves_nothing() -> Result<()> {
    let _alone = alone();
    // While the network is made, while programs start, and while requests are sent.
    for file in ["router.links", "nginx-b2.log", "lb.yaml", "client-1.curl"] {
        let files = files()?;
        let mut demo = start_demo(&files)?;
        let awaited = leftovers::directory_path(number(&demo)).join(file);
        demo.wait_until_ready(|_| Ok(awaited.exists()))?;
        let status = demo.stop_with(Signal::SIGINT)?;
        assert_eq!(status.code(), Some(130), "at {file}: {}", demo.log());
        assert_nothing_of(number(&demo));
    }
    Ok(())
}

fn files() -> Result<Directory> {
    Directory::create(std::env::temp_dir().join(format!("lb-lab-test-{}", process::id())))
}

fn start_demo(files: &Directory) -> Result<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb-demo"));
    Process::start("lb-demo", command.arg("--keep"), files.path().join("demo.log"))
}

fn number(process: &Process) -> u32 {
    process.id().as_raw().cast_unsigned()
}

fn assert_nothing_of(process: u32) {
    assert_eq!(namespaces_of(process), Vec::<String>::new());
    assert!(!leftovers::directory_path(process).exists());
}

fn namespaces_of(process: u32) -> Vec<String> {
    let prefix = format!("lb-{process}-");
    let names = fs::read_dir(Path::new(namespace::DIRECTORY)).into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix))
        .collect()
}
