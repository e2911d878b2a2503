//! The commands of docs/operating.md, one after the other. Needs root.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lb_tests::backend::Backend;
use lb_tests::balancer::{self, Balancer};
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::{curl, curl::Request, run, service::SERVICES, wait, xdp};
use nix::sys::signal::Signal;

fn page() -> Result<String> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md"))?)
}

/// The lines of all blocks of a kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_in = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(begun) => is_in = begun == kind,
            None if is_in => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

/// A command without its comment, and the exit code that the comment promises.
fn command(line: &str) -> (Vec<&str>, i32) {
    let (command, comment) = line.split_once('#').unwrap_or((line, ""));
    let code = comment.trim().strip_prefix("exit ").and_then(|code| code.parse().ok());
    (command.split_whitespace().collect(), code.unwrap_or(0))
}

#[test]
fn every_command_works() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let page = page()?;
    let ours = balancer::configure(lab.directory(), &[]);
    // Where this lab's files are.
    let places =
        ours.lines().filter(|line| line.starts_with(char::is_alphabetic) && !line.starts_with("version"));
    let places = places.filter(|line| ["instance", "api", "state"].iter().any(|name| line.starts_with(name)));
    let file = lab.directory().join("lb.yaml");
    let configuration =
        blocks(&page, "yaml").join("\n") + "\n" + &places.collect::<Vec<_>>().join("\n") + "\n";
    fs::write(&file, &configuration)?;

    let lines = blocks(&page, "sh");
    ensure!(lines.len() > 20, "{lines:?}");
    let mut balancer: Option<Balancer> = None;
    let mut running = 0;
    for line in &lines {
        let (words, code) = command(line);
        let words: Vec<_> = words
            .into_iter()
            .map(|word| word.replace("/etc/lb/lb.yaml", &file.display().to_string()))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["systemctl", "start", "lbd"] => {
                balancer = Some(Balancer::start_with(&lab, &configuration)?);
                running += 1;
            }
            ["systemctl", "stop", "lbd"] => {
                let balancer = balancer.as_mut().context(line.clone())?;
                balancer.stop_with(Signal::SIGTERM)?;
            }
            ["systemctl", "restart", "lbd"] => {
                let balancer = balancer.as_mut().context(line.clone())?;
                balancer.stop_with(Signal::SIGTERM)?;
                balancer.start_again()?;
            }
            ["systemctl", "reload", "lbd"] => {
                let balancer = balancer.as_ref().context(line.clone())?;
                balancer.reload(&fs::read_to_string(&file)?)?;
            }
            ["lbd", arguments @ ..] => {
                let mut lbd = balancer::command(&lab, &file)?;
                let finished = run::finish(lbd.args(arguments), wait::PATIENCE)?;
                ensure!(finished.status.code() == Some(code), "{line}: {}", finished.stderr);
            }
            ["lbctl", arguments @ ..] => {
                let finished = run::finish(&mut balancer::lbctl(&lab, arguments)?, wait::PATIENCE)?;
                let said = format!("{}{}", finished.stdout, finished.stderr);
                ensure!(finished.status.code() == Some(code), "{line}: {:?}: {said}", finished.status);
                ensure!(
                    !finished.stdout.is_empty() || line.contains("plan") || line.contains("trace"),
                    "{line}"
                );
            }
            other => anyhow::bail!("nobody knows how to run {other:?}"),
        }
        if line.starts_with("lbctl backend list") {
            let balancer = balancer.as_ref().context(line.clone())?;
            wait::until("a backend takes flows", || {
                Ok(balancer.lbctl(&["backend", "list"])?.contains("active").then_some(()))
            })?;
            let replies = curl::fetch(&lab, &[Request::to(&SERVICES[0], "/")])?;
            ensure!(replies.first().is_some_and(|reply| reply.status == 200), "{line}: {replies:?}");
        }
    }
    ensure!(running == 1, "lbd was started {running} times");
    assert_eq!(xdp::attached(lab.host(Host::Balancer), "eth0")?, None, "the page ends with lbd detach");
    let saved = fs::read_to_string(&file)?;
    assert!(saved.contains("gamma") && saved.contains("weight: 2"), "{saved}");
    Ok(())
}
