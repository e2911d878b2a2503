//! Reports for all who ask, without holding up the task that makes them.
//!
//! A report takes the daemon's task a time that grows with the number of services and backends. So those who wait at a
//! time share one, and the task has three quarters of its time for its work, however many ask.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{Problem, Report, Request};

/// How many times as long as a report took the next one waits.
const REST: u32 = 3;

/// However long it took.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Those who wait for a report.
const WAITING: usize = 1024;

type Answer = Result<Arc<Shared>, Problem>;

/// A report, for all who waited for it. What is long is put into words once.
#[derive(Debug)]
pub struct Shared {
    /// What it says.
    pub report: Report,
    services: OnceLock<Bytes>,
    backends: OnceLock<Bytes>,
}

impl Shared {
    /// All services, in JSON.
    pub fn services(&self) -> Bytes {
        self.services.get_or_init(|| json(&self.report.services)).clone()
    }

    /// All backends, in JSON.
    pub fn backends(&self) -> Bytes {
        self.backends.get_or_init(|| json(&self.report.backends)).clone()
    }
}

fn json(what: &impl Serialize) -> Bytes {
    // It has text and numbers only: JSON can say all of it.
    serde_json::to_vec(what).unwrap_or_default().into()
}

/// Asks for them.
#[derive(Clone, Debug)]
pub struct Reports {
    askers: mpsc::Sender<oneshot::Sender<Answer>>,
}

impl Reports {
    /// Of the task behind `daemon`. The runtime must have been started.
    #[must_use]
    pub fn of(daemon: mpsc::Sender<Request>) -> Self {
        let (askers, asked) = mpsc::channel(WAITING);
        tokio::spawn(share(asked, daemon));
        Reports { askers }
    }

    /// The next report: it was begun after this was asked for.
    ///
    /// # Errors
    /// The daemon is ending, or can't read its maps.
    pub async fn next(&self) -> Answer {
        let (asker, answer) = oneshot::channel();
        self.askers.send(asker).await.map_err(|_| Problem::shutting_down())?;
        answer.await.map_err(|_| Problem::shutting_down())?
    }
}

async fn share(mut asked: mpsc::Receiver<oneshot::Sender<Answer>>, daemon: mpsc::Sender<Request>) {
    let mut askers = Vec::new();
    while asked.recv_many(&mut askers, WAITING).await > 0 {
        let begun = Instant::now();
        let answer = ask(&daemon).await;
        for asker in askers.drain(..) {
            // Whoever asked may have gone.
            let _ = asker.send(answer.clone());
        }
        sleep((begun.elapsed() * REST).min(LONGEST_REST)).await;
    }
}

async fn ask(daemon: &mpsc::Sender<Request>) -> Answer {
    let (question, reply) = oneshot::channel();
    daemon.send(Request::Report(question)).await.map_err(|_| Problem::shutting_down())?;
    let report = reply.await.map_err(|_| Problem::shutting_down())?;
    let shared = |report| Shared { report, services: OnceLock::new(), backends: OnceLock::new() };
    report.map(|report| Arc::new(shared(report))).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::api::Status;

    #[tokio::test]
    async fn those_who_wait_share_a_report() {
        let (daemon, mut questions) = mpsc::channel(1);
        let reports = Reports::of(daemon);
        let answering = tokio::spawn(async move {
            let mut asked = 0;
            while let Some(Request::Report(reply)) = questions.recv().await {
                asked += 1;
                let status = Status { received: asked, ..Status::default() };
                let report = Report { status, services: Vec::new(), backends: Vec::new() };
                reply.send(Ok(report)).unwrap();
            }
            asked
        });
        let first = reports.next().await.unwrap().report.status.received;
        let answers = join_all((0..500).map(|_| reports.next())).await;
        let received: Vec<_> =
            answers.into_iter().map(|answer| answer.unwrap().report.status.received).collect();
        // None has one that was begun before it asked.
        assert!(received.iter().all(|&received| received > first), "{received:?}");
        drop(reports);
        assert!(answering.await.unwrap() < 10);
    }
}
