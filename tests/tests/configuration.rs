//! What runs, what is saved, and what an operator does with both: real `lbd`, real `lbctl`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lb_tests::balancer::{self, Balancer};
use lb_tests::lab::Lab;
use lb_tests::run::Finished;
use lb_tests::service::{SERVICES, Service};
use lb_tests::wait;
use lb_userspace::api::Backend;
use lb_userspace::api::config::{Changed, Shown};
use nix::sys::signal::Signal;

/// One service of three backends.
const WEB: Service = SERVICES[0];

/// A comment that outlives what is saved.
const COMMENT: &str = "# kept by hand";

struct Operator<'lab> {
    balancer: Balancer<'lab>,
    file: PathBuf,
}

impl<'lab> Operator<'lab> {
    fn start(lab: &'lab Lab) -> Result<Self> {
        let text = format!("{COMMENT}\n{}", balancer::configure(lab.directory(), &[WEB]));
        let balancer = Balancer::start_with(lab, &text)?;
        balancer.wait_until_active()?;
        Ok(Operator { balancer, file: lab.directory().join("lb.yaml") })
    }

    fn lbctl(&self, line: &str) -> Result<String> {
        self.balancer.lbctl(&line.split(' ').collect::<Vec<_>>())
    }

    fn json<T: serde::de::DeserializeOwned>(&self, line: &str) -> Result<T> {
        let line = format!("-o json {line}");
        let Finished { stdout, stderr, .. } =
            self.balancer.try_lbctl(&line.split(' ').collect::<Vec<_>>())?;
        serde_json::from_str(&stdout).context(stderr)
    }

    /// Exit code, and what is said on standard error.
    fn refused(&self, line: &str) -> Result<(i32, String)> {
        let finished = self.balancer.try_lbctl(&line.split(' ').collect::<Vec<_>>())?;
        Ok((finished.status.code().context("no exit code")?, finished.stderr))
    }

    fn shown(&self) -> Result<Shown> {
        self.json("config show").or_else(|_| {
            let api = curl(&self.balancer, "/v1/config")?;
            Ok(serde_json::from_str(&api)?)
        })
    }

    fn backend(&self, name: &str) -> Result<Option<Backend>> {
        let backends: Vec<Backend> = self.json("backend list")?;
        Ok(backends.into_iter().find(|backend| backend.name == name))
    }

    fn weight(&self, name: &str) -> Result<Option<u32>> {
        Ok(self.backend(name)?.map(|backend| backend.weight))
    }

    fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.file)?)
    }

    /// The file with one passage replaced, beside it.
    fn other(&self, from: &str, to: &str) -> Result<PathBuf> {
        let text = self.text()?;
        assert!(text.contains(from), "{text}");
        let other = self.file.with_file_name("other.yaml");
        fs::write(&other, text.replacen(from, to, 1))?;
        Ok(other)
    }

    fn kill_and_start(&mut self) -> Result<()> {
        self.balancer.stop_with(Signal::SIGKILL)?;
        self.balancer.start_again()
    }

    fn kill(&mut self) -> Result<()> {
        self.kill_and_start()?;
        self.balancer.wait_until_active()
    }
}

/// What the API answers to a question that no command asks as it is.
fn curl(balancer: &Balancer, path: &str) -> Result<String> {
    let socket = balancer::socket(balancer.lab().directory());
    let mut command = std::process::Command::new("curl");
    command.arg("-s").arg("--unix-socket").arg(socket).arg(format!("http://lbd{path}"));
    lb_tests::run::run(&mut command)
}

