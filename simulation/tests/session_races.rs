//! Races of sessions hold on every simulated form, and the judge notices what they would go wrong by.

use std::sync::atomic::{AtomicU64, Ordering};

use hallway_simulation::sessions::{Home, RealHome, Slip, run, run_real, run_with};
use hallway_testkit::servers::{PostgresServer, RedisServer};

/// Every run of the test suite, on each form; 100,000 are done before a release.
const SEEDS: u64 = 2_000;
const QUICK: u64 = 300;

/// On each real backend.
const REAL: u64 = 1_000;
const REAL_QUICK: u64 = 60;

/// Real races at a time: enough to keep the servers busy, few enough for each to be quick.
const AT_ONCE: u64 = 8;

fn quick(full: u64, quick: u64) -> u64 {
    if std::env::var_os("HALLWAY_TEST_QUICK").is_some() { quick } else { full }
}

fn hold(home: Home) {
    hallway_simulation::on_all_cores(0..quick(SEEDS, QUICK), |seed| run(seed, home).map(drop));
}

#[test]
fn every_promise_holds_in_the_process() {
    hold(Home::Moka);
}

#[test]
fn every_promise_holds_over_a_simulated_redis() {
    hold(Home::Redis);
}

#[test]
fn every_promise_holds_over_a_simulated_database() {
    hold(Home::Sql);
}

#[test]
fn the_same_seed_is_the_same_race() {
    for home in Home::ALL {
        for seed in 0..10 {
            assert_eq!(run(seed, home).unwrap(), run(seed, home).unwrap(), "seed {seed} of {home:?}");
        }
    }
}

/// Without this the races would show nothing.
#[test]
fn the_judge_notices_each_mistake() {
    for slip in Slip::ALL {
        let found = (0..1_000).find_map(|seed| run_with(seed, Home::Moka, Some(slip)).err().map(|why| (seed, why)));
        let (seed, why) = found.unwrap_or_else(|| panic!("{slip:?} was not noticed in 1,000 seeds"));
        println!("{slip:?}: seed {seed}: {}", why.to_string().lines().next().unwrap_or_default());
    }
}

async fn hold_real(home: RealHome) {
    let home = std::sync::Arc::new(home);
    let seeds = quick(REAL, REAL_QUICK);
    let next = std::sync::Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..AT_ONCE {
        let (home, next) = (std::sync::Arc::clone(&home), std::sync::Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= seeds {
                    return;
                }
                if let Err(violation) = run_real(seed, &home).await {
                    panic!("{violation}");
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no race was lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_holds_in_the_process_with_real_threads() {
    hold_real(RealHome::moka().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_holds_on_redis() {
    hold_real(RealHome::redis(&RedisServer::shared().url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    hold_real(RealHome::sqlite(&folder.path().join("sessions.db")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_holds_on_postgresql() {
    hold_real(RealHome::postgres(&PostgresServer::shared().url()).await.unwrap()).await;
}
