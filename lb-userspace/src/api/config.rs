//! `/v1/config` and `/v1/changes`: what runs, and how it is changed.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Json;
use super::{Problem, Request, Tasks};
use crate::config::Config;
use crate::config::change::{Change, Dropped, Edit, Edits};
use crate::config::document::{Document, patched};

/// The running configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// Goes up with every change; a change may name the one that it was made for.
    pub generation: u64,
    /// The configuration file.
    pub file: String,
    /// What was changed since it was read.
    pub changes: Vec<Change>,
    /// What runs, as YAML, without the key of the flow hash.
    pub running: String,
    /// What the file says, in the same form.
    pub saved: String,
    /// Backends of which it isn't known yet whether they can be reached.
    pub pending: Vec<Unreached>,
}

/// A backend that takes nothing at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unreached {
    /// Name of its service.
    pub service: String,
    /// Its name.
    pub backend: String,
    /// Why.
    pub reason: String,
}

/// A configuration that is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its file's name, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The running configuration that it was made for: it is refused if that is another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether it is applied although it may do damage.
    #[serde(default)]
    pub confirmed: bool,
}

/// Asks for what needs no more words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The running configuration that it was made for: it is refused if that is another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether it is done although it may do damage.
    #[serde(default)]
    pub confirmed: bool,
}

/// What was changed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// Of the running configuration afterwards.
    pub generation: u64,
    /// How much it holds, in a line for people.
    pub summary: String,
    /// What differs from what ran before.
    pub changes: Vec<Change>,
    /// What that does.
    pub effect: Effect,
    /// What may do damage.
    pub dangers: Vec<String>,
    /// Changes that the file overruled, when it was read again.
    pub dropped: Vec<Dropped>,
    /// Changes that stay beside what the file says.
    pub kept: Vec<Change>,
}

/// What a change does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Effect {
    /// The services that it concerns.
    pub services: Vec<ServiceEffect>,
    /// Slots that give new flows to another backend than before.
    pub slots_moved: u32,
    /// Seconds until no slot is on its way any more, if nothing else changes.
    pub settled_in: u64,
    /// Writes to maps; the slots of a table that change together are one.
    pub writes: usize,
}

/// Whether something comes, goes or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It comes.
    Added,
    /// It goes.
    Removed,
    /// It becomes another one.
    Changed,
}

/// What a change does to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceEffect {
    /// Its name.
    pub service: String,
    /// Whether it comes or goes.
    pub what: What,
    /// Slots of its lookup table.
    pub slots: u32,
    /// How many of them give new flows to another backend than before.
    pub slots_moved: u32,
    /// Seconds until none is on its way any more, if nothing else changes.
    pub settled_in: u64,
    /// The backends that it concerns.
    pub backends: Vec<BackendEffect>,
}

/// What a change does to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackendEffect {
    /// Its name.
    pub backend: String,
    /// Its address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Whether it comes or goes.
    pub what: What,
    /// The slots that it had.
    pub slots_before: u32,
    /// Those that it gets.
    pub slots: u32,
    /// What else is to be known of it: why it can't be reached, how long it keeps its flows.
    pub note: Option<String>,
}

/// The file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Saved {
    /// The file.
    pub file: String,
    /// Where the former one is; none if nothing had to be written.
    pub former: Option<String>,
    /// What it says now that it didn't say before.
    pub changes: Vec<Change>,
    /// Whether comments and layout were lost: the former file has them.
    pub rewritten: bool,
}

/// Why something isn't done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What was asked for is wrong; one line each.
    Wrong(String),
    /// It may do damage, and that wasn't confirmed: what.
    Dangerous(Vec<String>),
    /// It was made for another configuration than the one of this generation.
    Outdated(u64),
    /// It can't be done now.
    Unable(String),
}

