//! Q10: where each backend saturates.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hallway::{Key, KvStore, Namespace, SetOptions, Ttl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::formulas::{Load, Usl};
use crate::lab::{Backend, Lab, Shape};
use crate::load::{Offer, Op, OpenLoop, Plan, Workload, open_loop};
use crate::report::{Figure, Table};
use crate::rounds::{Cell, Point};
use crate::study::{BYTES, Depth, Findings, Found, Pairing, Question, Run};

const GROUPS: [(&str, Op); 2] = [("Q10/get", Op::Get), ("Q10/set", Op::Set)];
const BACKENDS: [Backend; 3] = [Backend::RedisTcp, Backend::Postgres, Backend::Sqlite];
/// Shares of the capacity at which requests are offered.
const SHARES: [f64; 4] = [0.3, 0.5, 0.7, 0.85];
/// Tasks that find the capacity.
const CROWD: usize = 64;
const TTL: Ttl = Ttl::After(Duration::from_secs(3600));

/// What an open loop has found for one backend.
#[derive(Debug, Serialize, Deserialize)]
struct Offered {
    backend: String,
    capacity_per_second: f64,
    cells: Vec<(f64, OpenLoop)>,
}

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
        let seconds = depth.pick(0.7, 3.0) * SHARES.len() as f64 + 0.5;
        lab.present(&BACKENDS).into_iter().map(|backend| Run::new(backend.name(), seconds)).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        let backend: Backend = name.parse()?;
        let workload = Arc::new(Workload::new(1_000, BYTES, 1));
        let store = lab.store(backend).await?;
        let namespace = Namespace::new(&lab.namespace())?;
        let keys: Arc<Vec<Key>> =
            Arc::new(workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?);
        for (index, key) in keys.iter().enumerate() {
            store.set(key, workload.value(index, 0).clone(), SetOptions::new(TTL)).await?;
        }
        let capacity = capacity(&store, &keys, &workload).await?;
        let mut cells = Vec::new();
        for share in SHARES {
            let offer = Offer {
                per_second: capacity * share,
                lasts: Duration::from_secs_f64(depth.pick(0.7, 3.0)),
                seed: depth.seed,
            };
            let (store, keys, workload) = (store.clone(), keys.clone(), workload.clone());
            let outcome = open_loop(offer, move |index| {
                let (store, keys, workload) = (store.clone(), keys.clone(), workload.clone());
                async move {
                    let key = index as usize % keys.len();
                    workload.check(key, store.get(&keys[key]).await?.as_deref())
                }
            })
            .await?;
            cells.push((share, outcome));
        }
        Ok(serde_json::to_value(Offered { backend: name.to_owned(), capacity_per_second: capacity, cells })?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "closed loop: so many tasks, each asking again when it is answered; open loop: a Poisson schedule at shares of the capacity, times counted from when a request was due",
        );
        for (group, _) in GROUPS {
            self.closed(found, group, &mut findings)?;
        }
        self.open(found, &mut findings)?;
        findings.answer.caveats.push(
            "Client and servers share the cores, so a server of its own saturates later; which backend bends first transfers better than where.".to_owned(),
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
                axis: "tasks",
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

    fn open(&self, found: &Found<'_>, findings: &mut Findings) -> Result<()> {
        let mut table = Table {
            caption: "Reads at shares of the capacity, from when they were due".to_owned(),
            columns: ["backend", "offered", "of capacity", "p50", "p99", "p99 of service", "note"]
                .map(str::to_owned)
                .into(),
            rows: Vec::new(),
        };
        let mut series = Vec::new();
        for backend in BACKENDS {
            let Some(offered) = found.run::<Offered>(self.id(), backend.name())? else { continue };
            let mut points = Vec::new();
            for (share, cell) in &offered.cells {
                table.rows.push(vec![
                    offered.backend.clone(),
                    format!("{:.0}/s", cell.offered_per_second),
                    format!("{:.0} %", share * 100.0),
                    micros(cell.response.p50_ns),
                    micros(cell.response.p99_ns),
                    micros(cell.service.p99_ns),
                    cell.void.clone().map_or_else(String::new, |why| format!("void: {why}")),
                ]);
                if cell.void.is_none() {
                    points.push(Spot { x: *share, y: cell.response.p99_ns as f64, interval: None, label: None });
                }
            }
            series.push(Series { label: offered.backend, points, style: Style::Measured });
        }
        series.retain(|series| !series.points.is_empty());
        if !series.is_empty() {
            findings.answer.figures.push(Figure {
                name: "q10-open".to_owned(),
                caption: "What the slowest of a hundred readers waits as the load nears the capacity.".to_owned(),
                chart: Chart::Lines(Lines {
                    title: "p99 by load".to_owned(),
                    x: Axis { label: "share of the capacity".to_owned(), unit: Unit::Share, scale: Scale::Linear },
                    y: Axis { label: "p99 from when due".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
                    series,
                    marks: Vec::new(),
                }),
            });
        }
        if !table.rows.is_empty() {
            findings.answer.tables.push(table);
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
            let cell = Cell::new(move |iterations| {
                let all = all.clone();
                async move { Ok(all.run(iterations).await? / share) }
            });
            points.push(Point::new(group, backend.name(), *concurrency as f64, cell));
        }
    }
    Ok(points)
}

/// What a crowd of tasks gets done in a moment.
async fn capacity(store: &Arc<dyn KvStore>, keys: &Arc<Vec<Key>>, workload: &Arc<Workload>) -> Result<f64> {
    const LASTS: Duration = Duration::from_millis(400);
    let start = Instant::now();
    let tasks: Vec<_> = (0..CROWD)
        .map(|task| {
            let (store, keys, workload) = (store.clone(), keys.clone(), workload.clone());
            tokio::spawn(async move {
                let mut done = 0_u64;
                let mut key = task * 7;
                while start.elapsed() < LASTS {
                    key = (key + 13) % keys.len();
                    workload.check(key, store.get(&keys[key]).await?.as_deref())?;
                    done += 1;
                }
                Ok::<u64, crate::Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
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

fn micros(nanos: u64) -> String {
    format!("{:.0} us", nanos as f64 / 1_000.0)
}
