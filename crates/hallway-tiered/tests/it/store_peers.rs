//! Defects found in other caches, as far as they are of a store over tiers: each test fails when our guard is removed. The
//! numbers are those of the list of defects that the design was drawn from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use hallway_core::{
    AuthorityTier, Bytes, Capabilities, Cursor, DeleteIf, Entry, ErrorKind, Key, KvStore, KvStoreExt, OutboxId,
    OutboxRow, Page, Prefix, Result, SetOptions, SetOutcome, Timestamp, Ttl,
};
use hallway_testkit::{Fault, FaultStore, Faults, ManualClock, PlainStore};
use hallway_tiered::{Cache, TieredStore};

use crate::cache_double::{Call, Shared};
use crate::cache_support::{MS, SEC, alone, pass};

/// Copies in this process, copies in the shared tier, and the truth below them.
pub(crate) struct World {
    pub(crate) shared: Shared,
    clock: ManualClock,
    truth: Truth,
    pub(crate) faults: Faults,
}

impl World {
    pub(crate) fn new() -> Self {
        let (_, clock) = alone();
        let truth = Truth {
            plain: PlainStore::new().with_clock(Arc::new(clock.clone())),
            rows: Arc::default(),
            enlists: false,
        };
        Self { shared: Shared::new(&clock), clock, truth, faults: Faults::new() }
    }

    pub(crate) fn process(&self, seed: u64) -> TieredStore {
        self.shared.process_over(seed, FaultStore::new(self.truth.clone(), self.faults.clone()))
    }
}

fn key(id: &str) -> Key {
    Key::from_physical(&format!("a:{id}")).unwrap()
}

async fn set(store: &dyn KvStore, id: &str, value: &'static str) -> Result<SetOutcome> {
    store.set(&key(id), Bytes::from(value), SetOptions::new(Ttl::Forever)).await
}

/// Reads often enough to leave a copy in both tiers.
async fn warm(store: &TieredStore, id: &str) {
    for _ in 0..2 {
        store.get(&key(id)).await.unwrap().unwrap();
    }
    assert!(store.try_get(&key(id)).is_some());
}

/// 1: a tier that failed looked like one that had nothing, and everybody went to the source.
#[tokio::test(start_paused = true)]
async fn peers_01_a_failure_is_never_a_miss() {
    let world = World::new();
    let over_truth = world.process(1);
    set(&over_truth, "1", "there").await.unwrap();
    world.faults.inject(Fault::error(ErrorKind::Unavailable).on_reads());
    let over_shared = world.shared.process(2);
    set(&over_shared, "1", "there").await.unwrap();
    world.shared.cut();
    for store in [over_truth, over_shared] {
        let keys = [key("1"), key("2")];
        for failed in [
            store.get(&keys[0]).await.map(drop),
            store.get_entry(&keys[0]).await.map(drop),
            store.get_many(&keys).await.map(drop),
            store.get_entries(&keys).await.map(drop),
            store.scan(&Prefix::new("a").unwrap(), None, 10).await.map(drop),
        ] {
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
        }
    }
}

