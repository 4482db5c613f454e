//! What machines ask: whether it lives, whether it is ready, and its numbers.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::state::App;

/// The process serves.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every tier answers. Hold back a deployment by it; an instance whose Redis is away still serves.
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let health = app.tiers.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = format!(
        "local {:?}\nshared {:?}\nconsistent {:?}\nbound {}\n",
        health.local, health.shared, health.consistent, health.bound
    );
    (status, text).into_response()
}

pub(crate) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response()
}
