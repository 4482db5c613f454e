//! Measures the stores that will be used, in half a minute at most and without writing unless that is allowed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Error, ErrorKind, Key, KvStore, Namespace, Result, SetOptions, StoreUrl};

use super::cost::{Cost, CostPoint};
use super::costs::{Costs, Operation};
use super::fact::{Basis, Fact};
use crate::statistics::{Estimate, median_interval};

/// How calibration goes about it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rounds; in each of them every operation has its turn. At least 5, below which no interval means anything.
    pub rounds: usize,
    /// How long an operation is repeated in a round.
    pub turn: Duration,
    /// How long a call may take.
    pub deadline: Duration,
    /// Whether values may be set, under keys of their own that are deleted again. hallway's table is made if it is missing.
    pub allow_writes: bool,
    /// Bytes of such a value.
    pub bytes: usize,
    /// Seed of the intervals.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let (turn, deadline) = (Duration::from_millis(900), Duration::from_secs(2));
        Self { rounds: 5, turn, deadline, allow_writes: false, bytes: 256, seed: 42 }
    }
}

/// Takes what Redis and the database at these URLs cost from here into `costs`.
///
/// Redis is asked by PING and for a key that is not there, the database for a key that is not there, or by a ping if it
/// has no table of hallway's. A ping is a lower bound of a read: advice warns of it, and a report knows better. What SQLite
/// takes is measured as SQLite's and says nothing of PostgreSQL.
///
/// # Errors
/// As for opening and asking the stores; a store that does not answer is an error, never a number.
pub async fn calibrate(mut costs: Costs, redis: Option<&str>, database: Option<&str>, plan: &Plan) -> Result<Costs> {
    if let Some(url) = redis {
        let probes = measure(&*open(url, plan).await?, plan).await?;
        costs.redis_rtt_us = Fact { note: "PING".to_owned(), ..probes.ping.fact() };
        // The round trip is kept apart, so that it can be asked what a longer one would change.
        let rtt = costs.redis_rtt_us.value;
        costs = costs.with(Operation::RedisGet, probes.get.as_ref().unwrap_or(&probes.ping).beyond(rtt, plan)?);
        if let Some(set) = &probes.set {
            costs = costs.with(Operation::RedisSet, set.beyond(rtt, plan)?);
        } else {
            // A write crosses the same wire; what it does there is as short.
            let mut set = probes.get.as_ref().unwrap_or(&probes.ping).beyond(rtt, plan)?;
            set.note = "as a read; --allow-writes measures it".to_owned();
            costs = costs.with(Operation::RedisSet, set);
        }
    }
    if let Some(url) = database {
        let is_sqlite = url.starts_with("sqlite");
        let probes = measure(&*open(url, plan).await?, plan).await?;
        let [get, set] = if is_sqlite {
            [Operation::SqliteGet, Operation::SqliteSet]
        } else {
            [Operation::DatabaseGet, Operation::DatabaseSet]
        };
        match &probes.get {
            Some(read) => costs = costs.with(get, read.beyond(0.0, plan)?),
            None if costs.of(get).basis == Basis::Report => {}
            None => costs = costs.with(get, probes.ping.beyond(0.0, plan)?.as_least()),
        }
        if let Some(write) = &probes.set {
            costs = costs.with(set, write.beyond(0.0, plan)?);
        }
        if !is_sqlite {
            costs.database_rtt_us = Fact { note: "ping of the database".to_owned(), ..probes.ping.fact() };
        }
    }
    Ok(costs)
}

/// What was measured of one operation.
#[derive(Debug)]
struct Probe {
    median: Estimate,
    /// The 99th percentile of all calls over the median.
    tail: f64,
    note: &'static str,
}

impl Probe {
    fn fact(&self) -> Fact {
        let Estimate { median, low, high } = self.median;
        Fact { value: median, low, high, basis: Basis::Measured, note: self.note.to_owned() }
    }

    /// As a cost, without the round trip if that is kept apart.
    fn beyond(&self, rtt_us: f64, plan: &Plan) -> Result<Cost> {
        /// No call takes less than this on top of its round trip, microseconds; PING may be the slower of two.
        const LEAST: f64 = 0.1;
        let Estimate { median, low, high } = self.median;
        let rest = |us: f64| (us - rtt_us).max(LEAST);
        let point = CostPoint { bytes: plan.bytes as f64, us: rest(median), low_us: rest(low), high_us: rest(high) };
        let cost = Cost::new(vec![point], Basis::Measured, self.note)
            .ok_or_else(|| Error::invalid_input("a measured latency is not a positive number"))?;
        Ok(cost.with_tail(self.tail, true).with_round_trips(if rtt_us > 0.0 { 1.0 } else { 0.0 }))
    }
}

