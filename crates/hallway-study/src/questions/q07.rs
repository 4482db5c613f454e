//! Q7: local caches or a shared one for more and more instances; and replays through real tiers against the formulas.

mod counts;
mod scenarios;
mod told;

use async_trait::async_trait;
use serde_json::Value;

use self::counts::{Counts, LOCAL, SHARED, Shares, hits};
use self::scenarios::{Outcome, SCENARIOS};
use self::told::{loads, of_the_database, table};
use super::streams;
use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::lab::{Backend, Lab};
use crate::report::{Figure, Table, Validation};
use crate::statistics::Curves;
use crate::study::{Chain, Depth, Findings, Found, Hits, MEAN, Pairing, Question, Run};

const ALONE: &str = "local";
const BOTH: &str = "local+shared";

/// A name, and who answers in that way.
type Way<'a> = (&'a str, &'a dyn Fn(&Shares) -> Hits);

#[derive(Debug)]
pub(super) struct Instances;

#[async_trait]
impl Question for Instances {
    fn id(&self) -> &'static str {
        "Q7"
    }

    fn asks(&self) -> &'static str {
        "Local caches or a shared one, for so many instances?"
    }

    fn composes_tiers(&self) -> bool {
        true
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        let counted = streams::names(lab.traces().len()).map(|name| Run::new(name, depth.pick(0.2, 4.0)));
        let replayed = SCENARIOS.iter().filter(|scenario| scenario.is_possible(lab));
        counted.chain(replayed.map(|scenario| Run::new(scenario.name, scenario.seconds(depth)))).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        if let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.name == name) {
            return Ok(serde_json::to_value(scenario.run(lab, depth).await?)?);
        }
        let stream = streams::open(lab, name, depth.seed, depth.pick(100_000, 1_000_000))?;
        let count = move || Counts::of(stream.label, stream.note, &stream.log, depth.seed);
        Ok(serde_json::to_value(tokio::task::spawn_blocking(count).await?)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "streams split at random over LRU caches, counted; means composed of the measured parts of tiers (F1); replays through real tiers in one process, one request after the other",
        );
        let chain = found.chain(found.database());
        for name in found.runs(self.id()).iter().filter(|name| SCENARIOS.iter().all(|scenario| scenario.name != *name))
        {
            let Some(counts) = found.run::<Counts>(self.id(), name)? else { continue };
            findings.answer.rules.push(loads(&counts));
            findings.answer.figures.push(of_the_database(name, &counts));
            findings.answer.tables.push(table(&counts));
            if let Some(chain) = &chain {
                self.means(found, chain, name, &counts, &mut findings)?;
            }
            findings.answer.caveats.extend(counts.note);
        }
        self.validate(found, &mut findings)?;
        findings.answer.caveats.push(
            "With a bus, what the database answered is kept in the shared tier alone, and an instance has a copy of its own from the second read on: replays count that, the curves over instances do not.".to_owned(),
        );
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q7: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

