//! Q11: one SQL query or many gets of Redis, by the number of keys.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use hallway::{Key, KvStore, Namespace};

use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Unit};
use crate::lab::{Backend, Lab};
use crate::load::Workload;
use crate::report::Figure;
use crate::rounds::{Cell, Point};
use crate::study::{BYTES, Depth, Findings, Found, MEDIAN, Pairing, Question};

const GROUP: &str = "Q11/get";
const KEYS: usize = 1_024;
const TTL: hallway::Ttl = hallway::Ttl::After(std::time::Duration::from_secs(3600));

/// How many keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// One get after the other.
    Sequential,
    /// All gets at once, each awaited.
    Joined,
    /// One call.
    Many,
}

#[derive(Debug)]
pub(super) struct Batches;

/// The series: a name, whose it is, and how it asks.
const SERIES: [(&str, Backend, Way); 6] = [
    ("redis-sequential", Backend::RedisTcp, Way::Sequential),
    ("redis-joined", Backend::RedisTcp, Way::Joined),
    ("redis-many", Backend::RedisTcp, Way::Many),
    ("postgres-many", Backend::Postgres, Way::Many),
    ("sqlite-sequential", Backend::Sqlite, Way::Sequential),
    ("sqlite-many", Backend::Sqlite, Way::Many),
];

#[async_trait]
impl Question for Batches {
    fn id(&self) -> &'static str {
        "Q11"
    }

    fn asks(&self) -> &'static str {
        "One SQL query, or as many gets of Redis?"
    }

    async fn points(&self, lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
        at(lab, depth.pick(&[1, 16, 256], &[1, 4, 16, 64, 256])).await
    }

    async fn refine(&self, lab: &Lab, _group: &str, x: f64) -> Result<Vec<Point>> {
        at(lab, &[x as usize]).await
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "reads of so many keys of 256 bytes by one task: one after the other, joined, and in one call",
        );
        let authority = if found.has(Backend::Postgres) { "postgres-many" } else { "sqlite-many" };
        let pairs = [
            ("redis-sequential", authority),
            ("redis-many", authority),
            ("redis-joined", "redis-many"),
            ("sqlite-sequential", "sqlite-many"),
        ];
        for (a, b) in pairs {
            let judged = found.judge(&Pairing {
                question: self.id(),
                group: GROUP,
                op: "get",
                a,
                b,
                metric: MEDIAN,
                axis: "batch",
                is_line: true,
                spacing: Scale::Log,
                plot: Some("q11-get".to_owned()),
            })?;
            judged.into_iter().for_each(|crossover| findings.judge(crossover));
        }
        if let Some(sentence) = worth(found, authority) {
            findings.answer.rules.insert(0, sentence);
        }
        let series = SERIES.iter().map(|(name, ..)| found.series(GROUP, name, name));
        findings.answer.figures.push(Figure {
            name: "q11-get".to_owned(),
            caption: "The time of a whole batch. A round trip for each key is what makes chatty code slow.".to_owned(),
            chart: Chart::Lines(Lines {
                title: "So many keys".to_owned(),
                x: Axis { label: "keys".to_owned(), unit: Unit::Count, scale: Scale::Log },
                y: Axis { label: "median of a batch".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
                series: series.filter(|series| !series.points.is_empty()).collect(),
                marks: Vec::new(),
            }),
        });
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q11: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

/// How many sequential gets of Redis cost as much as one query of as many keys.
fn worth(found: &Found<'_>, authority: &str) -> Option<String> {
    let (batch, query) = found.curve(GROUP, authority).into_iter().next_back()?;
    let (_, single) = found.curve(GROUP, "redis-sequential").into_iter().find(|(x, _)| *x == 1.0)?;
    let rounds = query.len().min(single.len());
    let gets = found.statistic(rounds, |drawn| {
        let middle = |of: &[f64]| {
            let mut drawn: Vec<f64> = drawn.iter().map(|round| of[*round]).collect();
            drawn.sort_by(f64::total_cmp);
            drawn[drawn.len() / 2]
        };
        middle(&query) / middle(&single)
    })?;
    Some(format!(
        "{:.0} sequential gets of Redis [{:.0}, {:.0}] cost as much as one query of {authority} for {batch:.0} keys.",
        gets.median, gets.low, gets.high
    ))
}

/// Every series, for so many keys.
async fn at(lab: &Lab, batches: &[usize]) -> Result<Vec<Point>> {
    let workload = Arc::new(Workload::new(KEYS, BYTES, 1));
    let mut points = Vec::new();
    for backend in lab.present(&[Backend::RedisTcp, Backend::Postgres, Backend::Sqlite]) {
        let (store, keys) = seeded(lab, backend, &workload).await?;
        for (series, _, way) in SERIES.into_iter().filter(|(_, whose, _)| *whose == backend) {
            for batch in batches {
                let calls = if way == Way::Sequential { *batch as f64 } else { 1.0 };
                let cell = cell(store.clone(), keys.clone(), workload.clone(), way, *batch);
                points.push(Point::new(GROUP, series, *batch as f64, lab.injected(backend, cell, calls)));
            }
        }
    }
    Ok(points)
}

async fn seeded(lab: &Lab, backend: Backend, workload: &Workload) -> Result<(Arc<dyn KvStore>, Arc<Vec<Key>>)> {
    let store = lab.store(backend).await?;
    let namespace = Namespace::new(&lab.namespace())?;
    let keys = workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?;
    let items: Vec<_> =
        keys.iter().enumerate().map(|(index, key)| (key.clone(), workload.value(index, 0).clone(), TTL)).collect();
    store.set_many(&items).await?;
    Ok((store, Arc::new(keys)))
}

fn cell(store: Arc<dyn KvStore>, keys: Arc<Vec<Key>>, workload: Arc<Workload>, way: Way, batch: usize) -> Cell {
    Cell::new(move |iterations| {
        let (store, keys, workload) = (store.clone(), keys.clone(), workload.clone());
        async move {
            tokio::spawn(async move {
                let start = std::time::Instant::now();
                for iteration in 0..iterations {
                    let first = (iteration as usize * batch) % (KEYS - batch + 1);
                    let asked = &keys[first..first + batch];
                    let found = match way {
                        Way::Sequential => {
                            let mut found = Vec::with_capacity(batch);
                            for key in asked {
                                found.push(store.get(key).await?);
                            }
                            found
                        }
                        Way::Joined => try_join_all(asked.iter().map(|key| store.get(key))).await?,
                        Way::Many => store.get_many(asked).await?,
                    };
                    for (index, value) in found.iter().enumerate() {
                        workload.check(first + index, value.as_deref())?;
                    }
                }
                Ok(start.elapsed())
            })
            .await?
        }
    })
}
