//! What onlookers are told: a span for each attempt to connect, and the counts of a store. Never a login, never a key.

use hallway_core::{Count, Counted};
use tracing::Span;
use tracing::field::Empty;

use crate::failure::Failure;
use crate::{SqlStats, SqlStore};

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
        span.record("db.response.status_code", code.0.strip_prefix("SQLSTATE ").unwrap_or(&code.0));
    }
    #[cfg(feature = "otel")]
    span.record("otel.status_code", "ERROR");
}

impl Counted for SqlStore {
    fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
        let SqlStats { calls, connections, failed_connections, statements } = self.stats();
        for (name, help, value) in [
            ("hallway_sql_calls_total", "Calls that went out in statements.", calls),
            (
                "hallway_sql_connections_total",
                "Connections made to the database, the first ones included.",
                connections,
            ),
            ("hallway_sql_failed_connections_total", "Attempts to connect that failed.", failed_connections),
            ("hallway_sql_statements_total", "Statements sent, each for one call or for several.", statements),
        ] {
            each(Count::new(name, help, value));
        }
    }
}
