//! Spans of what takes time, at level `debug`, with the field names of OpenTelemetry's conventions for databases. A caller's
//! own span is their parent, also where the work goes on in a task of its own.

#[cfg(feature = "otel")]
use std::fmt;

use hallway_core::ErrorKind;
use tracing::Span;
use tracing::field::Empty;

/// `db.system.name`: none of the systems that the conventions know.
const SYSTEM: &str = "hallway";

/// A span of one operation on one namespace, with further fields.
macro_rules! span {
    ($name:literal, $operation:expr, $namespace:expr $(, $($field:tt)+)?) => {{
        let operation: &'static str = $operation;
        let namespace: Option<&str> = $namespace;
        #[cfg(feature = "otel")]
        let span = tracing::debug_span!(
            $name,
            "otel.name" = tracing::field::display(Name { operation, namespace }),
            "otel.kind" = "internal",
            "otel.status_code" = Empty,
            "db.system.name" = SYSTEM,
            "db.operation.name" = operation,
            "db.namespace" = namespace,
            "error.type" = Empty,
            $($($field)+)?
        );
        #[cfg(not(feature = "otel"))]
        let span = tracing::debug_span!(
            $name,
            "db.system.name" = SYSTEM,
            "db.operation.name" = operation,
            "db.namespace" = namespace,
            "error.type" = Empty,
            $($($field)+)?
        );
        span
    }};
}

/// What the conventions call a span: the operation, and what it is done to.
#[cfg(feature = "otel")]
struct Name<'a> {
    operation: &'static str,
    namespace: Option<&'a str>,
}

#[cfg(feature = "otel")]
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        self.namespace.map_or(Ok(()), |namespace| write!(f, " {namespace}"))
    }
}

/// The root has no name.
fn named(namespace: &str) -> Option<&str> {
    (!namespace.is_empty()).then_some(namespace)
}

/// One is no batch.
fn batch(values: usize) -> Option<usize> {
    (values > 1).then_some(values)
}

/// One value, or many, from whoever has them: until the lease is there, the loader has ended and the copy is written.
pub(crate) fn of_load(operation: &'static str, namespace: &str, values: usize) -> Span {
    span!("hallway.load", operation, named(namespace), "db.operation.batch.size" = batch(values))
}

/// The loader alone: what the application does is within.
pub(crate) fn of_loader(namespace: &str) -> Span {
    span!("hallway.loader", "loader", named(namespace))
}

/// The copy for the shared tier.
pub(crate) fn of_fill(namespace: &str, values: usize) -> Span {
    span!("hallway.fill", "fill", named(namespace), "db.operation.batch.size" = batch(values))
}

pub(crate) fn of_write(operation: &'static str, namespace: &str, values: usize) -> Span {
    span!("hallway.write", operation, named(namespace), "db.operation.batch.size" = batch(values))
}

pub(crate) fn of_invalidation(operation: &'static str, namespace: &str, values: usize) -> Span {
    span!("hallway.invalidate", operation, named(namespace), "db.operation.batch.size" = batch(values))
}

/// What this process owed the shared tier. Of all namespaces together.
pub(crate) fn of_repair(values: usize) -> Span {
    span!("hallway.repair", "repair", None, "db.operation.batch.size" = batch(values))
}

/// Rows of the outbox. Of all namespaces together.
pub(crate) fn of_drain(values: usize) -> Span {
    span!("hallway.drain", "drain", None, "db.operation.batch.size" = batch(values))
}

/// Says in a span how its operation failed.
pub(crate) fn failed(span: &Span, kind: ErrorKind) {
    span.record("error.type", kind.as_str());
    #[cfg(feature = "otel")]
    span.record("otel.status_code", "ERROR");
}
