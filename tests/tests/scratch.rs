//! scratch
use lb_tests::*;
use std::process::Command;
use std::time::Instant;
#[test]
fn scratch() -> anyhow::Result<()> {
    let t = Instant::now();
    let lab = Lab::new()?;
    println!("lab {:?}", t.elapsed());
    let t = Instant::now();
    let _n: Vec<_> = Host::BACKENDS.into_iter().map(|b| nginx::start(&lab, b)).collect::<Result<_, _>>()?;
    println!("nginx {:?}", t.elapsed());
    let t = Instant::now();
    let mut requests = vec![];
    for b in Host::BACKENDS {
        for _ in 0..60 {
            requests.push(curl::Request::to_address(b.ipv4().into(), "/"));
            requests.push(curl::Request::to_address(b.ipv6().into(), "/"));
        }
        requests.push(curl::Request::to_address(b.ipv6().into(), "/big").from_port(40001));
        requests.push(curl::Request::to_address(b.ipv6().into(), "/big").from_port(40001));
    }
    let r = curl::fetch(&lab, &requests)?;
    println!("curl {} {:?} {:?} {:?}", r.len(), t.elapsed(), r.first(), r.last());
    println!("{}", std::fs::read_to_string(lab.directory().join("nginx-b1.log"))?);
    println!("{}", run::run(lab.host(Host::Balancer).command("ethtool").args(["-S", "eth0"]))?);
    println!("{}", run::run(lab.host(Host::Router).command("ethtool").args(["-S", "lb"]))?);
    println!("{}", run::run(lab.host(Host::Router).command("ip").args(["-s", "link"]))?);
    println!("{:?}", xdp::attached(lab.host(Host::Router), "lb"));
    println!("{:?}", lab.host(Host::Backend1).processes());
    println!("{}", run::run(Command::new("ls").arg(lab.directory()))?);
    if std::env::var("KEEP").is_ok() {
        wait::until("never", || Ok(None::<()>))?;
    }
    let t = Instant::now();
    drop(_n);
    println!("stop {:?}", t.elapsed());
    let t = Instant::now();
    drop(lab);
    println!("gone {:?}", t.elapsed());
    Ok(())
}
