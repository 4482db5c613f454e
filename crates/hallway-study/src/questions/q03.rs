//! Q3: when a cache in front of the database pays, by what the database has to do and by the hit ratio.

mod aside;
mod database;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::aside::Aside;
use self::database::{Database, PAGES, Work};
use self::replay::Replay;
use crate::Result;
use crate::chart::{Axis, Chart, HeatMap, Scale, Spot, Unit};
use crate::formulas::{break_even_hit_ratio, cache_aside_mean};
use crate::lab::{Backend, Lab};
use crate::load::Workload;
use crate::report::{Crossover, Figure, Table, Validation, Verdict};
use crate::rounds::Point;
use crate::statistics::{Curves, Estimate};
use crate::study::{
    APART, BESIDE, BYTES, Depth, Findings, Found, GET, MEAN, Pairing, Question, Run, common_rounds, drawn_median,
};

const GROUP: &str = "Q3/read";
/// Reads through the cache that all miss.
const MISS: &str = "Q3/miss";
/// The run that proves the composition, and what the database does in it.
const REPLAY: &str = "replay";
const REPLAYED: Work = Work::Join;
/// Costs of a read that were not measured but computed with, nanoseconds.
const INJECTED: [f64; 9] = [50e3, 100e3, 200e3, 500e3, 1e6, 2e6, 5e6, 10e6, 20e6];
/// Steps of the hit ratio: as many cells of the picture, and places where curves are judged.
const STEPS: usize = 20;

#[derive(Debug)]
pub(super) struct CachePays;

/// What a cache and the database cost in the rounds.
struct Costs {
    look: Vec<f64>,
    /// What a miss costs beyond its look and the database's read.
    fill: Vec<f64>,
    read: Vec<f64>,
}

impl Costs {
    fn of(found: &Found<'_>, cache: Backend, work: Work) -> Option<Self> {
        let look = found.primitive_means(GET, cache);
        let [read, miss] = [GROUP, MISS].map(|group| found.means(group, work.name(), work.rows()));
        let fill = miss.iter().zip(&look).zip(&read).map(|((miss, look), read)| beyond(*miss, *look, *read)).collect();
        let costs = Self { look, fill, read };
        (costs.rounds() > 0).then_some(costs)
    }

    fn rounds(&self) -> usize {
        common_rounds(&[&self.look, &self.fill, &self.read])
    }

    /// Medians of drawn rounds: look, fill, read of the database.
    fn drawn(&self, drawn: &[usize]) -> [f64; 3] {
        [&self.look, &self.fill, &self.read].map(|rounds| drawn_median(rounds, drawn))
    }

    fn middle(&self) -> [f64; 3] {
        self.drawn(&(0..self.rounds()).collect::<Vec<_>>())
    }

    fn break_even(&self, found: &Found<'_>) -> Option<Estimate> {
        found.statistic(self.rounds(), |drawn| {
            let [look, fill, read] = self.drawn(drawn);
            break_even_hit_ratio(look, fill, read)
        })
    }

    /// Both ways over the hit ratio: linear, so the grid is no approximation worth speaking of.
    fn curves(&self) -> Result<Curves> {
        let ratios: Vec<f64> = (0..=STEPS).map(|step| step as f64 / STEPS as f64).collect();
        let rounds = 0..self.rounds();
        let alone = rounds.clone().map(|round| vec![self.read[round]; ratios.len()]).collect();
        let cached = rounds.map(|round| {
            let mean = |ratio: &f64| cache_aside_mean(*ratio, self.look[round], self.read[round], self.fill[round]);
            ratios.iter().map(mean).collect()
        });
        let cached = cached.collect();
        Curves::new(Scale::Linear, ratios, alone, cached)
    }
}

