//! Whose clock decides, and who sweeps.

use std::time::Duration;

use hallway_core::{KvStore, SetOptions, Ttl};

use crate::support::{File, bytes, forever, fresh_table, key, open, shared, until};

/// The instant in the table is the database's now plus the TTL, whatever our clock says.
#[tokio::test]
async fn deadlines_are_computed_by_the_database() {
    let server = shared().await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}", server.url())).await;
    store.set(&key("a"), bytes("v"), SetOptions::new(Duration::from_secs(100))).await.unwrap();
    let rest = server.psql(&format!(
        "SELECT (expires_at / 1000000.0 - extract(epoch FROM clock_timestamp()))::float8 BETWEEN 90 AND 100 FROM {table}"
    ));
    assert_eq!(rest, "t");
    let file = File::new();
    let store = file.open().await;
    store.set(&key("a"), bytes("v"), SetOptions::new(Duration::from_secs(100))).await.unwrap();
    let rest = file.sqlite3("SELECT expires_at / 1000000.0 - unixepoch() BETWEEN 90 AND 101 FROM hallway_kv");
    assert_eq!(rest, "1");
}

/// Entries whose deadline the database puts into the past are gone for every verb, though they are still in the table.
#[tokio::test]
async fn an_expired_row_is_absent_for_every_verb() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    let postgres = open(&format!("{}?table={table}&sweep=off", server.url())).await;
    postgres.ping().await.unwrap();
    expired(&postgres, |sql| drop(server.psql(&sql.replace("hallway_kv", &table)))).await;
    let sqlite = open(&format!("{}?sweep=off", file.url())).await;
    sqlite.ping().await.unwrap();
    expired(&sqlite, |sql| drop(file.sqlite3(sql))).await;
}

async fn expired(store: &hallway_sql::SqlStore, sql: impl Fn(&str)) {
    let expire = || sql("UPDATE hallway_kv SET expires_at = 1");
    let dead = async |id: &str| {
        store.set(&key(id), bytes("7"), forever()).await.unwrap();
        expire();
        key(id)
    };
    let a = dead("a").await;
    assert_eq!(store.get(&a).await.unwrap(), None);
    assert_eq!(store.get_many(std::slice::from_ref(&a)).await.unwrap(), [None]);
    assert!(store.scan(&hallway_core::Prefix::root(), None, 10).await.unwrap().keys.is_empty());
    assert!(!store.touch(&a, Ttl::Forever).await.unwrap());
    assert!(!store.set(&a, bytes("v"), forever().if_present()).await.unwrap().is_written());
    assert!(!store.set(&a, bytes("v"), forever().if_equals(bytes("7"))).await.unwrap().is_written());
    assert!(!store.delete_if(&a, hallway_core::DeleteIf::Equals(bytes("7"))).await.unwrap());
    assert_eq!(store.take(&a).await.unwrap(), None);
    let b = dead("b").await;
    assert!(!store.delete(&b).await.unwrap());
    let c = dead("c").await;
    assert_eq!(store.delete_many(&[c]).await.unwrap(), 0);
    let d = dead("d").await;
    assert!(store.set(&d, bytes("new"), forever().if_absent()).await.unwrap().is_written());
    assert_eq!(store.get(&d).await.unwrap(), Some(bytes("new")));
    let e = dead("e").await;
    assert_eq!(store.increment(&e, 5, Ttl::After(Duration::from_secs(50))).await.unwrap(), 5);
    let Ttl::After(rest) = store.get_entry(&e).await.unwrap().unwrap().remaining else { panic!("a TTL of its own") };
    assert!(rest > Duration::from_secs(40));
    dead("f").await;
    assert_eq!(store.clear(&hallway_core::Prefix::new("test").unwrap()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweeper_deletes_what_has_expired_and_nothing_else() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    let counts: [(String, Box<dyn Fn() -> String>); 2] = [
        (format!("{}?table={table}", server.url()), {
            let table = table.clone();
            Box::new(move || server.psql(&format!("SELECT count(*) FROM {table}")))
        }),
        (file.url() + "?table=hallway_kv", Box::new(|| file.sqlite3("SELECT count(*) FROM hallway_kv"))),
    ];
    for (url, count) in counts {
        let store = open(&format!("{url}&sweep=off")).await;
        let soon = Ttl::After(Duration::from_millis(1));
        let dead: Vec<_> = (0..2_500).map(|at| (key(&format!("dead{at}")), bytes("v"), soon)).collect();
        store.set_many(&dead).await.unwrap();
        store.set(&key("forever"), bytes("v"), forever()).await.unwrap();
        store.set(&key("later"), bytes("v"), SetOptions::new(Duration::from_secs(600))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(count(), "2502", "nobody sweeps where sweeping is off");
        let sweeping = open(&format!("{url}&sweep=20ms")).await;
        until("the dead are gone", async || count() == "2").await;
        assert!(sweeping.get(&key("forever")).await.unwrap().is_some());
        assert!(sweeping.get(&key("later")).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_an_end_do_not_end_the_sweeper() {
    let file = File::new();
    let endless = crate::support::config(&file.url()).with_deadline(Duration::MAX);
    let store = endless.with_sweep(Some(Duration::from_millis(20))).open().unwrap();
    store.set(&key("a"), bytes("v"), SetOptions::new(Duration::from_millis(1))).await.unwrap();
    until("the entry is gone", async || file.sqlite3("SELECT count(*) FROM hallway_kv") == "0").await;
}

/// Connections and sweeper end with the last handle, views included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_ends_with_the_last_handle() {
    let server = shared().await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}&sweep=20ms", server.url())).await;
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    let sessions = || {
        server.psql(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hallway' AND query LIKE '%{table}%'"
        ))
    };
    assert_ne!(sessions(), "0");
    let view = store.with_deadline(Duration::from_secs(1));
    drop(store);
    view.ping().await.unwrap();
    drop(view);
    until("the sessions are gone", async || sessions() == "0").await;
}
