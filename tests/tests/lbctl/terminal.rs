//! What is different on a terminal.

use std::process::Command;

use anyhow::Result;
use lb_tests::run::run;
use lb_tests::{Balancer, Lab, SERVICES, balancer, programs};

use crate::lbctl;

/// What `lbctl backend list` writes to a terminal of so many columns.
fn on_terminal(lab: &Lab, columns: u16, environment: &str) -> Result<String> {
    let program = programs::ours("lbctl")?;
    let socket = balancer::socket(lab.directory());
    let line = format!(
        "stty rows 24 cols {columns}; {environment} {} --socket {} backend list",
        program.display(),
        socket.display()
    );
    run(Command::new("script").args(["--quiet", "--return", "--command", &line, "/dev/null"]))
}

#[test]
fn a_table_fits_the_terminal_and_has_colours_unless_nobody_wants_them() -> Result<()> {
    let lab = Lab::new()?;
    let yaml = balancer::configure(lab.directory(), &SERVICES[..1]).replace("100.13", "100.99");
    let balancer = Balancer::start_with(&lab, &yaml)?;
    let plain = balancer.lbctl(&["backend", "list"])?;
    let longest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(!plain.contains('\x1b') && longest(&plain) > Some(90), "{plain}");

    let coloured = on_terminal(&lab, 200, "TERM=xterm NO_COLOR=")?;
    assert!(
        coloured.contains("\x1b[38;5;1mdown: ") || coloured.contains("\x1b[38;5;9mdown: "),
        "{coloured:?}"
    );
    for environment in ["TERM=xterm NO_COLOR=1", "TERM=dumb"] {
        let narrow = on_terminal(&lab, 90, environment)?;
        assert!(!narrow.contains('\x1b') && longest(&narrow) <= Some(90), "{narrow}");
        assert!(narrow.lines().count() > plain.lines().count(), "{narrow}");
    }
    Ok(())
}

#[test]
fn a_shell_is_offered_the_names_that_there_are() -> Result<()> {
    let lab = Lab::new()?;
    let _balancer = Balancer::start(&lab, &SERVICES[..3])?;
    let offered = |words: &[&str]| -> Result<Vec<String>> {
        let mut shell = lbctl(&lab)?;
        shell.env("COMPLETE", "fish").env("LB_SOCKET", balancer::socket(lab.directory()));
        let offered = run(shell.args(["--", "lbctl"]).args(words))?;
        Ok(offered.lines().filter_map(|line| line.split('\t').next()).map(String::from).collect())
    };
    assert_eq!(offered(&["service", "show", "l2"])?, ["l2-v4", "l2-v6"]);
    assert_eq!(offered(&["backend", "drain", "b"])?, ["b1", "b2", "b3"]);
    assert_eq!(offered(&["backend", "list", "--service", "v4"])?, ["v4-in-v4"]);
    assert_eq!(offered(&["backend", "dr"])?, ["drain"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = run(lbctl(&lab)?.args(["completions", shell]))?;
        assert!(
            script.contains(&format!("COMPLETE=\"{shell}\""))
                || script.contains(&format!("COMPLETE={shell}")),
            "{script}"
        );
    }
    Ok(())
}
