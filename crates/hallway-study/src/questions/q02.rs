//! Q2: a file in the process against Redis over a network, by the length of the wire.

mod line;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;

use self::line::{Lines, Wire};
use crate::Result;
use crate::chart::{Axis, Chart, Lines as Curve, Mark, Scale, Series, Spot, Style, Unit};
use crate::lab::{Backend, Lab};
use crate::load::Op;
use crate::report::{Crossover, Figure, Fit};
use crate::rounds::Point;
use crate::study::{Depth, Findings, Found, MEDIAN, Pairing, Question};

/// Reads and writes; the place is what was added to a round trip, in microseconds.
const GROUPS: [(&str, Op); 2] = [("Q2/get", Op::Get), ("Q2/set", Op::Set)];
/// The series of each group, side by side at every place: what stands on the axis is measured next to what it is for.
const PING: &str = "ping";
const REDIS: &str = "redis-tcp";
const SQLITE: &str = "sqlite";
/// Round trips at which both sides are composed, in microseconds: close together where Redis is near.
const GRID: [f64; 20] = [
    0.0, 5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 700.0, 1_000.0, 1_500.0, 2_000.0,
    3_000.0, 4_000.0, 5_000.0,
];

/// What may be missing, and why where Redis is there.
const REDIS_AWAY: &str = "Q2: redis";
const NO_PROXY: &str = "no proxy can stand before this Redis: its URL asks for TLS or a Unix socket, or its host does not resolve; name it as redis://HOST:PORT, or use --start";

#[derive(Debug)]
pub(super) struct EmbeddedOrShared;

#[async_trait]
impl Question for EmbeddedOrShared {
    fn id(&self) -> &'static str {
        "Q2"
    }

    fn asks(&self) -> &'static str {
        "SQLite in the process, or Redis over a network?"
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        wire::points(lab, depth.pick(&[0, 1_000, 2_000], &[0, 250, 500, 1_000, 2_000])).await
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "get and set of 256 bytes by one task, SQLite with synchronous FULL; Redis behind a proxy that lengthens the wire, its cost in each round a line over the PINGs of the same round (F11), composed at round trips from 0 to 5 ms",
        );
        if !found.has(Backend::RedisTcp) {
            findings.lacks(REDIS_AWAY, found.why_absent("redis"));
        } else if GROUPS.iter().all(|(group, _)| found.curve(group, REDIS).is_empty()) {
            let why = found.told_absent(REDIS_AWAY).unwrap_or_else(|| NO_PROXY.to_owned());
            findings.lacks(REDIS_AWAY, why);
        }
        for (group, _) in GROUPS {
            self.answer_one(found, group, &mut findings)?;
        }
        findings.answer.caveats.push(
            "The wire is longer, not narrower: bandwidth and TCP slow start, which matter above 64 KiB, are not in it."
                .to_owned(),
        );
        Ok(findings)
    }
}

impl EmbeddedOrShared {
    fn answer_one(&self, found: &Found<'_>, group: &str, findings: &mut Findings) -> Result<()> {
        let op = group.trim_start_matches("Q2/");
        let Some(wire) = Wire::measured(found, group) else { return Ok(()) };
        let lines = match wire.lines() {
            Ok(lines) => lines,
            Err(why) => {
                findings.lacks(format!("Q2: {op} by the round trip"), why);
                return Ok(());
            }
        };
        let plot = format!("q2-{op}");
        let crossover = found.judge_curves(
            &Pairing {
                question: self.id(),
                group,
                op,
                a: SQLITE,
                b: REDIS,
                metric: MEDIAN,
                axis: "rtt_us",
                is_line: true,
                spacing: Scale::Linear,
                plot: Some(plot.clone()),
            },
            &lines.curves(&GRID)?,
        )?;
        let middle = lines.middle();
        findings.fits.push(Fit {
            backend: REDIS.to_owned(),
            op: op.to_owned(),
            a_ns: middle.at_zero,
            ns_per_byte: None,
            k_rtt: Some(middle.slope),
        });
        let longest = wire.places().last().copied().unwrap_or_default();
        findings.answer.figures.push(Figure {
            name: plot,
            caption: format!(
                "Redis measured up to a round trip of {} and extended by its slope (F11).",
                Unit::Micros.text(longest)
            ),
            chart: chart(found, group, &wire, &lines, &crossover),
        });
        findings.judge(crossover);
        Ok(())
    }
}

fn chart(found: &Found<'_>, group: &str, wire: &Wire, lines: &Lines, crossover: &Crossover) -> Chart {
    let op = group.trim_start_matches("Q2/");
    let mut measured = found.series(group, REDIS, REDIS);
    for (spot, place) in measured.points.iter_mut().zip(wire.places()) {
        spot.x = place;
    }
    let flat = lines.sqlite(found);
    let level = |x: &f64| {
        flat.as_ref().map(|cost| Spot { x: *x, y: cost.median, interval: Some(cost.interval()), label: None })
    };
    let ends = [GRID[0], GRID[GRID.len() - 1]];
    let spot = |x: &f64| Spot { x: *x, y: lines.redis_at(*x), interval: None, label: None };
    Chart::Lines(Curve {
        title: format!("A {op} by the distance of Redis"),
        x: Axis { label: "round trip to Redis".to_owned(), unit: Unit::Micros, scale: Scale::Linear },
        y: Axis { label: format!("median of a {op}"), unit: Unit::Nanos, scale: Scale::Log },
        series: vec![
            Series {
                label: SQLITE.to_owned(),
                points: ends.iter().filter_map(level).collect(),
                style: Style::Measured,
            },
            measured,
            Series {
                label: format!("redis-tcp, {:.2} round trips", lines.middle().slope),
                points: GRID.iter().map(spot).collect(),
                style: Style::Computed,
            },
        ],
        marks: crossover
            .points
            .iter()
            .map(|point| Mark {
                x: point.x,
                interval: Some(point.ci95),
                tie_band: Some(point.tie_band),
                label: "equal".to_owned(),
                left: Some(point.left.clone()),
                right: Some(point.right.clone()),
            })
            .collect(),
    })
}
