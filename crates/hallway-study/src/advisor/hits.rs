//! Which share of the reads each tier answers.

use super::architecture::Architecture;
use super::curve::HitCurve;
use super::semantics::OVERHEAD;
use super::workload::Workload;
use crate::formulas::{hit_ratio_with_write_share, longest_ttl};

/// The longest life of a copy that nothing else ends, seconds: the default of copies in Redis.
pub(super) const LONGEST_TTL_S: f64 = 3_600.0;

/// The life of a local copy before Redis that invalidations end, seconds: the default of tiers. Where a server or a proxy
/// passes no invalidations on, it is the bound.
pub(super) const LINKED_TTL_S: f64 = 60.0;

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

/// How long a local copy lives, or one in a table that is not logged, seconds. Where nothing tells of writes it is no
/// longer than the tolerance, nor than F5 allows for the share of stale hits.
pub(super) fn copy_ttl_s(architecture: Architecture, workload: &Workload) -> f64 {
    if architecture == Architecture::UnloggedDatabase {
        // Nothing keeps a slow fill from overtaking a write there.
        return (workload.stale_ms / 1e3).min(LONGEST_TTL_S);
    }
    if !workload.is_shared() || architecture.has_bus() {
        return if architecture.has_redis() { LINKED_TTL_S } else { LONGEST_TTL_S };
    }
    let by_share = longest_ttl(workload.writes_of_a_key(), workload.stale_share.value);
    by_share.min(workload.stale_ms / 1e3).min(LONGEST_TTL_S)
}

/// Which share of the reads copies answer, by curve (F8), writes (F7), TTL (F3) and instances (F9).
pub(super) fn hits(architecture: Architecture, workload: &Workload, corner: Corner) -> Hits {
    let local = if architecture.has_local_copies() { local_hits(architecture, workload, corner) } else { 0.0 };
    // By capacity and by life, whichever ends copies sooner.
    let shared = |entries: f64, ttl_s: f64| {
        let ratio = from_curves(workload, entries, 1.0, corner).min(by_ttl(ttl_s, workload, 1.0, corner));
        hit_ratio_with_write_share(ratio, workload.write_share())
    };
    let total = match architecture {
        Architecture::SharedDatabase | Architecture::LocalTtlSharedDatabase | Architecture::LocalBusSharedDatabase => {
            shared(shared_entries(workload), LONGEST_TTL_S)
        }
        Architecture::UnloggedDatabase => shared(workload.keys.value, copy_ttl_s(architecture, workload)),
        _ => local,
    };
    // A second tier that is smaller than the first adds nothing.
    Hits { local, total: total.max(local) }
}

fn local_hits(architecture: Architecture, workload: &Workload, corner: Corner) -> f64 {
    let instances = f64::from(workload.instances);
    let by_capacity = from_curves(workload, local_entries(workload), instances, corner);
    // The bus brings the writes of all instances to each, while its reads are a part of all.
    let write_share = if architecture.hears_of_writes() {
        workload.writes_per_s / (workload.reads_per_s / instances + workload.writes_per_s)
    } else {
        workload.write_share()
    };
    let by_life = by_ttl(copy_ttl_s(architecture, workload), workload, instances, corner);
    hit_ratio_with_write_share(by_capacity.min(by_life), write_share)
}

/// The hit ratio of copies that live for a TTL from when they were filled.
///
/// A copy that is hit `n` times before it ends gives `n` hits for each miss. The curve says how often a key comes back
/// within a window: `n` times at least as often as `n` times in a row within the `n`-th part of it, and at most as if
/// the TTL began anew at each hit. Replays lie between the two; the middle is half way.
fn by_ttl(ttl_s: f64, workload: &Workload, instances: f64, corner: Corner) -> f64 {
    let window = workload.reads_per_s / instances * ttl_s;
    let of = |curve: &HitCurve| {
        let most = curve.most(instances);
        // What never comes back is no matter of the TTL.
        let again = |part: f64| {
            if most > 0.0 { (curve.within(window / part, instances, workload.keys.value) / most).min(1.0) } else { 0.0 }
        };
        // However often it is read, a key whose copy ends is one miss more in each TTL, and not more than that.
        let least = || {
            let hits = in_a_row(again);
            (most * hits / (1.0 + hits)).max(most - workload.keys.value / window)
        };
        match corner {
            Corner::Best => most * again(1.0),
            // Rounding must not lift the least above the most.
            Corner::Middle => f64::midpoint(least().min(most * again(1.0)), most * again(1.0)),
            Corner::Worst => (least().min(most * again(1.0)) - CURVE_ERROR).max(0.0),
        }
    };
    let first = of(&workload.curve);
    match (&workload.other_curve, corner) {
        (Some(other), Corner::Best) => first.max(of(other)),
        (Some(other), Corner::Worst) => first.min(of(other)),
        _ => first,
    }
}

