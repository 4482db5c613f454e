//! Q1: what a tier in the process buys over Redis, by the size of a value.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Unit};
use crate::lab::{Backend, Lab, Shape};
use crate::load::{Op, Plan, Workload};
use crate::report::{Figure, Fit};
use crate::rounds::Point;
use crate::statistics::theil_sen;
use crate::study::{Depth, Findings, Found, MEDIAN, Pairing, Question, drawn_median};

const GROUP: &str = "Q1/get";
const BACKENDS: [Backend; 4] = [Backend::MokaTyped, Backend::MokaBytes, Backend::RedisTcp, Backend::RedisUnix];

#[derive(Debug)]
pub(super) struct LocalOverShared;

#[async_trait]
impl Question for LocalOverShared {
    fn id(&self) -> &'static str {
        "Q1"
    }

    fn asks(&self) -> &'static str {
        "What does a tier in the process buy over Redis, by the size of a value?"
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        let sizes: &[usize] = depth
            .pick(&[64, 1 << 10, 16 << 10, 256 << 10], &[64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10]);
        let mut points = Vec::new();
        for bytes in sizes {
            points.extend(at(lab, *bytes).await?);
        }
        Ok(points)
    }

    async fn refine(&self, lab: &Lab, _group: &str, x: f64) -> Result<Vec<Point>> {
        at(lab, x as usize).await
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "get of one key by one task, the value decoded from JSON by everyone but moka-typed, which shares what was decoded once",
        );
        let pairs = [
            (Backend::MokaTyped, Backend::RedisTcp),
            (Backend::MokaBytes, Backend::RedisTcp),
            (Backend::MokaTyped, Backend::MokaBytes),
            (Backend::RedisUnix, Backend::RedisTcp),
        ];
        for (a, b) in pairs.into_iter().filter(|(a, b)| found.has(*a) && found.has(*b)) {
            let judged = found.judge(&Pairing {
                question: self.id(),
                group: GROUP,
                op: "get",
                a: a.name(),
                b: b.name(),
                metric: MEDIAN,
                axis: "value_bytes",
                is_line: true,
                spacing: Scale::Log,
                plot: Some("q1-get".to_owned()),
            })?;
            judged.into_iter().for_each(|crossover| findings.judge(crossover));
        }
        for backend in BACKENDS {
            findings.fits.extend(line(found, backend)?);
        }
        let series = BACKENDS.iter().map(|backend| found.series(GROUP, backend.name(), backend.name()));
        let chart = Chart::Lines(Lines {
            title: "A read by the size of its value".to_owned(),
            x: Axis { label: "value".to_owned(), unit: Unit::Bytes, scale: Scale::Log },
            y: Axis { label: "median of a get".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            series: series.filter(|series| !series.points.is_empty()).collect(),
            marks: Vec::new(),
        });
        findings.answer.figures.push(Figure {
            name: "q1-get".to_owned(),
            caption:
                "The ladder of latencies: shared values in the process, bytes in the process, Redis on this machine."
                    .to_owned(),
            chart,
        });
        findings.answer.caveats.push(
            "Redis is on this machine; over a network every one of its reads costs a round trip more, which Q2 shows."
                .to_owned(),
        );
        if !found.has(Backend::RedisTcp) {
            findings.lacks("Q1: redis", found.why_absent("redis"));
        } else if !found.has(Backend::RedisUnix) {
            findings.lacks("Q1: redis-unix", "this Redis has no Unix socket that this process can see; use --start");
        }
        Ok(findings)
    }
}

/// What a read costs for each byte of its value, where it was measured at two sizes.
fn line(found: &Found<'_>, backend: Backend) -> Result<Option<Fit>> {
    let costs: Vec<(f64, f64)> = found
        .curve(GROUP, backend.name())
        .into_iter()
        .map(|(bytes, rounds)| (bytes, drawn_median(&rounds, &(0..rounds.len()).collect::<Vec<_>>())))
        .collect();
    if costs.len() < 2 {
        return Ok(None);
    }
    let line = theil_sen(&costs)?;
    Ok(Some(Fit {
        backend: backend.name().to_owned(),
        op: "get".to_owned(),
        a_ns: line.at_zero,
        ns_per_byte: Some(line.slope),
        k_rtt: None,
    }))
}

/// Everybody's read of a value of this size.
async fn at(lab: &Lab, bytes: usize) -> Result<Vec<Point>> {
    let keys = ((8 << 20) / bytes).clamp(16, 1_000);
    let workload = Arc::new(Workload::new(keys, bytes, 1));
    let mut points = Vec::new();
    for backend in lab.present(&BACKENDS) {
        let lane = lab.lane(backend, Shape::Decoded, &workload).await?;
        let plan = Plan { op: Op::Get, concurrency: 1, iterations: 0, latencies: false };
        points.push(Point::new(GROUP, backend.name(), bytes as f64, lab.cell(backend, &lane, plan)));
    }
    Ok(points)
}