impl Instances {
    /// The mean of a read by the number of instances, with and without a shared tier.
    fn means(
        &self,
        found: &Found<'_>,
        chain: &Chain,
        name: &str,
        counts: &Counts,
        findings: &mut Findings,
    ) -> Result<()> {
        let ways: &[Way<'_>] = if chain.has_shared() {
            &[(ALONE, &|shares| hits(&shares.alone, false)), (BOTH, &|shares| hits(&shares.both, true))]
        } else {
            &[(ALONE, &|shares| hits(&shares.alone, false))]
        };
        let plot = format!("q7-{name}-mean");
        if let [(a, of_a), (b, of_b)] = ways {
            let by_round = |of: &dyn Fn(&Shares) -> Hits| -> Vec<Vec<f64>> {
                let round = |round| counts.shares.iter().map(|shares| chain.read(of(shares), &[round])).collect();
                (0..chain.rounds()).map(round).collect()
            };
            let xs = counts.shares.iter().map(|shares| shares.instances as f64).collect();
            let curves = Curves::new(Scale::Log, xs, by_round(of_a), by_round(of_b))?;
            let pairing = Pairing {
                question: self.id(),
                group: "",
                op: name,
                a,
                b,
                metric: MEAN,
                axis: "instances",
                is_line: false,
                spacing: Scale::Log,
                plot: Some(plot.clone()),
            };
            let mut crossover = found.judge_curves(&pairing, &curves)?;
            crossover.rule = streams::named(&crossover.rule, name, &counts.label);
            findings.judge(crossover);
        }
        let series = ways.iter().map(|(label, of)| Series {
            label: (*label).to_owned(),
            points: counts
                .shares
                .iter()
                .filter_map(|shares| {
                    let cost = found.composed(chain, |chain, drawn| chain.read(of(shares), drawn))?;
                    let interval = Some(cost.interval());
                    Some(Spot { x: shares.instances as f64, y: cost.median, interval, label: None })
                })
                .collect(),
            style: Style::Computed,
        });
        findings.answer.figures.push(Figure {
            name: plot,
            caption: format!(
                "{}: each instance has {LOCAL} entries of its own; the shared tier has {SHARED} and the bus keeps copies fresh.",
                counts.label
            ),
            chart: Chart::Lines(Lines {
                title: format!("A read by the number of instances, {}", counts.label),
                x: Axis { label: "instances".to_owned(), unit: Unit::Count, scale: Scale::Log },
                y: Axis { label: "mean of a read".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
                series: series.collect(),
                marks: Vec::new(),
            }),
        });
        Ok(())
    }

    /// Real tiers against what was expected of them.
    fn validate(&self, found: &Found<'_>, findings: &mut Findings) -> Result<()> {
        let mut table = Table {
            caption: "Replays through real tiers; expected in front, measured behind. The parts were measured between stretches of each replay".to_owned(),
            columns: ["scenario", "local hits", "shared hits of the rest", "mean of a request", "expected / measured"]
                .map(str::to_owned)
                .into(),
            rows: Vec::new(),
        };
        for scenario in &SCENARIOS {
            let Some(outcome) = found.run::<Outcome>(self.id(), scenario.name)? else { continue };
            let predicted = outcome.predicted_ns();
            let measured = outcome.replayed.mean_ns;
            let pair = |expected: Option<f64>, measured: f64| {
                expected.map_or_else(|| "none".to_owned(), |expected| format!("{expected:.3} / {measured:.3}"))
            };
            table.rows.push(vec![
                outcome.scenario.clone(),
                pair(outcome.local, outcome.replayed.local()),
                pair(outcome.shared, outcome.replayed.shared_behind()),
                format!("{} / {}", Unit::Nanos.text(predicted), Unit::Nanos.text(measured)),
                format!("{:.2}", predicted / measured),
            ]);
            findings.validation.push(Validation {
                formulas: outcome.formulas().to_owned(),
                scenario: outcome.scenario,
                predicted_ns: predicted,
                measured_ns: measured,
                ratio: predicted / measured,
            });
        }
        if !table.rows.is_empty() {
            findings.answer.tables.push(table);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Replayed;
    use crate::report::{Status, Verdict};
    use crate::study::{BYTES, GET, Part, SET, Sample, TIERS};
    use crate::trace::SplitShares;

    /// Of 1,000 reads, `local` and `shared` hits.
    fn split(local_hits: u64, shared_hits: u64) -> SplitShares {
        SplitShares { reads: 1_000, writes: 0, local_hits, stale_hits: 0, shared_hits }
    }

    fn counts() -> Counts {
        let shares = [(1, 800, 100), (2, 700, 200), (4, 600, 300), (8, 500, 400), (16, 400, 500)];
        let shares = shares.map(|(instances, local, shared)| Shares {
            instances,
            alone: split(local, 0),
            alone_ttl: split(local - 50, 0),
            both: split(local, shared),
            both_ttl: split(local - 50, shared + 50),
        });
        Counts { label: "made".to_owned(), note: None, shares: shares.to_vec() }
    }

    fn made(backends: &[Backend]) -> Sample {
        let x = BYTES as f64;
        let mut made = Sample::of(backends);
        made.put(GET, "sqlite", x, 20_000.0)
            .put(SET, "sqlite", x, 2_000_000.0)
            .put(TIERS, Part::LocalHit.name(), x, 200.0)
            .put(TIERS, Part::LocalFill.name(), x, 21_200.0)
            .put(TIERS, Part::LocalWrite.name(), x, 2_000_000.0)
            .run("Q7", "orm-busy", serde_json::to_value(counts()).unwrap());
        made
    }

    #[test]
    fn the_number_of_instances_beyond_which_the_database_suffers_is_told() {
        // 0.2 of 0.1 is twice; 0.3 with two instances is more.
        assert_eq!(
            loads(&counts()),
            "made: beyond 1 instance local caches of 1000 entries alone send the database more than 2 times what a shared tier \
             of 10000 entries does (30 % of the reads against 10 % with 2 instances)."
        );
    }

    #[test]
    fn a_replay_is_held_against_the_composition() {
        let replayed =
            Replayed { reads: 900, writes: 100, local_hits: 720, shared_hits: 0, loads: 180, mean_ns: 200_000.0 };
        let outcome = Outcome {
            scenario: "made".to_owned(),
            write_share: 0.1,
            local: Some(0.8),
            shared: None,
            local_ns: 200.0,
            local_miss_ns: 21_000.0,
            shared_ns: 0.0,
            shared_miss_ns: 0.0,
            write_ns: 2_000_000.0,
            replayed,
        };
        let both = Outcome { shared: Some(0.5), shared_ns: 60_000.0, shared_miss_ns: 300_000.0, ..outcome.clone() };
        let expected = 0.9 * (200.0 + 0.2 * (60_000.0 + 0.5 * 300_000.0)) + 0.1 * 2_000_000.0;
        assert!((both.predicted_ns() / expected - 1.0).abs() < 1e-12);
        let mut made = made(&[Backend::Sqlite]);
        made.run("Q7", "tiers-local-writes", serde_json::to_value(outcome).unwrap());
        let findings = Instances.answer(&made.found()).unwrap();
        let [validation] = findings.validation.as_slice() else { panic!("{findings:?}") };
        // 0.9 (0.2 us + 0.2 (1 us + 20 us)) + 0.1 * 2 ms.
        let expected = 0.9 * (200.0 + 0.2 * 21_000.0) + 0.1 * 2_000_000.0;
        assert!((validation.predicted_ns / expected - 1.0).abs() < 1e-6, "{validation:?}");
        assert_eq!(validation.ratio, validation.predicted_ns / 200_000.0);
        assert_eq!(findings.answer.tables[1].rows[0][1], "0.800 / 0.800");
        assert!(findings.crossovers.is_empty());
        assert_eq!((findings.answer.status, findings.not_measured.len()), (Status::Partly, 2));
    }

    #[test]
    fn with_a_shared_tier_the_means_are_judged() {
        let x = BYTES as f64;
        let mut made = made(&[Backend::Sqlite, Backend::RedisTcp, Backend::Postgres]);
        made.put(GET, "postgres", x, 200_000.0)
            .put(SET, "postgres", x, 900_000.0)
            .put(TIERS, Part::SharedHit.name(), x, 60_000.0)
            .put(TIERS, Part::SharedFill.name(), x, 300_000.0)
            .put(TIERS, Part::SharedWrite.name(), x, 1_000_000.0);
        let findings = Instances.answer(&made.found()).unwrap();
        let crossover = &findings.crossovers[0];
        // The shared tier must answer (60 + 40) / (200 + 40) = 0.42 of what the local ones miss: from two instances on.
        assert_eq!((&*crossover.id, crossover.verdict), ("Q7/orm-busy/local/local+shared", Verdict::NoCrossover));
        assert_eq!(crossover.winner.as_deref(), Some("local+shared"));
        assert_eq!(findings.answer.figures.len(), 2);
        assert_eq!(findings.answer.status, Status::Answered);
    }
}