#[test]
fn changes_take_effect_at_once_and_survive_sigkill() -> Result<()> {
    let lab = Lab::new()?;
    let mut operator = Operator::start(&lab)?;
    let before = operator.text()?;
    let name = WEB.name;

    let said = operator.lbctl("backend set b1 weight=5")?;
    assert!(said.contains(&format!("+ services.{name}.backends.b1.weight: 5")), "{said}");
    assert!(said.contains("slots move") && said.contains("b1 at"), "{said}");
    assert_eq!(operator.weight("b1")?, Some(5));
    let slots = operator.backend("b1")?.context("no b1")?.slots;
    assert!((45_000..49_000).contains(&slots), "five of seven parts of 65537: {slots}");

    operator.lbctl("backend drain b2 --timeout 600")?;
    operator.lbctl(&format!("backend add {name} address=198.51.100.99 name=b9 weight=2"))?;
    operator
        .lbctl("service add extra vip=203.0.113.77 port=81 protocol=udp forwarding=ipip idle_timeout=20s")?;
    operator.lbctl("backend add extra address=198.51.100.12 weight=3")?;
    let diff: serde_json::Value = operator.json("config diff")?;
    assert_eq!(diff["changes"].as_array().map(Vec::len), Some(5), "{diff}");
    let (code, _) = operator.refused("config diff")?;
    assert_eq!(code, 4, "there are changes");
    let generation = diff["generation"].as_u64().context("no generation")?;

    for _ in 0..3 {
        operator.kill_and_start()?;
        assert_eq!(operator.weight("b1")?, Some(5));
        assert_eq!(operator.weight("b9")?, Some(2));
        assert_eq!(operator.weight("198.51.100.12")?, Some(3));
        let again: serde_json::Value = operator.json("config diff")?;
        assert_eq!(again, diff);
        let b2 = operator.backend("b2")?.context("no b2")?;
        assert_eq!(b2.slots, 0, "still drained: {b2:?}");
    }

    operator.lbctl("backend undrain b2")?;
    operator.lbctl("backend remove b9")?;
    operator.lbctl("service set extra idle_timeout= drain_timeout=5s")?;
    operator.lbctl("service remove extra")?;
    operator.lbctl("backend set b1 weight=")?;
    assert_eq!(operator.lbctl("config diff")?.trim(), format!("{} says what runs.", operator.file.display()));
    let after: serde_json::Value = operator.json("config diff")?;
    assert_eq!(after["generation"].as_u64(), Some(generation + 5));
    assert_eq!(operator.text()?, before, "nobody asked to save");
    Ok(())
}

#[test]
fn what_is_saved_keeps_comments_and_the_former_file() -> Result<()> {
    let lab = Lab::new()?;
    let mut operator = Operator::start(&lab)?;
    let before = operator.text()?;
    assert!(operator.lbctl("config save")?.contains("nothing was written"));
    operator.lbctl("backend set b1 weight=5")?;
    operator.lbctl("backend remove b3")?;
    operator.lbctl("service add extra vip=203.0.113.77 port=81 protocol=udp forwarding=ipip")?;
    let said = operator.lbctl("config save")?;
    assert!(said.contains("Saved: ") && !said.contains("lost"), "{said}");
    let saved = operator.text()?;
    assert!(
        saved.starts_with(COMMENT) && saved.contains("weight: 5") && saved.contains("name: extra"),
        "{saved}"
    );
    assert!(!saved.contains("b3"), "{saved}");
    assert_eq!(fs::read_to_string(operator.file.with_file_name("lb.yaml~"))?, before);
    assert!(operator.lbctl("config diff")?.contains("says what runs"));
    operator.kill_and_start()?;
    assert!(operator.lbctl("config diff")?.contains("says what runs"));
    assert_eq!(operator.weight("b1")?, Some(5));

    // Whoever edits the file isn't overruled.
    fs::write(&operator.file, saved.replace("weight: 5", "weight: 7"))?;
    operator.lbctl("backend set b2 weight=9")?;
    let (code, error) = operator.refused("config save")?;
    assert!(code == 1 && error.contains("was changed since it was read"), "{error}");
    let reloaded = operator.lbctl("reload")?;
    assert!(reloaded.contains("weight: 5 -> 7") && reloaded.contains("still is"), "{reloaded}");
    assert_eq!((operator.weight("b1")?, operator.weight("b2")?), (Some(7), Some(9)));
    operator.lbctl("config save")?;
    assert!(operator.text()?.contains("weight: 9"));
    Ok(())
}

