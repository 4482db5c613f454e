//! The outbox: what is owed, both or neither, and who may write there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallway_core::{
    AuthorityTier as _, Bytes, DeleteIf, ErrorKind, Key, KvStore, Namespace, OutboxId, Prefix, SetOptions, Ttl,
};
use hallway_sql::SqlStore;

use crate::support::{File, bytes, forever, fresh_table, key, open, owed, shared, until, warm};

/// A store on each database, each with a file that must outlive it.
async fn each() -> [(SqlStore, File); 3] {
    let server = shared().await;
    let (one, other, third) = (File::new(), File::new(), File::new());
    [
        (open(&one.url()).await, one),
        (open("sqlite::memory:").await, other),
        (open(&format!("{}?table={}", server.url(), fresh_table())).await, third),
    ]
}

fn expect(ids: &[&str]) -> Vec<Key> {
    ids.iter().map(|id| key(id)).collect()
}

/// What is owed, and then no more.
async fn settled(store: &SqlStore) -> Vec<Key> {
    let rows = store.pending(1_000).await.unwrap();
    store.settle(&rows.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(store.pending(1).await.unwrap(), []);
    rows.into_iter().map(|row| row.key).collect()
}

#[tokio::test]
async fn every_verb_that_changes_a_key_owes_it() {
    for (store, _file) in each().await {
        let view = store.enlisting();
        assert!(view.as_authority().is_none() && store.as_authority().is_some());
        assert_eq!(view.capabilities(), store.capabilities());
        let a = key("a");
        view.set(&a, bytes("1"), forever()).await.unwrap();
        assert_eq!(settled(&store).await, expect(&["a"]));
        view.set(&a, bytes("2"), forever().if_present()).await.unwrap();
        assert_eq!(settled(&store).await, expect(&["a"]));
        view.set(&a, bytes("3"), forever().if_equals(bytes("2"))).await.unwrap();
        assert_eq!(settled(&store).await, expect(&["a"]));
        view.set(&key("b"), bytes("1"), forever().if_absent()).await.unwrap();
        assert_eq!(settled(&store).await, expect(&["b"]));
        assert!(view.touch(&a, Ttl::Forever).await.unwrap());
        assert_eq!(settled(&store).await, expect(&["a"]));
        assert_eq!(view.increment(&a, 4, Ttl::Forever).await.unwrap(), 7);
        assert_eq!(settled(&store).await, expect(&["a"]));
        assert!(view.delete_if(&a, DeleteIf::Equals(bytes("7"))).await.unwrap());
        assert_eq!(settled(&store).await, expect(&["a"]));
        assert!(view.delete(&key("b")).await.unwrap());
        assert_eq!(settled(&store).await, expect(&["b"]));
        view.set_many(&[
            (a.clone(), bytes("x"), Ttl::Forever),
            (key("\"quoted\\"), bytes("x"), Ttl::Forever),
            (a.clone(), bytes("y"), Ttl::Forever),
        ])
        .await
        .unwrap();
        assert_eq!(settled(&store).await, expect(&["\"quoted\\", "a"]), "one row for each key");
        assert_eq!(view.take(&a).await.unwrap(), Some(bytes("y")));
        assert_eq!(settled(&store).await, expect(&["a"]));
        view.set(&a, bytes("x"), forever()).await.unwrap();
        assert_eq!(view.delete_many(&expect(&["a", "\"quoted\\", "a"])).await.unwrap(), 2);
        assert_eq!(settled(&store).await, expect(&["a", "\"quoted\\", "a"]));
        for id in ["c", "d"] {
            store.set(&key(id), bytes("x"), forever()).await.unwrap();
        }
        assert_eq!(view.clear(&Prefix::new("test").unwrap()).await.unwrap(), 2);
        assert_eq!(settled(&store).await, expect(&["c", "d"]));
    }
}

#[tokio::test]
async fn plain_writes_and_reads_owe_nothing() {
    for (store, _file) in each().await {
        let view = store.enlisting();
        store.set(&key("a"), bytes("1"), forever()).await.unwrap();
        store.increment(&key("a"), 1, Ttl::Forever).await.unwrap();
        store.delete_many(&[key("a"), key("b")]).await.unwrap();
        assert_eq!(view.get(&key("a")).await.unwrap(), None);
        assert_eq!(view.get_many(&[key("a"), key("b")]).await.unwrap(), [None, None]);
        view.scan(&Prefix::root(), None, 10).await.unwrap();
        view.ping().await.unwrap();
        view.set_many(&[]).await.unwrap();
        assert_eq!(store.pending(10).await.unwrap(), []);
        // Its deadline changes, not what it does.
        let hasty = view.with_deadline(std::time::Duration::from_secs(20));
        hasty.set(&key("a"), bytes("1"), forever()).await.unwrap();
        assert_eq!(owed(&store).await, expect(&["a"]));
    }
}

#[tokio::test]
async fn rows_are_oldest_first_and_stamped_by_the_database() {
    for (store, _file) in each().await {
        let view = store.enlisting();
        let before = store.time().await.unwrap();
        for id in ["c", "a", "b"] {
            view.set(&key(id), bytes("v"), forever()).await.unwrap();
        }
        let after = store.time().await.unwrap();
        let rows = store.pending(2).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), expect(&["c", "a"]));
        assert!(rows.iter().all(|row| row.written >= before && row.written <= after), "{before:?} {rows:?} {after:?}");
        assert!(rows[0].id < rows[1].id);
        assert_eq!(store.pending(0).await.unwrap(), []);
        // Rows that are gone are no error, and what is not settled stays.
        store.settle(&[rows[1].id, rows[1].id, OutboxId(i64::MAX)]).await.unwrap();
        store.settle(&[rows[1].id]).await.unwrap();
        store.settle(&[]).await.unwrap();
        assert_eq!(owed(&store).await, expect(&["c", "b"]));
    }
}

