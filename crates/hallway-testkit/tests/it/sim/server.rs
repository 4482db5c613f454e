//! What befalls the simulated server reaches its clients as it would from a real one.

use std::io::ErrorKind;
use std::time::Duration;

use hallway_testkit::sim::{self, SimLink, SimRedis};
use tokio::time::{sleep, timeout};

use super::resp::Client;

const CHANGED: &str = ">2 $10 invalidate *1 $1 k";
const EVERYTHING: &str = ">2 $10 invalidate _";

fn world(test: impl AsyncFn(SimRedis, SimLink, Client)) {
    for seed in 0..20 {
        sim::run(seed, async |world| {
            let redis = world.redis();
            let link = world.process("a").link(&redis);
            let mut client = Client::connect(&link).await;
            assert_eq!(client.ask("CLIENT TRACKING ON").await, "+OK");
            test(redis, link, client).await;
        });
    }
}

#[test]
fn a_key_that_expires_is_pushed_once_and_late_by_100_ms_at_most() {
    world(async |redis, _, mut client| {
        redis.set(b"k", b"1", Some(Duration::from_millis(300)));
        assert_eq!(client.ask("GET k").await, "$1 1");
        sleep(Duration::from_millis(300)).await;
        assert_eq!(timeout(Duration::from_millis(202), client.hear()).await.unwrap().unwrap(), CHANGED);
        assert_eq!(client.ask("GET k").await, "_");
        assert!(timeout(Duration::from_secs(9), client.hear()).await.is_err());
    });
}

#[test]
fn a_flush_and_an_eviction_are_pushed() {
    world(async |redis, _, mut client| {
        redis.set(b"k", b"1", None);
        assert_eq!(client.ask("GET k").await, "$1 1");
        assert!(redis.evict(b"k") && !redis.evict(b"k"));
        assert_eq!(client.hear().await.unwrap(), CHANGED);
        redis.flush_all();
        assert_eq!(client.hear().await.unwrap(), EVERYTHING);
        for key in ["k", "l", "m"] {
            redis.set(key.as_bytes(), b"1", None);
        }
        assert_eq!(client.ask("MGET k l m").await, "*3 $1 1 $1 1 $1 1");
        assert_eq!(redis.evict_any(9, |key| key == b"k"), ["k"]);
        assert_eq!(client.hear().await.unwrap(), CHANGED);
        assert_eq!(redis.evict_any(1, |_| true).len(), 1);
        assert_eq!(redis.keys().len(), 1);
    });
}

#[test]
fn a_restart_loses_everything() {
    world(async |redis, link, mut client| {
        assert_eq!(client.ask("SET k 1").await, "+OK");
        redis.restart();
        assert_eq!(client.hear().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(Client::connect(&link).await.ask("GET k").await, "_");
    });
}

#[test]
fn a_failover_forgets_the_last_writes_and_the_scripts() {
    world(async |redis, link, mut client| {
        for value in 0..5 {
            assert_eq!(client.ask(&format!("SET k {value}")).await, "+OK");
        }
        // Refused: not a write.
        assert_eq!(client.ask("SET k 9 NX").await, "_");
        assert_eq!(redis.failover(2), 2);
        assert_eq!(client.hear().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(Client::connect(&link).await.ask("GET k").await, "$1 2");
        assert_eq!(redis.failover(100), 3);
        assert_eq!(redis.peek(b"k"), None);
    });
}

#[test]
fn a_stalled_server_accepts_and_answers_later() {
    world(async |redis, link, mut client| {
        redis.stall();
        client.send("SET k 1").await;
        assert!(timeout(Duration::from_secs(9), client.hear()).await.is_err());
        let late = tokio::spawn(async move { link.connect().await.map(drop) });
        sleep(Duration::from_secs(1)).await;
        assert!(late.is_finished());
        late.await.unwrap().unwrap();
        redis.resume();
        assert_eq!(client.hear().await.unwrap(), "+OK");
    });
}

#[test]
fn states_refuse_what_they_refuse_on_a_real_server() {
    world(async |redis, link, mut client| {
        redis.set_out_of_memory(true);
        assert!(client.ask("SET k 1").await.starts_with("-OOM "));
        assert_eq!(client.ask("GET k").await, "_");
        assert_eq!(client.ask("MULTI").await, "+OK");
        assert!(client.ask("GET k").await.starts_with("-OOM "));
        assert!(client.ask("EXEC").await.starts_with("-EXECABORT "));
        assert_eq!(client.ask("DEL k").await, ":0");
        redis.set_out_of_memory(false);
        redis.set_read_only(true);
        assert!(client.ask("DEL k").await.starts_with("-READONLY "));
        redis.set_read_only(false);
        redis.set_loading(true);
        assert!(client.ask("GET k").await.starts_with("-LOADING "));
        redis.set_loading(false);
        redis.set_password(Some("secret"));
        assert_eq!(client.ask("GET k").await, "_");
        let mut stranger = link.connect().await.unwrap();
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        stranger.write_all(b"GET k\r\n").await.unwrap();
        let mut refusal = [0; 7];
        stranger.read_exact(&mut refusal).await.unwrap();
        assert_eq!(&refusal, b"-NOAUTH");
        redis.plant_list(b"k");
        assert_eq!(client.hear().await.unwrap(), CHANGED);
        assert!(client.ask("GET k").await.starts_with("-WRONGTYPE "));
    });
}

#[test]
fn quit_ends_the_connection_after_its_reply() {
    world(async |_, link, mut client| {
        assert_eq!(client.ask("QUIT").await, "+OK");
        assert_eq!(client.hear().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(link.connections(), 0);
    });
}