/// What the daemon is asked of its configuration.
pub enum Question {
    /// What runs.
    Show(Reply<Shown>),
    /// To ask the network for the ways to addresses, and to answer when they are known, or when it takes too long.
    Meet(BTreeSet<IpAddr>, oneshot::Sender<()>),
    /// To change it, or to tell what would happen.
    Change(Proposal, Reply<Changed>),
    /// What is to be saved.
    Unsaved(Reply<Unsaved>),
    /// To write a text into the file.
    Save(Box<ToSave>, Reply<Saved>),
}

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// A change that is asked for.
pub struct Proposal {
    /// Which.
    pub change: Proposed,
    /// For which running configuration it was made.
    pub generation: Option<u64>,
    /// Whether it is made although it may do damage.
    pub confirmed: bool,
    /// Whether it is only asked what would happen.
    pub only_asks: bool,
}

/// What is to run.
pub enum Proposed {
    /// What runs, with edits.
    Edits(Vec<Edit>),
    /// Something else: text, as written, as meant.
    Replace(Box<(String, Document, Config)>),
    /// The file as it is now, with the changes that stay.
    Reload,
    /// What the file said.
    Revert,
}

/// What is to be saved.
pub struct Unsaved {
    /// The file's text.
    pub text: String,
    /// What runs.
    pub running: Document,
    /// How that differs from what the file says.
    pub changes: Vec<Change>,
    /// Of the running configuration.
    pub generation: u64,
}

/// What is to be written.
pub struct ToSave {
    /// The file's new text.
    pub text: String,
    /// What it was made of.
    pub unsaved: Unsaved,
    /// Whether comments and layout were lost.
    pub rewritten: bool,
}

type Answer<T> = Result<Json<T>, Problem>;

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(plan))
        .routes(routes!(apply))
        .routes(routes!(save))
        .routes(routes!(revert))
        .routes(routes!(reload))
        .routes(routes!(edit))
}

