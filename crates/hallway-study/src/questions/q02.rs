//! Q2: a file in the process against Redis over a network, by the length of the wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hallway_testkit::DelayProxy;

use crate::Result;
use crate::chart::{Axis, Chart, Lines, Mark, Scale, Series, Spot, Style, Unit};
use crate::lab::{Backend, Lab, Profile, Shape};
use crate::load::{Op, Plan, Workload};
use crate::report::{Figure, Fit};
use crate::rounds::{Cell, Point};
use crate::statistics::{Curves, theil_sen};
use crate::study::{Depth, Findings, Found, GET, Pairing, Question, SET};

/// Pings of Redis over the longer wire: what stands on the axis.
const PING: &str = "Q2/ping";
/// Reads and writes of Redis over the longer wire; the place is what was added to a round trip, in microseconds.
const AWAY: [(&str, Op, &str); 2] = [("Q2/get", Op::Get, GET), ("Q2/set", Op::Set, SET)];
const SERIES: &str = "redis-tcp";

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
        let Some((redis, addr)) = lab.redis().and_then(|redis| Some((redis, redis.addr()?))) else {
            return Ok(Vec::new());
        };
        let micros: &[u64] = depth.pick(&[0, 1_000, 2_000], &[0, 250, 500, 1_000, 2_000]);
        let workload = Arc::new(Workload::new(1_000, crate::study::BYTES, 4));
        let mut points = Vec::new();
        for added in micros {
            let proxy = Arc::new(DelayProxy::start(addr, Duration::from_micros(*added))?);
            let Some(url) = Profile::moved(redis.url(), addr, proxy.addr()) else { return Ok(Vec::new()) };
            let lane = lab.lane_at(Backend::RedisTcp, &url, Shape::Bytes, &workload).await?;
            for (group, op, _) in AWAY {
                let plan = Plan { op, concurrency: 1, iterations: 0, latencies: false };
                let inner = lab.cell(Backend::RedisTcp, &lane, plan);
                // The proxy lives as long as the point.
                let proxy = Arc::clone(&proxy);
                let cell = Cell::new(move |iterations| {
                    let (inner, proxy) = (inner.clone(), Arc::clone(&proxy));
                    async move {
                        let took = inner.run(iterations).await;
                        drop(proxy);
                        took
                    }
                });
                points.push(Point::new(group, SERIES, *added as f64, cell));
            }
            points.push(Point::new(PING, SERIES, *added as f64, ping(&url).await?));
        }
        Ok(points)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "get and set of 256 bytes by one task; Redis behind a proxy that lengthens the wire, placed on the axis by the time of its PING; SQLite with synchronous FULL",
        );
        if !found.has(Backend::RedisTcp) {
            findings.lacks("Q2: redis", found.why_absent("redis"));
        }
        for (group, _, primitive) in AWAY {
            self.answer_one(found, group, primitive, &mut findings)?;
        }
        findings.answer.caveats.push(
            "The wire is longer, not narrower: bandwidth and TCP slow start, which matter above 64 KiB, are not in it."
                .to_owned(),
        );
        Ok(findings)
    }
}

impl EmbeddedOrShared {
    fn answer_one(&self, found: &Found<'_>, group: &str, primitive: &str, findings: &mut Findings) -> Result<()> {
        let op = group.trim_start_matches("Q2/");
        let redis = found.curve(group, SERIES);
        let pings = found.curve(PING, SERIES);
        let sqlite = found.primitive_rounds(primitive, Backend::Sqlite);
        if redis.len() < 2 || pings.len() != redis.len() || sqlite.is_empty() {
            return Ok(());
        }
        let rounds = redis.iter().chain(&pings).map(|(_, rounds)| rounds.len()).min().unwrap_or(0).min(sqlite.len());
        // Where a point stands on the axis is measured too: the ping of the same wire.
        let xs: Vec<f64> = pings.iter().map(|(_, rounds)| middle(rounds) / 1_000.0).collect();
        let a = (0..rounds).map(|round| vec![sqlite[round]; xs.len()]).collect();
        let b = (0..rounds).map(|round| redis.iter().map(|(_, all)| all[round]).collect()).collect();
        let plot = format!("q2-{op}");
        let crossover = found.judge_curves(
            &Pairing {
                question: self.id(),
                group,
                op,
                a: "sqlite",
                b: SERIES,
                axis: "rtt_us",
                spacing: Scale::Linear,
                plot: Some(plot.clone()),
            },
            &Curves::new(Scale::Linear, xs.clone(), a, b)?,
        )?;

        let spots: Vec<(f64, f64)> = xs.iter().zip(&redis).map(|(x, (_, all))| (x * 1_000.0, middle(all))).collect();
        let line = theil_sen(&spots)?;
        findings.fits.push(Fit {
            backend: SERIES.to_owned(),
            op: op.to_owned(),
            a_ns: line.at_zero,
            ns_per_byte: None,
            k_rtt: Some(line.slope),
        });
        let mut measured = found.series(group, SERIES, SERIES);
        for (spot, x) in measured.points.iter_mut().zip(&xs) {
            spot.x = *x;
        }
        let flat = found.cost(primitive, "sqlite", crate::study::BYTES as f64);
        let level = |x: f64| {
            flat.as_ref().map(|cost| Spot { x, y: cost.median, interval: Some([cost.low, cost.high]), label: None })
        };
        let ends = [0.0, 5_000.0];
        let chart = Chart::Lines(Lines {
            title: format!("A {op} by the distance of Redis"),
            x: Axis { label: "round trip to Redis".to_owned(), unit: Unit::Micros, scale: Scale::Linear },
            y: Axis { label: format!("median of a {op}"), unit: Unit::Nanos, scale: Scale::Log },
            series: vec![
                Series {
                    label: "sqlite".to_owned(),
                    points: ends.into_iter().filter_map(level).collect(),
                    style: Style::Measured,
                },
                measured,
                Series {
                    label: format!("redis-tcp, {:.2} round trips", line.slope),
                    points: [xs[0], 5_000.0]
                        .map(|x| Spot { x, y: line.at_zero + line.slope * x * 1_000.0, interval: None, label: None })
                        .into(),
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
        });
        findings.answer.figures.push(Figure {
            name: plot,
            caption: format!("Measured up to {:.1} ms and extended by its slope (F11).", xs[xs.len() - 1] / 1_000.0),
            chart,
        });
        findings.judge(crossover);
        Ok(())
    }
}

/// The round trip as such: the shortest command there is, over a connection of its own.
async fn ping(url: &str) -> Result<Cell> {
    let plain = url.split('?').next().unwrap_or(url);
    let client = redis::Client::open(plain).map_err(|_| "this URL of Redis cannot be pinged")?;
    let connection = client.get_multiplexed_async_connection().await?;
    Ok(Cell::new(move |iterations| {
        let mut connection = connection.clone();
        async move {
            tokio::spawn(async move {
                let start = Instant::now();
                for _ in 0..iterations {
                    let answer: String = redis::cmd("PING").query_async(&mut connection).await?;
                    if answer != "PONG" {
                        return Err(format!("PING was answered by {answer}").into());
                    }
                }
                Ok(start.elapsed())
            })
            .await?
        }
    }))
}

fn middle(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
