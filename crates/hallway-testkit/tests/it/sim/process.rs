//! Processes end, stand still and start again as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hallway_core::{Key, KvStore, SetOptions};
use hallway_testkit::sim;
use tokio::time::{sleep, timeout};

use super::resp::Client;

#[test]
fn a_killed_process_stops_where_it_waits_and_connects_no_more() {
    for silent in [false, true] {
        sim::run(3, async |world| {
            let redis = world.redis();
            let process = world.process("a");
            let link = process.link(&redis);
            let steps = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&steps);
            let inner = link.clone();
            let task = process.spawn(async move {
                let mut client = Client::connect(&inner).await;
                loop {
                    client.ask("PING").await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
            sleep(Duration::from_millis(200)).await;
            process.kill(silent);
            assert_eq!(task.await, None::<()>);
            let done = steps.load(Ordering::Relaxed);
            assert!(done > 10, "{done}");
            sleep(Duration::from_secs(1)).await;
            assert_eq!(steps.load(Ordering::Relaxed), done);
            assert_eq!(link.connections(), usize::from(silent));
            assert!(timeout(Duration::from_secs(9), link.connect()).await.is_err());
            let again = process.restart();
            assert_eq!(Client::connect(&again.link(&redis)).await.ask("PING").await, "+PONG");
        });
    }
}

#[test]
fn a_stalled_process_runs_nothing_and_goes_on_afterwards() {
    sim::run(4, async |world| {
        let (redis, sql) = (world.redis(), world.sql());
        let process = world.process("a");
        let (link, store) = (process.link(&redis), process.sql(&sql));
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        drop(process.spawn(async move {
            let mut client = Client::connect(&link).await;
            let key = Key::from_physical("k").unwrap();
            loop {
                client.ask("PING").await;
                let _ = store.set(&key, "v".into(), SetOptions::new(Duration::from_secs(9))).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }));
        sleep(Duration::from_millis(300)).await;
        process.stall(Duration::from_secs(2));
        let before = steps.load(Ordering::Relaxed);
        sleep(Duration::from_millis(1_900)).await;
        assert_eq!(steps.load(Ordering::Relaxed), before);
        let (commands, statements) = (redis.commands(), sql.statements());
        sleep(Duration::from_millis(500)).await;
        assert!(steps.load(Ordering::Relaxed) > before + 10);
        assert!(redis.commands() > commands && sql.statements() > statements);
    });
}
