//! Q4: when copies in front of the database pay although there are writes.

mod mix;
mod tiers;

use async_trait::async_trait;
use serde_json::Value;

use self::mix::{Mix, Tail};
use self::tiers::{Tiers, least_reads_per_write, read_share};
use crate::Result;
use crate::chart::{Axis, Chart, Lines, Mark, Scale, Series, Spot, Style, Unit};
use crate::formulas::hit_ratio_with_write_share;
use crate::lab::{Backend, Lab};
use crate::report::{Crossover, Figure, Table, Validation, Verdict};
use crate::rounds::{Cell, Point};
use crate::study::{Chain, Depth, Findings, Found, MEAN, Pairing, Question, Run, drawn_median};

/// The axis is reads per write.
const GROUP: &str = "Q4/request";
/// Nothing but reads; the axis is the share of reads.
const READS: &str = "Q4/reads";
/// Where the tail is looked at, as YCSB F and B are between.
const TAIL: u64 = 9;
/// Never in a study: reads alone.
const ENDLESS: u64 = u32::MAX as u64;

#[derive(Debug)]
pub(super) struct CopiesWithWrites;

#[async_trait]
impl Question for CopiesWithWrites {
    fn id(&self) -> &'static str {
        "Q4"
    }

    fn asks(&self) -> &'static str {
        "When does a cache pay although there are writes?"
    }

    fn composes_tiers(&self) -> bool {
        true
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        let reads_per_write: &[u64] = depth.pick(&[1, 9, 99], &[1, 4, 9, 19, 99]);
        let mut points = at(lab, reads_per_write).await?;
        if depth.mode == crate::report::StudyMode::Full {
            for tiers in Tiers::present(lab.has(Backend::RedisTcp)) {
                let (store, _) = tiers.open(lab).await?;
                let mix = Mix::begin(lab, &store, ENDLESS).await?;
                points.push(Point::new(READS, tiers.name(), 1.0, slowed(lab, tiers, mix.single(), ENDLESS)));
            }
        }
        Ok(points)
    }

    async fn refine(&self, lab: &Lab, group: &str, x: f64) -> Result<Vec<Point>> {
        if group == GROUP { at(lab, &[x as u64]).await } else { Ok(Vec::new()) }
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        let tiers = Tiers::present(lab.has(Backend::RedisTcp));
        tiers.into_iter().map(|tiers| Run::new(tiers.name(), depth.pick(0.7, 7.0))).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        let tail = mix::tail(lab, Tiers::of_name(name)?, TAIL, depth.pick(2_000, 20_000)).await?;
        Ok(serde_json::to_value(tail)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "requests of one task to 64 keys by chance, of which every so many-th writes; hallway's TieredStore over the database, where a write ends the copies; every read is compared with the last write",
        );
        let chain = found.chain(found.database());
        let mut marks = Vec::new();
        for tiers in Tiers::present(found.has(Backend::RedisTcp)).into_iter().skip(1) {
            let judged = found.judge(&pairing(Tiers::Database, tiers))?;
            if let Some(crossover) = judged {
                marks.extend(crossover.points.iter().map(mark));
                findings.answer.rules.extend(stop(tiers, &crossover));
                findings.judge(crossover);
            }
        }
        let both = found.judge(&pairing(Tiers::Shared, Tiers::Both))?;
        both.into_iter().for_each(|crossover| findings.judge(crossover));
        if let Some(figure) = figure(found, chain.as_ref(), marks) {
            findings.answer.figures.push(figure);
        }
        if let Some(chain) = &chain {
            findings.answer.tables.push(self.means(found, chain, &mut findings.validation)?);
        }
        if let Some(table) = self.tails(found)? {
            findings.answer.tables.push(table);
        }
        findings.answer.caveats.push(
            "One process without other instances: behind its own local copies the shared tier answers one read after each that misses, and costs a look, a lease and a fill. Several instances are asked about in Q7.".to_owned(),
        );
        findings.answer.caveats.push(
            "Requests are spread evenly over few keys, so nothing but writes ends copies; with too little room, or keys that are asked for once, hit ratios are lower.".to_owned(),
        );
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q4: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

/// All tiers, at so many reads per write.
async fn at(lab: &Lab, reads_per_write: &[u64]) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for tiers in Tiers::present(lab.has(Backend::RedisTcp)) {
        let (store, _) = tiers.open(lab).await?;
        for reads in reads_per_write {
            let mix = Mix::begin(lab, &store, *reads).await?;
            points.push(Point::new(GROUP, tiers.name(), *reads as f64, slowed(lab, tiers, mix.cell(), *reads)));
        }
    }
    Ok(points)
}

/// The delay that was asked for or supposed, as often as a request calls Redis and the database.
fn slowed(lab: &Lab, tiers: Tiers, cell: Cell, reads: u64) -> Cell {
    let [shared, database] = tiers.calls(reads as f64);
    lab.injected(lab.database(), lab.injected(Backend::RedisTcp, cell, shared), database)
}

fn pairing(a: Tiers, b: Tiers) -> Pairing<'static> {
    Pairing {
        question: "Q4",
        group: GROUP,
        op: "request",
        a: a.name(),
        b: b.name(),
        metric: MEAN,
        axis: "reads_per_write",
        is_line: false,
        spacing: Scale::Log,
        plot: Some("q4-request".to_owned()),
    }
}

