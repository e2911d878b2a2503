//! What becomes of a service by its backends' health, until health has decided anew.

use std::path::Path;

use super::*;
use crate::fitness::ServiceFitness;

const WAY: Way = Way { egress: 7, ..Way::EMPTY };

fn config(on_all_down: &str, backends: &str) -> Config {
    let text = format!(
        "version: 1\ninterfaces: [{{name: eth0}}]\nservices: [{{vip: 192.0.2.1, port: 80, protocol: tcp, forwarding: l2, \
         health: {{kind: tcp, on_all_down: {on_all_down}}}, backends: [{backends}]}}]\n"
    );
    Config::parse(&text, Path::new("lb.yaml")).unwrap()
}

/// What health decided of the backends, in their order.
fn decided(config: &Config, fits: &[Fit]) -> Fitnesses {
    let service = &config.services[0];
    let backends = service.backends.iter().zip(fits).map(|(backend, fit)| {
        let condition = if matches!(fit, Fit::None(_)) { Condition::Down } else { Condition::Up };
        (BackendId::of(backend), Fitness { fit: fit.clone(), condition, ..Fitness::default() })
    });
    let fitness = ServiceFitness { backends: backends.collect(), all_down: None };
    [(ServiceId::of(service), fitness)].into()
}

/// Who takes new flows, by the last digit of their addresses. Nobody is there but where `way` leads.
fn takers(roster: &mut Roster, config: &Config, fitnesses: &Fitnesses, lost: &str) -> Vec<String> {
    let way = |_: &config::Service, address: IpAddr| {
        let no_way = || Obstacle::BehindRouter(address);
        if address.to_string().ends_with(lost) && !lost.is_empty() { Err(no_way()) } else { Ok(WAY) }
    };
    roster.update(config, way, fitnesses, Tick(1000));
    let members = &roster.roll(&config.services[0]).unwrap().members;
    let taking = members.iter().filter(|(_, member)| member.taking.has(Takes::NEW));
    taking.map(|(id, _)| id.name[id.name.len() - 1..].to_owned()).collect()
}

fn old() -> Fit {
    Fit::Old("a backup".into())
}

fn none() -> Fit {
    Fit::None("refused".into())
}

#[test]
fn flows_do_not_wait_for_health_to_decide_anew() {
    let both = config("forward", "{address: 10.0.0.1}, {address: 10.0.0.2, backup: true}");
    let drained =
        config("forward", "{address: 10.0.0.1, state: draining}, {address: 10.0.0.2, backup: true}");
    for (about, fits, before, after) in [
        ("a backup stands in", [Fit::All, old()], ["1"], vec!["2"]),
        ("so does one whose checks fail", [Fit::All, none()], ["1"], vec!["2"]),
    ] {
        let mut roster = Roster::new(4, 8);
        let fitnesses = decided(&both, &fits);
        assert_eq!(takers(&mut roster, &both, &fitnesses, ""), before, "{about}");
        assert_eq!(takers(&mut roster, &drained, &fitnesses, ""), after, "{about}");
        assert_eq!(takers(&mut roster, &both, &fitnesses, ""), before, "{about}");
    }
    let dropping = config("drop", "{address: 10.0.0.1, state: draining}, {address: 10.0.0.2}");
    let mut roster = Roster::new(4, 8);
    let fitnesses = decided(&dropping, &[Fit::All, none()]);
    assert!(takers(&mut roster, &dropping, &fitnesses, "").is_empty(), "as it was asked for");
}

#[test]
fn who_cannot_be_reached_is_stood_in_for() {
    let both = config("forward", "{address: 10.0.0.1}, {address: 10.0.0.2, backup: true}");
    let fitnesses = decided(&both, &[Fit::All, old()]);
    assert_eq!(takers(&mut Roster::new(4, 8), &both, &fitnesses, ".1"), ["2"]);
}

#[test]
fn who_joins_others_waits_for_its_first_check() {
    let one = config("forward", "{address: 10.0.0.1}");
    let two = config("forward", "{address: 10.0.0.1}, {address: 10.0.0.2}");
    let mut roster = Roster::new(4, 8);
    let fitnesses = decided(&one, &[Fit::All]);
    assert_eq!(takers(&mut roster, &one, &fitnesses, ""), ["1"]);
    assert_eq!(takers(&mut roster, &two, &fitnesses, ""), ["1"]);
    assert_eq!(takers(&mut roster, &two, &decided(&two, &[Fit::All, Fit::All]), ""), ["1", "2"]);
    // In the place of all others it doesn't.
    let other = config("forward", "{address: 10.0.0.3}");
    assert_eq!(takers(&mut roster, &other, &fitnesses, ""), ["3"]);
    // Nor where nothing is known.
    assert_eq!(takers(&mut Roster::new(4, 8), &two, &Fitnesses::new(), ""), ["1", "2"]);
}
