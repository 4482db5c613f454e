//! What hallway writes, `sqlite3` and `psql` read, and back.

use std::time::Duration;

use hallway_core::{Bytes, KvStore, Prefix, SetOptions, Ttl};

use crate::support::{File, bytes, forever, fresh_table, key, open, shared};

#[tokio::test]
async fn sqlite3_and_hallway_read_each_other() {
    let file = File::new();
    let store = file.open().await;
    store.set(&key("ours"), Bytes::from_static(b"\0\xffvalue"), forever()).await.unwrap();
    assert_eq!(file.sqlite3("SELECT hex(value) FROM hallway_kv WHERE key = 'test:ours'"), "00FF76616C7565");
    assert_eq!(file.sqlite3("PRAGMA journal_mode"), "wal");
    file.sqlite3(
        "INSERT INTO hallway_kv (key, value, expires_at) VALUES ('test:theirs', x'6869', NULL), \
         ('test:dead', x'00', 1), ('test:soon', x'01', (unixepoch() + 100) * 1000000)",
    );
    assert_eq!(store.get(&key("theirs")).await.unwrap(), Some(bytes("hi")));
    assert_eq!(store.get(&key("dead")).await.unwrap(), None);
    let Ttl::After(rest) = store.get_entry(&key("soon")).await.unwrap().unwrap().remaining else { panic!() };
    assert!(rest > Duration::from_secs(95) && rest <= Duration::from_secs(100), "{rest:?}");
    // Text where bytes belong would compare unequal for ever after: the table refuses it.
    assert!(file.try_sqlite3("INSERT INTO hallway_kv VALUES ('test:text', 'text', NULL)").is_err());
}

#[tokio::test]
async fn psql_and_hallway_read_each_other() {
    let server = shared().await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}", server.url())).await;
    store.set(&key("ours"), Bytes::from_static(b"\0\xffvalue"), forever()).await.unwrap();
    let hex = server.psql(&format!("SELECT encode(value, 'hex') FROM {table} WHERE key = 'test:ours'"));
    assert_eq!(hex, "00ff76616c7565");
    server.psql(&format!(
        "INSERT INTO {table} (key, value, expires_at) VALUES ('test:theirs', 'hi', NULL), ('test:dead', 'x', 1), \
         ('test:soon', 'x', (extract(epoch FROM now()) * 1000000)::bigint + 100000000)"
    ));
    assert_eq!(store.get(&key("theirs")).await.unwrap(), Some(bytes("hi")));
    assert_eq!(store.get(&key("dead")).await.unwrap(), None);
    let Ttl::After(rest) = store.get_entry(&key("soon")).await.unwrap().unwrap().remaining else { panic!() };
    assert!(rest > Duration::from_secs(95) && rest <= Duration::from_secs(100), "{rest:?}");
}

/// Somebody else's row that is no key of ours must not end a scan.
#[tokio::test]
async fn foreign_rows_are_passed_over() {
    let file = File::new();
    let store = file.open().await;
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    file.sqlite3("INSERT INTO hallway_kv VALUES ('test:{brace}', x'00', NULL), ('', x'00', NULL)");
    for prefix in [Prefix::root(), Prefix::new("test").unwrap()] {
        let mut keys = Vec::new();
        let mut after = None;
        loop {
            let page = store.scan(&prefix, after, 1).await.unwrap();
            keys.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(keys, [key("a")]);
    }
}

/// A value larger than this store hands out is an error, not a miss, and stays where it is.
#[tokio::test]
async fn too_large_is_not_absent() {
    let server = shared().await;
    let file = File::new();
    for url in [file.url(), server.url()] {
        let table = fresh_table();
        let large = open(&format!("{url}?table={table}&max_value=1MiB")).await;
        large.set(&key("a"), Bytes::from(vec![7; 1000]), forever()).await.unwrap();
        let small = open(&format!("{url}?table={table}&max_value=100B")).await;
        for error in [
            small.get(&key("a")).await.unwrap_err(),
            small.take(&key("a")).await.unwrap_err(),
            small.get_many(&[key("a")]).await.unwrap_err(),
            small.set(&key("b"), Bytes::from(vec![7; 101]), SetOptions::new(Ttl::Forever)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), hallway_core::ErrorKind::TooLarge, "{error}");
        }
        assert_eq!(large.get(&key("a")).await.unwrap().unwrap().len(), 1000);
    }
}
