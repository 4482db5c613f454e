//! Redis behind a wire that was made longer, its PING, and SQLite beside both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_testkit::DelayProxy;

use super::{GROUPS, PING, REDIS, SQLITE};
use crate::Result;
use crate::lab::{Backend, Lab, Profile, Shape};
use crate::load::{Plan, Workload};
use crate::rounds::{Cell, Point};
use crate::study::BYTES;

/// How long Redis may take to answer: longer than any application waits, because a machine that is measured is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything at these microseconds added to a round trip; nothing where no proxy can stand.
pub(super) async fn points(lab: &Lab, added: &[u64]) -> Result<Vec<Point>> {
    let Some((redis, addr)) = lab.redis().and_then(|redis| Some((redis, redis.addr()?))) else {
        return Ok(Vec::new());
    };
    let workload = Arc::new(Workload::new(1_000, BYTES, 4));
    let sqlite = lab.lane(Backend::Sqlite, Shape::Bytes, &workload).await?;
    let mut points = Vec::new();
    for micros in added {
        let proxy = Arc::new(DelayProxy::start(addr, Duration::from_micros(*micros))?);
        let Some(url) = Profile::moved(redis.url(), addr, proxy.addr()) else { return Ok(Vec::new()) };
        let away = lab.lane_at(Backend::RedisTcp, &url, Shape::Bytes, &workload).await?;
        let ping = ping(&url).await?;
        for (group, op) in GROUPS {
            let plan = Plan { op, concurrency: 1, iterations: 0, latencies: false };
            let sides = [
                (REDIS, keeping(&proxy, &lab.cell(Backend::RedisTcp, &away, plan))),
                (PING, keeping(&proxy, &ping)),
                (SQLITE, lab.cell(Backend::Sqlite, &sqlite, plan)),
            ];
            points.extend(sides.map(|(series, cell)| Point::new(group, series, *micros as f64, cell)));
        }
    }
    Ok(points)
}

/// The proxy lives as long as the cell.
fn keeping(proxy: &Arc<DelayProxy>, cell: &Cell) -> Cell {
    let (proxy, inner) = (Arc::clone(proxy), cell.clone());
    let keeping = Cell::new(move |iterations| {
        let (inner, proxy) = (inner.clone(), Arc::clone(&proxy));
        async move {
            let took = inner.run(iterations).await;
            drop(proxy);
            took
        }
    });
    keeping.verified_as(cell).supposing(cell.supposed())
}

/// The round trip as such: the shortest command there is, over a connection of its own.
async fn ping(url: &str) -> Result<Cell> {
    let plain = url.split('?').next().unwrap_or(url);
    let client = redis::Client::open(plain).map_err(|_| "this URL of Redis cannot be pinged")?;
    let config =
        redis::AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
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

#[cfg(test)]
mod tests {
    use hallway_testkit::servers::{RedisOptions, RedisServer};

    use super::*;

    /// The client's own default gives up after half a second.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_answer_is_waited_for() {
        const SLOW: Duration = Duration::from_millis(700);
        let server = RedisServer::start(RedisOptions::default()).unwrap();
        let proxy = DelayProxy::start(server.addr(), SLOW).unwrap();
        let cell = ping(&format!("redis://{}", proxy.addr())).await.unwrap();
        assert!(cell.run(1).await.unwrap() >= SLOW);
    }
}
