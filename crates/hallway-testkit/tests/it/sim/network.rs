//! Every fault of a link does what it is called.

use std::io::ErrorKind;
use std::time::Duration;

use hallway_testkit::sim::{self, Latency, SimDirection, SimLink, SimRedis, World};
use tokio::time::{Instant, timeout};

use super::resp::Client;

const SOON: Duration = Duration::from_millis(500);

fn world(test: impl AsyncFn(World, SimRedis, SimLink)) {
    for seed in 0..20 {
        sim::run(seed, async |world| {
            let redis = world.redis();
            let link = world.process("a").link(&redis);
            test(world, redis, link).await;
        });
    }
}

#[test]
fn a_cut_resets_both_ends_and_lets_new_connections_in() {
    world(async |_, redis, link| {
        let mut client = Client::connect(&link).await;
        client.send("SET k 1").await;
        link.cut();
        assert_eq!(client.hear().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!((link.connections(), redis.peek(b"k")), (0, None));
        assert_eq!(Client::connect(&link).await.ask("GET k").await, "_");
    });
}

#[test]
fn a_black_hole_to_the_server_keeps_requests_until_it_is_healed() {
    world(async |_, redis, link| {
        let mut client = Client::connect(&link).await;
        link.black_hole(SimDirection::ToServer);
        client.send("SET k 1").await;
        client.send("SET k 2").await;
        assert!(timeout(SOON, client.hear()).await.is_err());
        assert_eq!(redis.peek(b"k"), None);
        link.heal();
        client.send("GET k").await;
        assert_eq!(client.hear().await.unwrap(), "+OK");
        assert_eq!(client.hear().await.unwrap(), "+OK");
        assert_eq!(client.hear().await.unwrap(), "$1 2");
    });
}

#[test]
fn a_black_hole_to_the_client_lets_requests_through() {
    world(async |_, redis, link| {
        let mut client = Client::connect(&link).await;
        link.black_hole(SimDirection::ToClient);
        client.send("SET k 1").await;
        assert!(timeout(SOON, client.hear()).await.is_err());
        assert_eq!(redis.peek(b"k").unwrap(), "1");
        assert!(timeout(SOON, link.connect()).await.is_err());
        link.heal();
        assert_eq!(client.hear().await.unwrap(), "+OK");
    });
}

#[test]
fn a_stall_ends_by_itself() {
    world(async |_, _, link| {
        let mut client = Client::connect(&link).await;
        link.stall(Duration::from_secs(2));
        let began = Instant::now();
        assert_eq!(client.ask("PING").await, "+PONG");
        assert!((2..=3).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    });
}

#[test]
fn a_lost_connection_is_silent_for_ever_and_new_ones_are_made() {
    world(async |_, redis, link| {
        let mut client = Client::connect(&link).await;
        assert_eq!(client.ask("CLIENT TRACKING ON").await, "+OK");
        assert_eq!(client.ask("GET k").await, "_");
        link.lose();
        redis.set(b"k", b"1", None);
        client.send("SET k 2").await;
        link.heal();
        assert!(timeout(Duration::from_secs(60), client.hear()).await.is_err());
        // The server does not know it yet.
        assert_eq!((link.connections(), redis.peek(b"k").unwrap()), (1, "1".into()));
        assert_eq!(Client::connect(&link).await.ask("GET k").await, "$1 1");
    });
}

#[test]
fn a_slow_link_takes_longer_and_keeps_the_order() {
    world(async |_, _, link| {
        let mut client = Client::connect(&link).await;
        link.slow(Some(Duration::from_millis(100)..=Duration::from_millis(300)));
        let began = Instant::now();
        for value in 0..20 {
            client.send(&format!("SET k {value} GET")).await;
        }
        assert_eq!(client.hear().await.unwrap(), "_");
        for value in 0..19 {
            let old = value.to_string();
            assert_eq!(client.hear().await.unwrap(), format!("${} {old}", old.len()));
        }
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    });
}

#[test]
fn refused_connections_say_so() {
    world(async |_, redis, link| {
        let mut client = Client::connect(&link).await;
        link.refuse(true);
        assert_eq!(link.connect().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(client.ask("PING").await, "+PONG");
        link.heal();
        redis.stop();
        assert_eq!(link.connect().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        redis.start();
        assert_eq!(Client::connect(&link).await.ask("PING").await, "+PONG");
    });
}

#[test]
fn latency_stays_within_its_range() {
    world(async |world, _, link| {
        world.net().set_latency(Latency::between(Duration::from_millis(10), Duration::from_millis(20)));
        let mut client = Client::connect(&link).await;
        for _ in 0..20 {
            let began = Instant::now();
            client.ask("PING").await;
            let took = began.elapsed().as_millis();
            // Timers tick in milliseconds.
            assert!((20..=42).contains(&took), "{took} ms");
        }
    });
}