#[test]
fn a_file_that_was_edited_too_wins_and_says_so_first() -> Result<()> {
    let lab = Lab::new()?;
    let mut operator = Operator::start(&lab)?;
    operator.lbctl("backend set b1 weight=5")?;
    operator.lbctl("backend set b2 weight=6")?;
    let text = operator.text()?.replace("name: b1\n", "name: b1\n        weight: 3\n");
    fs::write(&operator.file, &text)?;
    let (code, error) = operator.refused("reload")?;
    let said = format!(
        "this change is dropped: + services.{}.backends.b1.weight: 5; the file has changed",
        WEB.name
    );
    assert!(code == 1 && error.contains(&said) && error.contains("--yes"), "{error}");
    assert_eq!(operator.weight("b1")?, Some(5));
    let said = operator.lbctl("reload --yes")?;
    assert!(said.contains("dropped: ") && said.contains("weight: 5 -> 3"), "{said}");
    assert_eq!((operator.weight("b1")?, operator.weight("b2")?), (Some(3), Some(6)));

    // What happened while nobody ran is decided in the same way.
    operator.lbctl("backend set b1 weight=4")?;
    fs::write(&operator.file, text.replace("weight: 3", "weight: 2"))?;
    operator.kill()?;
    assert_eq!((operator.weight("b1")?, operator.weight("b2")?), (Some(2), Some(6)));
    assert!(operator.balancer.log().contains("this change is dropped"), "{}", operator.balancer.log());

    // A change that the file has now is none any more; and what isn't there any more can't be changed.
    let with_b2 = operator.text()?.replace("name: b2\n", "name: b2\n        weight: 6\n");
    fs::write(&operator.file, with_b2)?;
    operator.lbctl("reload")?;
    assert!(operator.lbctl("config diff")?.contains("says what runs"));

    operator.lbctl("backend set b2 weight=8")?;
    let reverted = operator.lbctl("config revert")?;
    assert!(reverted.contains("b2.weight: 8 -> 6"), "{reverted}");
    assert_eq!(operator.weight("b2")?, Some(6));
    Ok(())
}

#[test]
fn plan_says_what_apply_does() -> Result<()> {
    let lab = Lab::new()?;
    let operator = Operator::start(&lab)?;
    let own = operator.file.display().to_string();
    let nothing: Changed = operator.json(&format!("plan {own}"))?;
    assert!(nothing.changes.is_empty() && nothing.effect.writes == 0, "{nothing:?}");
    assert_eq!(operator.refused(&format!("plan {own}"))?.0, 0);

    let other = operator.other("name: b1\n", "name: b1\n        weight: 5\n")?.display().to_string();
    let planned: Changed = operator.json(&format!("plan {other}"))?;
    assert_eq!(operator.refused(&format!("plan {other}"))?.0, 4);
    assert_eq!(planned.changes.len(), 1);
    let service = &planned.effect.services[0];
    assert!((20_000..30_000).contains(&service.slots_moved) && service.settled_in > 3000, "{service:?}");
    assert_eq!(operator.weight("b1")?, Some(1), "only planned");

    let applied: Changed = operator.json(&format!("apply {other}"))?;
    assert_eq!(
        (&applied.changes, applied.effect.slots_moved),
        (&planned.changes, planned.effect.slots_moved)
    );
    let planned_slots: Vec<_> = service.backends.iter().map(|backend| backend.slots).collect();
    for (name, slots) in ["b1", "b2", "b3"].into_iter().zip(planned_slots) {
        assert_eq!(operator.backend(name)?.context(name)?.slots, slots);
    }
    let again: Changed = operator.json(&format!("apply {other}"))?;
    assert!(again.changes.is_empty() && again.effect.writes == 0 && again.generation == applied.generation);
    assert_eq!(operator.weight("b1")?, Some(5));

    // A backend that nobody is: said, not waited for without end.
    let lost = operator.other("name: b3\n", "name: b9\n")?;
    let text = fs::read_to_string(&lost)?
        .replace(&WEB.backend_address(lb_tests::host::Host::Backend3).to_string(), "198.51.100.99");
    fs::write(&lost, text)?;
    let said = operator.lbctl(&format!("apply {}", lost.display()))?;
    assert!(said.contains("runs without b9: 198.51.100.99 doesn't answer"), "{said}");
    assert!(said.contains("b3 at") && said.contains("leaves"), "{said}");

    // The file itself again: no changes are left.
    operator.lbctl(&format!("apply {own} --no-wait"))?;
    assert!(operator.lbctl("config diff")?.contains("says what runs"));
    Ok(())
}

