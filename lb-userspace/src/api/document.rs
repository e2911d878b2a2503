//! `/v1/openapi.json`: what can be asked, for programs.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::Tasks;

/// The document, without an end to its last line.
#[must_use]
pub fn document() -> String {
    text(&super::routes().1)
}

/// What stands above the routes.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("lbd")
        .description(Some(
            "The daemon of the load balancer. Reading needs membership of api.read_group or api.write_group, changing \
             that of api.write_group, on the unix socket; over TCP, a certificate whose name has that access.",
        ))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").identifier(Some("Apache-2.0 OR MIT")).build()))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The document's own route: it isn't in the document.
pub(super) fn route(document: &OpenApi) -> Router<Tasks> {
    let text = text(document);
    Router::new().route(
        "/v1/openapi.json",
        get(async move || ([(header::CONTENT_TYPE, "application/json")], text.clone())),
    )
}

fn text(document: &OpenApi) -> String {
    // It has text and numbers only: JSON can say all of it.
    document.to_pretty_json().unwrap_or_default()
}
