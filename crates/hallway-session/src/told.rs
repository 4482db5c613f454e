//! What onlookers are told of each call: a span at level `debug` with the field names of OpenTelemetry's conventions for
//! databases, a count of what the store did not answer, and in an error where it happened. Never an id.

use futures_util::FutureExt;
use hallway_core::{Error, ErrorKind, Result};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use crate::sessions::Inner;

impl Inner {
    /// Runs a call and tells of it.
    // No `async fn`, which would have room for the call twice.
    pub(crate) fn told<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let span = self.span(operation);
        let within = span.clone();
        let failed = move |error: Error| {
            span.record("error.type", error.kind().as_str());
            #[cfg(feature = "otel")]
            span.record("otel.status_code", "ERROR");
            if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate | ErrorKind::Overloaded) {
                self.counters.unavailable.one();
            }
            error.at("sessions", operation).with_namespace(self.places.namespace())
        };
        call.map(move |answer| answer.map_err(failed)).instrument(within)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallway_testkit::PlainStore;

    use crate::{Sessions, SessionsExt};

    #[test]
    fn a_call_that_is_told_of_has_room_for_itself_once() {
        let sessions: Sessions<()> = Arc::new(PlainStore::new()).sessions("session").build().unwrap();
        let call = async {
            let room = [1_u8; 4_096];
            std::future::ready(()).await;
            Ok(room.len())
        };
        let alone = size_of_val(&call);
        let told = size_of_val(&sessions.inner.told("load", call));
        assert!(alone > 4_096 && told < alone + alone / 2, "{told} for {alone}");
    }
}
