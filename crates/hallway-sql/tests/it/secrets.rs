//! Wrong passwords, and passwords and keys that nothing shows.

use std::error::Error as _;

use hallway_core::{Error, ErrorKind, KvStore, StoreUrl};
use hallway_sql::SqlConfig;
use hallway_testkit::servers::{PostgresOptions, PostgresServer};

use crate::support::{bytes, forever, fresh_table, key, open, shared};

const CANARY: &str = "canary-7f3a";

fn shows_nothing(error: &Error) {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(&format!(" {next} {next:?}"));
        source = next.source();
    }
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_and_not_shown() {
    let options = PostgresOptions::fast().with_password("right");
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(options)).await.unwrap().unwrap();
    open(&server.url()).await.ping().await.unwrap();
    let url = format!("postgres://postgres:{CANARY}@127.0.0.1:{}/postgres", server.port());
    let store = open(&url).await;
    for error in [
        store.ping().await.unwrap_err(),
        store.get(&key("a")).await.unwrap_err(),
        store.set(&key("a"), bytes("v"), forever()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains("password"), "{error}");
        shows_nothing(&error);
    }
    let config = SqlConfig::from_url(StoreUrl::parse(&url).unwrap()).unwrap();
    let shown = format!("{config:?} {store:?} {store:#?}");
    assert!(!shown.contains("canary"), "{shown}");
    let error = open(&format!("postgres://nobody-{CANARY}@127.0.0.1:{}/postgres", server.port())).await.ping().await;
    shows_nothing(&error.unwrap_err());
}

#[tokio::test]
async fn unreachable_servers_and_bad_options_show_no_secret() {
    let url = format!("postgres://user:{CANARY}@127.0.0.1:1/db");
    shows_nothing(&open(&url).await.ping().await.unwrap_err());
    for option in ["?sslmode=x", "?table=1", "?nope=1", "?host=x", "?ca=/missing&sslmode=verify-full"] {
        match SqlConfig::from_url(StoreUrl::parse(&format!("{url}{option}")).unwrap()) {
            Err(error) => shows_nothing(&error),
            Ok(config) => shows_nothing(&config.open().unwrap().ping().await.unwrap_err()),
        }
    }
}

/// The server quotes keys and values in the details of its errors; ours keep only the code.
#[tokio::test]
async fn errors_of_the_server_lose_keys_and_values() {
    let server = shared().await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}", server.url())).await;
    store.ping().await.unwrap();
    server.psql(&format!("ALTER TABLE {table} ADD CHECK (octet_length(value) < 5)"));
    let secret = key(CANARY);
    let error = store.set(&secret, bytes(CANARY), forever()).await.unwrap_err();
    shows_nothing(&error);
    assert_eq!(error.source().unwrap().to_string(), "SQLSTATE 23514");
    assert_eq!(error.namespace(), Some("test"));
    // The shorter ones in the same batch are not to blame.
    let [a, b, c, d] = ["a", "b", "c", "d"].map(key);
    // The first two find connections or open them; the others gather behind them, and share a statement.
    let writes = tokio::join!(
        store.set(&a, bytes("one"), forever()),
        store.set(&c, bytes("two"), forever()),
        store.set(&b, bytes("ok"), forever()),
        store.set(&secret, bytes(CANARY), forever()),
        store.set(&d, bytes("ok"), forever()),
    );
    let (one, two, three, bad, four) = writes;
    assert!([one, two, three, four].into_iter().all(|good| good.unwrap().is_written()));
    bad.unwrap_err();
}

#[tokio::test]
async fn a_missing_database_and_a_missing_right_name_the_remedy() {
    let server = shared().await;
    let error = open(&server.url_of("no_such_db")).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("create it"), "{error}");
    server.psql("CREATE ROLE stranger LOGIN");
    let url = format!("postgres://stranger@127.0.0.1:{}/postgres?table={}", server.port(), fresh_table());
    let error = open(&url).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    assert!(error.to_string().contains("GRANT"), "{error}");
}

/// A server that says no to TLS is refused where TLS was asked for.
#[tokio::test]
async fn a_downgrade_is_refused() {
    let server = shared().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let store = open(&format!("{}?sslmode={mode}&table={}", server.url(), fresh_table())).await;
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error:?}");
        assert!(error.to_string().contains("sslmode"), "{error}");
    }
}
