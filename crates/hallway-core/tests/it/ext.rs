//! The default bodies and the extension trait, on a store that has nothing of its own.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hallway_core::{
    Bytes, Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, KvStoreExt, Namespace,
    Page, Prefix, Result, SetIf, SetOptions, SetOutcome, Timestamp, Ttl,
};

type Live = (Bytes, Option<Instant>);

/// Required methods only. `meddle` counts down: so often another writer changes the entry right after it was read.
#[derive(Debug, Clone, Default)]
struct Tiny {
    entries: Arc<Mutex<BTreeMap<Key, Live>>>,
    meddle: Arc<AtomicUsize>,
    /// One more than the number of writes that still succeed; 0 is any number.
    fail_set_after: Arc<AtomicUsize>,
    stuck_cursor: bool,
    no_forever: bool,
}

impl Tiny {
    fn meddling(times: usize) -> Self {
        Self { meddle: Arc::new(AtomicUsize::new(times)), ..Self::default() }
    }

    fn may_write(&self) -> Result<()> {
        if self.fail_set_after.load(Ordering::SeqCst) == 1 {
            return Err(Error::new(ErrorKind::Unavailable, "gone"));
        }
        let _ = self.fail_set_after.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Ok(())
    }

    fn live(entries: &BTreeMap<Key, Live>, key: &Key) -> Option<Live> {
        entries.get(key).filter(|(_, deadline)| deadline.is_none_or(|deadline| Instant::now() < deadline)).cloned()
    }
}

#[async_trait]
impl KvStore for Tiny {
    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::all();
        if self.no_forever { all.without(Capability::Forever) } else { all }
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let mut entries = self.entries.lock().unwrap();
        let seen = Self::live(&entries, key).map(|(value, deadline)| {
            let rest = |deadline: Instant| Ttl::After(deadline.saturating_duration_since(Instant::now()));
            Entry::new(value, deadline.map_or(Ttl::Forever, rest))
        });
        if self.meddle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let old: i64 = seen.as_ref().map_or(0, |seen| std::str::from_utf8(&seen.value).unwrap().parse().unwrap());
            entries.insert(key.clone(), (Bytes::from((old + 1).to_string()), None));
        }
        Ok(seen)
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        let millis = opts.ttl.whole_millis()?;
        self.may_write()?;
        let mut entries = self.entries.lock().unwrap();
        let live = Self::live(&entries, key);
        let holds = match &opts.condition {
            SetIf::Always => true,
            SetIf::Absent => live.is_none(),
            SetIf::Present => live.is_some(),
            SetIf::Equals(expected) => live.is_some_and(|(value, _)| value == *expected),
        };
        if !holds {
            return Ok(SetOutcome::ConditionNotMet);
        }
        entries.insert(key.clone(), (value, millis.map(|millis| Instant::now() + Duration::from_millis(millis.get()))));
        Ok(SetOutcome::Written)
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.may_write()?;
        let mut entries = self.entries.lock().unwrap();
        let holds = match (Self::live(&entries, key), when) {
            (None, _) => false,
            (Some(_), DeleteIf::Always) => true,
            (Some((value, _)), DeleteIf::Equals(expected)) => value == expected,
        };
        if holds {
            entries.remove(key);
        }
        Ok(holds)
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let Some(entry) = self.get_entry(key).await? else { return Ok(false) };
        Ok(self.set(key, entry.value, SetOptions::new(ttl).if_present()).await?.is_written())
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        if self.stuck_cursor {
            return Ok(Page { keys: vec![], next: Some(Cursor::new("again")) });
        }
        let after = after.map(|after| Key::from_physical(after.as_str()).unwrap());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.lock().unwrap();
        let keys: Vec<Key> = entries
            .range((from, Bound::Unbounded))
            .map(|(key, _)| key.clone())
            .filter(|key| prefix.matches(key.as_str()))
            .take(limit)
            .collect();
        let next = keys.last().filter(|_| keys.len() == limit).map(|last| Cursor::new(last.as_str()));
        Ok(Page { keys, next })
    }
    async fn time(&self) -> Result<Timestamp> {
        Ok(Timestamp::now())
    }
    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn key(id: &str) -> Key {
    Namespace::new("app").unwrap().key(id).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn put(store: &Tiny, id: &str, value: &str, ttl: impl Into<Ttl>) {
    assert!(store.set(&key(id), bytes(value), SetOptions::new(ttl)).await.unwrap().is_written());
}

fn plus_one(seen: Option<Bytes>) -> Result<Option<Bytes>> {
    let old: u64 = seen.map_or(0, |seen| std::str::from_utf8(&seen).unwrap().parse().unwrap());
    Ok(Some(Bytes::from((old + 1).to_string())))
}

#[tokio::test]
async fn update_tries_again_after_other_writers() {
    let store = Tiny::meddling(15);
    assert_eq!(store.update(&key("n"), Ttl::Forever, plus_one).await.unwrap().unwrap(), "16");
}

#[tokio::test]
async fn update_answers_conflict_after_16_of_them() {
    let store = Tiny::meddling(usize::MAX);
    let error = store.update(&key("s3cr3t"), Ttl::Forever, plus_one).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.is_retryable());
    assert_eq!(usize::MAX - store.meddle.load(Ordering::SeqCst), 16);
    assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
}