/// How many hits a copy gives at least, if it comes back within the `n`-th part of its life with the chance `again(n)`:
/// the sum of the chances of `n` times in a row. They fall, so from 8 on the last of each octave stands for all.
fn in_a_row(again: impl Fn(f64) -> f64) -> f64 {
    const EXACT: u32 = 8;
    const OCTAVES: i32 = 24;
    let chance = |n: f64| again(n).powf(n);
    let exact: f64 = (1..=EXACT).map(|n| chance(f64::from(n))).sum();
    let at = |octave: i32| f64::from(EXACT) * 2_f64.powi(octave);
    let rest = (1..=OCTAVES).map(|octave| (at(octave) - at(octave - 1)) * chance(at(octave)));
    exact + rest.take_while(|hits| *hits > 1e-6).sum::<f64>()
}

fn from_curves(workload: &Workload, entries: f64, instances: f64, corner: Corner) -> f64 {
    let of = |curve: &HitCurve| curve.scaled_at(entries, instances, workload.keys.value);
    let first = of(&workload.curve);
    let other = workload.other_curve.as_ref().map_or(first, of);
    match corner {
        Corner::Best => (first.max(other) + CURVE_ERROR).min(1.0),
        Corner::Middle => first,
        Corner::Worst => (first.min(other) - CURVE_ERROR).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::LogCurve;
    use super::super::inputs::Inputs;
    use super::super::units::{Rate, Share, Size, Span};
    use super::super::workload::Purpose;
    use super::*;
    use crate::trace::{Coherence, Preset, Split, StackModel};

    const REQUESTS: usize = 150_000;

    fn stream(preset: Preset) -> impl Iterator<Item = crate::trace::Request> {
        let mut model = StackModel::new(preset, 11);
        (0..REQUESTS).map(move |_| model.next_request())
    }

    /// A cache of `instances` with a TTL of so many requests of the whole stream.
    fn asked(preset: Preset, instances: u32, entries: usize, ttl: u64, write_share: f64) -> Workload {
        let mut log = LogCurve::for_instances(instances);
        stream(preset).for_each(|request| log.read(request.key));
        let inputs = Inputs {
            purpose: Some(Purpose::Cache),
            instances: Some(instances),
            reads: Some(Rate(1_000.0 * (1.0 - write_share))),
            writes: Some(Rate(1_000.0 * write_share)),
            stale: Some(Span(ttl as f64 * 1e3)),
            stale_share: Some(Share(1.0)),
            bytes: Some(Size(56.0)),
            memory: Some(Size(entries as f64 * (56.0 + OVERHEAD))),
            ..Inputs::default()
        };
        inputs.workload(log.finish("a preset")).unwrap()
    }

    fn check(preset: Preset, instances: u32, entries: usize, ttl: u64, write_share: f64, coherence: Coherence) {
        let mut workload = asked(preset, instances, entries, ttl, write_share);
        if !matches!(coherence, Coherence::Ttl { .. }) {
            // So fast that no life of copies ends within the stream.
            workload.reads_per_s *= 1e3;
            workload.writes_per_s *= 1e3;
        }
        let (architecture, tolerance) = match coherence {
            Coherence::Ttl { .. } => (Architecture::LocalDatabase, 0.05),
            _ => (Architecture::LocalBusSharedDatabase, 0.02),
        };
        let split =
            Split { instances: instances as usize, local_entries: entries, coherence, write_share, ..Split::default() };
        let replayed = split.replay(stream(preset)).local();
        let at = |corner| hits(architecture, &workload, corner).local;
        let (low, middle, high) = (at(Corner::Worst), at(Corner::Middle), at(Corner::Best));
        let said = format!(
            "{preset:?} {instances} x {entries}, {ttl} requests, w = {write_share}: {replayed:.3} replayed, {low:.3} {middle:.3} {high:.3} said"
        );
        assert!(low <= replayed + 0.02 && replayed <= high + 0.02, "{said}");
        assert!((middle - replayed).abs() <= tolerance, "{said}");
    }

    #[test]
    fn a_ttl_hits_as_often_as_replayed() {
        for preset in [Preset::OrmBusy, Preset::Web12] {
            for (instances, ttl) in [(2, 200), (2, 2_000), (4, 2_000), (4, 20_000)] {
                check(preset, instances, 4_096, ttl, 0.0, Coherence::Ttl { requests: ttl });
            }
        }
    }

    #[test]
    fn writes_and_capacity_hit_as_often_as_replayed() {
        for preset in [Preset::OrmBusy, Preset::Web12] {
            for (instances, entries, write_share) in
                [(1, 1_024, 0.05), (2, 1_024, 0.0), (2, 4_096, 0.05), (4, 256, 0.01)]
            {
                check(preset, instances, entries, 10_000, write_share, Coherence::Bus);
            }
        }
    }
}
