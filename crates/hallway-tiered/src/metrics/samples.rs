//! From what is counted to names, labels and numbers.

use std::time::Duration;

use metrics::{counter, gauge};

use crate::observe::Label;
use crate::{Bound, BreakerState, CacheStats, Health, TierHealth, TieredStats};

/// A name, a label, a count.
type Sample = (&'static str, Option<(&'static str, &'static str)>, u64);

fn tier(name: &'static str) -> Option<(&'static str, &'static str)> {
    Some(("tier", name))
}

fn outcome(name: &'static str) -> Option<(&'static str, &'static str)> {
    Some(("outcome", name))
}

/// Taken apart field by field, so that a new count is not forgotten here.
fn of_tiers(stats: &TieredStats) -> [Sample; 17] {
    let TieredStats {
        local_hits,
        shared_hits,
        authority_reads,
        // Those of caches by namespace, those of the consistent tier in the histogram.
        loads: _,
        bypassed,
        stale,
        fills,
        failed_fills,
        poisoned,
        invalidations,
        flushes,
        marked_writes,
        unannounced_writes,
        refused_writes,
        unknown_writes,
        repairs,
        shared_failures,
        shared_refusals,
    } = *stats;
    [
        ("hallway_reads_total", tier("local"), local_hits),
        ("hallway_reads_total", tier("shared"), shared_hits),
        ("hallway_reads_total", tier("authority"), authority_reads),
        ("hallway_bypassed_reads_total", None, bypassed),
        ("hallway_stale_reads_total", None, stale),
        ("hallway_fills_total", outcome("written"), fills),
        ("hallway_fills_total", outcome("failed"), failed_fills),
        ("hallway_poisoned_copies_total", None, poisoned),
        ("hallway_invalidations_total", None, invalidations),
        ("hallway_flushes_total", None, flushes),
        ("hallway_marked_writes_total", None, marked_writes),
        ("hallway_unannounced_writes_total", None, unannounced_writes),
        ("hallway_refused_writes_total", None, refused_writes),
        ("hallway_unknown_writes_total", None, unknown_writes),
        ("hallway_repairs_total", None, repairs),
        ("hallway_shared_failures_total", None, shared_failures),
        ("hallway_shared_refusals_total", None, shared_refusals),
    ]
}

/// As [`of_tiers`]. How long loads took is in the histogram.
fn of_cache(stats: &CacheStats) -> [Sample; 17] {
    let CacheStats {
        local_hits,
        shared_hits,
        misses,
        joined,
        stale,
        loads,
        failed_loads,
        load_micros: _,
        not_found,
        refreshes,
        skipped_refreshes,
        overloaded,
        undecodable,
        unfilled,
        fills,
        bypassed,
        writes,
        invalidations,
    } = *stats;
    [
        ("hallway_cache_reads_total", outcome("local"), local_hits),
        ("hallway_cache_reads_total", outcome("shared"), shared_hits),
        ("hallway_cache_reads_total", outcome("missed"), misses),
        ("hallway_cache_joined_reads_total", None, joined),
        ("hallway_cache_stale_reads_total", None, stale),
        ("hallway_cache_loads_total", None, loads),
        ("hallway_cache_failed_loads_total", None, failed_loads),
        ("hallway_cache_not_found_total", None, not_found),
        ("hallway_cache_refreshes_total", None, refreshes),
        ("hallway_cache_skipped_refreshes_total", None, skipped_refreshes),
        ("hallway_cache_overloaded_total", None, overloaded),
        ("hallway_cache_undecodable_copies_total", None, undecodable),
        ("hallway_cache_unfilled_loads_total", None, unfilled),
        ("hallway_cache_fills_total", None, fills),
        ("hallway_cache_bypassed_reads_total", None, bypassed),
        ("hallway_cache_writes_total", None, writes),
        ("hallway_cache_invalidations_total", None, invalidations),
    ]
}

pub(super) fn tell_tiers(stats: &TieredStats) {
    for (name, label, count) in of_tiers(stats) {
        match label {
            Some((label, value)) => counter!(name, label => value).absolute(count),
            None => counter!(name).absolute(count),
        }
    }
}

pub(super) fn tell_cache(namespace: &Label, stats: &CacheStats) {
    for (name, label, count) in of_cache(stats) {
        match label {
            Some((label, value)) => {
                counter!(name, "namespace" => namespace.shared(), label => value).absolute(count);
            }
            None => counter!(name, "namespace" => namespace.shared()).absolute(count),
        }
    }
}

/// Nothing is promised: infinity.
fn seconds(bound: Option<Duration>) -> f64 {
    bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64())
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

pub(super) fn tell_health(health: &Health) {
    for (tier, is) in [("local", health.local), ("shared", health.shared), ("consistent", health.consistent)] {
        if is != TierHealth::Absent {
            gauge!("hallway_tier_ready", "tier" => tier).set(flag(is == TierHealth::Ready));
        }
    }
    if health.shared != TierHealth::Absent {
        let states =
            [("closed", BreakerState::Closed), ("half_open", BreakerState::HalfOpen), ("open", BreakerState::Open)];
        for (name, state) in states {
            gauge!("hallway_breaker_state", "state" => name).set(flag(health.breaker == state));
        }
    }
    if let Some(proven) = health.proven {
        gauge!("hallway_link_proof_age_seconds").set(proven.as_secs_f64());
    }
    gauge!("hallway_owed_invalidations").set(health.owed as f64);
    gauge!("hallway_invalidation_lag_seconds").set(health.lag.as_secs_f64());
    gauge!("hallway_bound_seconds", "fault" => "single").set(seconds(health.bound.single_fault));
    gauge!("hallway_bound_seconds", "fault" => "cut_off_writer").set(seconds(health.bound.cut_off_writer));
}

pub(super) fn tell_bound(namespace: &Label, bound: &Bound) {
    let of = |fault: &'static str| gauge!("hallway_cache_bound_seconds", "namespace" => namespace.shared(), "fault" => fault);
    of("single").set(seconds(bound.single_fault));
    of("cut_off_writer").set(seconds(bound.cut_off_writer));
}