/// What runs, what the file says, and how they differ
#[utoipa::path(
    get,
    path = "/v1/config",
    responses(
        (status = 200, description = "without the key of the flow hash", body = Shown),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn show(State(tasks): State<Tasks>) -> Answer<Shown> {
    tasks.ask(Question::Show).await
}

/// What a configuration would change
#[utoipa::path(
    post,
    path = "/v1/config/plan",
    request_body = Wanted,
    responses(
        (status = 200, description = "changes, and what they would do", body = Changed),
        (status = 422, description = "the configuration is wrong, or can't be taken over", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn plan(State(tasks): State<Tasks>, Json(wanted): Json<Wanted>) -> Answer<Changed> {
    tasks.replace(wanted, true).await
}

/// Makes a configuration the running one
#[utoipa::path(
    post,
    path = "/v1/config/apply",
    request_body = Wanted,
    responses(
        (status = 200, description = "changes, and what they do", body = Changed),
        (status = 409, description = "it may do damage, which wasn't confirmed", body = Problem),
        (status = 412, description = "it was made for another generation", body = Problem),
        (status = 422, description = "the configuration is wrong, or can't be taken over", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn apply(State(tasks): State<Tasks>, Json(wanted): Json<Wanted>) -> Answer<Changed> {
    tasks.replace(wanted, false).await
}

/// Changes services and backends: all of the edits, or none
#[utoipa::path(
    post,
    path = "/v1/changes",
    request_body = Edits,
    responses(
        (status = 200, description = "changes, and what they do", body = Changed),
        (status = 409, description = "they may do damage, which wasn't confirmed", body = Problem),
        (status = 412, description = "they were made for another generation", body = Problem),
        (status = 422, description = "they are wrong, or can't be made now", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn edit(State(tasks): State<Tasks>, Json(edits): Json<Edits>) -> Answer<Changed> {
    let Edits { edits, generation, confirmed } = edits;
    tasks.meet(edits.iter().filter_map(Edit::address).collect()).await?;
    let change = Proposed::Edits(edits);
    tasks.propose(Proposal { change, generation, confirmed, only_asks: false }).await
}

/// Drops the changes made since the file was read
#[utoipa::path(
    post,
    path = "/v1/config/revert",
    request_body = Order,
    responses(
        (status = 200, description = "what runs is what the file said", body = Changed),
        (status = 409, description = "it may do damage, which wasn't confirmed", body = Problem),
        (status = 412, description = "it was made for another generation", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn revert(State(tasks): State<Tasks>, Json(order): Json<Order>) -> Answer<Changed> {
    let Order { generation, confirmed } = order;
    tasks.propose(Proposal { change: Proposed::Revert, generation, confirmed, only_asks: false }).await
}

/// Reads the file again: where it was changed too, it wins over changes
#[utoipa::path(
    post,
    path = "/v1/config/reload",
    request_body = Order,
    responses(
        (status = 200, description = "what runs is what the file says, with the changes that stay", body = Changed),
        (status = 409, description = "changes would be dropped or it may do damage, which wasn't confirmed", body = Problem),
        (status = 412, description = "it was made for another generation", body = Problem),
        (status = 422, description = "the file is wrong, or can't be taken over", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn reload(State(tasks): State<Tasks>, Json(order): Json<Order>) -> Answer<Changed> {
    let Order { generation, confirmed } = order;
    tasks.propose(Proposal { change: Proposed::Reload, generation, confirmed, only_asks: false }).await
}

/// Writes what runs into the file
#[utoipa::path(
    post,
    path = "/v1/config/save",
    request_body = Order,
    responses(
        (status = 200, description = "the file says what runs", body = Saved),
        (status = 412, description = "it was made for another generation", body = Problem),
        (status = 503, description = "the file was changed since it was read, or can't be written", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn save(State(tasks): State<Tasks>, Json(order): Json<Order>) -> Answer<Saved> {
    let Json(unsaved) = tasks.ask(Question::Unsaved).await?;
    if order.generation.is_some_and(|made_for| made_for != unsaved.generation) {
        return Err(Refusal::Outdated(unsaved.generation).into());
    }
    // Another file's text takes a while to make: others go on in the meantime.
    let written = spawn_blocking(move || {
        let Unsaved { text, running, changes, .. } = &unsaved;
        let patched = if changes.is_empty() { Some(text.clone()) } else { patched(text, changes, running) };
        let rewritten = patched.is_none();
        ToSave { text: patched.unwrap_or_else(|| running.to_yaml()), unsaved, rewritten }
    });
    let written = Box::new(written.await.map_err(|error| Problem::internal(&error.into()))?);
    tasks.ask(|reply| Question::Save(written, reply)).await
}

impl Tasks {
    async fn replace(&self, wanted: Wanted, only_asks: bool) -> Answer<Changed> {
        let Wanted { file, text, generation, confirmed } = wanted;
        let read = spawn_blocking(move || {
            Document::read(&text, Path::new(&file)).map(|(document, config)| (text, document, config))
        });
        let read = read.await.map_err(|error| Problem::internal(&error.into()))?;
        let read = read.map_err(|errors| Refusal::Wrong(errors.to_string()))?;
        let backends = read.2.services.iter().flat_map(|service| &service.backends);
        self.meet(backends.map(|backend| backend.address).collect()).await?;
        let change = Proposed::Replace(Box::new(read));
        self.propose(Proposal { change, generation, confirmed, only_asks }).await
    }

    /// New backends are met before anything changes, so that they take flows at once.
    async fn meet(&self, addresses: BTreeSet<IpAddr>) -> Result<(), Problem> {
        let (met, when_met) = oneshot::channel();
        let question = Request::Config(Question::Meet(addresses, met));
        self.daemon.send(question).await.map_err(|_| Problem::shutting_down())?;
        when_met.await.map_err(|_| Problem::shutting_down())
    }

    async fn propose(&self, proposal: Proposal) -> Answer<Changed> {
        self.ask(|reply| Question::Change(proposal, reply)).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let question = Request::Config(question(reply));
        self.daemon.send(question).await.map_err(|_| Problem::shutting_down())?;
        Ok(Json(answer.await.map_err(|_| Problem::shutting_down())??))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong(reason) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
            Refusal::Dangerous(dangers) => {
                let error = "nothing was changed, as this wasn't confirmed:";
                Problem { details: dangers, ..Problem::conflict(error) }
            }
            Refusal::Outdated(_) => Problem::new(StatusCode::PRECONDITION_FAILED, refusal),
            Refusal::Unable(reason) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refusal::Wrong(reason) | Refusal::Unable(reason) => out.write_str(reason),
            Refusal::Dangerous(dangers) => out.write_str(&dangers.join("\n")),
            Refusal::Outdated(generation) => {
                write!(
                    out,
                    "the running configuration is of generation {generation} by now; look at it again"
                )
            }
        }
    }
}
