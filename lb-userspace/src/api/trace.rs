//! `GET /v1/trace`: one line of JSON for each packet, until whoever asks hangs up.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::oneshot;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::{Problem, Tasks};
use crate::trace::{self, Listen};

/// Lines of JSON.
pub(super) const LINES: &str = "application/x-ndjson";

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(packets))
}

/// Packets as they come, until whoever asks hangs up
#[utoipa::path(
    get,
    path = "/v1/trace",
    params(trace::Query),
    responses(
        (status = 200, description = "lines of JSON", body = trace::Line, content_type = "application/x-ndjson"),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn packets(State(tasks): State<Tasks>, Query(query): Query<trace::Query>) -> Result<Response, Problem> {
    let (answer, lines) = oneshot::channel();
    tasks.tracer.send(Listen { query, answer }).await.map_err(|_| Problem::shutting_down())?;
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