/// A drainer that is late may still settle an id, which by then must not be another row's.
#[tokio::test]
async fn an_id_never_comes_again() {
    for (store, _file) in each().await {
        let view = store.enlisting();
        view.set(&key("a"), bytes("v"), forever()).await.unwrap();
        let first = store.pending(1).await.unwrap().remove(0).id;
        store.settle(&[first]).await.unwrap();
        view.set(&key("b"), bytes("v"), forever()).await.unwrap();
        store.settle(&[first]).await.unwrap();
        assert_eq!(owed(&store).await, expect(&["b"]));
    }
}

#[tokio::test]
async fn a_write_that_cannot_owe_is_not_done() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    for (url, postgres) in [(file.url(), false), (server.url(), true)] {
        let store = open(&format!("{url}?table={table}")).await;
        store.set(&key("a"), bytes("7"), forever()).await.unwrap();
        let sql = format!("DROP TABLE {table}_outbox");
        if postgres {
            server.psql(&sql)
        } else {
            file.sqlite3(&sql)
        };
        let view = store.enlisting();
        let a = key("a");
        for error in [
            view.set(&a, bytes("new"), forever()).await.unwrap_err(),
            view.set(&key("b"), bytes("new"), forever().if_absent()).await.unwrap_err(),
            view.delete(&a).await.unwrap_err(),
            view.take(&a).await.unwrap_err(),
            view.increment(&a, 1, Ttl::Forever).await.unwrap_err(),
            view.touch(&a, Ttl::Forever).await.unwrap_err(),
            view.set_many(&[(key("b"), bytes("v"), Ttl::Forever)]).await.unwrap_err(),
            view.clear(&Prefix::new("test").unwrap()).await.unwrap_err(),
            store.pending(1).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
            assert!(error.to_string().contains("migrate=run"), "{error}");
        }
        // The connection is not left in half a transaction, and plain writes go on.
        assert_eq!(store.get(&a).await.unwrap(), Some(bytes("7")));
        assert_eq!(store.get(&key("b")).await.unwrap(), None);
        assert_eq!(store.increment(&a, 1, Ttl::Forever).await.unwrap(), 8);
        assert_eq!(open(&format!("{url}?table={table}")).await.get(&a).await.unwrap(), Some(bytes("8")));
    }
}

