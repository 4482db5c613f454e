//! Words that the clauses share.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{
    Entry, Error, ErrorKind, Key, KvStore, MAX_PAGE, Namespace, Prefix, Result, SetOptions, SetOutcome, Ttl,
};
use tokio::sync::Barrier;

use crate::Fixture;

/// A life that no clause outlasts.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// A life that a clause can wait for.
pub(super) const SHORT: Duration = Duration::from_millis(100);

/// What rounding up and a coarse clock may add.
pub(super) const GRAIN: Duration = Duration::from_millis(20);

/// How many callers race.
pub(super) const CALLERS: usize = 32;

/// The key `id` of the namespace most clauses use.
pub(super) fn key(id: &str) -> Key {
    key_in("app", id)
}

pub(super) fn key_in(namespace: &str, id: &str) -> Key {
    let namespace = Namespace::new(namespace).expect("clauses use legal namespaces");
    namespace.key(id).expect("clauses use legal ids")
}

pub(super) fn prefix(namespace: &str) -> Prefix {
    Prefix::new(namespace).expect("clauses use legal namespaces")
}

pub(super) fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

/// An unconditional write for an hour.
pub(super) fn for_an_hour() -> SetOptions {
    SetOptions::new(HOUR)
}

/// Writes for an hour.
pub(super) async fn put(store: &dyn KvStore, key: &Key, value: &str) -> Result<()> {
    put_for(store, key, value, HOUR).await
}

pub(super) async fn put_for(store: &dyn KvStore, key: &Key, value: &str, ttl: impl Into<Ttl>) -> Result<()> {
    let outcome = store.set(key, text(value), SetOptions::new(ttl)).await?;
    assert_eq!(outcome, SetOutcome::Written, "an unconditional set always writes");
    Ok(())
}

/// Writes an entry and lets its life pass.
pub(super) async fn put_expired(fixture: &Fixture, key: &Key, value: &str) -> Result<()> {
    put_for(fixture.store(), key, value, SHORT).await?;
    fixture.pass(SHORT + GRAIN).await;
    Ok(())
}

/// Asserts what a key reads as.
pub(super) async fn reads(store: &dyn KvStore, key: &Key, expected: Option<&str>) -> Result<()> {
    assert_eq!(store.get(key).await?, expected.map(text), "what the key reads as");
    Ok(())
}

/// The entry, which must be there.
pub(super) async fn entry(store: &dyn KvStore, key: &Key) -> Result<Entry> {
    Ok(store.get_entry(key).await?.expect("the entry is there"))
}

/// The rest of the entry's life, which must be finite.
pub(super) async fn remaining(store: &dyn KvStore, key: &Key) -> Result<Duration> {
    Ok(entry(store, key).await?.remaining.duration().expect("the entry has a deadline"))
}

/// Asserts that a life is the one an entry was given a moment ago.
pub(super) fn assert_life(rest: Duration, given: Duration) {
    assert!(rest <= given, "{rest:?} remain of {given:?}");
    // Clauses take seconds at most, the lives they tell apart differ by minutes.
    assert!(rest + Duration::from_secs(60) > given, "only {rest:?} remain of {given:?}");
}

/// Asserts that a call failed with this kind.
pub(super) fn refused<T: fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    let error = result.map_err(Box::new).expect_err("the call must fail");
    assert_eq!(error.kind(), kind, "{error}");
}

/// Asserts that a store says that it cannot do something.
pub(super) fn unsupported<T: fmt::Debug>(result: Result<T>) -> Result<()> {
    refused(result, ErrorKind::Unsupported);
    Ok(())
}

/// Every key below a prefix, page by page; a key may stand there twice.
pub(super) async fn scan_all(store: &dyn KvStore, prefix: &Prefix, limit: usize) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    let mut after = None;
    for _ in 0..100_000 {
        let page = store.scan(prefix, after, limit).await?;
        assert!(page.keys.len() <= limit.min(MAX_PAGE), "a page of {} for a limit of {limit}", page.keys.len());
        assert!(page.keys.iter().all(|key| prefix.matches(key.as_str())), "a page has only keys of its prefix");
        keys.extend(page.keys);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
    panic!("the scan does not end");
}

/// What is below a prefix, each key once, in order.
pub(super) async fn listed(store: &dyn KvStore, prefix: &Prefix) -> Result<Vec<Key>> {
    let mut keys = scan_all(store, prefix, 100).await?;
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Lets `count` callers start together, each on a task of its own, and gathers what they got.
///
/// Another caller is the first to arrive each time, or one of two would always win its race.
pub(super) async fn together<F, O, T>(store: &Arc<dyn KvStore>, count: usize, call: F) -> Result<Vec<T>>
where
    F: Fn(Arc<dyn KvStore>, usize) -> O,
    O: Future<Output = Result<T>> + Send + 'static,
    T: Send + 'static,
{
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed) % count;
    let gate = Arc::new(Barrier::new(count));
    let mut tasks: Vec<_> = (0..count)
        .map(|place| {
            let number = (place + turn) % count;
            let (gate, call) = (gate.clone(), call(store.clone(), number));
            let task = tokio::spawn(async move {
                gate.wait().await;
                call.await
            });
            (number, task)
        })
        .collect();
    tasks.sort_by_key(|(number, _)| *number);
    let mut results = Vec::with_capacity(count);
    for (_, task) in tasks {
        results.push(task.await.expect("no caller panics")?);
    }
    Ok(results)
}

/// Everything an error shows: text, `Debug` and the chain of its sources.
pub(super) fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        shown.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    shown
}

/// Whether the store can count at all: without conditional writes it need not.
pub(super) async fn can_increment(fixture: &Fixture) -> Result<bool> {
    may_lack(
        fixture,
        hallway_core::Capability::ConditionalSet,
        fixture.store().increment(&key("probe"), 1, Ttl::After(HOUR)).await,
    )
}

/// Whether the store can take at all: without conditional deletion it need not.
pub(super) async fn can_take(fixture: &Fixture) -> Result<bool> {
    put(fixture.store(), &key("probe"), "x").await?;
    may_lack(fixture, hallway_core::Capability::ConditionalDelete, fixture.store().take(&key("probe")).await)
}

fn may_lack<T>(fixture: &Fixture, needs: hallway_core::Capability, probe: Result<T>) -> Result<bool> {
    match probe {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unsupported && !fixture.can(needs) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The store with a deadline that a large batch on a busy machine keeps.
pub(super) fn patient(fixture: &Fixture) -> Arc<dyn KvStore> {
    fixture.store().with_deadline(Duration::from_secs(30))
}
