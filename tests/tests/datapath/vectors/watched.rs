//! What segments of a watched service show of its backend.

use etherparse::TcpHeader;
use lb_common::symptom::Sign;

use super::{Expected, Row};
use crate::frames::{extended, from_client, icmp_error, packet, reply, tagged, with_tcp};
use crate::services::Case;

pub fn rows() -> Vec<Row> {
    [Case::WatchedV4, Case::WatchedV6].into_iter().flat_map(of_a_service).chain([unwatched()]).collect()
}

fn of_a_service(case: Case) -> Vec<Row> {
    let segment = |client, sequence, change: fn(&mut TcpHeader)| {
        with_tcp(&from_client(&packet(case, 0), client), |tcp| {
            tcp.sequence_number = sequence;
            change(tcp);
        })
    };
    let syn = |client, sequence| segment(client, sequence, |tcp| tcp.syn = true);
    let tag = [[0x81, 0, 0, 7]];
    let shows = |frame, sign| (frame, Expected::Shows(case, sign));
    let mut rows = vec![
        (
            "a SYN that is sent again, and again",
            vec![
                shows(syn(300, 7), Sign::Begins),
                shows(syn(300, 7), Sign::Again),
                shows(syn(300, 7), Sign::Again),
            ],
        ),
        (
            "SYNs with other numbers, or of others",
            vec![
                shows(syn(301, 7), Sign::Begins),
                shows(syn(301, 8), Sign::Begins),
                shows(syn(302, 7), Sign::Begins),
                shows(syn(301, 7), Sign::Again),
            ],
        ),
        (
            "a SYN behind a tag",
            vec![
                shows(tagged(&syn(303, 7), &tag), Sign::Begins),
                shows(tagged(&syn(303, 7), &tag), Sign::Again),
            ],
        ),
        (
            "resets",
            vec![
                shows(segment(304, 7, |tcp| tcp.rst = true), Sign::Reset),
                shows(segment(304, 7, |tcp| (tcp.rst, tcp.ack) = (true, true)), Sign::Reset),
                shows(segment(304, 7, |tcp| (tcp.rst, tcp.syn) = (true, true)), Sign::Reset),
            ],
        ),
        (
            "segments that show nothing",
            vec![
                (segment(305, 7, |tcp| tcp.ack = true), Expected::Forward(case)),
                (segment(305, 7, |tcp| (tcp.fin, tcp.ack) = (true, true)), Expected::Forward(case)),
                (segment(305, 7, |tcp| (tcp.syn, tcp.ack) = (true, true)), Expected::Forward(case)),
            ],
        ),
        (
            "an error about a flow",
            vec![(
                icmp_error(case.vip(), if case == Case::WatchedV4 { [3, 1] } else { [1, 3] }, &reply(case)),
                Expected::Forward(case),
            )],
        ),
    ];
    if case == Case::WatchedV6 {
        let options: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
        let behind = extended(&syn(306, 7), &[(60, options)]);
        rows.push((
            "a SYN behind extension headers",
            vec![shows(behind.clone(), Sign::Begins), shows(behind, Sign::Again)],
        ));
    }
    let named = |(behaviour, steps)| Row { behaviour: format!("{case:?}: {behaviour}"), steps };
    rows.into_iter().map(named).collect()
}

fn unwatched() -> Row {
    let syn = with_tcp(&packet(Case::L2V4, 0), |tcp| tcp.syn = true);
    let step = || (syn.clone(), Expected::Forward(Case::L2V4));
    Row {
        behaviour: "nothing is counted of a service that isn't watched".into(),
        steps: vec![step(), step()],
    }
}
