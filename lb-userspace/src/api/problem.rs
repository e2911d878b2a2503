//! What is answered instead of what was asked for.

use std::fmt::{self, Display, Formatter};

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request isn't answered, or not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status: what kind of problem it is.
    #[serde(skip, default)]
    pub status: Status,
    /// What is wrong, and what to do.
    pub error: String,
    /// Each single thing that is wrong, where there may be several: the errors of a configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// A status, that of an error of lbd's own unless something else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub StatusCode);

impl Default for Status {
    fn default() -> Self {
        Status(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Problem {
    /// With the status and the words.
    pub fn new(status: StatusCode, error: impl Display) -> Self {
        Problem { status: Status(status), error: error.to_string(), details: Vec::new() }
    }

    /// The request can't be understood, or asks for what can't be done.
    pub fn bad_request(error: impl Display) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, error)
    }

    /// Whoever asks may not.
    pub fn forbidden(error: impl Display) -> Self {
        Problem::new(StatusCode::FORBIDDEN, error)
    }

    /// What is asked for doesn't exist.
    pub fn not_found(error: impl Display) -> Self {
        Problem::new(StatusCode::NOT_FOUND, error)
    }

    /// The change doesn't fit to what is there now: it was made against another generation, or can't be made while lbd
    /// runs.
    pub fn conflict(error: impl Display) -> Self {
        Problem::new(StatusCode::CONFLICT, error)
    }

    /// The request is understood, and what it wants is wrong: a configuration with errors.
    pub fn invalid(error: impl Display, details: Vec<String>) -> Self {
        Problem { details, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error) }
    }

    /// The daemon's task doesn't take questions any more.
    #[must_use]
    pub fn shutting_down() -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "lbd is shutting down")
    }

    /// Something that isn't the asker's fault.
    #[must_use]
    pub fn internal(error: &anyhow::Error) -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }
}

impl Display for Problem {
    /// The details have a line each.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.error)?;
        self.details.iter().try_for_each(|detail| write!(f, "\n{detail}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status.0, Json(self)).into_response()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Problem::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Problem::new(rejection.status(), rejection.body_text())
    }
}
