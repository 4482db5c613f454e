//! Q10: where each backend saturates.

mod offered;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use self::offered::Offered;
use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Unit};
use crate::formulas::{Load, Usl};
use crate::lab::{Backend, Lab, Shape};
use crate::load::{Op, Plan, Workload};
use crate::report::Figure;
use crate::rounds::{Cell, Point};
use crate::study::{BYTES, Depth, Findings, Found, MEDIAN, Pairing, Question, Run};

const GROUPS: [(&str, Op); 2] = [("Q10/get", Op::Get), ("Q10/set", Op::Set)];
const BACKENDS: [Backend; 3] = [Backend::RedisTcp, Backend::Postgres, Backend::Sqlite];

#[derive(Debug)]
pub(super) struct Saturation;

#[async_trait]
impl Question for Saturation {
    fn id(&self) -> &'static str {
        "Q10"
    }

    fn asks(&self) -> &'static str {
        "Where does each backend saturate?"
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        let tasks: &[usize] = depth.pick(&[1, 8, 64], &[1, 2, 4, 8, 16, 32, 64]);
        let mut points = Vec::new();
        for (group, op) in GROUPS {
            points.extend(at(lab, group, op, tasks).await?);
        }
        Ok(points)
    }

    async fn refine(&self, lab: &Lab, group: &str, x: f64) -> Result<Vec<Point>> {
        match GROUPS.into_iter().find(|(known, _)| *known == group) {
            Some((group, op)) => at(lab, group, op, &[x as usize]).await,
            None => Ok(Vec::new()),
        }
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        let seconds = offered::lasts(depth).as_secs_f64();
        lab.present(&BACKENDS).into_iter().map(|backend| Run::new(backend.name(), seconds)).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        Ok(serde_json::to_value(Offered::measure(lab, name.parse()?, depth).await?)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "closed loop: so many tasks, each asking again when it is answered; open loop: a Poisson schedule at shares of what up to eight tasks get done, from the largest on down until enough of them are valid, times counted from when a request was due, by a sender that runs beside the servers",
        );
        for (group, _) in GROUPS {
            self.closed(found, group, &mut findings)?;
        }
        told::open(found, &mut findings)?;
        findings.answer.caveats.push(
            "Client and servers are on one machine, so a server of its own saturates later; which backend bends first transfers better than where.".to_owned(),
        );
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q10: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

impl Saturation {
    fn closed(&self, found: &Found<'_>, group: &str, findings: &mut Findings) -> Result<()> {
        let op = group.trim_start_matches("Q10/");
        let plot = format!("q10-{op}");
        let mut series = Vec::new();
        for backend in BACKENDS {
            let curve = found.curve(group, backend.name());
            if curve.is_empty() {
                continue;
            }
            let mut throughput = found.series(group, backend.name(), backend.name());
            for spot in &mut throughput.points {
                let per_second = |nanos: f64| 1e9 / nanos;
                spot.interval = spot.interval.map(|[low, high]| [per_second(high), per_second(low)]);
                spot.y = per_second(spot.y);
            }
            findings.answer.rules.push(scaling(backend, op, &throughput));
            if let Some(sentence) = law(backend, op, &throughput)? {
                findings.answer.rules.push(sentence);
            }
            series.push(throughput);
        }
        for (a, b) in [
            (Backend::RedisTcp, Backend::Postgres),
            (Backend::Sqlite, Backend::RedisTcp),
            (Backend::Sqlite, Backend::Postgres),
        ] {
            let judged = found.judge(&Pairing {
                question: self.id(),
                group,
                op,
                a: a.name(),
                b: b.name(),
                metric: MEDIAN,
                axis: "tasks",
                is_line: false,
                spacing: Scale::Log,
                plot: Some(plot.clone()),
            })?;
            judged.into_iter().for_each(|crossover| findings.judge(crossover));
        }
        if !series.is_empty() {
            findings.answer.figures.push(Figure {
                name: plot,
                caption: format!("What so many tasks get done together, {op} of {BYTES} bytes."),
                chart: Chart::Lines(Lines {
                    title: format!("{op} by the number of tasks"),
                    x: Axis { label: "tasks".to_owned(), unit: Unit::Count, scale: Scale::Log },
                    y: Axis { label: "operations".to_owned(), unit: Unit::PerSecond, scale: Scale::Log },
                    series,
                    marks: Vec::new(),
                }),
            });
        }
        Ok(())
    }
}

/// Everybody, with so many tasks.
async fn at(lab: &Lab, group: &str, op: Op, tasks: &[usize]) -> Result<Vec<Point>> {
    let workload = Arc::new(Workload::new(1_000, BYTES, 4));
    let mut points = Vec::new();
    for backend in lab.present(&BACKENDS) {
        let lane = lab.lane(backend, Shape::Bytes, &workload).await?;
        for concurrency in tasks {
            let plan = Plan { op, concurrency: *concurrency, iterations: 0, latencies: false };
            let all = lab.cell(backend, &lane, plan);
            let share = *concurrency as u32;
            // The time of one operation, not of one of each task.
            let inner = all.clone();
            let cell = Cell::new(move |iterations| {
                let inner = inner.clone();
                async move { Ok(inner.run(iterations).await? / share) }
            });
            let cell = cell.verified_as(&all).supposing(all.supposed() / share);
            points.push(Point::new(group, backend.name(), *concurrency as f64, cell));
        }
    }
    Ok(points)
}

/// From how many tasks on more of them gain nothing worth speaking of.
fn scaling(backend: Backend, op: &str, throughput: &Series) -> String {
    let best = throughput.points.iter().map(|spot| spot.y).fold(0.0, f64::max);
    let enough = throughput.points.iter().find(|spot| spot.y >= 0.9 * best);
    let (tasks, most) = enough.map_or((1.0, best), |spot| (spot.x, best));
    format!("{backend}: {op} reaches nine tenths of its most ({most:.0}/s on these cores) with {tasks:.0} tasks.")
}

/// The universal scalability law (Gunther), where there are enough loads to fit it.
fn law(backend: Backend, op: &str, throughput: &Series) -> Result<Option<String>> {
    let loads: Vec<Load> = throughput.points.iter().map(|spot| Load { tasks: spot.x, throughput: spot.y }).collect();
    if loads.len() < 6 {
        return Ok(None);
    }
    let law = Usl::fit(&loads)?;
    Ok(law.peak().map(|peak| format!("{backend}: by the scalability law {op} is fastest with {peak:.0} tasks.")))
}