/// What an operator does about a crossing.
fn stop(tiers: Tiers, crossover: &Crossover) -> Option<String> {
    let point = crossover.points.first().filter(|point| point.right == tiers.name())?;
    let [at, low, high] = [point.x, point.ci95[0], point.ci95[1]].map(|x| Unit::Count.text(x));
    (crossover.verdict == Verdict::Crossover)
        .then(|| format!("Stop keeping {} below {at} reads per write [{low}, {high}].", tiers.name().replace('-', " ")))
}

fn mark(point: &crate::report::CrossingPoint) -> Mark {
    Mark {
        x: point.x,
        interval: Some(point.ci95),
        tie_band: Some(point.tie_band),
        label: "equal".to_owned(),
        left: Some(point.left.clone()),
        right: Some(point.right.clone()),
    }
}

fn figure(found: &Found<'_>, chain: Option<&Chain>, marks: Vec<Mark>) -> Option<Figure> {
    let mut series = Vec::new();
    for tiers in Tiers::present(found.has(Backend::RedisTcp)) {
        let measured = found.series(GROUP, tiers.name(), tiers.name());
        if measured.points.is_empty() {
            continue;
        }
        if let Some(chain) = chain {
            let all: Vec<usize> = (0..chain.rounds()).collect();
            // From 1 to 100 reads per write.
            let places = (0..=20).map(|step| 100_f64.powf(f64::from(step) / 20.0));
            let spot = |x| Spot { x, y: tiers.mean(x, chain, &all), interval: None, label: None };
            let label = format!("{} by formula", tiers.name());
            series.push(Series { label, points: places.map(spot).collect(), style: Style::Computed });
        }
        series.push(measured);
    }
    (!series.is_empty()).then(|| Figure {
        name: "q4-request".to_owned(),
        caption: format!(
            "The mean of a request to {} with and without copies. Dashed: composed of hits, misses and writes by F1, F2 and F7.",
            found.database()
        ),
        chart: Chart::Lines(Lines {
            title: "A request by reads per write".to_owned(),
            x: Axis { label: "reads per write".to_owned(), unit: Unit::Count, scale: Scale::Log },
            y: Axis { label: "mean of a request".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            series,
            marks,
        }),
    })
}

impl CopiesWithWrites {
    /// Measured means beside those of the formulas, which are predictions that the study checks.
    fn means(&self, found: &Found<'_>, chain: &Chain, validation: &mut Vec<Validation>) -> Result<Table> {
        let all: Vec<usize> = (0..chain.rounds()).collect();
        let mut rows = Vec::new();
        for tiers in Tiers::present(found.has(Backend::RedisTcp)) {
            for (reads, rounds) in found.curve(GROUP, tiers.name()) {
                let measured = drawn_median(&rounds, &(0..rounds.len()).collect::<Vec<_>>());
                let predicted = tiers.mean(reads, chain, &all);
                rows.push(vec![
                    tiers.name().to_owned(),
                    Unit::Share.text(read_share(reads)),
                    Unit::Nanos.text(measured),
                    Unit::Nanos.text(predicted),
                    Unit::Ratio.text(predicted / measured),
                ]);
                if reads == TAIL as f64 {
                    validation.push(Validation {
                        scenario: format!("Q4: {} over {}, 9 reads per write", tiers.name(), found.database()),
                        predicted_ns: predicted,
                        measured_ns: measured,
                        ratio: predicted / measured,
                        formulas: "F1, F2, F7".to_owned(),
                    });
                }
            }
            if let Some(cost) = found.cost(READS, tiers.name(), 1.0) {
                rows.push(vec![
                    tiers.name().to_owned(),
                    Unit::Share.text(1.0),
                    Unit::Nanos.text(cost.median),
                    Unit::Nanos.text(tiers.mean(f64::INFINITY, chain, &all)),
                    String::new(),
                ]);
            }
            if tiers != Tiers::Database {
                let pays = match least_reads_per_write(tiers, chain) {
                    Some(least) => format!("from {} reads per write", Unit::Count.text(least)),
                    None => "never".to_owned(),
                };
                rows.push(vec![tiers.name().to_owned(), "pays".to_owned(), String::new(), pays, String::new()]);
            }
        }
        let columns = ["tiers", "reads", "measured mean", "by formula", "ratio"].map(str::to_owned).into();
        Ok(Table { caption: "The mean of a request".to_owned(), columns, rows })
    }

    fn tails(&self, found: &Found<'_>) -> Result<Option<Table>> {
        let mut rows = Vec::new();
        for tiers in Tiers::ALL {
            let Some(tail) = found.run::<Tail>(self.id(), tiers.name())? else { continue };
            let ratio = tail.hits as f64 / tail.reads as f64;
            let formula = hit_ratio_with_write_share(1.0, 1.0 - read_share(TAIL as f64));
            let hits = match tiers {
                Tiers::Database => "none".to_owned(),
                _ => format!("{ratio:.3} (formula {formula:.3})"),
            };
            let nanos = |nanos: u64| Unit::Nanos.text(nanos as f64);
            let share = Unit::Share.text(1.0 - if tiers == Tiers::Database { 0.0 } else { ratio });
            rows.push(vec![tiers.name().to_owned(), hits, share, nanos(tail.all.p50_ns), nanos(tail.all.p99_ns)]);
        }
        let columns = ["tiers", "hit ratio", "reads that the database sees", "p50", "p99"].map(str::to_owned).into();
        let caption = "Nine reads per write, one request after the other".to_owned();
        Ok((!rows.is_empty()).then_some(Table { caption, columns, rows }))
    }
}

#[cfg(test)]
mod tests;
