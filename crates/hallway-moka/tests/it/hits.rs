//! What a hit costs, in allocations.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hallway_core::{Bytes, Key, KvStore, Namespace, SetOptions, SetOutcome, Ttl};
use hallway_moka::MokaStore;

fn key(id: &str) -> Key {
    Namespace::new("user:profile").unwrap().key(id).unwrap()
}

fn set(store: &MokaStore, key: &Key, value: Bytes, ttl: Ttl) {
    let outcome = store.set(key, value, SetOptions::new(ttl)).now_or_never().unwrap().unwrap();
    assert_eq!(outcome, SetOutcome::Written);
}

/// Values in every form that `Bytes` has.
fn values() -> Vec<Bytes> {
    let shared = Bytes::from(vec![1; 8_192]);
    let mut roomy = Vec::with_capacity(200);
    roomy.extend([2; 128]);
    let mut wasteful = Vec::with_capacity(1 << 20);
    wasteful.extend([3; 128]);
    vec![
        Bytes::from(vec![4; 128]),
        Bytes::from(roomy),
        Bytes::from(wasteful),
        Bytes::from_static(&[5; 128]),
        shared.slice(..128),
        Bytes::copy_from_slice(&[6; 1 << 16]),
        Bytes::new(),
    ]
}

#[test]
fn no_hit_allocates_not_even_the_first() {
    let store = MokaStore::builder().build().unwrap();
    let keys: Vec<Key> = (0..values().len()).map(|id| key(&id.to_string())).collect();
    for (key, value) in keys.iter().zip(values()) {
        set(&store, key, value, Duration::from_secs(3600).into());
    }
    // The read log of moka and the epochs of this thread are set up by the first reads of anything.
    let other = key("other");
    set(&store, &other, Bytes::from_static(b"x"), Ttl::Forever);
    for _ in 0..1_000 {
        assert!(store.try_get(&other).is_some());
    }
    store.run_pending_tasks();
    let counted = allocation_counter::measure(|| {
        for key in &keys {
            assert!(store.try_get(key).is_some());
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    // Far more than moka's read log holds. Its upkeep, once in 64 reads at most, renews a list for deferred frees.
    let rounds = 10_000;
    let counted = allocation_counter::measure(|| {
        for _ in 0..rounds {
            for key in &keys {
                assert!(store.try_get(key).is_some());
            }
        }
    });
    assert!(counted.count_total <= rounds * keys.len() as u64 / 64, "{counted:?}");
}

#[test]
fn a_hit_through_the_trait_allocates_its_future_and_nothing_else() {
    let store: Arc<dyn KvStore> = Arc::new(MokaStore::builder().build().unwrap());
    let key = key("42");
    let opts = SetOptions::new(Ttl::Forever);
    assert!(store.set(&key, Bytes::from_static(b"x"), opts).now_or_never().unwrap().unwrap().is_written());
    for _ in 0..1_000 {
        assert!(store.try_get(&key).is_some());
    }
    let counted = allocation_counter::measure(|| {
        assert!(store.get(&key).now_or_never().unwrap().unwrap().is_some());
    });
    assert_eq!(counted.count_total, 1, "{counted:?}");
}

#[test]
fn a_value_does_not_keep_a_large_buffer_of_its_own_alive() {
    let store = MokaStore::builder().build().unwrap();
    let counted = allocation_counter::measure(|| {
        for id in 0..100 {
            let mut buffer = Vec::with_capacity(1 << 20);
            buffer.extend([7; 100]);
            set(&store, &key(&id.to_string()), Bytes::from(buffer), Ttl::Forever);
            let slice = Bytes::from(vec![8; 1 << 20]).slice(..100);
            set(&store, &key(&format!("slice {id}")), slice, Ttl::Forever);
        }
    });
    // 200 values of 100 bytes and their bookkeeping, not 200 MiB.
    assert!(counted.bytes_current < 2 << 20, "{counted:?}");
}
