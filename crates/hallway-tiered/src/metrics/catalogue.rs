//! What every metric is, in a sentence.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use crate::observe::{LOAD_DURATION, REPAIR_DELAY, SHARED_HIT_AGE, WRITE_DURATION};

/// Upper bounds for histograms of what is measured here, in seconds: from a fast query to a copy of an hour.
///
/// There is one just above the default hard timeout of a loader, so that what ends there is not taken for twice as long.
///
/// A recorder for Prometheus has to be told, or it makes summaries of them, which cannot be added up over instances.
pub const BUCKETS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 5.5, 10.0, 30.0, 60.0, 300.0,
    900.0, 3_600.0,
];

const COUNTERS: &[(&str, &str)] = &[
    (
        "hallway_reads_total",
        "Keys read from stores and caches, by the tier that answered: local, shared, authority. Refreshes are none.",
    ),
    ("hallway_bypassed_reads_total", "Reads answered by the authority because the shared tier could not be asked."),
    ("hallway_stale_reads_total", "Reads answered by a value past its TTL."),
    ("hallway_fills_total", "Copies for the shared tier, by outcome: written, failed (also when the lease was gone)."),
    ("hallway_poisoned_copies_total", "Damaged copies that were found in the shared tier and removed."),
    ("hallway_invalidations_total", "Keys that the shared tier said have changed."),
    ("hallway_flushes_total", "Times that all local copies were given up: reconnects, flushes."),
    ("hallway_marked_writes_total", "Writes announced to all instances before they began."),
    ("hallway_unannounced_writes_total", "Writes that went on although the shared tier could not be told."),
    ("hallway_refused_writes_total", "Writes refused because the shared tier could not be told."),
    ("hallway_unknown_writes_total", "Writes of unknown outcome."),
    ("hallway_repairs_total", "Owed invalidations that were made good, rows of the outbox included."),
    ("hallway_shared_failures_total", "Calls of the shared tier that got no answer."),
    ("hallway_shared_refusals_total", "Calls not made because the shared tier is known to give no answers."),
    ("hallway_cache_reads_total", "Reads of a cache, by outcome: local, shared, missed."),
    ("hallway_cache_joined_reads_total", "Reads of a cache that waited for the load of another caller."),
    ("hallway_cache_stale_reads_total", "Reads of a cache answered by a value past its TTL."),
    ("hallway_cache_loads_total", "Calls of loaders."),
    ("hallway_cache_failed_loads_total", "Loads that ended with an error, a panic or at their deadline."),
    ("hallway_cache_not_found_total", "Loads that found nothing."),
    ("hallway_cache_refreshes_total", "Refreshes begun in the background."),
    ("hallway_cache_skipped_refreshes_total", "Refreshes not begun because too many were going on."),
    ("hallway_cache_overloaded_total", "Reads and loads refused because too many were going on."),
    ("hallway_cache_undecodable_copies_total", "Copies in the shared tier that were no value of the cache."),
    ("hallway_cache_fills_total", "Values written to the shared tier."),
    ("hallway_cache_unfilled_loads_total", "Loads whose value could not be kept."),
    ("hallway_cache_bypassed_reads_total", "Reads of a cache that had to do without the shared tier."),
    ("hallway_cache_writes_total", "Writes through the cache."),
    ("hallway_cache_invalidations_total", "Keys invalidated through the cache by this instance."),
];

const GAUGES: &[(&str, Unit, &str)] = &[
    (
        "hallway_tier_ready",
        Unit::Count,
        "1 if a tier answers, 0 if the store does without it. Absent tiers have no series.",
    ),
    (
        "hallway_breaker_state",
        Unit::Count,
        "1 for the state of the breaker before the shared tier: closed, half_open, open.",
    ),
    ("hallway_link_proof_age_seconds", Unit::Seconds, "Since when nothing proves that no invalidation is missing."),
    ("hallway_owed_invalidations", Unit::Count, "Invalidations that this instance owes the shared tier."),
    ("hallway_invalidation_lag_seconds", Unit::Seconds, "How long the oldest owed invalidation has waited."),
    ("hallway_bound_seconds", Unit::Seconds, "The promised bound on staleness, by fault: single, cut_off_writer."),
    ("hallway_cache_bound_seconds", Unit::Seconds, "The same of a cache."),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    (
        LOAD_DURATION,
        "How long loaders and reads of the consistent tier took, by outcome: ok, or the kind of the error.",
    ),
    (
        SHARED_HIT_AGE,
        "How old copies in the shared tier were when they answered. Those read without their age are missing.",
    ),
    (
        WRITE_DURATION,
        "How long writes that copies are protected from took, and invalidations, by operation and outcome.",
    ),
    (REPAIR_DELAY, "How long owed invalidations had waited when they were made good."),
];

/// Tells the recorder of the application what every metric is. [`Exporter::report`](super::Exporter::report) does it the
/// first time.
pub fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(*name, Unit::Count, *help);
    }
    for (name, unit, help) in GAUGES {
        describe_gauge!(*name, *unit, *help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(*name, Unit::Seconds, *help);
    }
}
