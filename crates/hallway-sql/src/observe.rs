//! What onlookers are told: a span for each attempt to connect. Never a login, never a key.

use tracing::Span;
use tracing::field::Empty;

use crate::failure::Failure;

/// What OpenTelemetry's conventions call a dialect.
fn system(dialect: &'static str) -> &'static str {
    if dialect == "postgres" { "postgresql" } else { dialect }
}

/// A span of one attempt, with the field names of OpenTelemetry's conventions for databases.
pub(crate) fn of_connect(dialect: &'static str) -> Span {
    #[cfg(feature = "otel")]
    let span = tracing::debug_span!(
        "hallway.connect",
        "otel.name" = "connect",
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "db.system.name" = system(dialect),
        "db.operation.name" = "connect",
        "db.response.status_code" = Empty,
        "error.type" = Empty,
    );
    #[cfg(not(feature = "otel"))]
    let span = tracing::debug_span!(
        "hallway.connect",
        "db.system.name" = system(dialect),
        "db.operation.name" = "connect",
        "db.response.status_code" = Empty,
        "error.type" = Empty,
    );
    span
}

/// Says in a span how its attempt failed: by the kind, and by the code that the database gave.
pub(crate) fn failed(span: &Span, failure: &Failure) {
    span.record("error.type", failure.kind.as_str());
    if let Some(code) = &failure.code {
        span.record("db.response.status_code", tracing::field::display(code));
    }
    #[cfg(feature = "otel")]
    span.record("otel.status_code", "ERROR");
}
