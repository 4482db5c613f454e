//! What onlookers are told of each call: a span at level `debug` with the field names of OpenTelemetry's conventions for
//! databases, a count of what the store did not answer, and in an error where it happened. Never an id.

use hallway_core::{ErrorKind, Result};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use crate::sessions::Inner;

impl Inner {
    /// Runs a call and tells of it.
    pub(crate) async fn told<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let span = self.span(operation);
        let answer = call.instrument(span.clone()).await;
        answer.map_err(|error| {
            span.record("error.type", error.kind().as_str());
            #[cfg(feature = "otel")]
            span.record("otel.status_code", "ERROR");
            if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate | ErrorKind::Overloaded) {
                self.counters.unavailable.one();
            }
            error.at("sessions", operation).with_namespace(self.places.namespace())
        })
    }

    #[cfg(not(feature = "otel"))]
    fn span(&self, operation: &'static str) -> Span {
        debug_span!(
            "hallway.session",
            "db.system.name" = "hallway",
            "db.operation.name" = operation,
            "db.namespace" = self.places.namespace().as_str(),
            "error.type" = Empty,
        )
    }

    #[cfg(feature = "otel")]
    fn span(&self, operation: &'static str) -> Span {
        let namespace = self.places.namespace().as_str();
        debug_span!(
            "hallway.session",
            "otel.name" = tracing::field::display(format_args!("{operation} {namespace}")),
            "otel.kind" = "internal",
            "otel.status_code" = Empty,
            "db.system.name" = "hallway",
            "db.operation.name" = operation,
            "db.namespace" = namespace,
            "error.type" = Empty,
        )
    }
}
