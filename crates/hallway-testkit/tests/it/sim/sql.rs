//! The simulated authority keeps the contract, and its faults have the outcomes that they are called by.

use std::time::Duration;

use hallway_core::{AuthorityTier, Error, ErrorKind, Key, KvStore, OutboxId, SetOptions, Ttl};
use hallway_testkit::sim::{self, Latency, SimSql, SimSqlStore, SqlFate, SqlFaults, World};
use tokio::time::{Instant, sleep, timeout};

fn key() -> Key {
    Key::from_physical("k").unwrap()
}

fn forever() -> SetOptions {
    SetOptions::new(Ttl::Forever)
}

fn world(test: impl AsyncFn(World, SimSql, SimSqlStore)) {
    for seed in 0..50 {
        sim::run(seed, async |world| {
            let sql = world.sql();
            let store = world.process("a").sql(&sql);
            test(world, sql, store).await;
        });
    }
}

fn kind(outcome: Result<impl Sized, Error>) -> ErrorKind {
    outcome.err().unwrap().kind()
}

#[test]
fn a_failed_write_never_commits() {
    world(async |_, sql, store| {
        sql.decide([SqlFate::Failed]);
        assert_eq!(kind(store.set(&key(), "1".into(), forever()).await), ErrorKind::Unavailable);
        sleep(Duration::from_secs(60)).await;
        assert!(sql.commits().is_empty());
    });
}

#[test]
fn an_unknown_write_commits_or_not_within_the_statement_timeout() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..100 {
        let late = sim::run(seed, async |world| {
            let sql = world.sql();
            let store = world.process("a").sql(&sql);
            sql.decide([SqlFate::Unknown { commits: true }]);
            let began = Instant::now();
            assert_eq!(kind(store.set(&key(), "1".into(), forever()).await), ErrorKind::Indeterminate);
            assert!(began.elapsed() <= Duration::from_millis(3_001), "{:?}", began.elapsed());
            let late = sql.peek(&key()).is_none();
            // The way there and the statement timeout.
            sleep((began + Duration::from_millis(2_050)).saturating_duration_since(Instant::now())).await;
            assert_eq!(sql.peek(&key()).unwrap(), "1");
            sql.decide([SqlFate::Unknown { commits: false }]);
            assert_eq!(kind(store.set(&key(), "2".into(), forever()).await), ErrorKind::Indeterminate);
            sleep(Duration::from_secs(60)).await;
            assert_eq!(sql.commits().len(), 1);
            late
        });
        *if late { &mut after } else { &mut before } += 1;
    }
    assert!(before > 10 && after > 10, "{before} commits before the caller heard, {after} after");
}

#[test]
fn a_statement_over_its_timeout_is_cancelled() {
    world(async |_, sql, store| {
        let long = Latency::between(Duration::from_millis(1_500), Duration::from_millis(2_500));
        sql.set_faults(SqlFaults::default().with_work(long));
        let outcome = store.set(&key(), "1".into(), forever()).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(sql.commits().len(), usize::from(outcome.is_ok()));
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
    });
}

#[test]
fn a_call_past_its_deadline_is_unknown_and_the_statement_goes_on() {
    world(async |_, sql, store| {
        sql.set_faults(SqlFaults::none(Duration::from_millis(300), Duration::from_millis(600)));
        let hasty = store.with_deadline(Duration::from_millis(100));
        assert_eq!(kind(hasty.set(&key(), "1".into(), forever()).await), ErrorKind::Indeterminate);
        assert_eq!(kind(hasty.get(&key()).await), ErrorKind::Unavailable);
        assert!(timeout(Duration::from_millis(1), store.set(&key(), "2".into(), forever())).await.is_err());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(sql.commits().len(), 2);
    });
}

#[test]
fn of_the_statements_of_a_killed_process_some_commit() {
    let (mut committed, mut lost) = (0, 0);
    for seed in 0..100 {
        let commits = sim::run(seed, async |world| {
            let sql = world.sql();
            let process = world.process("a");
            let store = process.sql(&sql);
            let task = process.spawn(async move { store.set(&key(), "1".into(), forever()).await.map(drop) });
            tokio::task::yield_now().await;
            process.kill(false);
            assert!(task.await.is_none());
            sleep(Duration::from_secs(60)).await;
            sql.commits().len()
        });
        *if commits == 1 { &mut committed } else { &mut lost } += 1;
    }
    assert!(committed > 20 && lost > 20, "{committed} commits, {lost} losses");
}

#[test]
fn refused_and_cut_off_clients_have_done_nothing() {
    world(async |_, sql, store| {
        sql.set_down(true);
        assert_eq!(kind(store.set(&key(), "1".into(), forever()).await), ErrorKind::Unavailable);
        sql.set_down(false);
        store.cut_off(true);
        assert_eq!(kind(store.set(&key(), "1".into(), forever()).await), ErrorKind::Indeterminate);
        store.cut_off(false);
        assert_eq!(store.get(&key()).await.unwrap(), None);
        store.set(&key(), "2".into(), forever()).await.unwrap();
        assert_eq!(sql.commits().len(), 1);
    });
}

#[test]
fn an_enlisting_write_and_its_row_come_together_or_not_at_all() {
    world(async |_, sql, store| {
        let enlisting = store.as_authority().unwrap().enlisting();
        sql.decide([SqlFate::Failed]);
        enlisting.set(&key(), "1".into(), forever()).await.unwrap_err();
        assert!(sql.outbox().is_empty());
        enlisting.set(&key(), "1".into(), forever()).await.unwrap();
        enlisting.delete(&key()).await.unwrap();
        store.set(&key(), "2".into(), forever()).await.unwrap();
        let hasty = enlisting.with_deadline(Duration::from_secs(1));
        hasty.increment(&Key::from_physical("n").unwrap(), 1, Ttl::Forever).await.unwrap();
        let rows = store.pending(2).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [key(), key()]);
        assert_eq!(sql.outbox().len(), 3);
        store.settle(&[rows[1].id, rows[1].id, OutboxId(77)]).await.unwrap();
        let left: Vec<OutboxId> = store.pending(9).await.unwrap().into_iter().map(|row| row.id).collect();
        assert_eq!(left, [rows[0].id, OutboxId(3)]);
    });
}

mod conformance {
    use std::time::Duration;

    use hallway_testkit::Fixture;
    use hallway_testkit::sim::{SimSql, SqlFaults};

    async fn fixture() -> Fixture {
        let sql = SimSql::alone(1);
        sql.set_faults(SqlFaults::none(Duration::ZERO, Duration::ZERO));
        let reopened = sql.clone();
        let down = SimSql::alone(2);
        down.set_down(true);
        Fixture::new(sql.client())
            .with_reopen(move || {
                let store = reopened.client();
                async move { store }
            })
            .with_failed(move || {
                let store = down.client();
                async move { store }
            })
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}
