//! The results of a replay through tiers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Outcome;
use crate::failure::Failure;
use crate::numbers::{grouped, latency, rounded};
use crate::output::Output;

#[derive(Serialize)]
struct Report<'a> {
    tiers: BTreeMap<&'static str, &'a str>,
    instances: u16,
    requests_per_s: f64,
    reads: Reads,
    writes: Writes,
    copies: Copies,
    failures: &'a BTreeMap<String, u64>,
    staleness: Staleness,
    bound: String,
    /// Whether every owed invalidation was made good at the end.
    settled: bool,
}

#[derive(Serialize)]
struct Reads {
    total: u64,
    found: u64,
    local_hits: u64,
    shared_hits: u64,
    /// All others, found or not: by the authority.
    authority: u64,
    /// Reads of the authority that were made for want of a copy.
    loads: u64,
    /// Because the shared tier could not be asked.
    bypassed: u64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
}

#[derive(Serialize)]
struct Writes {
    total: u64,
    new_keys: u64,
    marked: u64,
    unannounced: u64,
    refused: u64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
}

#[derive(Serialize)]
struct Copies {
    fills: u64,
    failed_fills: u64,
    /// Keys that the shared tier said have changed.
    invalidations: u64,
    /// Times that all local copies were given up.
    flushes: u64,
    repairs: u64,
    shared_failures: u64,
    shared_refusals: u64,
}

#[derive(Serialize)]
struct Staleness {
    /// Reads that missed a write acknowledged before they began.
    stale_reads: u64,
    stalest_ms: f64,
    beyond_bound: u64,
}

pub(crate) fn print(outcome: &Outcome, output: Output) -> Result<(), Failure> {
    let report = report(outcome);
    output.answer(&report, || text(&report, outcome))
}

fn report(outcome: &Outcome) -> Report<'_> {
    let (tally, stats) = (&outcome.tally, &outcome.stats);
    // Where the local tier is the authority, what it finds is a hit of it.
    let local_hits = if outcome.local_authority { tally.found } else { stats.local_hits };
    let requests = tally.reads + tally.writes - tally.new_keys + tally.failures.values().sum::<u64>();
    Report {
        tiers: outcome.labels.iter().map(|(tier, label)| (*tier, label.as_str())).collect(),
        instances: outcome.instances,
        requests_per_s: rounded(requests as f64 / outcome.elapsed.as_secs_f64().max(1e-9), 10.0),
        reads: Reads {
            total: tally.reads,
            found: tally.found,
            local_hits,
            shared_hits: stats.shared_hits,
            authority: tally.reads.saturating_sub(local_hits + stats.shared_hits),
            loads: stats.loads,
            bypassed: stats.bypassed,
            p50_us: micros(&tally.read_ns, 0.5),
            p99_us: micros(&tally.read_ns, 0.99),
            p999_us: micros(&tally.read_ns, 0.999),
        },
        writes: Writes {
            total: tally.writes,
            new_keys: tally.new_keys,
            marked: stats.marked_writes,
            unannounced: stats.unannounced_writes,
            refused: stats.refused_writes,
            p50_us: micros(&tally.write_ns, 0.5),
            p99_us: micros(&tally.write_ns, 0.99),
            p999_us: micros(&tally.write_ns, 0.999),
        },
        copies: Copies {
            fills: stats.fills,
            failed_fills: stats.failed_fills,
            invalidations: stats.invalidations,
            flushes: stats.flushes,
            repairs: stats.repairs,
            shared_failures: stats.shared_failures,
            shared_refusals: stats.shared_refusals,
        },
        failures: &tally.failures,
        staleness: Staleness {
            stale_reads: tally.stale,
            stalest_ms: millis(tally.stalest),
            beyond_bound: tally.beyond_bound,
        },
        bound: outcome.bound.to_string(),
        settled: outcome.settled,
    }
}

fn text(report: &Report<'_>, outcome: &Outcome) -> String {
    let Report { reads, writes, copies, staleness, .. } = report;
    let mut text = format!(
        "{} reads and {} writes over {} instances, {} at a time: get, and set on a miss.\nEvery value read is checked. {} requests/s\n\n",
        grouped(reads.total),
        grouped(writes.total),
        outcome.instances,
        outcome.concurrency,
        grouped(report.requests_per_s.round() as u64)
    );
    let authority = if outcome.has_consistent { "consistent" } else { "authority" };
    let share =
        |part: u64| format!("{:>12}  {:>6.1} %", grouped(part), part as f64 * 100.0 / reads.total.max(1) as f64);
    let _ = writeln!(text, "{:<11}{:>12}  {:>8}", "answered by", "reads", "share");
    for (tier, hits) in [("local", reads.local_hits), ("shared", reads.shared_hits), (authority, reads.authority)] {
        // The one below may be the shared tier itself, without a link of its own.
        let label = report.tiers.get(tier).copied().unwrap_or_default();
        if !label.is_empty() || hits > 0 {
            let _ = writeln!(text, "{tier:<11}{}  {label}", share(hits));
        }
    }
    let times = |p: [f64; 3]| format!("p50 {}, p99 {}, p99.9 {}", latency(p[0]), latency(p[1]), latency(p[2]));
    let _ = writeln!(text, "\nreads          {}", times([reads.p50_us, reads.p99_us, reads.p999_us]));
    let _ = writeln!(text, "writes         {}", times([writes.p50_us, writes.p99_us, writes.p999_us]));
    let counts: [(&str, &[(&str, u64)]); 4] = [
        ("misses", &[("new keys", writes.new_keys), ("loads", reads.loads), ("past the shared tier", reads.bypassed)]),
        ("copies", &[("filled", copies.fills), ("not filled", copies.failed_fills)]),
        (
            "invalidations",
            &[("heard", copies.invalidations), ("all given up", copies.flushes), ("repaired", copies.repairs)],
        ),
        ("writes told", &[("yes", writes.marked), ("owed", writes.unannounced), ("refused", writes.refused)]),
    ];
    for (name, counts) in counts {
        let counts: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {}", grouped(*count))).collect();
        let _ = writeln!(text, "{name:<13}  {}", counts.join(", "));
    }
    let failures: Vec<_> = report.failures.iter().map(|(what, count)| format!("{what} {}", grouped(*count))).collect();
    let _ =
        writeln!(text, "failures       {}", if failures.is_empty() { "none".to_owned() } else { failures.join(", ") });
    let _ = writeln!(
        text,
        "stale reads    {}, the stalest by {:.0} ms, {} beyond the bound",
        grouped(staleness.stale_reads),
        staleness.stalest_ms,
        grouped(staleness.beyond_bound)
    );
    if !report.settled {
        text.push_str("owed           some invalidations could not be made good before the end\n");
    }
    let _ = write!(text, "bound          {}", report.bound);
    text
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
