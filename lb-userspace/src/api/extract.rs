//! What is taken from requests; what isn't right with them is answered as a [`Problem`].

use axum::extract::{FromRequest, FromRequestParts};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use serde::Serialize;

use super::Problem;

/// A body, and an answer.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// What stands behind the question mark.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// What the path's braces stand for.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// An answer that is JSON already.
pub fn ready(json: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
