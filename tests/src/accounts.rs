//! Whether every request was answered and every packet is accounted for.

use crate::curl::{Reply, Request};
use crate::host::Host;
use crate::service::Service;
use crate::snapshot::{Reasons, Snapshot};

/// Octets of an Ethernet header, which the kernel counts and a service doesn't.
const ETHERNET: u64 = 14;

/// More octets than ARP, neighbour discovery and multicast listeners' reports have in the mean.
const LONGEST_TALK: u64 = 150;

/// What became of the requests to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The service.
    pub service: Service,
    /// Requests that were to be sent.
    pub requests: u64,
    /// Of these, answered by each backend.
    pub by_backend: [u64; Host::BACKENDS.len()],
    /// Octets of all bodies.
    pub octets: u64,
}

impl Tally {
    /// Counts the replies to requests to a service.
    #[must_use]
    pub fn of(service: Service, requests: &[Request], replies: &[Reply]) -> Tally {
        let good = |reply: &&Reply| reply.status == 200 && reply.exit_code == 0;
        let answers = |host: Host| {
            replies.iter().filter(good).filter(|reply| reply.first_line == host.name()).count() as u64
        };
        Tally {
            service,
            requests: requests.len() as u64,
            by_backend: Host::BACKENDS.map(answers),
            octets: replies.iter().filter(good).map(|reply| reply.octets).sum(),
        }
    }

    /// Requests answered by a backend.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.by_backend.iter().sum()
    }
}

/// All that is not as it should be after these requests, while these counters moved; each in a line.
#[must_use]
pub fn complaints(tallies: &[Tally], counted: &Snapshot) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut check = |holds: bool, complaint: String| {
        if !holds {
            complaints.push(complaint);
        }
    };

    for tally in tallies {
        let name = tally.service.name;
        let (answered, requests) = (tally.answered(), tally.requests);
        check(answered == requests, format!("{name}: {answered} of {requests} requests were answered"));
        for (host, &answers) in Host::BACKENDS.iter().zip(&tally.by_backend) {
            check(answers > 0, format!("{name}: {} answered no request", host.name()));
        }
    }

    for service in &counted.services {
        let own = counted.backends.iter().filter(|backend| backend.service == service.name);
        let to_backends: u64 = own.map(|backend| backend.packets).sum();
        let (name, packets) = (&service.name, service.packets);
        check(
            packets == to_backends,
            format!("{name}: {packets} packets, but {to_backends} of its backends together"),
        );
        check(total(&service.dropped) == 0, format!("{name}: dropped {}", list(&service.dropped)));
    }

    let node = &counted.node;
    check(total(&node.dropped) == 0, format!("dropped: {}", list(&node.dropped)));
    complaints.extend(sums(counted));

    let mut check = |holds: bool, complaint: String| {
        if !holds {
            complaints.push(complaint);
        }
    };
    let (forwarded, kernel) = (node.forwarded, counted.kernel);
    let (answered, passed) = (total(&node.answered), total(&node.passed));
    // What the load balancer leaves to the kernel is the talk of neighbours, in short packets; replies would be there.
    let octets_of_services: u64 = counted.services.iter().map(|service| service.bytes).sum();
    let of_others = kernel.octets.saturating_sub(octets_of_services + ETHERNET * forwarded);
    check(
        of_others <= LONGEST_TALK * (passed + answered),
        format!(
            "{of_others} octets in {passed} packets of no service: do replies come through the load balancer?"
        ),
    );

    let replies = octets(tallies);
    check(
        kernel.octets < replies,
        format!(
            "the load balancer received {} octets, all replies have {replies}: do they pass it?",
            kernel.octets
        ),
    );
    complaints
}

/// Where counters that must agree don't, whatever the traffic was; each in a line.
#[must_use]
pub fn sums(counted: &Snapshot) -> Vec<String> {
    let node = &counted.node;
    let of_services: u64 = counted.services.iter().map(|service| service.packets).sum();
    let (received, forwarded, kernel) = (node.received, node.forwarded, counted.kernel);
    let transmitted = forwarded + total(&node.answered);
    let (passed, dropped) = (total(&node.passed), total(&node.dropped));
    let claims = [
        (
            received == transmitted + passed + dropped,
            format!(
                "received {received}, but transmitted {transmitted} + passed {passed} + dropped {dropped}"
            ),
        ),
        (
            forwarded == of_services,
            format!("forwarded {forwarded} packets, but {of_services} of all services together"),
        ),
        (received == kernel.received, format!("received {received}; the kernel says {}", kernel.received)),
        (
            transmitted == kernel.transmitted,
            format!("transmitted {transmitted}; the kernel says {}", kernel.transmitted),
        ),
        (dropped == kernel.dropped, format!("dropped {dropped}; the kernel says {}", kernel.dropped)),
    ];
    claims.into_iter().filter(|(holds, _)| !holds).map(|(_, complaint)| complaint).collect()
}

/// Octets of the bodies of all replies.
#[must_use]
pub fn octets(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|tally| tally.octets).sum()
}

