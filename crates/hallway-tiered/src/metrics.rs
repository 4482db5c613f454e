//! What is counted and how the tiers are, for the recorder of the [`metrics`](https://docs.rs/metrics) crate that the
//! application has installed.
//!
//! Hits are counted without any recorder, at the price of one store to a cache line of the thread's own; [`Exporter`] reads
//! those counts now and then and hands them over. What takes time anyway is measured where it happens: how long loads and
//! writes took, how old copies were, how long invalidations were owed. `docs/guide/observability.md` lists every metric.
//!
//! No label has a key, an id, an address or a message in it. Namespaces have a label of their own if they were configured
//! or are cached, up to 64 of them; the others share `other`.

mod catalogue;
mod exporter;
mod reporting;
mod samples;

pub use self::catalogue::{BUCKETS, describe};
pub use self::exporter::Exporter;
pub use self::reporting::Reporting;
