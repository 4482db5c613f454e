//! Q5: whether a shared tier behind the local one pays.

mod reuse;
mod told;

use async_trait::async_trait;
use serde_json::Value;

use self::reuse::{CAPACITIES, FIRST_SHARED, Reuse};
use self::told::{restart, rows, told};
use super::streams;
use crate::Result;
use crate::chart::{Axis, Chart, HeatMap, Lines, Scale, Series, Spot, Style, Unit};
use crate::lab::{Backend, Lab};
use crate::report::{Figure, Table};
use crate::statistics::Curves;
use crate::study::{Chain, Depth, Findings, Found, Hits, MEAN, Pairing, Question, Run};

/// The largest shared tier that is looked at: what curves and sentences are about.
const SHARED: u64 = CAPACITIES[CAPACITIES.len() - 1];
/// An ordinary local tier.
const LOCAL: u64 = 1_024;
const DIRECTLY: &str = "database";
const ALONE: &str = "local";
const BOTH: &str = "local+shared";

#[derive(Debug)]
pub(super) struct SharedBehindLocal;

#[async_trait]
impl Question for SharedBehindLocal {
    fn id(&self) -> &'static str {
        "Q5"
    }

    fn asks(&self) -> &'static str {
        "Does a shared tier behind my local one pay?"
    }

    fn composes_tiers(&self) -> bool {
        true
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        streams::names(lab.traces().len()).map(|name| Run::new(name, depth.pick(0.3, 3.0))).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        let stream = streams::open(lab, name, depth.seed, depth.pick(400_000, 4_000_000))?;
        let reuse = tokio::task::spawn_blocking(move || Reuse::of(stream.label, stream.note, &stream.log)).await?;
        Ok(serde_json::to_value(reuse)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "hit ratios of LRU from reuse distances, exactly, with caches that are full already; the shared tier by what the local one misses (F8); means composed of the measured parts of tiers (F1)",
        );
        let database = found.database();
        let Some(chain) = found.chain(database) else {
            findings.lacks("Q5: parts of tiers", "they were not measured");
            return Ok(findings);
        };
        let mut table = Table {
            caption: format!("A shared tier of {SHARED} entries over {database}, by the local one before it"),
            columns: [
                "stream",
                "local entries",
                "local hits",
                "shared hits of the rest",
                "pays above (F1)",
                "local alone",
                "local and shared",
                "to the database alone",
                "to the database with both",
            ]
            .map(str::to_owned)
            .into(),
            rows: Vec::new(),
        };
        for name in found.runs(self.id()) {
            let Some(reuse) = found.run::<Reuse>(self.id(), &name)? else { continue };
            if chain.has_shared() {
                self.behind(found, &chain, &name, &reuse, &mut findings)?;
                rows(found, &chain, &reuse, &mut table);
            } else {
                self.alone(found, &chain, &name, &reuse, &mut findings)?;
            }
            findings.answer.caveats.extend(reuse.note);
        }
        if !table.rows.is_empty() {
            findings.answer.tables.push(table);
        }
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q5: {server}"), found.why_absent(server));
            }
        }
        findings.answer.caveats.push(
            "Redis and the database are on this machine: Redis one round trip away, the database as well. The further away the database and the dearer its query, the sooner a shared tier pays (Q3).".to_owned(),
        );
        Ok(findings)
    }
}

