//! What onlookers are told where it happens: spans, and measurements with feature `metrics`. Never by a local hit, and never
//! with a key, an id or a value.

mod labels;
mod measure;
mod spans;

use std::future::Future;

use futures_util::FutureExt;
use hallway_core::Result;
use tracing::{Instrument, Span};

pub(crate) use self::labels::{Label, Labels};
pub(crate) use self::measure::{Began, asked, loaded, repaired, shared_hit, wrote};
#[cfg(feature = "metrics")]
pub(crate) use self::measure::{LOAD_DURATION, REPAIR_DELAY, SHARED_HIT_AGE, WRITE_DURATION};
pub(crate) use self::spans::{failed, of_drain, of_fill, of_invalidation, of_load, of_loader, of_repair, of_write};

/// Runs a call within a span that says how it failed.
// No `async` block, which would have room for the call twice.
pub(crate) fn traced<T>(span: Span, call: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    let told = span.clone();
    call.inspect(move |result| {
        if let Err(error) = result {
            failed(&told, error.kind());
        }
    })
    .instrument(span)
}

/// Runs a write within a span, and measures it.
pub(crate) fn written<T>(
    span: Span,
    operation: &'static str,
    write: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let began = Began::now();
    traced(span, write.inspect(move |result| wrote(operation, &began, result.as_ref().err())))
}
