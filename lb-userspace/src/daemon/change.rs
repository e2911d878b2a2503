//! Changes while packets pass.
//!
//! Each is decided over as a whole: a configuration that isn't valid, can't be taken over or may do damage that nobody
//! confirmed changes nothing. Then it is journalled, then the maps follow. Those that come together are one update.

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::forecast::Forecast;
use super::running::{self, Candidate, Running, save};
use super::{Daemon, fixed};
use crate::api::Request;
use crate::api::config::{
    Changed, Proposal, Proposed, Question, Refusal, Reply, Saved, Shown, ToSave, Unreached, Unsaved,
};
use crate::config::change::{Change, Dropped, diff};
use crate::config::{Config, Service};
use crate::events::{Event, tell};
use crate::health::probe::Means;
use crate::kernel_clock;
use crate::next_hop::Unresolved;
use crate::planner::{Observed, Tables};

/// So many changes are told of, of those that are made together.
const MOST_TOLD: usize = 50;

/// So many requests are taken together.
const MOST_TOGETHER: usize = 64;

/// Changes that are decided over and not made yet.
#[derive(Default)]
struct Batch {
    candidate: Option<Candidate>,
    /// The lookup tables that it needs, as they were built to tell what it does.
    tables: Option<Tables>,
    replies: Vec<(Changed, Reply<Changed>)>,
}

/// What becomes of a change.
struct Decided {
    candidate: Candidate,
    changed: Changed,
    /// The lookup tables that it needs, if they were built.
    tables: Option<Tables>,
}

