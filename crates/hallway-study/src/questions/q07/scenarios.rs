//! Replays through real tiers, and what the formulas say of them beforehand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::formulas::{CachingTier, hit_ratio_with_write_share, mean_of_requests, tiered_mean};
use crate::lab::{Backend, Lab, Replay, Replayed, Tiers};
use crate::questions::streams;
use crate::study::{BYTES, Beside, Depth, Hits, Part};
use crate::trace::{Log, OnWrite, Preset, Split, moka_hits};

/// Parts are measured before, after and between so many stretches of a replay: many, because the flushes of a disk have
/// slow moments that must hit both.
const STEPS: usize = 40;

/// What is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scenario {
    /// As its run is called.
    pub(super) name: &'static str,
    preset: Preset,
    local_entries: Option<u64>,
    shared: bool,
    instances: usize,
    write_share: f64,
}

const fn scenario(name: &'static str, local_entries: Option<u64>, shared: bool, instances: usize) -> Scenario {
    Scenario { name, preset: Preset::OrmBusy, local_entries, shared, instances, write_share: 0.0 }
}

/// All of them; those without a shared tier run over SQLite, the others over the database of the study.
pub(super) const SCENARIOS: [Scenario; 8] = [
    scenario("tiers-local", Some(1_024), false, 1),
    Scenario { write_share: 0.05, ..scenario("tiers-local-writes", Some(1_024), false, 1) },
    Scenario { preset: Preset::Web12, ..scenario("tiers-local-web12", Some(1_024), false, 1) },
    scenario("tiers-shared", None, true, 1),
    scenario("tiers-both", Some(1_024), true, 1),
    Scenario { write_share: 0.05, ..scenario("tiers-both-writes", Some(1_024), true, 1) },
    scenario("tiers-both-2", Some(1_024), true, 2),
    scenario("tiers-both-4", Some(1_024), true, 4),
];

/// What was expected and what came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// In words.
    pub(super) scenario: String,
    pub(super) write_share: f64,
    /// Of the reads, by a local tier; `None` for no such tier.
    pub(super) local: Option<f64>,
    /// Of what the local tiers miss, by the shared one; `None` for no such tier.
    pub(super) shared: Option<f64>,
    /// What the parts cost beside the replay: a local hit, what a local miss costs beyond it, a look at the shared tier, what
    /// a miss there costs beyond that, and a write; nanoseconds, 0 where there is no such tier.
    pub(super) local_ns: f64,
    pub(super) local_miss_ns: f64,
    pub(super) shared_ns: f64,
    pub(super) shared_miss_ns: f64,
    pub(super) write_ns: f64,
    pub(super) replayed: Replayed,
}

impl Outcome {
    /// The mean of a request, composed of the parts that were measured beside it (F1).
    pub(super) fn predicted_ns(&self) -> f64 {
        let tier = |hit_ratio: Option<f64>, read| hit_ratio.map(|hit_ratio| CachingTier { hit_ratio, read, fill: 0.0 });
        let tiers = [tier(self.local, self.local_ns), tier(self.shared, self.shared_ns)];
        let tiers: Vec<CachingTier> = tiers.into_iter().flatten().collect();
        // What a miss costs beyond the look has the database's read and the fill in it.
        let miss = if self.shared.is_some() { self.shared_miss_ns } else { self.local_miss_ns };
        mean_of_requests(1.0 - self.write_share, tiered_mean(&tiers, miss), self.write_ns)
    }

    /// Which formulas were used, beside the composition.
    pub(super) fn formulas(&self) -> &'static str {
        match self.shared {
            Some(_) => "F1; hits counted in memory; parts by turns with it",
            None => "F1, F7; hits of moka counted in memory; parts by turns with it",
        }
    }
}

impl Scenario {
    /// Whether the backends for it are there.
    pub(super) fn is_possible(&self, lab: &Lab) -> bool {
        !self.shared || lab.has(Backend::RedisTcp)
    }

    fn database(&self, lab: &Lab) -> Backend {
        if self.shared { lab.database() } else { Backend::Sqlite }
    }

    /// What it takes, about.
    pub(super) fn seconds(&self, depth: Depth) -> f64 {
        let each = if self.shared { 1.5 } else { 0.7 };
        each * depth.pick(1.0, 6.0)
    }