#[tokio::test]
async fn update_leaves_the_entry_on_none_and_on_an_error() {
    let store = Tiny::default();
    put(&store, "n", "7", HOUR).await;
    assert_eq!(store.update(&key("n"), Ttl::Forever, |_| Ok(None)).await.unwrap().unwrap(), "7");
    let failed = store.update(&key("n"), Ttl::Forever, |_| Err(Error::invalid_input("no"))).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidInput);
    let entry = store.get_entry(&key("n")).await.unwrap().unwrap();
    assert_eq!(entry.value, "7");
    assert!(!entry.remaining.is_forever());
}

#[tokio::test]
async fn compare_and_set_means_absent_by_none() {
    let store: Arc<dyn KvStore> = Arc::new(Tiny::default());
    assert!(store.compare_and_set(&key("n"), None, bytes("1"), Ttl::Forever).await.unwrap());
    assert!(!store.compare_and_set(&key("n"), None, bytes("2"), Ttl::Forever).await.unwrap());
    assert!(!store.compare_and_set(&key("n"), Some(bytes("0")), bytes("2"), Ttl::Forever).await.unwrap());
    assert!(store.compare_and_set(&key("n"), Some(bytes("1")), bytes("2"), Ttl::Forever).await.unwrap());
    assert!(!store.insert_if_absent(&key("n"), bytes("3"), Ttl::Forever).await.unwrap());
    assert_eq!(store.get(&key("n")).await.unwrap().unwrap(), "2");
}

