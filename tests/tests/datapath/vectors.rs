//! Packets and what must become of them: the verdict, the octets that leave, and every counter that moves.

mod answered;
mod control;
mod dropped;
pub mod forwarded;
mod fragmented;
mod passed;
mod quic;
mod watched;

use lb_common::slot::BackendIndex;
use lb_common::symptom::Sign;
use lb_common::verdict::{Answer, DropReason, PassReason, RECEIVED, Traffic, Verdict};
use lb_userspace::image::Counters;

use crate::engine::{Action, Host, Kernel, Outcome};
use crate::frames::{ip_length, packet, sent};
use crate::services::{Case, INGRESS, image};

/// A behaviour, packets in their order, and what must become of each.
pub struct Row {
    pub behaviour: String,
    pub steps: Vec<(Vec<u8>, Expected)>,
}

pub enum Expected {
    Pass(PassReason),
    /// For the service, if one is known by then.
    Drop(Option<Case>, DropReason),
    /// To the service's only backend.
    Forward(Case),
    /// To the service's only backend, and it shows that.
    Shows(Case, Sign),
    /// To that one of the service's backends, as these octets.
    To(Case, usize, Action, Vec<u8>),
    /// With these octets.
    Answer(Option<Case>, Answer, Vec<u8>),
}

fn row(behaviour: impl Into<String>, frame: Vec<u8>, expected: Expected) -> Row {
    Row { behaviour: behaviour.into(), steps: vec![(frame, expected)] }
}

pub fn rows() -> Vec<Row> {
    let parts = [
        forwarded::rows(),
        passed::rows(),
        dropped::rows(),
        answered::rows(),
        control::rows(),
        fragmented::rows(),
        quic::rows(),
        watched::rows(),
    ];
    parts.into_iter().flatten().collect()
}

/// The packets of each row, in their order.
pub fn frames() -> Vec<Vec<Vec<u8>>> {
    let frames = |row: Row| row.steps.into_iter().map(|(frame, _)| frame).collect();
    rows().into_iter().map(frames).collect()
}

fn outcome_of(frame: &[u8], expected: &Expected) -> Outcome {
    let mut counted = Counters::default();
    counted.node[RECEIVED] = 1;
    let forwarded = |counted: &mut Counters, case: Case, backend: u16| {
        let traffic = Traffic { packets: 1, octets: ip_length(frame) as u64 };
        counted.services.entry(case as u32).or_default().forwarded = traffic;
        counted.backends.insert(BackendIndex(case.backend().0 + backend), traffic);
    };
    let (verdict, action, frame) = match expected {
        Expected::Pass(reason) => (Verdict::Pass(*reason), Action::Pass, frame.to_vec()),
        Expected::Drop(case, reason) => {
            if let Some(case) = case {
                counted.services.entry(*case as u32).or_default().dropped[*reason as usize] = 1;
            }
            (Verdict::Drop(*reason), Action::Drop, frame.to_vec())
        }
        Expected::Forward(case) => {
            forwarded(&mut counted, *case, 0);
            let (action, frame) = sent(*case, frame);
            (Verdict::Forward { egress: INGRESS }, action, frame)
        }
        Expected::Shows(case, sign) => {
            forwarded(&mut counted, *case, 0);
            counted.signs.entry(case.backend()).or_default().count(*sign);
            let (action, frame) = sent(*case, frame);
            (Verdict::Forward { egress: INGRESS }, action, frame)
        }
        Expected::To(case, backend, action, sent) => {
            forwarded(&mut counted, *case, *backend as u16);
            (Verdict::Forward { egress: INGRESS }, *action, sent.clone())
        }
        Expected::Answer(case, answer, sent) => {
            if let Some(case) = case {
                counted.services.entry(*case as u32).or_default().answered = 1;
            }
            (Verdict::Answer(*answer), Action::Transmit, sent.clone())
        }
    };
    counted.node[verdict.counter()] = 1;
    Outcome { action, frame, counted }
}

fn check(mut run: impl FnMut(&[u8]) -> Outcome) {
    for row in rows() {
        for (step, (frame, expected)) in row.steps.iter().enumerate() {
            let outcome = outcome_of(frame, expected);
            assert_eq!(run(frame), outcome, "{}, packet {step}: {frame:02x?}", row.behaviour);
        }
    }
}

#[test]
fn on_the_host() {
    let image = image();
    let host = Host::new(&image);
    check(|frame| host.run(frame));
}

#[test]
fn in_the_kernel() {
    let mut kernel = Kernel::load(image());
    check(|frame| kernel.run(frame));
}

/// What can't leave isn't counted as sent.
#[test]
fn the_way_out_has_gone() {
    let mut kernel = Kernel::load(image());
    kernel.without_interfaces();
    for case in [Case::FarL2, Case::FarV4InV4] {
        let outcome = kernel.run(&packet(case, 10));
        let dropped = outcome_of(&[], &Expected::Drop(Some(case), DropReason::NoInterface));
        assert_eq!((outcome.action, outcome.counted), (dropped.action, dropped.counted));
    }
    assert_eq!(kernel.run(&packet(Case::L2V4, 10)).action, Action::Transmit);
}

#[test]
fn behaviours_are_named_once() {
    let mut names: Vec<_> = rows().into_iter().map(|row| row.behaviour).collect();
    let rows = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows);
    assert!(rows >= 150, "{rows} rows");
}