/// Packets of all reasons together.
#[must_use]
pub fn total(reasons: &Reasons) -> u64 {
    reasons.values().sum()
}

fn list(reasons: &Reasons) -> String {
    let moved = reasons.iter().filter(|(_, count)| **count > 0);
    moved.map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::SERVICES;
    use crate::snapshot::{Kernel, sample};
    use lb_userspace::api::{Backend, Service as Counted, Status};

    fn reply(status: u16, octets: u64, backend: &str) -> Reply {
        Reply { status, octets, local_port: 40001, exit_code: 0, first_line: backend.into() }
    }

    /// A reply of each backend, and counters to match.
    fn good() -> (Vec<Reply>, Snapshot) {
        let replies = Host::BACKENDS.map(|host| reply(200, 1000, host.name())).to_vec();
        let node = Status {
            received: 20,
            forwarded: 15,
            passed: [("not_ip".into(), 5), ("not_a_vip".into(), 0)].into(),
            ..sample::node()
        };
        let counted = Snapshot {
            node,
            services: vec![Counted { packets: 15, bytes: 1000, ..sample::service() }],
            backends: vec![Backend { packets: 15, ..sample::backend() }],
            kernel: Kernel { received: 20, octets: 1500, transmitted: 15, dropped: 0 },
        };
        (replies, counted)
    }

    fn complaints_of(replies: &[Reply], counted: &Snapshot) -> Vec<String> {
        complaints_after(replies.len(), replies, counted)
    }

    fn complaints_after(requests: usize, replies: &[Reply], counted: &Snapshot) -> Vec<String> {
        let requests = vec![Request::to(&SERVICES[0], "/"); requests];
        complaints(&[Tally::of(SERVICES[0], &requests, replies)], counted)
    }

    #[test]
    fn nothing_to_complain_of() {
        let (replies, counted) = good();
        assert_eq!(complaints_of(&replies, &counted), Vec::<String>::new());
    }

    #[test]
    fn a_request_that_was_never_sent_is_not_answered() {
        let (replies, counted) = good();
        assert_eq!(complaints_after(4, &replies, &counted), ["l2-v4: 3 of 4 requests were answered"]);
    }

    #[test]
    fn each_loss_has_its_line() {
        type Row = (&'static str, fn(&mut Vec<Reply>, &mut Snapshot), &'static [&'static str]);
        let rows: [Row; 10] = [
            (
                "no answer",
                |replies, _| replies.push(reply(0, 0, "")),
                &["l2-v4: 3 of 4 requests were answered"],
            ),
            (
                "an error page",
                |replies, _| replies.push(reply(404, 10, "<html>")),
                &["l2-v4: 3 of 4 requests were answered"],
            ),
            (
                "a reply that broke off",
                |replies, _| replies.push(Reply { exit_code: 56, ..reply(200, 10, "b1") }),
                &["l2-v4: 3 of 4 requests were answered"],
            ),
            (
                "an idle backend",
                |replies, _| replies[0].first_line = "b2".into(),
                &["l2-v4: b1 answered no request"],
            ),
            (
                "a backend counted wrongly",
                |_, counted| counted.backends[0].packets = 14,
                &["l2-v4: 15 packets, but 14 of its backends together"],
            ),
            (
                "a drop",
                |_, counted| {
                    counted.node.received += 2;
                    counted.node.dropped.insert("no_backend".into(), 2);
                    counted.services[0].dropped.insert("no_backend".into(), 2);
                    counted.kernel.received += 2;
                    counted.kernel.dropped += 2;
                },
                &["l2-v4: dropped 2 no_backend", "dropped: 2 no_backend"],
            ),
            (
                "a packet without a verdict",
                |_, counted| {
                    counted.node.received += 1;
                    counted.kernel.received += 1;
                },
                &["received 21, but transmitted 15 + passed 5 + dropped 0"],
            ),
            (
                "a frame lost on its way out",
                |_, counted| {
                    counted.kernel.transmitted -= 1;
                    counted.kernel.dropped += 1;
                },
                &["transmitted 15; the kernel says 14", "dropped 0; the kernel says 1"],
            ),
            (
                "a reply through the load balancer",
                |_, counted| {
                    counted.node.received += 1;
                    counted.node.passed.insert("not_a_vip".into(), 1);
                    counted.kernel.received += 1;
                    counted.kernel.octets += 1000;
                },
                &["1290 octets in 6 packets of no service: do replies come through the load balancer?"],
            ),
            (
                "replies through the load balancer",
                |_, counted| counted.kernel.octets = 4000,
                &[
                    "2790 octets in 5 packets of no service: do replies come through the load balancer?",
                    "the load balancer received 4000 octets, all replies have 3000: do they pass it?",
                ],
            ),
        ];
        for (what, change, expected) in rows {
            let (mut replies, mut counted) = good();
            change(&mut replies, &mut counted);
            assert_eq!(complaints_of(&replies, &counted), expected, "{what}");
        }
    }
}