/// What was measured of one store, microseconds.
#[derive(Debug)]
struct Probes {
    ping: Probe,
    get: Option<Probe>,
    set: Option<Probe>,
}

async fn open(url: &str, plan: &Plan) -> Result<Arc<dyn KvStore>> {
    let mut url = StoreUrl::parse(url)?.as_url().clone();
    let is_sql = matches!(url.scheme(), "sqlite" | "postgres" | "postgresql");
    if is_sql && !plan.allow_writes {
        if url.scheme() == "sqlite" && !Path::new(url.path()).is_file() {
            return Err(Error::invalid_config(
                "there is no file of that name, and making one is a write; name the file that the application uses, or allow \
                 writes",
            ));
        }
        if !url.query_pairs().any(|(name, _)| name == "migrate") {
            url.query_pairs_mut().append_pair("migrate", "off");
        }
    }
    Ok(hallway::open(url.as_str()).await?.with_deadline(plan.deadline))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Get,
    Ping,
    Set,
}

async fn measure(store: &dyn KvStore, plan: &Plan) -> Result<Probes> {
    let key = Namespace::new("hallway-advise")?.key(&format!("{:016x}", rand::random::<u64>()))?;
    let value = bytes::Bytes::from(vec![b'x'; plan.bytes]);
    let mut calls = vec![Call::Ping];
    store.ping().await?;
    let has_table = match store.get(&key).await {
        Ok(_) => true,
        // Without a table of hallway's there is nothing to read, and making one was not allowed.
        Err(error) if error.kind() == ErrorKind::InvalidConfig && !plan.allow_writes => false,
        Err(error) => return Err(error),
    };
    if has_table {
        calls.push(Call::Get);
    }
    if plan.allow_writes {
        calls.push(Call::Set);
    }
    let measured = turns(store, plan, &calls, &key, &value).await;
    if plan.allow_writes {
        store.delete(&key).await?;
    }
    let mut measured = measured?;
    let mut of = |call: Call, note| {
        calls.iter().position(|known| *known == call).map(|at| probe(&mut measured[at], plan, note)).transpose()
    };
    let ping_note = if has_table {
        "ping"
    } else {
        "a ping: no table of hallway's there, so a read costs at least this; --db-read"
    };
    let ping = of(Call::Ping, ping_note)?.ok_or_else(|| Error::invalid_input("a ping was not measured"))?;
    let get_note = if plan.allow_writes { "reads of a value" } else { "reads of a key that is not there" };
    Ok(Probes { ping, get: of(Call::Get, get_note)?, set: of(Call::Set, "writes of a value")? })
}

/// The latencies of each call by round, microseconds. The first round warms up and is left out.
async fn turns(
    store: &dyn KvStore,
    plan: &Plan,
    calls: &[Call],
    key: &Key,
    value: &bytes::Bytes,
) -> Result<Vec<Vec<Vec<f64>>>> {
    let mut measured = vec![Vec::new(); calls.len()];
    for round in 0..=plan.rounds {
        for (call, rounds) in calls.iter().zip(&mut measured) {
            let mut latencies = Vec::new();
            let begin = Instant::now();
            while latencies.is_empty() || begin.elapsed() < plan.turn {
                let start = Instant::now();
                match call {
                    Call::Get => drop(store.get(key).await?),
                    Call::Ping => store.ping().await?,
                    Call::Set => {
                        let minute = SetOptions::new(Duration::from_secs(60));
                        store.set(key, value.clone(), minute).await?;
                    }
                }
                latencies.push(start.elapsed().as_nanos() as f64 / 1e3);
            }
            if round > 0 {
                rounds.push(latencies);
            }
        }
    }
    Ok(measured)
}