/// 2: a write succeeded if any tier took it, and what the truth had kept came back later.
#[tokio::test(start_paused = true)]
async fn peers_02_the_authority_alone_decides_what_a_write_answers() {
    let world = World::new();
    let (here, there) = (world.process(1), world.process(2));
    set(&here, "1", "old").await.unwrap();
    warm(&here, "1").await;
    warm(&there, "1").await;
    // It refuses, and the others would take it.
    world.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes());
    let many = [(key("1"), Bytes::from("new"), Ttl::Forever), (key("2"), Bytes::from("new"), Ttl::Forever)];
    for refused in [
        set(&here, "1", "new").await.map(drop),
        here.set_many(&many).await,
        here.delete(&key("1")).await.map(drop),
        here.take(&key("1")).await.map(drop),
        here.touch(&key("1"), Ttl::After(SEC)).await.map(drop),
        here.increment(&key("3"), 1, Ttl::Forever).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    world.faults.heal();
    for store in [&here, &there, &here] {
        assert_eq!(store.get(&key("1")).await.unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!((store.get(&key("2")).await.unwrap(), store.get(&key("3")).await.unwrap()), (None, None));
    }
    // It takes the write, and its answer is lost: in doubt for the caller, and nobody answers from a copy made before.
    world.faults.inject(Fault::lost_reply().on_writes().times(1));
    assert_eq!(set(&here, "1", "new").await.unwrap_err().kind(), ErrorKind::Indeterminate);
    for store in [&here, &there] {
        assert_eq!(store.get(&key("1")).await.unwrap().as_deref(), Some(&b"new"[..]));
    }
    // It takes the write, and no other tier does: done, and paid as soon as it can be.
    world.shared.cut();
    set(&here, "1", "newest").await.unwrap();
    assert_eq!(here.get(&key("1")).await.unwrap().as_deref(), Some(&b"newest"[..]));
    world.shared.mend();
    pass(&world.clock, SEC * 2).await;
    assert_eq!(there.get(&key("1")).await.unwrap().as_deref(), Some(&b"newest"[..]));
}

/// 4: each process that heard of a change did it again in every tier, the shared one included: as many writes as there
/// are processes, and a slow one put an old value over a newer one.
#[tokio::test(start_paused = true)]
async fn peers_04_what_others_tell_of_is_done_in_this_process_alone() {
    let changes = async |listeners: u64| {
        let world = World::new();
        let writer = world.process(0);
        let cache: Cache<String> = writer.cache("b").build().unwrap();
        let load = || async { Ok::<_, std::io::Error>("old".to_owned()) };
        set(&writer, "1", "old").await.unwrap();
        cache.get_or_load("1", load).await.unwrap();
        let mut others = Vec::new();
        for seed in 1..=listeners {
            let other = world.process(seed);
            let cached: Cache<String> = other.cache("b").build().unwrap();
            warm(&other, "1").await;
            cached.get("1").await.unwrap().unwrap();
            assert!(cached.try_get("1").is_some());
            others.push((other, cached));
        }
        if listeners == 0 {
            writer.get(&key("1")).await.unwrap();
        }
        let before = (world.shared.calls(Call::Change), world.faults.calls().writes);
        set(&writer, "1", "new").await.unwrap();
        cache.invalidate("1").await.unwrap();
        cache.clear().await.unwrap();
        // Long enough for whatever is done in the background.
        pass(&world.clock, SEC * 3).await;
        let after = (world.shared.calls(Call::Change), world.faults.calls().writes);
        for (other, cached) in &others {
            assert_eq!((other.try_get(&key("1")), cached.try_get("1")), (None, None));
            assert_eq!(other.get(&key("1")).await.unwrap().as_deref(), Some(&b"new"[..]));
            assert_eq!(cached.get("1").await.unwrap(), None);
        }
        (after.0 - before.0, after.1 - before.1)
    };
    // A marker and its end, an invalidation, a generation; and the write.
    assert_eq!(changes(0).await, (4, 1));
    assert_eq!(changes(5).await, (4, 1), "whoever listens");
}

/// 5: messages were lost while a connection was replaced, and local copies stayed.
#[tokio::test(start_paused = true)]
async fn peers_05_after_a_reconnect_nothing_answers_that_was_kept_before_it() {
    let world = World::new();
    for store in [world.process(1), world.shared.process(2)] {
        set(&store, "1", "there").await.unwrap();
        warm(&store, "1").await;
        world.shared.mend();
        assert_eq!(store.try_get(&key("1")), None);
        warm(&store, "1").await;
    }
}

/// 6 and 7: the life of a copy was stretched from tier to tier, rounded to whole seconds, or taken for endless when it was
/// short.
#[tokio::test(start_paused = true)]
async fn peers_07_a_copy_ends_with_its_entry_to_the_millisecond() {
    let world = World::new();
    for (here, there) in [(world.process(1), world.process(2)), (world.shared.process(3), world.shared.process(4))] {
        for many in [false, true] {
            let keys = [key("1")];
            let read = async |store: &TieredStore| match many {
                true => store.get_many(&keys).await.unwrap().remove(0),
                false => store.get(&keys[0]).await.unwrap(),
            };
            here.set(&keys[0], Bytes::from("short"), SetOptions::new(MS * 300)).await.unwrap();
            read(&here).await.unwrap();
            pass(&world.clock, MS * 299).await;
            read(&there).await.unwrap();
            assert!(there.try_get(&keys[0]).is_some());
            pass(&world.clock, MS).await;
            assert_eq!((there.try_get(&keys[0]), read(&there).await), (None, None));
        }
    }
}

/// 9: counters and locks ran on the nearest tier, so that two processes both won.
#[tokio::test(start_paused = true)]
async fn peers_09_counters_and_locks_are_of_all_processes() {
    let world = World::new();
    for (one, two) in [(world.process(1), world.process(2)), (world.shared.process(3), world.shared.process(4))] {
        let counts = (0..20).map(|at| {
            let store = if at % 2 == 0 { one.clone() } else { two.clone() };
            async move { store.increment(&key("count"), 1, Ttl::Forever).await.unwrap() }
        });
        let mut counted = join_all(counts).await;
        counted.sort_unstable();
        assert_eq!(counted, (1..=20).collect::<Vec<i64>>());
        let lock = key("lock");
        let locks = [&one, &two].map(|store| store.insert_if_absent(&lock, Bytes::from("mine"), Ttl::Forever));
        let won = join_all(locks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(won, 1);
        let taken = join_all([&one, &two].map(|store| store.take(&lock))).await;
        assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
    }
}

/// 10: an increment whose answer was lost was sent again.
#[tokio::test(start_paused = true)]
async fn peers_10_a_write_in_doubt_is_not_repeated() {
    let world = World::new();
    let store = world.process(1);
    world.faults.inject(Fault::lost_reply().on_writes());
    let before = world.faults.calls().writes;
    assert_eq!(store.increment(&key("1"), 1, Ttl::Forever).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    let won = store.insert_if_absent(&key("2"), Bytes::from("mine"), Ttl::Forever).await;
    assert_eq!(won.unwrap_err().kind(), ErrorKind::Indeterminate, "not `lost`, which a second try would say");
    assert_eq!(store.take(&key("2")).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    pass(&world.clock, SEC * 10).await;
    assert_eq!(world.faults.calls().writes - before, 3);
    world.faults.heal();
    assert_eq!(store.increment(&key("1"), 0, Ttl::Forever).await.unwrap(), 1);
}

/// 35 and 36: an invalidation between a reply and its insert was lost, most of all where many are read at once.
#[tokio::test(start_paused = true)]
async fn peers_36_replies_that_were_overtaken_are_kept_by_nobody() {
    let world = World::new();
    for (here, there) in [(world.process(1), world.process(2)), (world.shared.process(3), world.shared.process(4))] {
        for many in [false, true] {
            let keys: Vec<Key> = (0..20).map(|id| key(&id.to_string())).collect();
            let items = |keys: &[Key], value: &'static str| -> Vec<_> {
                keys.iter().map(|key| (key.clone(), Bytes::from(value), Ttl::Forever)).collect()
            };
            there.set_many(&items(&keys, "old")).await.unwrap();
            there.get_many(&keys).await.unwrap();
            world.shared.hold_replies();
            let reading = tokio::spawn({
                let (here, keys) = (here.clone(), keys.clone());
                async move {
                    match many {
                        true => here.get_many(&keys).await,
                        false => join_all(keys.iter().map(|key| here.get(key))).await.into_iter().collect(),
                    }
                }
            });
            tokio::time::sleep(MS).await;
            let (overtaken, good) = keys.split_at(10);
            there.set_many(&items(overtaken, "new")).await.unwrap();
            world.shared.let_go();
            assert!(reading.await.unwrap().unwrap().iter().all(Option::is_some));
            for key in overtaken {
                assert_eq!(here.try_get(key), None, "{key:?}");
                assert_eq!(here.get(key).await.unwrap().as_deref(), Some(&b"new"[..]));
            }
            for key in good {
                assert_eq!(here.try_get(key).as_deref(), Some(&b"old"[..]), "{key:?}: judged one by one");
            }
        }
    }
}

/// 36: what was remembered of invalidations grew with every key that had ever changed.
#[test]
fn peers_36_changes_of_ever_more_keys_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let world = World::new();
    let _inside = runtime.enter();
    let (here, there) = (world.process(1), world.shared.process(2));
    let (_read, _by): (Cache<String>, Cache<String>) =
        (here.cache("a").build().unwrap(), there.cache("a").build().unwrap());
    let tell = |from: u32| {
        for at in from..from + 20_000 {
            for kind in ["", "copy:", "generation:tag:"] {
                world.shared.tell(format!("{kind}a:{at}").as_bytes());
            }
        }
    };
    tell(0);
    let counted = allocation_counter::measure(|| tell(20_000));
    assert_eq!((counted.bytes_current, counted.count_current), (0, 0), "after 60,000 changes");
    assert!(here.stats().invalidations >= 120_000);
}

/// 37: notifications were lost in a gap that nobody was told of. There are none: what is owed stays written down until it
/// is done, whoever does it.
#[tokio::test(start_paused = true)]
async fn peers_37_what_is_owed_stays_until_it_is_done() {
    let world = World::new();
    let reader = world.process(1);
    set(&reader, "1", "old").await.unwrap();
    warm(&reader, "1").await;
    world.shared.cut();
    let writer = world.process(2);
    // It cannot tell anybody, and dies.
    set(&writer, "1", "new").await.unwrap();
    drop(writer);
    let owed = || world.truth.rows.lock().unwrap().len();
    assert_eq!(owed(), 1, "committed with the write");
    // The copy still stands there. The first attempt to end it is lost, and so is the second one's note that it is done.
    world.shared.lose_unmarks(1);
    world.shared.mend();
    pass(&world.clock, MS * 100).await;
    assert_eq!(
        (owed(), world.shared.header("copy:a:1").is_some()),
        (1, true),
        "nothing was done, nothing is forgotten"
    );
    world.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes().times(1));
    pass(&world.clock, SEC).await;
    assert_eq!((owed(), world.shared.header("copy:a:1").is_some()), (1, false), "done, and done once more");
    pass(&world.clock, SEC).await;
    assert_eq!((owed(), reader.health().lag), (0, Duration::ZERO));
    assert_eq!(reader.get(&key("1")).await.unwrap().as_deref(), Some(&b"new"[..]));
}

/// A plain store with an outbox.
#[derive(Debug, Clone)]
struct Truth {
    plain: PlainStore,
    rows: Arc<Mutex<Vec<OutboxRow>>>,
    enlists: bool,
}

impl Truth {
    async fn enlist(&self, key: &Key) {
        if self.enlists {
            let written = self.plain.time().await.unwrap();
            let mut rows = self.rows.lock().unwrap();
            let id = OutboxId(i64::try_from(rows.len()).unwrap());
            rows.push(OutboxRow { id, key: key.clone(), written });
        }
    }
}

#[async_trait]
impl KvStore for Truth {
    fn capabilities(&self) -> Capabilities {
        self.plain.capabilities()
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.plain.get_entry(key).await
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.enlist(key).await;
        self.plain.set(key, value, opts).await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.enlist(key).await;
        self.plain.delete_if(key, when).await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.enlist(key).await;
        self.plain.touch(key, ttl).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.plain.scan(prefix, after, limit).await
    }

    async fn time(&self) -> Result<Timestamp> {
        self.plain.time().await
    }

    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }

    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        Some(self)
    }
}

#[async_trait]
impl AuthorityTier for Truth {
    fn enlisting(&self) -> Arc<dyn KvStore> {
        Arc::new(Self { enlists: true, ..self.clone() })
    }

    async fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>> {
        Ok(self.rows.lock().unwrap().iter().take(limit).cloned().collect())
    }

    async fn settle(&self, rows: &[OutboxId]) -> Result<()> {
        self.rows.lock().unwrap().retain(|row| !rows.contains(&row.id));
        Ok(())
    }
}
