//! Refused logins, and secrets that show nowhere.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hallway_core::{Bytes, Counted, ErrorKind, KvStore, SetOptions, StoreUrl};
use hallway_redis::RedisConfig;
use hallway_testkit::servers::{RedisOptions, RedisServer};

use crate::{MINUTE, key, namespace, open, within};

const CANARY: &str = "canary-7f3a";

fn whole(error: &hallway_core::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(next) = source {
        write!(text, " {next} {next:?}").unwrap();
        source = next.source();
    }
    text
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_at_once_and_not_tried_in_a_loop() {
    let server = RedisServer::start(RedisOptions::default().with_password("right")).unwrap();
    let key = key(&namespace(), "k");
    for url in [
        format!("redis://127.0.0.1:{}", server.port()),
        format!("redis://:{CANARY}@127.0.0.1:{}", server.port()),
        format!("redis://{CANARY}:{CANARY}@127.0.0.1:{}", server.port()),
    ] {
        let store = open(&url).await;
        let error = store.get(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("user and password"), "{error}");
        assert!(!whole(&error).contains(CANARY), "{}", whole(&error));
        let errors = || server.cli(&["INFO", "errorstats"]);
        let before = errors();
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unauthorized);
            assert_eq!(
                store.set(&key, Bytes::new(), SetOptions::new(MINUTE)).await.unwrap_err().kind(),
                ErrorKind::Unauthorized
            );
        }
        assert!(start.elapsed() < Duration::from_millis(500));
        // Several times the longest pause of the ordinary backoff at this point.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(errors(), before, "nobody logs in again and again");
    }
}

#[tokio::test]
async fn a_repaired_password_is_noticed_by_ping() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    server.cli(&["ACL", "SETUSER", "app", "on", ">old", "~*", "&*", "+@all"]);
    let store = open(&format!("redis://app:new@127.0.0.1:{}", server.port())).await;
    let key = key(&namespace(), "k");
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    server.cli(&["ACL", "SETUSER", "app", ">new"]);
    assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unauthorized, "held");
    store.ping().await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_loses_its_login_logs_in_again() {
    let server = RedisServer::start(RedisOptions::default().with_password("pw")).unwrap();
    let store = open(&server.url()).await;
    let key = key(&namespace(), "k");
    store.ping().await.unwrap();
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    within(Duration::from_secs(2), "back", async || store.get(&key).await.is_ok()).await;
}

#[tokio::test]
async fn commands_a_script_may_not_run_are_unauthorized() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let rules = ["+@all", "-set", "-unlink", "-pexpire", "-persist", "-incrby"];
    server.cli(&[&["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*"], &rules[..]].concat());
    let store = open(&format!("redis://app:pw@127.0.0.1:{}", server.port())).await;
    let (ns, v) = (namespace(), || Bytes::from("1"));
    let (there, new) = (key(&ns, "there"), key(&ns, "new"));
    server.cli(&["SET", there.as_str(), "1"]);
    let refused = |error: hallway_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        assert!(!error.is_retryable() && error.to_string().contains("ACL"), "{error}");
    };
    refused(store.set(&there, v(), SetOptions::new(MINUTE)).await.unwrap_err());
    refused(store.set(&there, v(), SetOptions::new(MINUTE).if_present()).await.unwrap_err());
    refused(store.set(&there, v(), SetOptions::new(MINUTE).if_equals(v())).await.unwrap_err());
    refused(store.increment(&new, 1, MINUTE.into()).await.unwrap_err());
    refused(store.increment(&there, 1, MINUTE.into()).await.unwrap_err());
    refused(store.touch(&there, MINUTE.into()).await.unwrap_err());
    refused(store.touch(&there, hallway_core::Ttl::Forever).await.unwrap_err());
    refused(store.take(&there).await.unwrap_err());
    refused(store.delete(&there).await.unwrap_err());
    refused(store.delete_if(&there, hallway_core::DeleteIf::Equals(v())).await.unwrap_err());
    refused(store.delete_many(&[there.clone(), new]).await.unwrap_err());
    assert_eq!(store.get(&there).await.unwrap(), Some(v()));
}

