//! Q16: whether single flight is worth it, for a key that many read.

mod crowds;
mod herd;

use async_trait::async_trait;
use hallway::{Namespace, SetOptions, Ttl};
use serde_json::Value;

use self::crowds::{AT_A_TIME, Arrivals, Bursts};
use self::herd::{Herd, Source, Way};
use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::formulas::duplicate_loads;
use crate::lab::{Backend, Lab};
use crate::report::{Figure, Table};
use crate::rounds::Point;
use crate::study::{Depth, Findings, Found, GET, MEDIAN, Pairing, Question, Run, drawn_median};

const GROUP: &str = "Q16/burst";
const BURSTS: &str = "bursts";
const ARRIVALS: &str = "arrivals";

#[derive(Debug)]
pub(super) struct SingleFlight;

#[async_trait]
impl Question for SingleFlight {
    fn id(&self) -> &'static str {
        "Q16"
    }

    fn asks(&self) -> &'static str {
        "Is single flight worth it?"
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        let tasks: &[usize] = depth.pick(&[1, 8, 64], &[1, 2, 4, 8, 16, 32, 64]);
        at(lab, tasks).await
    }

    async fn refine(&self, lab: &Lab, _group: &str, x: f64) -> Result<Vec<Point>> {
        at(lab, &[x as usize]).await
    }

    fn runs(&self, _lab: &Lab, depth: Depth) -> Vec<Run> {
        vec![Run::new(BURSTS, depth.pick(1.3, 12.0)), Run::new(ARRIVALS, depth.pick(0.8, 6.0))]
    }

    async fn run(&self, name: &str, _lab: &Lab, depth: Depth) -> Result<Value> {
        // How often for each loader: a crowd without single flight queues for a long time.
        let loaders: &[(u64, u64)] = depth.pick(&[(1, 10), (10, 3)], &[(1, 50), (10, 15), (100, 2)]);
        let tasks: &[usize] = depth.pick(&[1, 8, 64], &[1, 4, 16, 64]);
        let (seed, expiries) = (depth.seed, depth.pick(3, 20));
        // On a worker, where readers are.
        match name {
            BURSTS => Ok(serde_json::to_value(tokio::spawn(crowds::bursts(loaders, tasks)).await??)?),
            ARRIVALS => Ok(serde_json::to_value(tokio::spawn(crowds::arrivals(expiries, seed)).await??)?),
            _ => Err(format!("Q16 has no run {name}").into()),
        }
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "readers of one key that has just gone, through Cache::get_or_load and through look, load, set over the same local tier; loads from the database, and from a source that takes a while and serves four at a time; and readers that come by a Poisson process",
        );
        findings.answer.rules.extend(needed(found));
        let judged = found.judge(&Pairing {
            question: self.id(),
            group: GROUP,
            op: "burst",
            a: Way::SingleFlight.name(),
            b: Way::Plain.name(),
            metric: MEDIAN,
            axis: "tasks",
            is_line: false,
            spacing: Scale::Log,
            plot: Some("q16-burst".to_owned()),
        })?;
        judged.into_iter().for_each(|crossover| findings.judge(crossover));
        let series: Vec<Series> = Way::ALL
            .iter()
            .map(|way| found.series(GROUP, way.name(), way.name()))
            .filter(|series| !series.points.is_empty())
            .collect();
        if !series.is_empty() {
            findings.answer.figures.push(lines(
                "q16-burst",
                format!("Until the last of so many readers has what a read of {} gives.", found.database()),
                "A hot key and the database",
                "until the last answer",
                series,
            ));
        }
        let bursts = found.run::<Vec<Bursts>>(self.id(), BURSTS)?.unwrap_or_default();
        if !bursts.is_empty() {
            findings.answer.rules.extend(spared(&bursts));
            findings.answer.figures.push(waits(&bursts));
            findings.answer.tables.push(counted(&bursts));
        }
        let arrivals = found.run::<Vec<Arrivals>>(self.id(), ARRIVALS)?.unwrap_or_default();
        if !arrivals.is_empty() {
            findings.answer.tables.push(by_chance(&arrivals));
        }
        findings.answer.caveats.push(
            "Readers of one process. Over a shared tier a lease keeps several processes from loading at once; that is not measured here.".to_owned(),
        );
        if found.database() != Backend::Postgres {
            findings.lacks("Q16: postgres (SQLite stands in)", found.why_absent("postgres"));
        }
        Ok(findings)
    }
}

/// Both ways, for so many readers at once.
async fn at(lab: &Lab, tasks: &[usize]) -> Result<Vec<Point>> {
    let herd = Herd::open().await?;
    let database = lab.store(lab.database()).await?;
    let key = Namespace::new(&lab.namespace())?.key("hot")?;
    database.set(&key, herd.workload.value(0, 0).clone(), SetOptions::new(Ttl::Forever)).await?;
    let source = Source::store(database, key);
    let mut points = Vec::new();
    for way in Way::ALL {
        for tasks in tasks {
            let cell = lab.injected(lab.database(), herd.bursts(way, *tasks, &source), 1.0);
            points.push(Point::new(GROUP, way.name(), *tasks as f64, cell));
        }
    }
    Ok(points)
}

