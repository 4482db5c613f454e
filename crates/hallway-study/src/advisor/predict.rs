//! What a choice would be like: latency, load, staleness, memory.

use serde::Serialize;

use super::architecture::Architecture;
use super::costs::Costs;
use super::hits::{Corner, copy_ttl_s, hits as hits_at, local_entries};
use super::load::{Load, loads};
use super::model::{Step, expected_hits, ways};
use super::semantics::{OVERHEAD, invalidation_delay_us};
use super::workload::Workload;
use crate::formulas::{Latencies, Part, quantile_of_mixture, stale_share_by_bus, stale_share_by_ttl};

/// Latencies that stand for the distribution of a way. Enough for the 99th percentile of each to be one of them.
const SAMPLES: usize = 500;

/// What a choice would be like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The choice.
    pub architecture: Architecture,
    /// Its name with the stores of this workload.
    pub name: String,
    /// Mean of all requests, microseconds.
    pub mean_us: f64,
    /// The mean at the best and at the worst ends of all intervals together, microseconds.
    pub mean_interval_us: [f64; 2],
    /// What 99 of 100 requests stay within, microseconds.
    pub p99_us: f64,
    /// Share of the reads that the process answers.
    pub local_hit_ratio: f64,
    /// Share of the reads that any copy answers.
    pub total_hit_ratio: f64,
    /// Its interval: from both ends of what is known of the keys.
    pub total_hit_interval: [f64; 2],
    /// How old an answer may be, milliseconds; 0 where no write is acknowledged before its copies are void.
    pub stale_within_ms: f64,
    /// Share of the answers of copies that are stale; `null` where nothing tells.
    pub stale_share: Option<f64>,
    /// The life of a copy, milliseconds, where that is what bounds staleness.
    pub copy_ttl_ms: Option<f64>,
    /// Entries in each instance.
    pub local_entries: f64,
    /// Memory of these entries, bytes.
    pub local_bytes: f64,
    /// What the servers are asked for.
    pub loads: Vec<Load>,
    /// Services that would have to be added.
    pub new_services: u32,
    /// Tiers and the bus between them.
    pub layers: u32,
}

/// The mean of all requests, microseconds.
pub(super) fn mean_us(architecture: Architecture, workload: &Workload, costs: &Costs, corner: Corner) -> f64 {
    ways(architecture, workload, costs, corner).iter().map(|way| way.share * way.cost.mean).sum()
}

/// The 99th percentile of all requests, microseconds: the quantile of the mixture of its ways (F13).
pub(super) fn p99_us(architecture: Architecture, workload: &Workload, costs: &Costs) -> f64 {
    let ways = ways(architecture, workload, costs, Corner::Middle);
    let samples: Vec<Vec<f64>> = ways.iter().map(|way| spread(way.cost)).collect();
    let parts: Vec<Part<'_>> = ways
        .iter()
        .zip(&samples)
        .map(|(way, samples)| Part { share: way.share, latencies: Latencies::Samples(samples) })
        .collect();
    quantile_of_mixture(&parts, 0.99).unwrap_or(0.0)
}

/// Latencies with this median and this 99th percentile: log-logistic, whose quantiles have a closed form and whose tail
/// is long, as those of servers are.
fn spread(cost: Step) -> Vec<f64> {
    let shape = if cost.mean > 0.0 { (cost.p99 / cost.mean).ln() / 99_f64.ln() } else { 0.0 };
    let at = |n: usize| (n as f64 + 0.5) / SAMPLES as f64;
    (0..SAMPLES).map(|n| cost.mean * (at(n) / (1.0 - at(n))).powf(shape)).collect()
}

pub(super) fn predict(architecture: Architecture, workload: &Workload, costs: &Costs) -> Prediction {
    let mean = |corner| mean_us(architecture, workload, costs, corner);
    let hits = expected_hits(architecture, workload);
    let ttl_s = copy_ttl_s(architecture, workload);
    let is_by_ttl = workload.is_shared() && architecture.has_local_copies() && !architecture.has_bus();
    let (stale_within_ms, stale_share) = if architecture == Architecture::UnloggedDatabase {
        // How often a fill overtakes a write depends on loads and writes that meet, of which nothing is known.
        (ttl_s * 1e3, None)
    } else if !workload.is_shared() || !architecture.has_copies() {
        (0.0, Some(0.0))
    } else if is_by_ttl {
        // hallway hears of writes there too, if it has Redis.
        let told_ms = if architecture.hears_of_writes() { told_within_ms(workload) } else { f64::INFINITY };
        ((ttl_s * 1e3).min(told_ms), Some(stale_share_by_ttl(workload.writes_of_a_key(), ttl_s)))
    } else if architecture.has_bus() {
        let delay_s = invalidation_delay_us(costs, workload) / 1e6;
        (told_within_ms(workload), Some(stale_share_by_bus(workload.writes_of_a_key(), delay_s)))
    } else {
        // Copies in Redis are void before the write is done.
        (0.0, Some(0.0))
    };
    let has_local = architecture.has_local_copies() || architecture == Architecture::Local;
    let local_entries = if has_local { local_entries(workload) } else { 0.0 };
    let (new_services, layers) = architecture.moving_parts(workload);
    Prediction {
        architecture,
        name: architecture.name(workload),
        mean_us: mean(Corner::Middle),
        mean_interval_us: [mean(Corner::Best), mean(Corner::Worst)],
        p99_us: p99_us(architecture, workload, costs),
        local_hit_ratio: hits.local,
        total_hit_ratio: hits.total,
        total_hit_interval: [Corner::Worst, Corner::Best].map(|corner| hits_at(architecture, workload, corner).total),
        stale_within_ms,
        stale_share,
        copy_ttl_ms: (is_by_ttl || architecture == Architecture::UnloggedDatabase).then_some(ttl_s * 1e3),
        local_entries,
        local_bytes: local_entries * (workload.bytes.value + OVERHEAD),
        loads: loads(architecture, workload, costs),
        new_services,
        layers,
    }
}

/// The bound that is configured for local copies behind invalidations, milliseconds.
pub(super) fn bound_ms(workload: &Workload) -> f64 {
    workload.stale_ms.clamp(super::semantics::LEAST_BOUND_MS, 1_000.0)
}

/// How old a local copy may be where invalidations come through, milliseconds: what the printed file promises.
fn told_within_ms(workload: &Workload) -> f64 {
    bound_ms(workload).max(degraded_ms(workload))
}

/// How long local copies answer while Redis is down, milliseconds: the default of tiers, or the tolerance if that is less.
pub(super) fn degraded_ms(workload: &Workload) -> f64 {
    /// The default of tiers.
    const DEGRADED_MS: f64 = 5_000.0;
    if workload.is_shared() { workload.stale_ms.min(DEGRADED_MS) } else { DEGRADED_MS }
}
