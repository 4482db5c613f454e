//! What the checks of a lane find.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Driver, Lane, Op, Plan};
use crate::Result;
use crate::load::{Contender, Workload};
use crate::rounds::Cell;

/// A map, of whose writes after the first ones each so-manieth is acknowledged and forgotten.
#[derive(Debug, Clone, Default)]
struct Map {
    entries: Arc<Mutex<HashMap<String, Bytes>>>,
    writes: Arc<AtomicUsize>,
    forgets: Option<usize>,
}

/// Keys of the workloads here.
const KEYS: usize = 8;

impl Contender for Map {
    type Key = String;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    async fn get(&mut self, key: &String) -> Result<Option<Bytes>> {
        Ok(self.entries.lock().unwrap().get(key).cloned())
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        tokio::task::yield_now().await;
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        let is_forgotten = write >= KEYS && self.forgets.is_some_and(|each| write.is_multiple_of(each));
        if !is_forgotten {
            self.entries.lock().unwrap().insert(key.clone(), value.clone());
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}

async fn written(map: Map, concurrency: usize) -> Cell {
    let workload = Arc::new(Workload::new(KEYS, 64, 4));
    let lane = Lane::prepare("map", map, workload, Driver::Tasks).await.unwrap();
    let plan = Plan { op: Op::Set, concurrency, iterations: 0, latencies: false };
    let cell = Cell::of_lane(Arc::new(lane), plan);
    cell.verify().await.unwrap();
    cell.run(101).await.unwrap();
    cell
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_write_is_found_afterwards() {
    // Every write but those that prepare the lane.
    let cell = written(Map { forgets: Some(1), ..Map::default() }, 1).await;
    let error = cell.verify().await.unwrap_err().to_string();
    assert!(error.starts_with("map: key") && error.contains("write was lost"), "{error}");
    for wrapped in [cell.slowed(0.1), cell.delayed(std::time::Duration::ZERO)] {
        wrapped.verify().await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_found_afterwards() {
    let map = Map::default();
    let cell = written(map.clone(), 1).await;
    cell.verify().await.unwrap();
    map.entries.lock().unwrap().remove("00000007");
    assert!(cell.verify().await.unwrap_err().to_string().contains("00000007 is missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_overlap_are_no_lost_writes() {
    written(Map::default(), 16).await.verify().await.unwrap();
}

#[tokio::test]
async fn a_fifth_slower_is_told_as_a_fifth_longer() {
    let cell = Cell::new(|iterations| async move { Ok(std::time::Duration::from_micros(10 * iterations)) });
    assert_eq!(cell.slowed(0.2).run(100).await.unwrap(), std::time::Duration::from_micros(1200));
}

#[tokio::test]
async fn who_has_no_store_has_nothing_to_verify() {
    Cell::new(|_| async { Ok(std::time::Duration::ZERO) }).verify().await.unwrap();
}