    pub(super) async fn run(&self, lab: &Lab, depth: Depth) -> Result<Outcome> {
        let requests = depth.pick(10_000, 60_000);
        let log = Arc::new(streams::generated(self.preset, depth.seed, requests).log);
        let database = self.database(lab);
        let split =
            Split { instances: self.instances, write_share: self.write_share, seed: depth.seed, ..Split::default() };
        let expected = self.expect(&log, &split);
        let tiers = Tiers { local_entries: self.local_entries, local_ttl: None, shared: self.shared };
        let mut parts = Beside::open(lab, &self.parts()).await?;
        let steps = requests / STEPS;
        let mut replaying = lab.replay(Replay { log, value_bytes: BYTES, tiers, database, split }).await?;
        parts.measure().await?;
        while replaying.advance(steps).await? {
            parts.measure().await?;
        }
        parts.measure().await?;
        let replayed = replaying.finish(lab).await?;
        let beyond = |whole: Part, look: Part| (parts.mean(whole) - parts.mean(look)).max(0.0);
        Ok(Outcome {
            scenario: self.words(database, requests),
            write_share: self.write_share,
            local: expected.local,
            shared: expected.shared,
            local_ns: parts.mean(Part::LocalHit),
            local_miss_ns: beyond(Part::LocalFill, Part::LocalHit),
            shared_ns: parts.mean(Part::SharedHit),
            shared_miss_ns: beyond(Part::SharedFill, Part::SharedHit),
            write_ns: parts.mean(if self.shared { Part::SharedWrite } else { Part::LocalWrite }),
            replayed,
        })
    }

    /// What its mean is composed of.
    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.local_entries.is_some() {
            parts.push(Part::LocalHit);
        }
        match self.shared {
            true => parts.extend([Part::SharedHit, Part::SharedFill]),
            false => parts.push(Part::LocalFill),
        }
        if self.write_share > 0.0 {
            parts.push(if self.shared { Part::SharedWrite } else { Part::LocalWrite });
        }
        parts
    }

    /// Local tiers alone as moka in memory hits, less what writes take away (F7); with a shared tier as both are
    /// counted in memory, which keeps copies as tiers do.
    fn expect(&self, log: &Log, split: &Split) -> Hits {
        if self.shared {
            let shares =
                Split { local_entries: self.local_entries.unwrap_or(0) as usize, ..*split }.replay_as_tiers(log);
            let local = self.local_entries.map(|_| shares.local());
            return Hits { local, shared: Some(shares.shared_behind().unwrap_or(0.0)) };
        }
        let ratio = |hits: u64| hit_ratio_with_write_share(hits as f64 / log.len().max(1) as f64, self.write_share);
        let local = self.local_entries.map(|entries| ratio(moka_hits(log, entries, OnWrite::Invalidate, &mut |_| {})));
        Hits { local, shared: None }
    }

    fn words(&self, database: Backend, requests: usize) -> String {
        let tiers = match (self.local_entries, self.shared) {
            (Some(entries), true) => format!("local {entries} + Redis + {database}"),
            (Some(entries), false) => format!("local {entries} + {database}"),
            (None, true) => format!("Redis + {database}"),
            (None, false) => database.to_string(),
        };
        let writes = if self.write_share > 0.0 { format!(", w = {}", self.write_share) } else { String::new() };
        let instances = if self.instances > 1 { format!(", {} instances", self.instances) } else { String::new() };
        format!("{} x {requests}, {tiers}{writes}{instances}", self.preset.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_from_the_stream() {
        // 50 keys four times: with room for all, everything but the first reads hits.
        let log: Log = (0..200).map(|at| at % 50).collect();
        let of = |scenario: Scenario| {
            let split = Split { instances: scenario.instances, write_share: scenario.write_share, ..Split::default() };
            scenario.expect(&log, &split)
        };
        assert_eq!(of(scenario("a", Some(100), false, 1)), Hits { local: Some(0.75), shared: None });
        assert_eq!(of(scenario("a", None, true, 1)), Hits { local: None, shared: Some(0.75) });
        // First reads are answered by the database, second ones by the shared tier, the others by the copy.
        assert_eq!(of(scenario("a", Some(100), true, 1)), Hits { local: Some(0.5), shared: Some(0.5) });
        let writes = of(Scenario { write_share: 0.2, ..scenario("a", Some(100), false, 1) });
        assert!((writes.local.unwrap() - 0.6).abs() < 1e-12);
        let split = of(scenario("a", Some(100), true, 4));
        assert!(split.local.unwrap() < 0.5 && split.shared.unwrap() > 0.5, "{split:?}");
    }

    #[test]
    fn a_scenario_is_told_in_a_line() {
        let words = SCENARIOS[5].words(Backend::Postgres, 10_000);
        assert_eq!(words, "orm-busy x 10000, local 1024 + Redis + postgres, w = 0.05");
        assert!(SCENARIOS[7].words(Backend::Sqlite, 1).ends_with("4 instances"));
    }
}