fn probe(rounds: &mut [Vec<f64>], plan: &Plan, note: &'static str) -> Result<Probe> {
    let medians: Vec<f64> = rounds.iter_mut().map(|latencies| quantile(latencies, 0.5)).collect();
    let mut all = rounds.concat();
    let tail = quantile(&mut all, 0.99) / quantile(&mut all, 0.5);
    let median = median_interval(&medians, plan.seed).map_err(|error| Error::invalid_input(error.to_string()))?;
    Ok(Probe { median, tail, note })
}

fn quantile(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * quantile).round() as usize]
}

#[cfg(test)]
mod tests {
    use hallway_testkit::servers::{PostgresServer, RedisOptions, RedisServer};

    use super::*;

    fn short() -> Plan {
        Plan { turn: Duration::from_millis(5), ..Plan::default() }
    }

    #[tokio::test]
    async fn what_was_measured_takes_the_place_of_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("app.db").display());
        let plan = Plan { allow_writes: true, ..short() };
        let costs = calibrate(Costs::shipped(), None, Some(&url), &plan).await.unwrap();
        for operation in [Operation::SqliteGet, Operation::SqliteSet] {
            let cost = costs.of(operation);
            assert_eq!(cost.basis, Basis::Measured);
            assert!(cost.is_tail_known && cost.tail >= 1.0);
            assert!(costs.total(operation, 256.0).is_sound() && !cost.is_least);
        }
        // A file beside the process says nothing of a server.
        let shipped = Costs::shipped();
        for operation in [Operation::RedisGet, Operation::DatabaseGet, Operation::DatabaseSet] {
            assert_eq!(costs.of(operation), shipped.of(operation));
        }
        assert_eq!(costs.database_rtt_us, shipped.database_rtt_us);
        // Nothing is left behind.
        let store = hallway::open(&url).await.unwrap();
        let prefix = Namespace::new("hallway-advise").unwrap().prefix();
        assert!(store.scan(&prefix, None, 10).await.unwrap().keys.is_empty());
    }

    #[tokio::test]
    async fn without_leave_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let url = format!("sqlite:{}", path.display());
        let error = calibrate(Costs::shipped(), None, Some(&url), &short()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(!path.exists());

        // A database of somebody's without our table: pinged only, and still without it.
        std::fs::write(&path, b"").unwrap();
        let costs = calibrate(Costs::shipped(), None, Some(&url), &short()).await.unwrap();
        let read = costs.of(Operation::SqliteGet);
        assert!(read.is_least && read.note.contains("ping") && read.note.contains("--db-read"), "{read:?}");
        assert_eq!(costs.of(Operation::SqliteSet), Costs::shipped().of(Operation::SqliteSet));

        // A ping knows less of a read than a report does.
        let known = Cost::flat(70.0, Basis::Report, "a report").unwrap();
        let reported = Costs::shipped().with(Operation::SqliteGet, known.clone());
        let costs = calibrate(reported, None, Some(&url), &short()).await.unwrap();
        assert_eq!(costs.of(Operation::SqliteGet), &known);
    }

    #[tokio::test]
    async fn servers_are_measured_with_their_round_trip_apart() {
        let redis = RedisServer::start(RedisOptions::default()).unwrap();
        let database = PostgresServer::shared();
        let url = database.url();
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}table=advisor_{:x}", rand::random::<u32>());
        for allow_writes in [false, true] {
            let plan = Plan { allow_writes, ..short() };
            let costs = calibrate(Costs::shipped(), Some(&redis.url()), Some(&url), &plan).await.unwrap();
            let (get, set) = (costs.of(Operation::RedisGet), costs.of(Operation::RedisSet));
            assert_eq!((get.basis, set.basis, get.round_trips), (Basis::Measured, Basis::Measured, 1.0));
            assert_eq!(set.note.contains("--allow-writes"), !allow_writes);
            assert!(costs.redis_rtt_us.is_sound() && costs.redis_rtt_us.value > 1.0);
            // Without leave there is no table, so nothing but a ping was possible.
            let read = costs.of(Operation::DatabaseGet);
            assert_eq!((read.basis, read.round_trips), (Basis::Measured, 0.0));
            assert_eq!(read.note.contains("no table"), !allow_writes);
            assert_eq!(read.is_least, !allow_writes);
            let is_measured = costs.of(Operation::DatabaseSet).basis == Basis::Measured;
            assert_eq!(is_measured, allow_writes);
        }
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_an_error() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("redis://127.0.0.1:{port}/0");
        let error = calibrate(Costs::shipped(), Some(&url), None, &short()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