impl SharedBehindLocal {
    fn pairing<'a>(&self, stream: &'a str, a: &'a str, b: &'a str) -> Pairing<'a> {
        Pairing {
            question: self.id(),
            group: "",
            op: stream,
            a,
            b,
            metric: MEAN,
            axis: "local_entries",
            is_line: false,
            spacing: Scale::Log,
            plot: Some(format!("q5-{stream}")),
        }
    }

    fn behind(
        &self,
        found: &Found<'_>,
        chain: &Chain,
        name: &str,
        reuse: &Reuse,
        findings: &mut Findings,
    ) -> Result<()> {
        let locals = locals();
        let both =
            |local: u64| Hits { local: Some(reuse.warm.at(local)), shared: Some(reuse.warm.behind(local, SHARED)) };
        let alone = |local: u64| Hits { local: Some(reuse.warm.at(local)), shared: None };
        let mut crossover =
            found.judge_curves(&self.pairing(name, ALONE, BOTH), &curves(chain, &locals, alone, both)?)?;
        crossover.rule = streams::named(&crossover.rule, name, &reuse.label);
        findings.answer.rules.push(told(found, chain, reuse, &crossover));
        findings.answer.rules.push(restart(reuse));
        findings.crossovers.push(crossover);
        let all: Vec<usize> = (0..chain.rounds()).collect();
        let shareds: Vec<u64> = CAPACITIES.into_iter().filter(|entries| *entries >= FIRST_SHARED).collect();
        let cell = |shared: u64, local: u64| {
            (shared > local).then(|| {
                let hits = Hits { local: Some(reuse.warm.at(local)), shared: Some(reuse.warm.behind(local, shared)) };
                chain.read(hits, &all) / chain.read(alone(local), &all)
            })
        };
        let axis = |label: &str| Axis { label: label.to_owned(), unit: Unit::Count, scale: Scale::Log };
        findings.answer.figures.push(Figure {
            name: format!("q5-{name}"),
            caption: format!(
                "{}: the mean read through both tiers over that through the local one alone. Below 1 the shared tier lowers it.",
                reuse.label
            ),
            chart: Chart::HeatMap(HeatMap {
                title: format!("A shared tier behind a local one, {}", reuse.label),
                x: axis("entries of the local tier"),
                y: axis("entries of the shared tier"),
                xs: locals.iter().map(|entries| *entries as f64).collect(),
                ys: shareds.iter().map(|entries| *entries as f64).collect(),
                cells: shareds.iter().map(|shared| locals.iter().map(|local| cell(*shared, *local)).collect()).collect(),
                border: 1.0,
                below: "the shared tier pays".to_owned(),
                above: "the local tier alone is faster".to_owned(),
                curve: Vec::new(),
            }),
        });
        Ok(())
    }

    /// Without a shared tier: a local one over the database against the database alone.
    fn alone(
        &self,
        found: &Found<'_>,
        chain: &Chain,
        name: &str,
        reuse: &Reuse,
        findings: &mut Findings,
    ) -> Result<()> {
        let locals = locals();
        let alone = |local: u64| Hits { local: Some(reuse.warm.at(local)), shared: None };
        let directly = |_| Hits::default();
        let mut crossover =
            found.judge_curves(&self.pairing(name, ALONE, DIRECTLY), &curves(chain, &locals, alone, directly)?)?;
        crossover.rule = streams::named(&crossover.rule, name, &reuse.label);
        findings.judge(crossover);
        let series = |label: &str, hits: &dyn Fn(u64) -> Hits| Series {
            label: label.to_owned(),
            points: locals
                .iter()
                .filter_map(|local| {
                    let cost = found.composed(chain, |chain, drawn| chain.read(hits(*local), drawn))?;
                    Some(Spot { x: *local as f64, y: cost.median, interval: Some(cost.interval()), label: None })
                })
                .collect(),
            style: Style::Computed,
        };
        findings.answer.figures.push(Figure {
            name: format!("q5-{name}"),
            caption: format!("{}: the mean read by the size of the local tier.", reuse.label),
            chart: Chart::Lines(Lines {
                title: format!("A local tier over {}, {}", found.database(), reuse.label),
                x: Axis { label: "entries of the local tier".to_owned(), unit: Unit::Count, scale: Scale::Log },
                y: Axis { label: "mean of a read".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
                series: vec![series(ALONE, &alone), series(DIRECTLY, &directly)],
                marks: Vec::new(),
            }),
        });
        Ok(())
    }
}

/// Capacities of a local tier; all are smaller than [`SHARED`].
fn locals() -> Vec<u64> {
    CAPACITIES.into_iter().filter(|entries| *entries < SHARED).collect()
}