/// The other half: the entries fail after the row was written.
#[tokio::test]
async fn nothing_is_owed_for_a_write_that_fails() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    for (url, postgres) in [(file.url(), false), (server.url(), true)] {
        let store = open(&format!("{url}?table={table}")).await;
        store.ping().await.unwrap();
        let rename = |from: &str, to: &str| {
            let sql = format!("ALTER TABLE {from} RENAME TO {to}");
            if postgres { server.psql(&sql) } else { file.sqlite3(&sql) }
        };
        rename(&table, "elsewhere");
        let view = store.enlisting();
        let error = view.set(&key("a"), bytes("v"), forever()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        rename("elsewhere", &table);
        assert_eq!(store.pending(10).await.unwrap(), []);
        view.set(&key("b"), bytes("v"), forever()).await.unwrap();
        assert_eq!(owed(&store).await, expect(&["b"]));
    }
}

/// Sessions are ended in the middle of writes; afterwards every value has its row and every row its value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_session_leaves_both_or_neither() {
    const ROUNDS: u32 = 12;
    let server = shared().await;
    let table = fresh_table();
    let store = warm(&format!("{}?table={table}", server.url())).await;
    // So long that a statement is ended between its parts.
    server.psql(&format!(
        "CREATE FUNCTION slow_{table}() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION slow_{table}()"
    ));
    let view = store.enlisting();
    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|task| {
        let (view, done) = (Arc::clone(&view), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut acknowledged, mut in_doubt) = (Vec::new(), 0_u32);
            for at in 0..100_000 {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let own = key(&format!("{task}-{at}"));
                match view.set(&own, bytes("v"), forever().if_absent()).await {
                    Ok(_) => acknowledged.push(own.as_str().to_owned()),
                    Err(error) => match error.kind() {
                        ErrorKind::Indeterminate => in_doubt += 1,
                        // A connection could not be made just now.
                        _ => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                    },
                }
            }
            (acknowledged, in_doubt)
        })
    });
    let writers: Vec<_> = writers.collect();
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE pid <> pg_backend_pid() AND state = 'active' AND query LIKE 'WITH owed%\"{table}\"%'"
    );
    let mut ended = 0;
    until("sessions were ended", async || {
        ended += u32::from(server.psql(&sql) != "0");
        ended >= ROUNDS
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut in_doubt) = (BTreeSet::new(), 0);
    for writer in writers {
        let (own, doubtful) = writer.await.unwrap();
        acknowledged.extend(own);
        in_doubt += doubtful;
    }
    let lines = |sql: &str| server.psql(sql).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let values = lines(&format!("SELECT key FROM {table} WHERE key <> 'test:warm'"));
    // A condition that is not met writes a row as well, but here every key is written once.
    assert_eq!(values, lines(&format!("SELECT key FROM {table}_outbox")));
    assert!(values.is_superset(&acknowledged));
    assert!(in_doubt >= ROUNDS, "{in_doubt} writes ended in their middle");
}

