//! Streams of requests: read from files or generated, and what a cache of any size would make of them.
//!
//! Locality decides what a cache is worth, and popularity does not give it: on real streams, keys come back soon or
//! not at all. So everything here is about reuse: how many other keys were asked for between two requests of one key.
//!
//! - [`Reader`] and [`Requests`] read a key log in one of the [`Format`]s; [`StackModel`] makes one from a [`Preset`];
//! - [`Distances`] gives the exact LRU hit ratio at every capacity, as an [`LruCurve`];
//! - [`CurveBuilder`] sets moka and the clairvoyant bound beside it, as a [`CapacityCurve`];
//! - [`Split`] replays a stream through several instances over a shared tier;
//! - [`KnownTrace`] are the public traces that figures of the documents are about;
//! - [`mix`], [`sizes`] and [`value`] are the values that belong to keys.

mod clairvoyant;
mod curve;
mod distances;
mod fenwick;
mod figure;
mod format;
mod intern;
mod kept;
mod known;
mod log;
mod lru;
pub mod mix;
mod parse;
mod policy;
mod preset;
mod reader;
mod recency;
mod request;
pub mod sizes;
mod split;
pub mod value;

pub use self::clairvoyant::clairvoyant_hits;
pub use self::curve::{
    CapacityCurve, CapacityPoint, CurveBuilder, CurvePlan, ENTRY_BYTES, Gain, SizeBasis, Stage, capacities,
};
pub use self::distances::{Distances, LruCurve};
pub use self::figure::capacity_chart;
pub(crate) use self::figure::points_chart;
pub use self::format::Format;
pub use self::intern::{Interner, MOST_KEYS, Requests};
pub use self::known::{KnownTrace, ORM_BUSY, WEB12};
pub use self::log::Log;
pub use self::lru::Lru;
pub use self::policy::moka_hits;
pub use self::preset::{Preset, StackModel};
pub use self::reader::Reader;
pub use self::request::{Access, KeyId, Name, OnWrite, Op, Request};
pub use self::split::{Coherence, Split, SplitShares};
