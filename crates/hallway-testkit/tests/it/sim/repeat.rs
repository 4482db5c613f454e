//! A seed gives the same run, to the byte.

use std::time::Duration;

use hallway_core::{Key, KvStore, SetOptions};
use hallway_testkit::sim::{self, SimDirection, World};

use super::resp::Client;

async fn busy(world: World) -> (u64, u64, usize) {
    let (redis, sql) = (world.redis(), world.sql());
    let mut tasks = Vec::new();
    for name in ["a", "b", "c"] {
        let process = world.process(name);
        let (link, store, mut rng) = (process.link(&redis), process.sql(&sql), world.rng());
        tasks.push(process.spawn(async move {
            let mut client = Client::connect(&link).await;
            assert_eq!(client.ask("CLIENT TRACKING ON").await, "+OK");
            for step in 0..100 {
                let key = rng.below(5);
                match rng.below(4) {
                    0 => client.send(&format!("SET k{key} {step} PX 200")).await,
                    1 => {
                        let key = Key::from_physical(&format!("k{key}")).unwrap();
                        let opts = SetOptions::new(Duration::from_secs(9));
                        store.set(&key, step.to_string().into(), opts).await.unwrap();
                        client.send("PING").await;
                    }
                    _ => client.send(&format!("GET k{key}")).await,
                }
                while client.hear().await.unwrap().starts_with('>') {}
            }
        }));
        if name == "b" {
            let link = process.link(&redis);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                link.black_hole(SimDirection::ToClient);
                tokio::time::sleep(Duration::from_millis(300)).await;
                link.heal();
            });
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    (world.net().trace(), world.net().deliveries(), sql.commits().len())
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    for seed in 0..10 {
        assert_eq!(sim::run(seed, busy), sim::run(seed, busy), "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(sim::run(1, busy).0, sim::run(2, busy).0);
}

#[test]
#[should_panic(expected = "found out")]
fn a_panic_in_a_task_ends_the_run() {
    sim::run(1, |world| async move {
        let process = world.process("a");
        drop(process.spawn(async { panic!("found out") }));
        std::future::pending::<()>().await;
    });
}

#[test]
#[should_panic(expected = "did not end within")]
fn a_run_that_waits_for_ever_ends() {
    sim::run(1, |_| std::future::pending::<()>());
}

#[test]
#[should_panic(expected = "no twin")]
fn a_script_without_a_twin_fails_the_run() {
    sim::run(1, |world| async move {
        let redis = world.redis();
        let mut client = Client::connect(&world.process("a").link(&redis)).await;
        panic!("{}", client.ask("EVAL return_1 0").await);
    });
}

#[test]
#[should_panic(expected = "cannot do what was asked")]
fn what_is_beyond_the_simulation_fails_the_run() {
    sim::run(1, |world| async move {
        let redis = world.redis();
        let mut client = Client::connect(&world.process("a").link(&redis)).await;
        client.ask("CLIENT TRACKING ON BCAST").await;
    });
}
