//! What every request meets before its route.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Problem;
use super::access::{Peer, Policy, needed};
use super::bounds::Bounds;

/// Routes that only those are led to who may use them, and for no longer than they may take.
pub fn around(router: Router, policy: Arc<Policy>, bounds: Bounds) -> Router {
    router
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(bounds.body))
        .layer(middleware::from_fn_with_state(bounds, bound))
        .layer(middleware::from_fn_with_state(policy, permit))
}

async fn permit(
    State(policy): State<Arc<Policy>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match policy.permit(&peer, needed(request.method())) {
        Ok(()) => next.run(request).await,
        Err(denial) => Problem::forbidden(denial).into_response(),
    }
}

async fn bound(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > bounds.body as u64) {
        let error = format!("the body has more than {} octets", bounds.body);
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error).into_response();
    }
    timeout(bounds.request, next.run(request)).await.unwrap_or_else(|_| {
        let error = format!("this took longer than {} s", bounds.request.as_secs_f32());
        Problem::new(StatusCode::REQUEST_TIMEOUT, error).into_response()
    })
}

async fn no_path(uri: Uri) -> Problem {
    Problem::not_found(format!(
        "there is nothing at {}; GET /v1/openapi.json lists what there is",
        uri.path()
    ))
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let error = format!("{} is not for {method}; GET /v1/openapi.json lists what is", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, error)
}
