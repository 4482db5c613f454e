//! How fast one store answers, and how its clock goes.

use std::time::{Duration, Instant};

use hallway::{Capability, KvStore, Result, Timestamp};
use serde::Serialize;

use crate::ttl::rfc3339;

/// Round trips of which the quickest counts.
pub(super) const ROUNDS: u32 = 5;

#[derive(Serialize)]
pub(super) struct Measured {
    /// The first round trip, connecting and migrating included.
    pub(super) connect_us: f64,
    /// The quickest of the next five.
    pub(super) latency_us: f64,
    /// The clock that decides expiry in the store.
    pub(super) clock: String,
    /// How far it is ahead of this machine's.
    pub(super) clock_ahead_ms: f64,
    pub(super) capabilities: Vec<String>,
}

pub(super) async fn measure(store: &dyn KvStore) -> Result<Measured> {
    let start = Instant::now();
    store.ping().await?;
    let connect = start.elapsed();

    let mut quickest = Duration::MAX;
    let mut ahead = 0;
    let mut clock = Timestamp::now();
    for _ in 0..ROUNDS {
        let sent = Timestamp::now();
        let start = Instant::now();
        let there = store.time().await?;
        let took = start.elapsed();
        if took < quickest {
            quickest = took;
            clock = there;
            // The store looked at its clock about half-way.
            ahead = there.unix_micros() - sent.unix_micros() - (took / 2).as_micros() as i64;
        }
    }
    Ok(Measured {
        connect_us: micros(connect),
        latency_us: micros(quickest),
        clock: rfc3339(clock),
        clock_ahead_ms: ahead as f64 / 1e3,
        capabilities: store.capabilities().iter().map(name).collect(),
    })
}

fn micros(duration: Duration) -> f64 {
    (duration.as_nanos() / 100) as f64 / 10.0
}

/// `OrderedScan` as `ordered_scan`.
fn name(capability: Capability) -> String {
    let mut name = String::new();
    for c in format!("{capability:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}