/// A process that dies leaves both or neither, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_leave_both_or_neither() {
    let file = File::new();
    let server = shared().await;
    let table = fresh_table();
    for url in [format!("{}?table={table}&synchronous=normal", file.url()), format!("{}?table={table}", server.url())] {
        let store = warm(&url).await;
        let view = store.enlisting();
        for round in 0..100_u64 {
            let own = key(&format!("{round:03}"));
            let write = view.set(&own, bytes("v"), forever());
            let _ = tokio::time::timeout(std::time::Duration::from_micros(round * 10), write).await;
        }
        // Behind all of them on the same connections, which must be in no transaction.
        view.delete_many(&[key("last")]).await.unwrap();
        store.set(&key("plain"), bytes("v"), forever()).await.unwrap();
        let other = open(&url).await;
        assert_eq!(other.get(&key("plain")).await.unwrap(), Some(bytes("v")));
        until("writes that nobody waits for are done", async || {
            let rows: BTreeSet<_> = owed(&other).await.into_iter().filter(|row| *row != key("last")).collect();
            let found = other.scan(&Prefix::new("test").unwrap(), None, 1_000).await.unwrap().keys;
            let values = found.into_iter().filter(|found| *found != key("warm") && *found != key("plain"));
            values.collect::<BTreeSet<_>>() == rows
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_drainers_settle_everything_once_or_more() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    for url in [format!("{}?table={table}&synchronous=normal", file.url()), format!("{}?table={table}", server.url())] {
        let store = warm(&url).await;
        let view = store.enlisting();
        let drainers = (0..4).map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let store = open(&url).await;
                let (mut seen, mut last) = (BTreeSet::new(), false);
                while !last {
                    let rows = store.pending(16).await.unwrap();
                    last = rows.iter().any(|row| row.key == key("end"));
                    seen.extend(rows.iter().map(|row| row.key.as_str().to_owned()));
                    let ids: Vec<_> = rows.iter().filter(|row| row.key != key("end")).map(|row| row.id).collect();
                    store.settle(&ids).await.unwrap();
                }
                seen
            })
        });
        let drainers: Vec<_> = drainers.collect();
        let mut expected = BTreeSet::from(["test:end".to_owned()]);
        for at in 0..40 {
            let items: Vec<_> = (0..10).map(|item| (key(&format!("{at}-{item}")), bytes("v"), Ttl::Forever)).collect();
            view.set_many(&items).await.unwrap();
            expected.extend(items.iter().map(|(key, ..)| key.as_str().to_owned()));
        }
        view.delete(&key("end")).await.unwrap();
        let mut seen = BTreeSet::new();
        for drainer in drainers {
            seen.extend(drainer.await.unwrap());
        }
        assert_eq!(seen, expected);
        until("only the end is left", async || owed(&store).await == [key("end")]).await;
    }
}

/// What a person may put there must not hold up what is owed.
#[tokio::test]
async fn rows_that_name_no_key_are_deleted() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    for (url, postgres) in [(file.url(), false), (server.url(), true)] {
        let store = open(&format!("{url}?table={table}")).await;
        store.ping().await.unwrap();
        let run = |sql: String| if postgres { server.psql(&sql) } else { file.sqlite3(&sql) };
        let long = "x".repeat(513);
        run(format!(
            "INSERT INTO {table}_outbox (key) VALUES ('test:{{brace}}'), (''), ('a::b'), ('{long}'), ('test:good'), \
             ('100%'), (' spaces are fine ')"
        ));
        let rows = store.pending(2).await.unwrap();
        assert_eq!(rows.len(), 1, "no page is made of strangers alone, and none waits for one that is full: {rows:?}");
        assert_eq!(rows[0].key, key("good"));
        store.settle(&[rows[0].id]).await.unwrap();
        assert_eq!(owed(&store).await, [Namespace::root().key(" spaces are fine ").unwrap()]);
        assert_eq!(run(format!("SELECT count(*) FROM {table}_outbox")), "1");
        // What is no text at all the table refuses.
        assert!(file.try_sqlite3(&format!("INSERT INTO {table}_outbox (key) VALUES (x'00')")).is_err());
        assert!(file.try_sqlite3(&format!("INSERT INTO {table}_outbox (key) VALUES (NULL)")).is_err());
    }
}

