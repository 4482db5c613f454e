//! Refused logins, and secrets that show nowhere.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hallway_core::{Bytes, Counted, ErrorKind, KvStore, SetOptions, StoreUrl};
use hallway_redis::RedisConfig;
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{SeenEvent, Watching};
use tracing::Level;

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

#[tokio::test]
async fn neither_errors_nor_debug_nor_the_log_show_secrets_or_keys() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let server = RedisServer::start(RedisOptions::default().with_config("rename-command", "GET \"\"")).unwrap();
    let text = exercise(&server).await;
    assert!(!text.contains(CANARY), "{text}");
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
    let said = |event: &SeenEvent| event.fields.get("message").is_some_and(|text| text == "Redis login refused");
    let refused: Vec<_> = watching.events().into_iter().filter(said).collect();
    assert!(matches!(&refused[..], [once] if once.level == Level::ERROR), "once a minute: {refused:?}");
    let spans = watching.take();
    assert!(spans.len() >= 2, "one for each store at least: {spans:?}");
    for span in &spans {
        assert_eq!(span.field("otel.name"), format!("connect 127.0.0.1:{}", server.port()));
        let said = ["otel.kind", "db.system.name", "db.operation.name"].map(|name| span.field(name));
        assert_eq!((span.name, said), ("hallway.connect", ["client", "redis", "connect"]));
    }
    let failed: Vec<_> = spans.iter().map(|span| span.field("error.type")).collect();
    assert!(failed.contains(&"unauthorized") && failed.contains(&""), "{failed:?}");
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