#[cfg(feature = "json")]
#[tokio::test]
async fn typed_values_go_through_a_codec() {
    use hallway_core::Json;
    let store = Tiny::default();
    assert!(store.set_as::<Json, _>(&key("s3cr3t"), &[1, 2], SetOptions::new(HOUR)).await.unwrap().is_written());
    assert_eq!(store.get_as::<Json, [u8; 2]>(&key("s3cr3t")).await.unwrap(), Some([1, 2]));
    assert_eq!(store.get_as::<Json, [u8; 2]>(&key("other")).await.unwrap(), None);
    let error = store.get_as::<Json, String>(&key("s3cr3t")).await.unwrap_err();
    assert_eq!((error.kind(), error.namespace(), error.operation()), (ErrorKind::Corrupt, Some("app"), Some("decode")));
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn a_view_sees_its_namespace_only() {
    let store = Tiny::default();
    put(&store, "1", "one", HOUR).await;
    let view = store.clone().prefixed(Namespace::new("app").unwrap());
    let inner = Key::from_physical("1").unwrap();
    assert_eq!(view.get(&inner).await.unwrap().unwrap(), "one");
    assert_eq!(view.scan(&Prefix::root(), None, 10).await.unwrap().keys, [inner]);
    assert_eq!(view.clear(&Prefix::root()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(view.namespace().as_str(), "app");
}

#[tokio::test]
async fn take_has_one_winner_and_survives_meddling() {
    let store = Tiny::meddling(3);
    put(&store, "n", "1", HOUR).await;
    assert_eq!(store.take(&key("n")).await.unwrap().unwrap(), "4");
    assert_eq!(store.take(&key("n")).await.unwrap(), None);
    let hopeless = Tiny::meddling(usize::MAX);
    put(&hopeless, "n", "1", HOUR).await;
    assert_eq!(hopeless.take(&key("n")).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn increment_creates_with_the_ttl_and_keeps_the_deadline() {
    let store = Tiny::default();
    assert_eq!(store.increment(&key("n"), 5, Ttl::After(HOUR)).await.unwrap(), 5);
    assert_eq!(store.increment(&key("n"), -7, Ttl::Forever).await.unwrap(), -2);
    let remaining = store.get_entry(&key("n")).await.unwrap().unwrap().remaining.duration().unwrap();
    assert!(remaining <= HOUR && remaining > HOUR - Duration::from_secs(60), "{remaining:?}");
    put(&store, "forever", "1", Ttl::Forever).await;
    store.increment(&key("forever"), 1, Ttl::After(HOUR)).await.unwrap();
    assert!(store.get_entry(&key("forever")).await.unwrap().unwrap().remaining.is_forever());
}

/// Counting on in the last millisecond must neither prolong the life nor give up.
#[tokio::test]
async fn a_busy_counter_still_expires() {
    let store = Tiny::default();
    assert_eq!(store.increment(&key("n"), 1, Ttl::After(Duration::from_millis(20))).await.unwrap(), 1);
    let patience = Instant::now() + Duration::from_secs(30);
    let mut last = 1;
    loop {
        assert!(Instant::now() < patience, "counted to {last} and never expired");
        let sum = store.increment(&key("n"), 1, Ttl::After(Duration::from_millis(20))).await.unwrap();
        if sum == 1 {
            break;
        }
        assert_eq!(sum, last + 1);
        last = sum;
    }
}

#[tokio::test]
async fn increment_refuses_text_and_overflow_and_keeps_the_value() {
    let store = Tiny::default();
    for (value, by) in [("seven", 1), ("+7", 1), ("9223372036854775807", 1), ("-9223372036854775808", -1)] {
        put(&store, "n", value, HOUR).await;
        let error = store.increment(&key("n"), by, Ttl::Forever).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{value}");
        assert_eq!(store.get(&key("n")).await.unwrap().unwrap(), value);
    }
    assert!(store.increment(&key("new"), 1, Ttl::After(Duration::ZERO)).await.is_err());
    let hopeless = Tiny::meddling(usize::MAX);
    let error = hopeless.increment(&key("n"), 1, Ttl::Forever).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn batches_keep_order_and_duplicates() {
    let store = Tiny::default();
    let items = [
        (key("a"), bytes("1"), Ttl::Forever),
        (key("b"), bytes("2"), Ttl::Forever),
        (key("a"), bytes("3"), Ttl::Forever),
    ];
    store.set_many(&items).await.unwrap();
    let got = store.get_many(&[key("b"), key("x"), key("a"), key("b")]).await.unwrap();
    assert_eq!(got, [Some(bytes("2")), None, Some(bytes("3")), Some(bytes("2"))]);
    assert_eq!(store.delete_many(&[key("a"), key("a"), key("x")]).await.unwrap(), 1);
    store.set_many(&[]).await.unwrap();
    assert!(store.get_many(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_is_checked_before_anything_is_written() {
    let store = Tiny::default();
    let huge = Bytes::from(vec![0; hallway_core::HARD_VALUE_CAP + 1]);
    for (second, kind) in [
        ((key("b"), bytes("2"), Ttl::After(Duration::ZERO)), ErrorKind::InvalidInput),
        ((key("b"), huge, Ttl::Forever), ErrorKind::TooLarge),
    ] {
        let items = [(key("a"), bytes("1"), Ttl::Forever), second];
        assert_eq!(store.set_many(&items).await.unwrap_err().kind(), kind);
        assert_eq!(store.get(&key("a")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_batch_that_fails_half_way_is_indeterminate() {
    let items: Vec<_> = (0..3).map(|at: u8| (key(&at.to_string()), bytes("x"), Ttl::Forever)).collect();
    for (after, kind) in [(1, ErrorKind::Unavailable), (2, ErrorKind::Indeterminate), (3, ErrorKind::Indeterminate)] {
        let store = Tiny { fail_set_after: Arc::new(AtomicUsize::new(after)), ..Tiny::default() };
        assert_eq!(store.set_many(&items).await.unwrap_err().kind(), kind, "after {}", after - 1);
    }
}

#[tokio::test]
async fn a_deletion_that_fails_half_way_is_indeterminate() {
    let keys: Vec<_> = (0..3).map(|at: u8| key(&at.to_string())).collect();
    for (after, kind) in [(1, ErrorKind::Unavailable), (2, ErrorKind::Indeterminate), (3, ErrorKind::Indeterminate)] {
        let store = Tiny::default();
        for at in 0..3 {
            put(&store, &at.to_string(), "x", HOUR).await;
        }
        store.fail_set_after.store(after, Ordering::SeqCst);
        assert_eq!(store.delete_many(&keys).await.unwrap_err().kind(), kind, "after {}", after - 1);
        let store = Tiny::default();
        for at in 0..3 {
            put(&store, &at.to_string(), "x", HOUR).await;
        }
        store.fail_set_after.store(after, Ordering::SeqCst);
        assert_eq!(store.clear(&Prefix::new("app").unwrap()).await.unwrap_err().kind(), kind, "after {}", after - 1);
    }
}

#[tokio::test]
async fn a_denied_forever_is_refused_before_anything_is_written() {
    let store = Tiny { no_forever: true, ..Tiny::default() };
    let items = [(key("a"), bytes("1"), Ttl::from(HOUR)), (key("b"), bytes("2"), Ttl::Forever)];
    assert_eq!(store.set_many(&items).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

#[tokio::test]
async fn clear_deletes_below_the_prefix_page_by_page() {
    let store = Tiny::default();
    for at in 0..2_500 {
        put(&store, &at.to_string(), "x", HOUR).await;
    }
    let other = Key::from_physical("app2:1").unwrap();
    let _ = store.set(&other, bytes("x"), SetOptions::new(HOUR)).await.unwrap();
    assert_eq!(store.clear(&Prefix::root()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(store.clear(&Prefix::new("app").unwrap()).await.unwrap(), 2_500);
    assert!(store.get(&other).await.unwrap().is_some());
    let stuck = Tiny { stuck_cursor: true, ..Tiny::default() };
    assert_eq!(stuck.clear(&Prefix::new("app").unwrap()).await.unwrap(), 0);
}

#[tokio::test]
async fn the_rest_of_the_defaults() {
    let store = Tiny::default();
    put(&store, "1", "x", HOUR).await;
    assert_eq!(store.try_get(&key("1")), None);
    assert!(store.direct().is_none() && store.as_shared().is_none() && store.as_authority().is_none());
    store.ping().await.unwrap();
    assert!(store.delete(&key("1")).await.unwrap());
    assert!(!store.delete(&key("1")).await.unwrap());
}