/// Keeps what is logged, a line for each event. Global, because interest in an event is remembered across threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn write(&self, mut line: Line) {
        line.0.push('\n');
        self.0.lock().unwrap().push_str(&line.0);
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut line = Line("SPAN".into());
        attributes.record(&mut line);
        self.write(line);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        let mut line = Line("SPAN".into());
        values.record(&mut line);
        self.write(line);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.write(line);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn neither_errors_nor_debug_nor_the_log_show_secrets_or_keys() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let server = RedisServer::start(RedisOptions::default().with_config("rename-command", "GET \"\"")).unwrap();
    let text = exercise(&server).await;
    assert!(!text.contains(CANARY), "{text}");
    let log = log.0.lock().unwrap().clone();
    assert!(!log.contains(CANARY), "{log}");
    let ours: Vec<_> = log.lines().filter(|line| line.contains(&format!(":{} ", server.port()))).collect();
    let refused: Vec<_> = ours.iter().filter(|line| line.contains("Redis login refused")).collect();
    assert!(matches!(refused[..], [line] if line.starts_with("ERROR")), "once a minute: {ours:?}");
    let connects = format!(
        "otel.name=connect 127.0.0.1:{port} otel.kind=\"client\" db.system.name=\"redis\"",
        port = server.port()
    );
    let spans: Vec<_> = log.lines().filter(|line| line.starts_with("SPAN") && line.contains(&connects)).collect();
    assert!(spans.len() >= 2, "one for each store at least: {log}");
    assert!(log.contains("SPAN error.type=\"unauthorized\""), "{log}");
}

#[tokio::test]
async fn what_is_counted_is_told_by_name_alone() {
    let server = RedisServer::start(RedisOptions::default().with_password(CANARY)).unwrap();
    let store = open(&server.url()).await;
    let canary = key(&namespace(), CANARY);
    let _ = store.set(&canary, Bytes::from(CANARY), SetOptions::new(MINUTE)).await.unwrap();
    let mut told = Vec::new();
    store.tell(&mut |count| told.push((format!("{count:?}"), count.name, count.value)));
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|(whole, ..)| !whole.contains(CANARY)), "{told:?}");
    let connections = told.iter().find(|(_, name, _)| *name == "hallway_redis_connections_total").unwrap().2;
    assert_eq!(connections, store.stats().connections);
    assert!(connections > 0);
}

async fn exercise(server: &RedisServer) -> String {
    server.cli(&["CONFIG", "SET", "requirepass", "right"]);
    let refused = open(&format!("redis://{CANARY}:{CANARY}@127.0.0.1:{}", server.port())).await;
    let key = key(&namespace(), CANARY);
    let mut text = format!("{refused:?}");
    for _ in 0..3 {
        text += &whole(&refused.ping().await.unwrap_err());
    }
    // The server quotes the arguments of a command it does not know.
    let store = open(&format!("redis://:right@127.0.0.1:{}", server.port())).await;
    text += &format!("{:?}", store.with_deadline(Duration::from_secs(1)));
    let unknown = store.get(&key).await.unwrap_err();
    assert!(whole(&unknown).contains("unknown command"), "{}", whole(&unknown));
    text += &whole(&unknown);
    let foreign = crate::key(&namespace(), CANARY);
    let _ = store.set(&foreign, Bytes::from(CANARY), SetOptions::new(hallway_core::Ttl::Forever)).await.unwrap();
    text += &whole(&store.increment(&foreign, 1, MINUTE.into()).await.unwrap_err());
    for url in [
        format!("redis://{CANARY}:{CANARY}@localhost/x"),
        format!("redis://{CANARY}:{CANARY}@localhost?nonsense={CANARY}"),
        format!("redis://:{CANARY}@db.example.com"),
        format!("redis+unix:///no/such.sock?password={CANARY}&db={CANARY}"),
        format!("redis://:{CANARY}@localhost?deadline={CANARY}"),
    ] {
        let error = StoreUrl::parse(&url).and_then(RedisConfig::from_url).and_then(RedisConfig::open).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        text += &whole(&error);
    }
    text += &format!("{:?}", RedisConfig::tcp("localhost", 1).with_user(CANARY).with_password(CANARY));
    text
}
