//! `/v1/events`.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::trace::LINES;
use super::{Problem, Tasks};
use crate::events::{Entry, journal};

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EventLine {
    /// An event.
    Entry(Box<Entry>),
    /// Events that should have been here, and weren't taken in time.
    Missed {
        /// How many.
        missed: u64,
    },
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichEvents {
    /// Only those of this service. It needn't exist any more.
    pub service: Option<String>,
    /// Only those with a greater number.
    pub since: u64,
    /// Also those to come, until whoever asks hangs up.
    pub follow: bool,
}

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(events))
}

/// What happened: the last events, and those to come
#[utoipa::path(
    get,
    path = "/v1/events",
    params(WhichEvents),
    responses(
        (status = 200, description = "lines of JSON", body = EventLine, content_type = "application/x-ndjson"),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn events(Query(which): Query<WhichEvents>) -> Response {
    let (past, news) = journal().read();
    let news = which.follow.then_some(news);
    let lines = unfold((VecDeque::from(past), news, which), async |(mut past, mut news, which)| {
        loop {
            let line = match past.pop_front() {
                Some(entry) => EventLine::Entry(Box::new((*entry).clone())),
                None => match news.as_mut()?.recv().await {
                    Ok(entry) => EventLine::Entry(Box::new((*entry).clone())),
                    Err(RecvError::Lagged(missed)) => EventLine::Missed { missed },
                    Err(RecvError::Closed) => return None,
                },
            };
            if which.wants(&line) {
                return Some((Ok::<_, Infallible>(octets(&line)), (past, news, which)));
            }
        }
    });
    ([(header::CONTENT_TYPE, LINES)], Body::from_stream(lines)).into_response()
}

impl WhichEvents {
    fn wants(&self, line: &EventLine) -> bool {
        let EventLine::Entry(entry) = line else { return true };
        let of_service = self.service.as_deref().is_none_or(|name| entry.event.service() == Some(name));
        entry.number > self.since && of_service
    }
}

fn octets(line: &EventLine) -> Bytes {
    // It has text and numbers only: JSON can say all of it.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