impl Daemon {
    /// Does what was asked, and what others ask in the meantime. Whoever asked may have gone.
    pub(super) fn answer_all(&mut self, first: Request, requests: &mut mpsc::Receiver<Request>) {
        let mut batch = Batch::default();
        let others = std::iter::from_fn(|| requests.try_recv().ok());
        for request in std::iter::once(first).chain(others).take(MOST_TOGETHER) {
            match request {
                Request::Config(Question::Change(proposal, reply)) if !proposal.only_asks => {
                    self.take_in(&mut batch, proposal, reply);
                }
                other => {
                    self.make(&mut batch);
                    self.answer(other);
                }
            }
        }
        self.make(&mut batch);
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Report(reply) => drop(reply.send(self.report())),
            Request::Config(question) => self.answer_config(question),
        }
    }

    fn answer_config(&mut self, question: Question) {
        match question {
            Question::Show(reply) => drop(reply.send(Ok(self.shown()))),
            Question::Meet(addresses, reply) => {
                self.meetings.add(&addresses, &self.planner.addresses(), reply);
                self.ask_for_ways();
            }
            Question::Change(proposal, reply) => {
                let decided = self.decide(&self.running, &self.config, proposal);
                drop(reply.send(decided.map(|decided| decided.changed)));
            }
            Question::Unsaved(reply) => drop(reply.send(Ok(Unsaved {
                text: self.running.text().to_owned(),
                running: self.running.document().clone(),
                changes: self.running.changes(),
                generation: self.running.generation(),
            }))),
            Question::Save(to_save, reply) => drop(reply.send(self.save(*to_save))),
        }
    }

    fn shown(&self) -> Shown {
        let changes = self.running.changes().into_iter();
        let backends = self
            .config
            .services
            .iter()
            .flat_map(|service| service.backends.iter().map(move |backend| (&service.name, backend)));
        let pending = backends.filter_map(|(service, backend)| {
            let reason = match self.network.next_hops.get(&backend.address) {
                None => "its next hop isn't known yet".into(),
                Some(Err(reason @ Unresolved::Pending { .. })) => reason.to_string(),
                Some(_) => return None,
            };
            Some(Unreached { service: service.clone(), backend: backend.name.clone(), reason })
        });
        Shown {
            generation: self.running.generation(),
            file: self.running.file().display().to_string(),
            changes: changes.map(Change::without_secret).collect(),
            running: self.running.document().without_secret().to_yaml(),
            saved: self.running.saved().without_secret().to_yaml(),
            pending: pending.collect(),
        }
    }

    /// Decides over a change, where those before it will have been made.
    fn take_in(&self, batch: &mut Batch, proposal: Proposal, reply: Reply<Changed>) {
        let decided = match &batch.candidate {
            Some(Candidate { running, config }) => self.decide(running, config, proposal),
            None => self.decide(&self.running, &self.config, proposal),
        };
        match decided {
            Ok(Decided { candidate, changed, tables }) => {
                batch.candidate = Some(candidate);
                batch.tables = tables.or(batch.tables.take());
                batch.replies.push((changed, reply));
            }
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// What a change leads to, from a configuration that runs or will; or why it isn't made.
    fn decide(&self, running: &Running, config: &Config, proposal: Proposal) -> Result<Decided, Refusal> {
        let Proposal { change, generation, confirmed, only_asks } = proposal;
        let present = running.generation();
        if generation.is_some_and(|generation| generation != present) {
            return Err(Refusal::Outdated(present));
        }
        let mut changed = Changed::default();
        // What these lead to is in lbd's own file, whatever file somebody else names.
        let is_of_file = matches!(change, Proposed::Reload | Proposed::Revert);
        let (candidate, name) = match change {
            Proposed::Edits(edits) => (running.edited(&edits).map_err(Refusal::Wrong)?, None),
            Proposed::Replace(wanted) => {
                let (text, document, config) = *wanted;
                let name = config.file.clone();
                (running.replaced(&text, document, config), Some(name))
            }
            Proposed::Reload => {
                let wrong = |error: anyhow::Error| Refusal::Wrong(format!("{error:#}"));
                let (candidate, reread) = running.reread().map_err(wrong)?;
                if confirmed || reread.dropped.is_empty() {
                    running::report(&reread);
                }
                changed.dropped = reread.dropped.into_iter().map(Dropped::without_secret).collect();
                changed.kept = reread.kept.into_iter().map(Change::without_secret).collect();
                (candidate, Some(running.file().to_owned()))
            }
            Proposed::Revert => (running.reverted().map_err(Refusal::Wrong)?, None),
        };
        if !is_of_file {
            programs_of_file(running, config, &candidate.config).map_err(Refusal::Wrong)?;
        }
        // Changes that are made together are one step for the maps.
        let possible = fixed::check(config, &candidate.config, &self.planner)
            .and_then(|()| fixed::check(&self.config, &candidate.config, &self.planner));
        possible.map_err(|error| {
            Refusal::Wrong(
                name.map_or_else(String::new, |name| format!("{}: ", name.display())) + &error.to_string(),
            )
        })?;
        changed.generation = candidate.running.generation();
        changed.summary = candidate.config.summary();
        let differences = diff(running.document(), candidate.running.document());
        let mut tables = None;
        if !differences.is_empty() {
            let told = self.foretell(config, &candidate.config, &mut changed);
            tables = Some(told.map_err(|error| Refusal::Unable(format!("{error:#}")))?);
        }
        changed.dangers.extend(changed.dropped.iter().map(|dropped| {
            format!("this change is dropped: {}; {}", dropped.change.clone().without_secret(), dropped.reason)
        }));
        changed.changes = differences.into_iter().map(Change::without_secret).collect();
        if !only_asks && !confirmed && !changed.dangers.is_empty() {
            return Err(Refusal::Dangerous(changed.dangers));
        }
        Ok(Decided { candidate, changed, tables })
    }

    /// Adds what a configuration would do in place of the present one.
    fn foretell(&self, present: &Config, next: &Config, changed: &mut Changed) -> Result<Tables> {
        let observed = Observed {
            next_hops: &self.next_hops,
            fitnesses: self.health.fitnesses(),
            census: None,
            refused: &self.refused,
            now: kernel_clock::now()?,
        };
        let forecast = Forecast::of(&self.planner, present, next, &self.present, observed);
        let counters = self.balancer.counters(&self.present)?;
        let (recent, seconds) = self.recent.since(std::time::Instant::now(), &counters);
        changed.effect = forecast.effect();
        changed.dangers = forecast.dangers(&recent, seconds);
        Ok(forecast.tables())
    }

    /// Makes the changes that were decided over: journalled before the maps follow, and not made if either fails.
    fn make(&mut self, batch: &mut Batch) {
        let Batch { candidate, tables, replies } = std::mem::take(batch);
        let Some(Candidate { running, config }) = candidate else { return };
        let changes = diff(self.running.document(), running.document());
        let made = self.journal.keep(&running).context("nothing was changed").and_then(|()| {
            if changes.is_empty() && config.services == self.config.services {
                self.config = config;
                return Ok(());
            }
            self.take_over(config, tables)
        });
        match &made {
            Ok(()) => {
                tell_all(&changes, running.generation());
                self.running = running;
            }
            Err(error) => {
                tell(Event::ConfigurationRefused { reason: format!("{error:#}") });
                if let Err(error) = self.journal.keep(&self.running) {
                    self.note(Some(error));
                }
            }
        }
        for (changed, reply) in replies {
            let failed = made.as_ref().map_err(|error| Refusal::Unable(format!("{error:#}")));
            // Whoever asked may have gone.
            let _ = reply.send(failed.map(|()| changed));
        }
    }

    /// Brings the maps to what another configuration says; if they refuse, back to what they held.
    fn take_over(&mut self, config: Config, tables: Option<Tables>) -> Result<()> {
        let planner = self.planner.clone();
        tables.into_iter().for_each(|tables| self.planner.expect(tables));
        let former = std::mem::replace(&mut self.config, config);
        let (services, former_services) = (self.config.services.len(), former.services.len());
        tell(Event::ConfigurationChanged { services, former_services });
        self.update().inspect_err(|_| {
            self.config = former;
            self.planner = planner;
            if let Err(error) = self.update() {
                self.note(Some(error));
            }
        })?;
        // First what forwards them.
        self.follow_checks();
        self.check_health()
    }

    /// Writes the file, if it is still the one that the text was made of.
    fn save(&mut self, to_save: ToSave) -> Result<Saved, Refusal> {
        let ToSave { text, unsaved, rewritten } = to_save;
        let file = self.running.file().display().to_string();
        if unsaved.generation != self.running.generation() || unsaved.text != self.running.text() {
            return Err(Refusal::Outdated(self.running.generation()));
        }
        if unsaved.changes.is_empty() {
            return Ok(Saved { file, former: None, changes: Vec::new(), rewritten: false });
        }
        let former = save(self.running.file(), self.running.text(), &text);
        let former = former.map_err(|error| Refusal::Unable(format!("{error:#}")))?;
        self.running = self.running.saved_as(text);
        // If it can't: the next start finds that the file has what the journal has.
        if let Err(error) = self.journal.keep(&self.running) {
            self.note(Some(error));
        }
        tell(Event::Saved { file: file.clone(), former: former.display().to_string() });
        let changes = unsaved.changes.into_iter().map(Change::without_secret).collect();
        Ok(Saved { file, former: Some(former.display().to_string()), changes, rewritten })
    }

    /// Follows those who wait for the ways to backends.
    pub(super) fn follow_meetings(&mut self) {
        self.meetings.follow(&self.network.next_hops, Instant::now());
    }

    /// Notes the counters now and then, for those who ask which services are in use.
    pub(super) fn note_traffic(&mut self) -> Result<()> {
        let now = std::time::Instant::now();
        if self.recent.is_due(now) {
            self.recent.note(now, &self.balancer.counters(&self.present)?);
        }
        Ok(())
    }
}

/// Programs that check backends run with the rights of `lbd`: who may change it by the API can't have others run than its file
/// names.
fn programs_of_file(running: &Running, present: &Config, next: &Config) -> Result<(), String> {
    let program = |service: &Service| match service.health.as_ref().map(|health| &health.probe.means) {
        Some(Means::Exec(exec)) => Some(exec.clone()),
        _ => None,
    };
    let known: Vec<_> = present.services.iter().filter_map(program).collect();
    let is_new = |service: &&Service| program(service).is_some_and(|exec| !known.contains(&exec));
    match next.services.iter().find(is_new) {
        None => Ok(()),
        Some(service) => Err(format!(
            "service {}: a check of kind exec runs a program with the rights of lbd, so that only its own file can name one; \
             nothing was changed, write it into {} and lbctl reload",
            service.name,
            running.file().display()
        )),
    }
}

/// Tells of changes that were made.
fn tell_all(changes: &[Change], generation: u64) {
    for change in changes.iter().take(MOST_TOLD) {
        tell(Event::Changed { generation, change: change.clone().without_secret().to_string() });
    }
    if changes.len() > MOST_TOLD {
        let change = format!("and {} changes more", changes.len() - MOST_TOLD);
        tell(Event::Changed { generation, change });
    }
}
