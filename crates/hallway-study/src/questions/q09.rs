//! Q9: which TTL for how much staleness, and what a bus makes of it.

mod plan;
mod race;
mod told;
mod versions;

use async_trait::async_trait;
use serde_json::Value;

use self::plan::{Cell, Plan, Way};
use self::told::{agreement, frontier, needed, table, worst};
use crate::Result;
use crate::chart::Unit;
use crate::lab::{Backend, Lab};
use crate::study::{Depth, Findings, Found, Question, Run};

const RACE: &str = "race";
/// What sentences are about: so many of the hits may be stale.
const TOLERANCE: f64 = 0.01;

#[derive(Debug)]
pub(super) struct Freshness;

#[async_trait]
impl Question for Freshness {
    fn id(&self) -> &'static str {
        "Q9"
    }

    fn asks(&self) -> &'static str {
        "Which TTL for my staleness tolerance?"
    }

    fn composes_tiers(&self) -> bool {
        true
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        let plan = Plan::new(depth, lab.has(Backend::RedisTcp));
        vec![Run::new(RACE, plan.lasts.as_secs_f64() + 0.5)]
    }

    async fn run(&self, _name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        let cells = race::run(lab, &Plan::new(depth, lab.has(Backend::RedisTcp))).await?;
        Ok(serde_json::to_value(cells)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "a writer in one instance and readers in others, in real time, each key read 40 times a second (10 times where there is no local tier); each answer held against the versions that its writer had been told are written before the read began, by one clock",
        );
        let cells = found.run::<Vec<Cell>>(self.id(), RACE)?.unwrap_or_default();
        if !cells.is_empty() {
            findings.answer.rules.extend(needed(&cells));
            findings.answer.rules.extend(worst(&cells));
            findings.answer.rules.extend(agreement(&cells));
            findings.answer.figures.extend(frontier(found, &cells));
            findings.answer.tables.push(table(found, &cells));
        }
        findings.answer.caveats.push(
            "Rates are those of one key. A bus delivers in about a round trip while it works; what is promised when it does not is the bound of the tiers.".to_owned(),
        );
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q9: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

impl Way {
    fn text(self, found: &Found<'_>) -> String {
        match self {
            Self::Bus => "local + Redis with the bus".to_owned(),
            Self::Database => found.database().name().to_owned(),
            Self::Shared => format!("Redis + {}", found.database()),
            Self::Ttl { ttl_s } => format!("local, TTL {}", Unit::Seconds.text(ttl_s)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Chart;
    use crate::report::Status;
    use crate::study::{BYTES, GET, Part, SET, Sample, TIERS};

    fn cell(way: Way, pace: f64, hits: u64, stale_hits: u64) -> Cell {
        Cell {
            way,
            pace,
            writes_per_s: pace,
            reads_per_s: 40.0,
            reads: 1_000,
            hits,
            stale: stale_hits,
            stale_hits,
            age_p99_s: 0.15,
            age_most_s: 0.19,
            shared: 0.5,
        }
    }

    fn of_ttl(pace: f64, stale_hits: u64) -> Cell {
        cell(Way::Ttl { ttl_s: 0.2 }, pace, 800, stale_hits)
    }

    fn made(backends: &[Backend]) -> Sample {
        let x = BYTES as f64;
        let mut made = Sample::of(backends);
        made.put(GET, "sqlite", x, 20_000.0)
            .put(SET, "sqlite", x, 2_000_000.0)
            .put(TIERS, Part::LocalHit.name(), x, 200.0)
            .put(TIERS, Part::LocalFill.name(), x, 21_200.0);
        made
    }

    #[test]
    fn sentences_follow_from_the_cells() {
        let cells = [of_ttl(0.5, 40), of_ttl(10.0, 400), cell(Way::Bus, 0.5, 900, 0), cell(Way::Bus, 10.0, 700, 8)];
        assert_eq!(
            needed(&cells).unwrap(),
            "Stale hits of at most 1 % need a TTL of at most 40 ms at 0.5 writes/s, 2 ms at 10 writes/s of a key (F5), or the \
             bus, which left 0.5 % of its hits stale and hit 80 %."
        );
        assert!(worst(&cells).unwrap().starts_with("With a TTL of 200 ms at 10 writes/s, 50 % of the hits were stale"));
        // F4 says 0.0484 and 0.5677.
        assert!(agreement(&cells).unwrap().contains("at most 6.8 points in 2 pairs"), "{:?}", agreement(&cells));
    }

    #[test]
    fn without_servers_there_are_ttls_and_the_database() {
        let cells = vec![of_ttl(2.0, 100), cell(Way::Database, 2.0, 0, 0)];
        let mut made = made(&[Backend::Sqlite]);
        made.run("Q9", RACE, serde_json::to_value(cells).unwrap());
        let findings = Freshness.answer(&made.found()).unwrap();
        let Chart::Lines(lines) = &findings.answer.figures[0].chart else { panic!("dots") };
        assert_eq!(lines.series.len(), 2);
        // 0.2 us and one in five 1 us + 20 us; and the database.
        assert!((lines.series[0].points[0].y - 4_400.0).abs() < 50.0, "{lines:?}");
        assert!((lines.series[1].points[0].y - 20_000.0).abs() < 200.0, "{lines:?}");
        assert_eq!(findings.answer.tables[0].rows[1][2], "none");
        assert!(!findings.answer.rules[0].contains("bus"), "{:?}", findings.answer.rules);
        assert_eq!((findings.answer.status, findings.not_measured.len()), (Status::Partly, 2));
    }
}
