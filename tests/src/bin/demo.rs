//! The demo: six services through the load balancer, and the proof of what it did.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use lb_tests::accounts::{self, Tally};
use lb_tests::curl::{self, Request};
use lb_tests::snapshot::Snapshot;
use lb_tests::{Backend, Balancer, Host, Lab, SERVICES, Service, balancer, interrupt, programs, report};

#[derive(Parser)]
#[command(about = "Client, router, load balancer and backends in network namespaces, with real traffic")]
struct Arguments {
    /// Leave it running until Ctrl-C, and say how to look around
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let result = demo(&Arguments::parse());
    if let Some(code) = interrupt::exit_code() {
        eprintln!("stopped and removed");
        return ExitCode::from(code);
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(arguments: &Arguments) -> Result<()> {
    let lab = step("network", "client, router, load balancer lb, backends b1 b2 b3", Lab::new)?;
    let _backends = step("backends", "nginx and lb-agent on each", || Backend::start_all(&lab))?;
    let balancer = step("balancer", "lbd on lb, six services", || {
        let balancer = Balancer::start(&lab, &SERVICES)?;
        balancer.wait_until_active()?;
        Ok(balancer)
    })?;

    let before = Snapshot::take(&balancer)?;
    let tallies = step("requests", "curl on the client, each over a new connection", || {
        SERVICES.into_iter().map(|service| ask(&lab, service)).collect::<Result<Vec<_>>>()
    })?;
    let counted = Snapshot::take(&balancer)?.since(&before);

    println!("\n{}", report::requests(&tallies));
    for arguments in [["service", "list"].as_slice(), &["backend", "list"], &["status"]] {
        println!("\n$ lbctl {}\n{}", arguments.join(" "), balancer.lbctl(arguments)?.trim_end());
    }
    println!("\n{}\n\n{}\n", report::directions(&tallies, &counted), report::packets(&counted));

    let complaints = accounts::complaints(&tallies, &counted);
    if complaints.is_empty() {
        let answered: u64 = tallies.iter().map(Tally::answered).sum();
        println!(
            "all {answered} requests answered, no reply through the load balancer, every packet accounted for"
        );
    }
    if arguments.keep {
        look_around(&lab)?;
        interrupt::wait();
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\nerror: "));
    }
    Ok(())
}

/// Small requests to each service, enough that no backend goes without one but by a fault: the odds are
/// 3 · (2/3)^60, one in ten thousand million.
const SMALL: usize = 60;

/// Requests to each service whose replies are many segments long.
const BIG: usize = 2;

fn ask(lab: &Lab, service: Service) -> Result<Tally> {
    let mut requests = vec![Request::to(&service, "/"); SMALL];
    requests.extend(vec![Request::to(&service, "/big"); BIG]);
    Ok(Tally::of(service, &requests, &curl::fetch(lab, &requests)?))
}

/// Does a step, and says in a line what it was and how long it took.
fn step<T>(name: &str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    print!("{name:<10}{what:<56}");
    io::stdout().flush()?;
    let start = Instant::now();
    let result = work();
    match result {
        Ok(_) => println!("{:>6.2} s", start.elapsed().as_secs_f64()),
        Err(_) => println!(),
    }
    result
}

/// Says how to see for oneself.
fn look_around(lab: &Lab) -> Result<()> {
    let enter = |host: Host| format!("sudo nsenter --net={}", lab.host(host).path().display());
    let lbctl = programs::ours("lbctl")?;
    let socket = balancer::socket(lab.directory());
    let [v4, v6] = [SERVICES[0].vip, SERVICES[1].vip];
    println!("\nIt stays until Ctrl-C. From another terminal:");
    println!("\n# a shell on a host: client, router, lb, b1, b2 or b3\n{} bash", enter(Host::Client));
    println!("\n# requests\n{} curl 'http://{v4}/?[1-9]' 'http://[{v6}]/'", enter(Host::Client));
    println!("\n# the load balancer: status, service list, backend list");
    println!("sudo {} --socket {} status", lbctl.display(), socket.display());
    println!("\n# its packets, where the router sees them: on lb, XDP comes before tcpdump");
    println!("{} tcpdump -ni {}", enter(Host::Router), Host::Balancer.name());
    println!("\n# configuration and logs\nsudo ls {}", lab.directory().display());
    Ok(())
}