#[async_trait]
impl Question for CachePays {
    fn id(&self) -> &'static str {
        "Q3"
    }

    fn asks(&self) -> &'static str {
        "When does a cache in front of the database pay?"
    }

    async fn points(&self, lab: &Lab, _depth: Depth) -> Result<Vec<Point>> {
        let workload = Arc::new(Workload::new(PAGES, BYTES, 1));
        let database = Database::open(lab, &workload).await?;
        let cache = cache(lab);
        let aside = Aside::open(lab, cache, &database, &workload).await?;
        let mut points = Vec::new();
        for work in Work::ALL {
            let read = lab.injected(lab.database(), database.cell(work), 1.0);
            let miss = lab.injected(lab.database(), lab.injected(cache, aside.missing(work), 2.0), 1.0);
            points.extend(
                [(GROUP, read), (MISS, miss)].map(|(group, cell)| Point::new(group, work.name(), work.rows(), cell)),
            );
        }
        Ok(points)
    }

    fn runs(&self, _lab: &Lab, depth: Depth) -> Vec<Run> {
        vec![Run::new(REPLAY, depth.pick(1.2, 9.0) + 0.3)]
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        if name != REPLAY {
            return Err(format!("Q3 has no run {name}").into());
        }
        let workload = Arc::new(Workload::new(PAGES, BYTES, 1));
        let database = Database::open(lab, &workload).await?;
        let aside = Aside::open(lab, cache(lab), &database, &workload).await?;
        let lasts = Duration::from_secs_f64(depth.pick(1.2, 9.0));
        Ok(serde_json::to_value(replay::replay(aside, REPLAYED, lasts).await?)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "reads of the database by one task over one connection of sqlx, by primary key, as a join and as an aggregate; misses of the cache whole, with their look and fill; hits by the primitive of 256 bytes; means composed by F1 and checked by replays",
        );
        let cache = found.shared().unwrap_or(Backend::MokaBytes);
        let mut table = Table {
            caption: format!("Where {cache} in front of {} pays", found.database()),
            columns: ["the database does", "its read", "pays above, by F1", "by t2/t3 alone", "mean at 90 % hits"]
                .map(str::to_owned)
                .into(),
            rows: Vec::new(),
        };
        for work in Work::ALL {
            let Some(costs) = Costs::of(found, cache, work) else { continue };
            self.answer_one(found, cache, work, &costs, &mut findings, &mut table)?;
        }
        if let Some(costs) = Costs::of(found, cache, REPLAYED) {
            findings.answer.figures.push(map(cache, found.database(), &costs, found));
            findings.answer.tables.push(table);
            findings.answer.tables.push(injected(cache, &costs));
            self.validate(found, cache, &costs, &mut findings)?;
        }
        findings.answer.caveats.push(
            "One connection and nobody else: a database near its capacity answers later, and then the cache pays earlier. The database is asked in (1 - hit ratio) of the reads, whatever the means are.".to_owned(),
        );
        if found.shared().is_none() {
            findings.lacks("Q3: a shared cache (a local one stands in)", found.why_absent("redis"));
        }
        if found.database() != Backend::Postgres {
            findings.lacks("Q3: postgres (SQLite stands in)", found.why_absent("postgres"));
        }
        Ok(findings)
    }
}

impl CachePays {
    fn answer_one(
        &self,
        found: &Found<'_>,
        cache: Backend,
        work: Work,
        costs: &Costs,
        findings: &mut Findings,
        table: &mut Table,
    ) -> Result<()> {
        let database = found.database();
        let cached = format!("{cache}+{database}");
        let mut crossover = found.judge_curves(
            &Pairing {
                question: self.id(),
                group: GROUP,
                op: work.name(),
                a: database.name(),
                b: &cached,
                metric: MEAN,
                axis: "hit_ratio",
                is_line: true,
                spacing: Scale::Linear,
                plot: Some("q3-map".to_owned()),
            },
            &costs.curves()?,
        )?;
        let Some(pays) = costs.break_even(found) else { return Ok(()) };
        let [look, fill, read] = costs.middle();
        crossover.rule = sentence(cache, work, database, &crossover, &pays);
        findings.judge(crossover);
        table.rows.push(vec![
            work.noun().to_owned(),
            Unit::Nanos.text(read),
            ratio_or_never(&pays),
            Unit::Ratio.text(look / read),
            Unit::Nanos.text(cache_aside_mean(0.9, look, read, fill)),
        ]);
        Ok(())
    }

    /// Each replay by the parts of the rounds, of which the map is made, and by parts timed beside it, which only says
    /// whether the mixing is right.
    fn validate(&self, found: &Found<'_>, cache: Backend, costs: &Costs, findings: &mut Findings) -> Result<()> {
        let Some(replay) = found.run::<Replay>(self.id(), REPLAY)? else { return Ok(()) };
        for one in &replay.ratios {
            // As it came out, not as it was meant to.
            let hit_ratio = one.hits as f64 / one.requests as f64;
            let scenario = format!(
                "Q3: {} of {} behind {cache}, {} hits",
                REPLAYED.name(),
                found.database(),
                Unit::Share.text(hit_ratio)
            );
            let [look, fill, read] = costs.middle();
            let beside = beyond(replay.miss_ns, replay.hit_ns, replay.read_ns);
            for (predicted, parts) in [
                (cache_aside_mean(hit_ratio, look, read, fill), APART),
                (cache_aside_mean(hit_ratio, replay.hit_ns, replay.read_ns, beside), BESIDE),
            ] {
                findings.validation.push(Validation {
                    scenario: scenario.clone(),
                    predicted_ns: predicted,
                    measured_ns: one.mean_ns,
                    ratio: predicted / one.mean_ns,
                    formulas: format!("F1; {parts}"),
                });
            }
        }
        Ok(())
    }
}

