//! Which share of the reads each tier answers.

use super::architecture::Architecture;
use super::semantics::OVERHEAD;
use super::workload::Workload;
use crate::formulas::{hit_ratio_with_write_share, longest_ttl};

/// The longest life of a local copy that nothing else ends, seconds.
const LONGEST_TTL_S: f64 = 3_600.0;

/// How far a prediction from a curve may be off: what predictions are held to on traces never seen before.
const CURVE_ERROR: f64 = 0.02;

/// Which end of all intervals a number is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Corner {
    /// Everything costs least and hits most.
    Best,
    /// As stated.
    Middle,
    /// Everything costs most and hits least.
    Worst,
}

/// Shares of the reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hits {
    /// Answered in the process.
    pub(super) local: f64,
    /// Answered by any copy.
    pub(super) total: f64,
}

/// Entries that fit into an instance.
pub(super) fn local_entries(workload: &Workload) -> f64 {
    entries(workload.memory_bytes.value, workload)
}

/// Entries that fit into Redis.
pub(super) fn shared_entries(workload: &Workload) -> f64 {
    workload.redis_memory_bytes.as_ref().map_or(workload.keys.value, |memory| entries(memory.value, workload))
}

fn entries(memory: f64, workload: &Workload) -> f64 {
    (memory / (workload.bytes.value + OVERHEAD)).min(workload.keys.value)
}

/// How long a local copy may live, seconds: no longer than the tolerance, nor than F5 allows for the share of stale
/// hits. Own writes and invalidations need no TTL.
pub(super) fn local_ttl_s(architecture: Architecture, workload: &Workload) -> f64 {
    if !workload.is_shared() || architecture.has_bus() {
        return LONGEST_TTL_S;
    }
    let by_share = longest_ttl(workload.writes_of_a_key(), workload.stale_share.value);
    by_share.min(workload.stale_ms / 1e3).min(LONGEST_TTL_S)
}

/// Which share of the reads copies answer, by curve (F8), writes (F7), TTL (F3) and instances (F9).
pub(super) fn hits(architecture: Architecture, workload: &Workload, corner: Corner) -> Hits {
    let local = if architecture.has_local_copies() { local_hits(architecture, workload, corner) } else { 0.0 };
    let shared = |entries: f64| {
        hit_ratio_with_write_share(from_curves(workload, entries, 1.0, corner), workload.write_share())
    };
    let total = match architecture {
        Architecture::SharedDatabase
        | Architecture::LocalTtlSharedDatabase
        | Architecture::LocalBusSharedDatabase => shared(shared_entries(workload)),
        Architecture::UnloggedDatabase => shared(workload.keys.value),
        _ => local,
    };
    // A second tier that is smaller than the first adds nothing.
    Hits { local, total: total.max(local) }
}

fn local_hits(architecture: Architecture, workload: &Workload, corner: Corner) -> f64 {
    let instances = f64::from(workload.instances);
    let by_capacity = from_curves(workload, local_entries(workload), instances, corner);
    // The bus brings the writes of all instances to each, while its reads are a part of all.
    let write_share = if architecture.has_bus() {
        workload.writes_per_s / (workload.reads_per_s / instances + workload.writes_per_s)
    } else {
        workload.write_share()
    };
    let ratio = if workload.is_shared() && !architecture.has_bus() {
        by_capacity.min(by_ttl(architecture, workload, corner))
    } else {
        by_capacity
    };
    hit_ratio_with_write_share(ratio, write_share)
}

/// The hit ratio of copies that live for a TTL from when they were filled.
///
/// A key comes back within the TTL with the probability that the curve gives for a window of that many requests. From
/// there on what matters is how often it comes back before the copy ends: by chance (Poisson) in the middle, only once
/// at worst, and at best each time.
fn by_ttl(architecture: Architecture, workload: &Workload, corner: Corner) -> f64 {
    let instances = f64::from(workload.instances);
    let window = workload.reads_per_s / instances * local_ttl_s(architecture, workload);
    let of = |curve: &super::curve::HitCurve| {
        let most = curve.most(instances);
        let entries = curve.entries_of_window(window, instances, workload.keys.value);
        let within = curve.scaled_at(entries, instances, workload.keys.value);
        // What never comes back is no matter of the TTL.
        let share = if most > 0.0 { (within / most).min(1.0) } else { 0.0 };
        let per_fill = match corner {
            Corner::Best => return within,
            Corner::Middle if share >= 1.0 => return within,
            Corner::Middle => -(-share).ln_1p(),
            Corner::Worst => share,
        };
        most * per_fill / (1.0 + per_fill)
    };
    let first = of(&workload.curve);
    match (&workload.other_curve, corner) {
        (Some(other), Corner::Best) => first.max(of(other)),
        (Some(other), Corner::Worst) => first.min(of(other)),
        _ => first,
    }
}

fn from_curves(workload: &Workload, entries: f64, instances: f64, corner: Corner) -> f64 {
    let of = |curve: &super::curve::HitCurve| curve.scaled_at(entries, instances, workload.keys.value);
    let first = of(&workload.curve);
    let other = workload.other_curve.as_ref().map_or(first, of);
    match corner {
        Corner::Best => (first.max(other) + CURVE_ERROR).min(1.0),
        Corner::Middle => first,
        Corner::Worst => (first.min(other) - CURVE_ERROR).max(0.0),
    }
}