/// Both ways to read by the size of the local tier, in each round.
fn curves(chain: &Chain, locals: &[u64], a: impl Fn(u64) -> Hits, b: impl Fn(u64) -> Hits) -> Result<Curves> {
    let by_round = |hits: &dyn Fn(u64) -> Hits| -> Vec<Vec<f64>> {
        let round = |round| locals.iter().map(|local| chain.read(hits(*local), &[round])).collect();
        (0..chain.rounds()).map(round).collect()
    };
    Curves::new(Scale::Log, locals.iter().map(|entries| *entries as f64).collect(), by_round(&a), by_round(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Status, Verdict};
    use crate::study::{BYTES, GET, Part, SET, Sample, TIERS};

    /// A stream whose hit ratio grows with every doubling from 0.30 at 64 entries to 0.96 at 131,072.
    fn reuse() -> Reuse {
        let hits = |per_step: u64| (0..CAPACITIES.len() as u64).map(|step| 300 + step * per_step).collect();
        Reuse {
            label: "made".to_owned(),
            note: None,
            keys: 200_000,
            cold: reuse::Hits { reads: 1_000, hits: hits(50) },
            warm: reuse::Hits { reads: 1_000, hits: hits(60) },
        }
    }

    /// Redis at 60 us with fills of 40 us, a database of so many.
    fn made(database: f64) -> Sample {
        let x = BYTES as f64;
        let mut made = Sample::of(&[Backend::Sqlite, Backend::RedisTcp, Backend::Postgres]);
        made.put(GET, "sqlite", x, 20_000.0).put(GET, "postgres", x, database).put(SET, "postgres", x, 900_000.0).run(
            "Q5",
            "orm-busy",
            serde_json::to_value(reuse()).unwrap(),
        );
        for (part, nanos) in [
            (Part::LocalHit, 200.0),
            (Part::LocalFill, 21_200.0),
            (Part::SharedHit, 60_000.0),
            (Part::SharedFill, 100_000.0 + database),
            (Part::SharedWrite, 1_000_000.0),
        ] {
            made.put(TIERS, part.name(), x, nanos);
        }
        made
    }

    #[test]
    fn where_a_shared_tier_stops_to_pay_is_where_its_share_falls_below_the_break_even() {
        // It pays above (60 + 40) / (100 + 40) = 0.714 of what the local tier misses.
        let made = made(100_000.0);
        let findings = SharedBehindLocal.answer(&made.found()).unwrap();
        let [crossover] = findings.crossovers.as_slice() else { panic!("{findings:?}") };
        assert_eq!((crossover.verdict, &*crossover.id), (Verdict::Crossover, "Q5/orm-busy/local/local+shared"));
        let x = crossover.points[0].x;
        let reuse = reuse();
        let pays = |local| reuse.warm.behind(local, SHARED) > 1.0 / 1.4;
        let last = locals().into_iter().rfind(|local| pays(*local)).unwrap();
        assert!(x > last as f64 && x < 2.0 * last as f64, "{x} {last}");
        assert!(findings.answer.rules[0].contains("no longer lowers the mean"), "{:?}", findings.answer.rules);
        assert!(
            findings.answer.rules[1].contains("answers 50 % of the first 1 k reads"),
            "{:?}",
            findings.answer.rules
        );
        assert_eq!(findings.answer.status, Status::Answered);
        let Chart::HeatMap(map) = &findings.answer.figures[0].chart else { panic!("a heat map") };
        assert_eq!((map.xs.len(), map.ys.len(), map.cells.len()), (11, 8, 8));
        assert!(map.cells[0][4].is_none() && map.cells[7][0].unwrap() < 1.0 && map.cells[7][10].unwrap() > 1.0);
    }

    #[test]
    fn a_database_as_fast_as_the_shared_tier_needs_none() {
        let made = made(60_000.0);
        let findings = SharedBehindLocal.answer(&made.found()).unwrap();
        assert_eq!(findings.crossovers[0].winner.as_deref(), Some("local"), "{findings:?}");
        assert!(findings.answer.rules[0].contains("does not lower"), "{:?}", findings.answer.rules);
    }

    #[test]
    fn without_servers_a_local_tier_over_sqlite_is_judged() {
        let x = BYTES as f64;
        let mut made = Sample::of(&[Backend::Sqlite]);
        made.put(GET, "sqlite", x, 20_000.0)
            .put(SET, "sqlite", x, 900_000.0)
            .put(TIERS, "local-hit", x, 200.0)
            .put(TIERS, "local-fill", x, 21_200.0)
            .run("Q5", "orm-busy", serde_json::to_value(reuse()).unwrap());
        let findings = SharedBehindLocal.answer(&made.found()).unwrap();
        assert_eq!(findings.crossovers[0].id, "Q5/orm-busy/local/database");
        assert_eq!(findings.crossovers[0].winner.as_deref(), Some("local"));
        // Its run is called by the name of a preset, its stream is not.
        assert!(findings.answer.rules[0].starts_with("made, local against database"), "{:?}", findings.answer.rules);
        assert_eq!((findings.answer.status, findings.not_measured.len()), (Status::Partly, 2));
        assert!(findings.not_measured[0].why.contains("--start"));
    }
}