/// The nearest cache there is.
fn cache(lab: &Lab) -> Backend {
    if lab.has(Backend::RedisTcp) { Backend::RedisTcp } else { Backend::MokaBytes }
}

/// What a miss costs beyond the look and the read that it is made of.
fn beyond(miss: f64, look: f64, read: f64) -> f64 {
    (miss - look - read).max(0.0)
}

/// What was judged, in the words of the question; by F1 where that is too noisy.
fn sentence(cache: Backend, work: Work, database: Backend, judged: &Crossover, pays: &Estimate) -> String {
    let said = format!("A {cache} cache over {} of {database}", work.noun());
    let texts = |ratios: [f64; 3]| ratios.map(|ratio| Unit::Ratio.text(ratio));
    let [at, low, high] = texts([pays.median, pays.low, pays.high]);
    match (judged.verdict, judged.points.first()) {
        (Verdict::Crossover, Some(point)) => {
            let [at, low, high] = texts([point.x, point.ci95[0], point.ci95[1]]);
            format!("{said} pays above a hit ratio of {at} [{low}, {high}].")
        }
        (Verdict::NoCrossover, _) if judged.winner.as_deref() == Some(database.name()) => {
            format!("{said} never pays: looking and filling cost {at} times [{low}, {high}] what a hit could save.")
        }
        (Verdict::NoCrossover, _) => format!("{said} pays at any hit ratio."),
        (Verdict::Equal, _) => format!("{said} makes no difference to the mean, whatever the hit ratio."),
        _ => format!("{said}: too noisy to say; by F1 it pays above a hit ratio of {at} [{low}, {high}]."),
    }
}

fn ratio_or_never(pays: &Estimate) -> String {
    match pays.median < 1.0 {
        true => format!("{:.3} [{:.3}, {:.3}]", pays.median, pays.low, pays.high),
        false => "never".to_owned(),
    }
}

/// What the cache makes of a read, by the cost of the database and the hit ratio.
fn map(cache: Backend, database: Backend, costs: &Costs, found: &Found<'_>) -> Figure {
    let [look, fill, _] = costs.middle();
    let ratios: Vec<f64> = (0..=STEPS / 2).map(|step| 2.0 * step as f64 / STEPS as f64).collect();
    let row =
        |ratio: &f64| INJECTED.iter().map(|read| Some(cache_aside_mean(*ratio, look, *read, fill) / read)).collect();
    // The border on a finer grid than the cells.
    let finer = (0..=52).map(|step| INJECTED[0] * (INJECTED[8] / INJECTED[0]).powf(f64::from(step) / 52.0));
    let spot = |read: f64| Spot { x: read, y: break_even_hit_ratio(look, fill, read), interval: None, label: None };
    let mut curve: Vec<Spot> = finer.map(spot).collect();
    curve.retain(|spot| spot.y <= 1.0);
    let reads = Work::ALL.into_iter().filter_map(|work| {
        let read = Costs::of(found, cache, work)?.middle()[2];
        Some(format!("{} {}", work.noun(), Unit::Nanos.text(read)))
    });
    Figure {
        name: "q3-map".to_owned(),
        caption: format!(
            "The mean of a read through {cache} over that of the database alone. The border is F1 with the measured look ({}) and the fill of the join ({}). Of {database}: {}.",
            Unit::Nanos.text(look),
            Unit::Nanos.text(fill),
            reads.collect::<Vec<_>>().join(", ")
        ),
        chart: Chart::HeatMap(HeatMap {
            title: "Where a cache pays".to_owned(),
            x: Axis { label: "read of the database".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            y: Axis { label: "hit ratio".to_owned(), unit: Unit::Ratio, scale: Scale::Linear },
            xs: INJECTED.to_vec(),
            ys: ratios.clone(),
            cells: ratios.iter().map(row).collect(),
            border: 1.0,
            below: "the cache pays".to_owned(),
            above: "the database alone is faster".to_owned(),
            curve,
        }),
    }
}

/// The border for costs that were not measured.
fn injected(cache: Backend, costs: &Costs) -> Table {
    let [look, fill, _] = costs.middle();
    let row = |read: &f64| {
        let pays = break_even_hit_ratio(look, fill, *read);
        let mean = |ratio| Unit::Nanos.text(cache_aside_mean(ratio, look, *read, fill));
        let pays = if pays < 1.0 { format!("{pays:.3}") } else { "never".to_owned() };
        vec![Unit::Nanos.text(*read), pays, mean(0.5), mean(0.9), mean(0.99)]
    };
    Table {
        caption: format!("Computed: {cache} in front of slower databases, filled as by the join (F1)"),
        columns: ["a read of the database", "pays above", "mean at 50 % hits", "at 90 %", "at 99 %"]
            .map(str::to_owned)
            .into(),
        rows: INJECTED.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests;