#[test]
fn broken_files_change_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let operator = Operator::start(&lab)?;
    let before = curl(&operator.balancer, "/v1/config")?;
    let rows = [
        (
            "name: b1\n",
            "name: b1\n        weight: much\n",
            ":17:17: services[0].backends[0].weight: much is not a",
        ),
        ("port: 80", "port: 80\n    prot: 5", "prot: unknown field; did you mean port?"),
        ("services:", "servces:", "servces: unknown field; did you mean services?"),
        ("name: eth0", "name: eth1", "interfaces can't change while lbd runs"),
        (
            "version: 1",
            "version: 1\nhash_key: 000102030405060708090a0b0c0d0e0f",
            "hash_key can't change while lbd runs",
        ),
        ("    forwarding: ", "    table_size: 251\n    forwarding: ", "table_size is 65537 while it runs"),
        ("services:", "services: [", "this is not YAML"),
    ];
    for (from, to, expected) in rows {
        let other = operator.other(from, to)?.display().to_string();
        for command in ["plan", "apply"] {
            let (code, error) = operator.refused(&format!("{command} {other}"))?;
            assert!(
                code == 1 && error.contains(expected) && error.contains("other.yaml"),
                "{command}: {error}"
            );
        }
    }
    let edits = [
        ("backend set b1 weight=much", "services.v4.backends.b1.weight: much is not a decimal number"),
        ("backend set b1 wieght=5", "wieght: unknown field; did you mean weight?"),
        ("backend set nobody weight=5", "there is no backend nobody"),
        ("service set v5 port=81", "there is no service v5; did you mean v4?"),
        ("service add v4 vip=203.0.113.1", "there is a service v4 already"),
        ("backend set b1 weight=5 weight=6", "weight is given twice"),
    ];
    for (line, expected) in edits {
        let (code, error) =
            operator.refused(&line.replace("v4", WEB.name).replace("v5", &format!("{}x", WEB.name)))?;
        let expected = expected.replace("v4", WEB.name).replace("v5", &format!("{}x", WEB.name));
        assert!(code == 1 && error.contains(&expected), "{line}: {error}");
    }
    assert_eq!(curl(&operator.balancer, "/v1/config")?, before);
    assert_eq!(operator.refused("config check /nonexistent")?.0, 1);
    let own = operator.file.display().to_string();
    assert!(operator.lbctl(&format!("config check {own}"))?.contains("valid"));
    assert!(operator.lbctl("config show")?.contains("    forwarding:"));
    Ok(())
}

#[test]
fn of_two_who_changed_the_same_one_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let operator = Operator::start(&lab)?;
    let generation = operator.shown()?.generation;
    let made: Changed = operator.json(&format!("backend set b1 weight=2 --generation {generation}"))?;
    assert_eq!(made.generation, generation + 1);
    let (code, error) = operator.refused(&format!("backend set b1 weight=3 --generation {generation}"))?;
    assert!(code == 1 && error.contains("by now; look at it again"), "{error}");
    assert_eq!(operator.weight("b1")?, Some(2));

    // Many at once: all are made, each with a generation of its own.
    let generations = std::thread::scope(|scope| {
        let changes: Vec<_> = (10..30)
            .map(|weight| {
                let operator = &operator;
                scope.spawn(move || -> Result<u64> {
                    Ok(operator.json::<Changed>(&format!("backend set b2 weight={weight}"))?.generation)
                })
            })
            .collect();
        changes.into_iter().map(|change| change.join().expect("no panic")).collect::<Result<Vec<_>>>()
    })?;
    let distinct: std::collections::BTreeSet<_> = generations.iter().collect();
    assert_eq!(distinct.len(), 20, "{generations:?}");
    assert_eq!(operator.shown()?.generation, generation + 21);
    Ok(())
}