#[tokio::test]
async fn a_plain_insert_and_a_trigger_owe_as_well() {
    let server = shared().await;
    server.psql("CREATE DATABASE triggers");
    let psql = |sql: &str| {
        let output = std::process::Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", sql])
            .arg(server.url_of("triggers"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let file = File::new();
    let sqlite3 = |sql: &str| drop(file.sqlite3(sql));
    let check = async |url: String, run: &dyn Fn(&str), trigger: &str| {
        let store = open(&url).await;
        store.ping().await.unwrap();
        run("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
        run(trigger);
        run("INSERT INTO users VALUES (1, 'Ada'), (2, 'Bob')");
        let before = store.time().await.unwrap();
        run("UPDATE users SET name = 'Eve' WHERE id = 2");
        run("INSERT INTO hallway_kv_outbox (key) VALUES ('user:profile:7')");
        let rows = store.pending(10).await.unwrap();
        let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, ["user:profile:2", "user:profile:7"]);
        let now = store.time().await.unwrap();
        assert!(rows.iter().all(|row| row.written >= before && row.written <= now), "{before:?} {rows:?} {now:?}");
    };
    check(file.url(), &sqlite3, include_str!("../../src/outbox/trigger_sqlite.sql")).await;
    check(server.url_of("triggers"), &psql, include_str!("../../src/outbox/trigger_postgres.sql")).await;
}

#[tokio::test]
async fn a_role_needs_only_to_insert() {
    let server = shared().await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}", server.url())).await;
    store.ping().await.unwrap();
    server.psql(&format!("CREATE ROLE {table} LOGIN; GRANT INSERT ON {table}_outbox TO {table}"));
    server.psql(&format!("SET ROLE {table}; INSERT INTO {table}_outbox (key) VALUES ('test:a')"));
    assert_eq!(owed(&store).await, expect(&["a"]));
}

#[tokio::test]
async fn a_statement_for_any_driver() {
    let server = shared().await;
    let file = File::new();
    let table = fresh_table();
    let keys = [key("a"), key("it's \"quoted\" \\ ☃"), key("a")];
    for (url, postgres) in [(file.url(), false), (server.url(), true)] {
        let store = open(&format!("{url}?table={table}")).await;
        store.ping().await.unwrap();
        let outbox = store.outbox();
        assert_eq!(outbox.table(), format!("{table}_outbox"));
        let statement = outbox.statement(&keys);
        let shown = format!("{outbox:?} {statement:?}");
        assert!(shown.contains(outbox.table()) && !shown.contains("quoted"), "{shown}");
        let [keys] = statement.binds() else { panic!("{statement:?}") };
        let quoted = format!("'{}'", keys.replace('\'', "''"));
        let none = outbox.statement(&[]);
        assert_eq!(none.sql(), statement.sql());
        for (sql, keys) in [(statement.sql(), &*quoted), (none.sql(), "'[]'")] {
            if postgres {
                server.psql(&format!("PREPARE owe AS {sql}; EXECUTE owe({keys})"));
            } else {
                file.sqlite3(&sql.replace("?1", keys));
            }
        }
        assert_eq!(owed(&store).await, [key("a"), key("it's \"quoted\" \\ ☃"), key("a")]);
    }
}

mod sqlx_09 {
    use hallway_sql::SqlConfig;
    use hallway_sql::outbox::OutboxConnection;
    use sqlx::{Connection as _, PgConnection, PgPool, SqliteConnection, SqlitePool};

    use super::*;

    #[tokio::test]
    async fn a_transaction_owes_when_it_commits() {
        let server = shared().await;
        let pool = PgPool::connect(&server.url()).await.unwrap();
        let store = SqlConfig::from(pool.clone()).with_table(fresh_table()).open().unwrap();
        store.ping().await.unwrap();
        let keys = [key("a"), key("b")];
        let mut tx = pool.begin().await.unwrap();
        store.outbox().invalidate(&mut tx, &keys).await.unwrap();
        store.outbox().invalidate(&mut *tx, &[]).await.unwrap();
        assert_eq!(store.pending(10).await.unwrap(), []);
        tx.rollback().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        store.outbox().invalidate(&mut tx, &keys).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(settled(&store).await, keys);
        alone(&store, &mut pool.acquire().await.unwrap()).await;
        alone(&store, &mut PgConnection::connect(&server.url()).await.unwrap()).await;
    }

    #[tokio::test]
    async fn a_sqlite_transaction_owes_when_it_commits() {
        let file = File::new();
        let store = file.open().await;
        store.ping().await.unwrap();
        let pool = SqlitePool::connect(&file.url()).await.unwrap();
        let keys = [key("a"), key("b")];
        let mut tx = pool.begin().await.unwrap();
        store.outbox().invalidate(&mut tx, &keys).await.unwrap();
        assert_eq!(store.pending(10).await.unwrap(), []);
        drop(tx);
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        store.outbox().invalidate(&mut *tx, &keys).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(settled(&store).await, keys);
        alone(&store, &mut pool.acquire().await.unwrap()).await;
        alone(&store, &mut SqliteConnection::connect(&file.url()).await.unwrap()).await;
    }

    /// A connection in no transaction commits at once.
    async fn alone(store: &SqlStore, connection: &mut impl OutboxConnection) {
        store.outbox().invalidate(connection, &[key("alone")]).await.unwrap();
        assert_eq!(settled(store).await, expect(&["alone"]));
    }

    #[tokio::test]
    async fn the_wrong_database_and_a_missing_table_are_named() {
        let file = File::new();
        let store = file.open().await;
        let server = shared().await;
        let mut connection = PgConnection::connect(&server.url()).await.unwrap();
        let error = store.outbox().invalidate(&mut connection, &[key("a")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("postgres") && error.to_string().contains("sqlite"), "{error}");
        store.ping().await.unwrap();
        file.sqlite3("DROP TABLE hallway_kv_outbox");
        let mut connection = SqliteConnection::connect(&file.url()).await.unwrap();
        let error = store.outbox().invalidate(&mut connection, &[key("a")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    }

    /// A pool that gets its connections back must not get a transaction with them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pool_gets_no_open_transaction_back() {
        let file = File::new();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(file.path())
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let store = SqlConfig::from(pool.clone()).with_sweep(None).open().unwrap();
        store.set(&key("a"), Bytes::from_static(b"v"), SetOptions::new(Ttl::Forever)).await.unwrap();
        let view = store.enlisting();
        sqlx::query("ALTER TABLE hallway_kv RENAME TO elsewhere").execute(&pool).await.unwrap();
        view.delete(&key("a")).await.unwrap_err();
        sqlx::query("BEGIN").execute(&pool).await.unwrap();
        sqlx::query("ROLLBACK").execute(&pool).await.unwrap();
    }
}

#[tokio::test]
async fn enlisted_writes_are_coalesced_among_themselves() {
    let server = shared().await;
    let table = fresh_table();
    let url = format!("{}?table={table}", server.url());
    let store = warm(&url).await;
    let view = store.enlisting();
    let calls = (0..400).map(|at| {
        let (store, view) = (store.clone(), Arc::clone(&view));
        async move {
            let own = key(&at.to_string());
            match at % 2 {
                0 => store.set(&own, bytes("v"), forever()).await,
                _ => view.set(&own, bytes("v"), forever()).await,
            }
            .unwrap()
        }
    });
    futures_util::future::join_all(calls).await;
    let found: BTreeSet<_> = owed(&store).await.into_iter().map(|key| key.id().parse::<u32>().unwrap()).collect();
    assert_eq!(found, (0..400).filter(|at| at % 2 == 1).collect());
    // One transaction wrote many rows.
    let most =
        server.psql(&format!("SELECT max(n) FROM (SELECT count(*) AS n FROM {table}_outbox GROUP BY xmin) AS t"));
    assert!(most.parse::<u32>().unwrap() >= 20, "{most}");
}
