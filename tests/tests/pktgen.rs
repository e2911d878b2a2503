//! `cargo xtask bench pktgen`, in a virtual machine whose kernel has pktgen: a backend sends to a VIP, and gets back what the
//! balancer forwards.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use lb_tests::bench::record::{Record, Row};
use lb_tests::namespace::Namespace;
use lb_tests::run::{Finished, finish, run};
use lb_tests::wait::PATIENCE;
use lb_tests::{Balancer, Entry, Host, Lab, balancer, entry, neighbour, programs, vm};

const VIP: &str = "192.0.2.9";
const PACKETS: &str = "3001";

#[test]
fn what_is_sent_is_forwarded_and_comes_back() -> Result<()> {
    vm::inside("what_is_sent_is_forwarded_and_comes_back", || {
        ["veth", "bridge"]
            .iter()
            .try_for_each(|module| run(Command::new("modprobe").arg(module)).map(drop))?;
        let lab = Lab::new()?;
        let service = Entry {
            vip: VIP.into(),
            port: Some(80),
            protocol: "udp",
            forwarding: "l2",
            backends: vec![Host::Backend1.ipv4().into()],
        };
        let yaml = entry::added(&balancer::configure(lab.directory(), &[]), &[service]);
        let balancer = Balancer::start_with(&lab, &yaml)?;
        balancer.wait_until_active()?;
        let (sender, gateway) = (lab.host(Host::Backend1), Host::Balancer.ipv4());
        let route = ["route", "add", VIP, "via", &gateway.to_string()];
        run(Command::new("ip").args(["-n", sender.name()]).args(route))?;
        neighbour::ask(sender, "eth0", gateway.into())?;

        let file = lab.directory().join("pktgen.json");
        let socket = balancer::socket(lab.directory());
        let (file_text, socket_text) = (file.display().to_string(), socket.display().to_string());
        let sent = pktgen(
            sender,
            &["--vip", VIP, "--threads", "2", "--count", PACKETS, "--seconds", "60", "--returns", "eth0"],
            &["--socket", &socket_text, "--json", &file_text],
        )?;
        assert!(sent.status.success(), "{sent:?}");
        let record = Record::read(&file)?;
        let all = row(&record, "all queues")?;
        let fact = |name: &str| all.facts.get(name).and_then(serde_json::Value::as_i64).unwrap_or(-1);
        assert_eq!(fact("sent"), 3001, "{sent:?}");
        assert!((1..=3001).contains(&fact("forwarded")), "{sent:?}");
        assert!(fact("received") >= 1 && fact("lost") == fact("sent") - fact("received"), "{sent:?}");
        for thread in ["sent/0", "sent/1"] {
            assert!(row(&record, thread)?.figure("sent").median > 0.0, "{sent:?}");
        }

        // While nobody sends, nothing comes; and the generator is free again.
        let quiet = pktgen(
            lab.host(Host::Balancer),
            &["--receive-only", "--seconds", "1"],
            &["--socket", &socket_text],
        )?;
        let last = quiet.stdout.lines().last().context("no output")?;
        let words: Vec<&str> = last.split_whitespace().collect();
        assert_eq!((words[..2].to_vec(), words[3]), (vec!["all", "–"], "0"), "{quiet:?}");
        let again = pktgen(sender, &["--vip", VIP, "--count", "10"], &[])?;
        assert!(again.status.success(), "{again:?}");

        let six = ["--vip", "2001:db8:f::9", "--mac", "02:00:00:00:00:09", "--count", "10", "--rate", "1000"];
        let over_ipv6 = pktgen(sender, &six, &[])?;
        assert!(
            over_ipv6.stdout.lines().any(|line| line.split_whitespace().nth(1) == Some("10")),
            "{over_ipv6:?}"
        );

        for (arguments, expected) in [
            (["--vip", "198.51.100.99"], "has no MAC address on eth0 yet"),
            (["--vip", "2001:db8:f::9"], "has no MAC address on eth0 yet"),
        ] {
            let refused = pktgen(sender, &arguments, &[])?;
            assert!(!refused.status.success() && refused.stderr.contains(expected), "{refused:?}");
        }
        run(Command::new("ip").args(["-n", lab.host(Host::Client).name(), "link", "set", "eth0", "down"]))?;
        let down = pktgen(lab.host(Host::Client), &["--vip", VIP], &[])?;
        assert!(down.stderr.contains("eth0 is down; run: ip link set eth0 up"), "{down:?}");
        fs::remove_file(file)?;
        Ok(())
    })
}

fn pktgen(host: &Namespace, arguments: &[&str], more: &[&str]) -> Result<Finished> {
    let mut command = host.command(programs::ours("lb-bench")?);
    finish(command.args(["pktgen", "--interface", "eth0"]).args(arguments).args(more), PATIENCE)
}

fn row<'a>(record: &'a Record, name: &str) -> Result<&'a Row> {
    record.rows.iter().find(|row| row.name == name).with_context(|| format!("no row {name}: {record:?}"))
}