#[test]
fn what_may_do_damage_wants_a_yes() -> Result<()> {
    let lab = Lab::new()?;
    let operator = Operator::start(&lab)?;
    operator.lbctl("backend disable b1")?;
    operator.lbctl("backend drain b2")?;
    for line in ["backend drain b3", "backend disable b3", "backend remove b3", "backend set b3 weight=0"] {
        let (code, error) = operator.refused(line)?;
        let said =
            format!("service {} is left without a backend that takes new flows: b3 was the last", WEB.name);
        assert!(code == 1 && error.contains(&said) && error.contains("add --yes"), "{line}: {error}");
    }
    assert_eq!(operator.backend("b3")?.context("no b3")?.slots, 65_537);
    operator.lbctl("backend drain b3 --yes")?;
    operator.lbctl("backend enable b1")?;
    operator.lbctl("backend enable b2")?;
    operator.lbctl("backend undrain b3")?;
    assert!(operator.lbctl("config diff")?.contains("says what runs"));
    operator.balancer.wait_until_active()?;

    // Nobody uses it yet.
    let _backends = lb_tests::backend::Backend::start_all(&lab)?;
    let vip = WEB.vip;
    lab.host(lb_tests::host::Host::Client).enter(|| {
        let answered = || Ok(std::net::TcpStream::connect_timeout(&(vip, 80).into(), wait::PATIENCE).ok());
        wait::until("an answer", answered).map(drop)
    })?;
    let (code, error) = operator.refused(&format!("service remove {}", WEB.name))?;
    assert!(code == 1 && error.contains("packets in the last") && error.contains("end at once"), "{error}");
    operator.lbctl(&format!("service remove {} --yes", WEB.name))?;
    assert!(operator.lbctl("config show")?.contains("services: []"));
    Ok(())
}

#[test]
fn a_journal_that_cannot_be_used_is_put_aside() -> Result<()> {
    let lab = Lab::new()?;
    let mut operator = Operator::start(&lab)?;
    operator.lbctl("backend set b1 weight=5")?;
    let journal = lab
        .directory()
        .join("state")
        .join(lab.directory().file_name().context("no name")?)
        .join("changes.json");
    let good = fs::read_to_string(&journal)?;
    for broken in ["", "{\"version\": 99}", &good[..good.len() / 2]] {
        fs::write(&journal, broken)?;
        operator.kill()?;
        assert_eq!(operator.weight("b1")?, Some(1));
        let log = operator.balancer.log();
        assert!(log.contains("lbd starts without the changes made since"), "{log}");
        assert_eq!(fs::read_to_string(journal.with_file_name("changes.json.unusable"))?, broken);
    }
    fs::write(&journal, good)?;
    operator.kill()?;
    assert_eq!(operator.weight("b1")?, Some(5));

    // A file that fails with the changes: it alone is started with.
    let text = operator.text()?;
    operator.lbctl("service add extra vip=203.0.113.77 port=81 protocol=udp forwarding=ipip")?;
    let (vip, extra) = (WEB.vip.to_string(), "203.0.113.77");
    fs::write(
        &operator.file,
        text.replace(
            &format!("\"{vip}\"\n    port: 80\n    protocol: tcp"),
            &format!("\"{extra}\"\n    port: 81\n    protocol: udp"),
        ),
    )?;
    operator.kill_and_start()?;
    assert!(operator.balancer.log().contains("isn't valid, they are dropped"), "{}", operator.balancer.log());
    assert_eq!(operator.weight("b1")?, Some(1));
    Ok(())
}
