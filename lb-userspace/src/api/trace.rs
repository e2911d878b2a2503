//! `GET /v1/trace`: one line of JSON for each packet, until whoever asks hangs up.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::unfold;
use tokio::sync::{mpsc, oneshot};

use super::Problem;
use crate::trace::{self, Listen};

/// Lines of JSON.
const LINES: &str = "application/x-ndjson";

/// The route. Each request asks the task that reads the ring.
pub fn router(tracer: mpsc::Sender<Listen>) -> Router {
    Router::new().route("/v1/trace", get(lines)).with_state(tracer)
}

async fn lines(
    State(tracer): State<mpsc::Sender<Listen>>,
    Query(query): Query<trace::Query>,
) -> Result<Response, Problem> {
    let (answer, lines) = oneshot::channel();
    tracer.send(Listen { query, answer }).await.map_err(|_| Problem::shutting_down())?;
    let lines = lines.await.map_err(|_| Problem::shutting_down())?.map_err(explain)?;
    let lines = unfold(lines, async |mut lines| {
        let line = lines.recv().await?;
        Some((Ok::<_, Infallible>(line), lines))
    });
    Ok(([(header::CONTENT_TYPE, LINES)], Body::from_stream(lines)).into_response())
}

fn explain(refusal: trace::Refusal) -> Problem {
    match refusal {
        trace::Refusal::Query(reason) => Problem::bad_request(reason),
        trace::Refusal::TooMany(most) => {
            let reason = format!("{most} others are shown packets; end one of them");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        }
        trace::Refusal::Kernel(reason) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, reason),
    }
}
