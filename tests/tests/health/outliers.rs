//! Backends whose traffic shows that they do worse than their peers, although their checks pass.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use lb_tests::backend::Backend;
use lb_tests::balancer::Balancer;
use lb_tests::host::Host;
use lb_tests::lab::Lab;
use lb_tests::service::{SERVICES, Service};
use lb_tests::wait;
use lb_tests::{curl, health};
use lb_userspace::api::CheckState;

use super::configuration;

/// The service whose backends are checked here.
const WEB: Service = SERVICES[2];

/// Checks that ask the backends' own addresses pass while the VIP is missing.
const HEALTH: &str = "{kind: tcp, via: direct, interval: 100ms, rise: 1, \
     outliers: {share: 34, least_flows: 3, normal: 20, times: 3, ejected_for: 1s, longest: 2s, trial: 50}}";

/// Connections that are tried at the same time, each for long enough that its SYN is sent again if nobody answers.
const CLIENTS: usize = 60;
const PATIENCE: Duration = Duration::from_millis(1500);

/// Clients, until the condition comes true.
fn clients_until<T>(lab: &Lab, what: &str, condition: impl Fn() -> Result<Option<T>>) -> Result<T> {
    wait::until(what, || {
        lab.host(Host::Client).enter(|| {
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| drop(TcpStream::connect_timeout(&(WEB.vip, 80).into(), PATIENCE)));
                }
            });
            Ok(())
        })?;
        condition()
    })
}

fn state(balancer: &Balancer, host: Host) -> Result<Option<CheckState>> {
    Ok(health::checks(balancer, host.name())?.first().map(|check| check.state))
}

#[test]
fn who_answers_no_syns_is_ejected_tried_and_taken_back() -> Result<()> {
    let lab = Lab::new()?;
    let mut backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start_with(&lab, &configuration(&lab, &[WEB], HEALTH))?;
    for host in Host::BACKENDS {
        health::wait_until(&balancer, host.name(), CheckState::Up)?;
    }
    // Without its agent, nobody unpacks what a tunnel brings; its own address answers as before.
    let broken = backends.iter_mut().find(|backend| backend.host == Host::Backend2);
    broken.map(|backend| backend.agent.stop()).transpose()?;
    let seen = |wanted: CheckState| {
        let balancer = &balancer;
        move || -> Result<Option<()>> {
            for host in [Host::Backend1, Host::Backend3] {
                assert_eq!(state(balancer, host)?, Some(CheckState::Up), "no more than the share");
            }
            Ok((state(balancer, Host::Backend2)? == Some(wanted)).then_some(()))
        }
    };
    clients_until(&lab, "ejected", seen(CheckState::Ejected))?;
    let events = balancer.lbctl(&["events"])?;
    assert!(events.contains("ejected, as its traffic did worse than its peers'"), "{events}");
    clients_until(&lab, "on trial", seen(CheckState::OnTrial))?;

    // Well again.
    backends.retain(|backend| backend.host != Host::Backend2);
    backends.push(Backend::start(&lab, Host::Backend2)?);
    clients_until(&lab, "taken back", seen(CheckState::Up))?;
    let takers: BTreeSet<_> = curl::answers(&lab, &WEB, 60)?.into_iter().collect();
    assert_eq!(takers, Host::BACKENDS.map(|host| host.name().to_owned()).into());
    Ok(())
}
