//! Opening: lazily, many at once, and with configurations that cannot work.

use std::time::{Duration, Instant};

use hallway_core::{AuthorityTier as _, Capability, ErrorKind, KvStore, StoreUrl};
use hallway_sql::{Migrate, SqlConfig, SqlStore, schema_sql};
use hallway_testkit::servers::PostgresServer;

use crate::support::{File, bytes, config, forever, fresh_table, key, open, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_open_one_fresh_file_at_once() {
    let file = File::new();
    let url = file.url();
    ten_at_once(|| url.clone()).await;
    assert_eq!(file.sqlite3("SELECT count(*) FROM hallway_schema"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_open_one_fresh_table_at_once() {
    let server = shared().await;
    // Several rounds: the race is short.
    for _ in 0..5 {
        let url = format!("{}?table={}&readers=1", server.url(), fresh_table());
        ten_at_once(|| url.clone()).await;
    }
}

/// The table of versions is there after the first round above, so this one has a database of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_open_one_fresh_database_at_once() {
    let server = shared().await;
    server.psql("CREATE DATABASE fresh");
    let url = format!("{}?readers=1", server.url_of("fresh"));
    ten_at_once(|| url.clone()).await;
}

async fn ten_at_once(url: impl Fn() -> String) {
    let opening = (0..10).map(|at| {
        let url = url();
        tokio::spawn(async move {
            let store = open(&url).await;
            store.set(&key(&at.to_string()), bytes("here"), forever()).await.map(|_| store)
        })
    });
    let opening: Vec<_> = opening.collect();
    let mut stores = Vec::new();
    for opening in opening {
        stores.push(opening.await.unwrap().unwrap());
    }
    for at in 0..10 {
        assert_eq!(stores[9 - at].get(&key(&at.to_string())).await.unwrap(), Some(bytes("here")));
    }
}

#[tokio::test]
async fn opening_needs_no_server() {
    let start = Instant::now();
    let store = open("postgres://postgres@127.0.0.1:1/postgres").await;
    assert!(start.elapsed() < Duration::from_millis(500));
    assert!(store.capabilities().has(Capability::Durable));
    let error = store.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(error.to_string().contains("check that it runs"), "{error}");
    // A write that never left is not in doubt.
    let error = store.set(&key("a"), bytes("v"), forever()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_bad_option_is_named() {
    for (url, word) in [
        ("sqlite:a.db?table=a\"b", "table"),
        ("sqlite:a.db?table=x;drop", "table"),
        ("sqlite:a.db?table=", "table"),
        ("sqlite:a.db?migrate=maybe", "migrate"),
        ("sqlite:a.db?deadline=0s", "deadline"),
        ("sqlite:a.db?deadline=soon", "deadline"),
        ("sqlite:a.db?max_value=17MiB", "16 MiB"),
        ("sqlite:a.db?readers=0", "readers"),
        ("sqlite:a.db?readers=65", "readers"),
        ("sqlite:a.db?readers=1&connections=1", "connections"),
        ("sqlite:a.db?synchronous=off", "synchronous"),
        ("sqlite:a.db?sweep=often", "sweep"),
        ("sqlite:a.db?sweep=0s", "sweep"),
        ("sqlite:a.db?statement_timeout=0s", "statement_timeout"),
        ("sqlite:a.db?statement_timeout=1h", "statement_timeout"),
        ("sqlite:a.db?colour=red", "colour"),
        ("sqlite:a.db?sslmode=disable", "sslmode"),
        ("sqlite:", "sqlite:app.db"),
        ("sqlite://user@host/a.db", "user"),
        ("postgres:///db", "host"),
        ("postgres://localhost/db?synchronous=full", "synchronous"),
        ("postgres://localhost/db?pgbouncer=perhaps", "pgbouncer"),
        ("mysql://localhost/db", "mysql"),
    ] {
        let error = SqlStore::open_url(StoreUrl::parse(url).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
        assert!(error.to_string().contains(word), "{url}: {error}");
    }
    let error = config("sqlite:a.db").with_table("a\"b").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn verify_names_the_remedy_until_the_table_is_there() {
    let file = File::new();
    file.sqlite3("CREATE TABLE other (x)");
    verify_then_apply(&file.url(), "sqlite", |sql| drop(file.sqlite3(sql))).await;
    let server = shared().await;
    verify_then_apply(&server.url(), "postgres", |sql| drop(server.psql(sql))).await;
}

async fn verify_then_apply(url: &str, dialect: &str, apply: impl Fn(&str)) {
    let table = fresh_table();
    let url = format!("{url}?table={table}&migrate=verify");
    let error = open(&url).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains("schema --print"), "{error}");
    apply(&schema_sql(dialect, &table).unwrap());
    let store = open(&url).await;
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(bytes("v")));
    // What was applied by hand is what `run` would have made.
    open(&url.replace("verify", "run")).await.ping().await.unwrap();
}

/// Tables of the first version: their entries stay, and instances of it go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_upgrade_a_table_in_use_at_once() {
    const SQLITE: &str = include_str!("../../migrations/sqlite/0001_entries.sql");
    const POSTGRES: &str = include_str!("../../migrations/postgres/0001_entries.sql");
    let server = shared().await;
    server.psql("CREATE DATABASE upgraded");
    let file = File::new();
    let psql = |sql: &str| {
        let url = server.url_of("upgraded");
        let output = std::process::Command::new("psql").args(["--no-psqlrc", "-At", "-c", sql, &url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let sqlite3 = |sql: &str| file.sqlite3(sql);
    let check = async |url: String, first: &str, run: &dyn Fn(&str) -> String| {
        let value = if url.starts_with("sqlite") { "x'76'" } else { "'v'" };
        let first = first.replace("{table}", "hallway_kv").replace("{index}", "hallway_kv_expires");
        run(&format!(
            " {first} CREATE TABLE hallway_schema (store text NOT NULL PRIMARY KEY, version bigint NOT NULL); \
             INSERT INTO hallway_schema VALUES ('hallway_kv', 1); \
             INSERT INTO hallway_kv (key, value, expires_at) VALUES ('test:old', {value}, NULL);"
        ));
        let error = open(&format!("{url}?migrate=verify")).await.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("version 1 of 2"), "{error}");
        // One that does not look at the version is as good as one that has looked before.
        let old = open(&format!("{url}?migrate=off")).await;
        assert_eq!(old.get(&key("old")).await.unwrap(), Some(bytes("v")));
        let (running, rounds) = (old.clone(), 60);
        let running = tokio::spawn(async move {
            for at in 0..rounds {
                running.set(&key("running"), bytes(&at.to_string()), forever()).await.unwrap();
            }
        });
        ten_at_once(|| url.clone()).await;
        running.await.unwrap();
        let store = open(&format!("{url}?migrate=verify")).await;
        assert_eq!(store.get(&key("old")).await.unwrap(), Some(bytes("v")));
        assert_eq!(store.get(&key("running")).await.unwrap(), Some(bytes("59")));
        assert_eq!(run("SELECT version FROM hallway_schema"), "2");
        store.enlisting().delete(&key("old")).await.unwrap();
        assert_eq!(crate::support::owed(&store).await, [key("old")]);
    };
    check(file.url(), SQLITE, &sqlite3).await;
    check(server.url_of("upgraded"), POSTGRES, &psql).await;
}

#[tokio::test]
async fn without_migrations_a_missing_table_is_a_matter_of_configuration() {
    let file = File::new();
    file.sqlite3("CREATE TABLE other (x)");
    let server = shared().await;
    for url in [file.url(), server.url()] {
        let store = open(&format!("{url}?migrate=off&table={}", fresh_table())).await;
        for error in
            [store.get(&key("a")).await.unwrap_err(), store.set(&key("a"), bytes("v"), forever()).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
            assert!(error.to_string().contains("migrate=run"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let server = shared().await;
    let table = fresh_table();
    let url = format!("{}?table={table}", server.url());
    open(&url).await.ping().await.unwrap();
    server.psql(&format!("UPDATE hallway_schema SET version = 99 WHERE store = '{table}'"));
    let error = open(&url).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("newer"), "{error}");
}

#[tokio::test]
async fn schema_text_is_only_made_for_good_names() {
    assert!(schema_sql("postgres", "a\"b").is_err());
    assert!(schema_sql("oracle", "a").is_err());
    let text = schema_sql("sqlite", "sessions").unwrap();
    assert!(text.contains("\"sessions\"") && !text.contains('{'), "{text}");
}

#[tokio::test]
async fn the_longest_table_names_have_tables_of_their_own() {
    let server = shared().await;
    let file = File::new();
    for url in [server.url(), file.url()] {
        let (one, other) = (format!("{}a", "x".repeat(62)), format!("{}b", "x".repeat(62)));
        let (one, other) = (open(&format!("{url}?table={one}")).await, open(&format!("{url}?table={other}")).await);
        one.set(&key("a"), bytes("one"), forever()).await.unwrap();
        assert_eq!(other.get(&key("a")).await.unwrap(), None);
        // A word that SQL keeps for itself is a name like any other.
        open(&format!("{url}?table=select")).await.set(&key("a"), bytes("v"), forever()).await.unwrap();
    }
}

#[tokio::test]
async fn a_socket_folder_is_a_host() {
    let server = shared().await;
    let table = fresh_table();
    let by_option = format!(
        "postgres://postgres@localhost:{}/postgres?host={}&table={table}",
        server.port(),
        server.dir().display()
    );
    for url in [format!("{}?table={table}", server.unix_url()), by_option] {
        open(&url).await.ping().await.unwrap();
    }
}

#[tokio::test]
async fn stores_of_one_process_do_not_meet_in_memory() {
    let (one, other) = (open("sqlite::memory:").await, open("sqlite::memory:").await);
    one.set(&key("a"), bytes("v"), forever()).await.unwrap();
    assert_eq!(other.get(&key("a")).await.unwrap(), None);
    assert!(!one.capabilities().has(Capability::Durable) && !one.capabilities().has(Capability::Shared));
}

#[tokio::test]
async fn configurations_are_made_in_code_too() {
    let file = File::new();
    let store = SqlConfig::sqlite(file.path())
        .with_table("sessions")
        .with_migrate(Migrate::Run)
        .with_deadline(Duration::from_secs(3))
        .with_readers(1)
        .with_sweep(None)
        .open()
        .unwrap();
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    assert_eq!(file.sqlite3("SELECT count(*) FROM sessions"), "1");
    let server = PostgresServer::shared();
    let shown = format!("{:?}", config(&server.url()));
    assert!(shown.contains("127.0.0.1"), "{shown}");
}