/// From which rate on more than one load is under way (F14), by what a load takes.
fn needed(found: &Found<'_>) -> Option<String> {
    let database = found.database();
    let rounds = found.primitive_rounds(GET, database);
    let rate = found.statistic(rounds.len(), |drawn| 1e9 / drawn_median(&rounds, drawn))?;
    let [at, low, high] = [rate.median, rate.low, rate.high].map(|rate| Unit::Count.text(rate.round()));
    Some(format!(
        "Single flight is needed from {at} reads/s of one key [{low}, {high}] where a load is a read of {database}, and from 100 reads/s where it takes 10 ms: from there on a miss makes more than one load too many (F14)."
    ))
}

/// The largest crowd before the slowest source that was tried, both ways.
fn spared(bursts: &[Bursts]) -> Option<String> {
    let largest = bursts.iter().max_by_key(|one| (one.tasks, one.loader_ms))?;
    let of = |way: Way| {
        bursts
            .iter()
            .find(|one| one.way == way.name() && one.tasks == largest.tasks && one.loader_ms == largest.loader_ms)
    };
    let (single, plain) = (of(Way::SingleFlight)?, of(Way::Plain)?);
    let loads = |one: &Bursts| Unit::Ratio.text(one.loads as f64 / one.bursts as f64);
    let nanos = |nanos: u64| Unit::Nanos.text(nanos as f64);
    Some(format!(
        "{} readers at once, a load of {} ms, {AT_A_TIME} at a time: {} loads and a p99 of {} without single flight, {} and {} with it.",
        largest.tasks,
        largest.loader_ms,
        loads(plain),
        nanos(plain.p99_ns),
        loads(single),
        nanos(single.p99_ns)
    ))
}

fn waits(bursts: &[Bursts]) -> Figure {
    let mut series: Vec<Series> = Vec::new();
    for one in bursts {
        let label = format!("{}, {} ms", one.way, one.loader_ms);
        let spot = Spot { x: one.tasks as f64, y: one.p99_ns as f64, interval: None, label: None };
        match series.iter_mut().find(|series| series.label == label) {
            Some(series) => series.points.push(spot),
            None => series.push(Series { label, points: vec![spot], style: Style::Measured }),
        }
    }
    lines(
        "q16-p99",
        format!(
            "What the slowest of a hundred readers waits, by what a load takes; the source serves {AT_A_TIME} at a time."
        ),
        "p99 of a hot key",
        "p99 of a read",
        series,
    )
}

fn lines(name: &str, caption: String, title: &str, y: &str, series: Vec<Series>) -> Figure {
    Figure {
        name: name.to_owned(),
        caption,
        chart: Chart::Lines(Lines {
            title: title.to_owned(),
            x: Axis { label: "readers at once".to_owned(), unit: Unit::Count, scale: Scale::Log },
            y: Axis { label: y.to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            series,
            marks: Vec::new(),
        }),
    }
}

fn counted(bursts: &[Bursts]) -> Table {
    let row = |one: &Bursts| {
        vec![
            format!("{} ms", one.loader_ms),
            one.tasks.to_string(),
            one.way.clone(),
            Unit::Ratio.text(one.loads as f64 / one.bursts as f64),
            Unit::Nanos.text(one.p50_ns as f64),
            Unit::Nanos.text(one.p99_ns as f64),
        ]
    };
    Table {
        caption: format!("Readers at once of a key that is gone; the source serves {AT_A_TIME} at a time"),
        columns: ["a load takes", "readers", "way", "loads of each burst", "p50", "p99"].map(str::to_owned).into(),
        rows: bursts.iter().map(row).collect(),
    }
}

/// Loads of each miss beside F14.
fn by_chance(arrivals: &[Arrivals]) -> Table {
    let row = |one: &Arrivals| {
        // The load that began it, and those that come while it lasts.
        let formula = match one.way == Way::Plain.name() {
            true => 1.0 + duplicate_loads(one.per_second, one.load_ns / 1e9),
            false => 1.0,
        };
        vec![
            Unit::PerSecond.text(one.per_second),
            Unit::Nanos.text(one.load_ns),
            one.way.clone(),
            Unit::Ratio.text(one.loads as f64 / one.expired as f64),
            Unit::Ratio.text(formula),
        ]
    };
    Table {
        caption: "Readers by chance of keys that have just gone".to_owned(),
        columns: ["reads of one key", "a load takes", "way", "loads of each miss", "by F14"].map(str::to_owned).into(),
        rows: arrivals.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests;
