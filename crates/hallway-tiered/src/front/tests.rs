//! The front by itself, with numbers for copies.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

fn front<T>() -> Front<T> {
    Front::new(64, 1_000, 7)
}

fn seat<T>(front: &Front<T>, hash: u64) -> Seat {
    Seat { removals: front.sets[front.set_of(hash)].removals.load(Ordering::SeqCst) }
}

fn key(id: &str) -> Key {
    Key::from_physical(id).unwrap()
}

fn name(id: &str) -> Name {
    Name::whole(&key(id))
}

fn put<T>(front: &Front<T>, id: &str, value: T) -> bool {
    let hash = front.hash(id);
    front.insert(seat(front, hash), hash, name(id), value, 8)
}

fn found<T: Clone>(front: &Front<T>, id: &str) -> Option<T> {
    match front.get(front.hash(id), id, |value| Some(value.clone())) {
        Found::Hit { value, .. } => Some(value),
        Found::Miss(_) => None,
    }
}

#[test]
fn what_was_put_is_found_until_it_is_removed() {
    let front = front();
    assert_eq!(found(&front, "a"), None);
    assert!(put(&front, "a", 1) && put(&front, "b", 2));
    assert_eq!((found(&front, "a"), found(&front, "b"), found(&front, "c")), (Some(1), Some(2), None));
    assert!(put(&front, "a", 3));
    assert_eq!(found(&front, "a"), Some(3));
    front.remove(front.hash("a"), &key("a"));
    assert_eq!((found(&front, "a"), found(&front, "b")), (None, Some(2)));
}

#[test]
fn ids_of_one_hash_are_told_apart() {
    let front = front();
    let hash = 0;
    for (id, value) in [("a", 1), ("b", 2)] {
        assert!(front.insert(seat(&front, hash), hash, name(id), value, 8));
    }
    for (id, expected) in [("a", Some(1)), ("b", Some(2)), ("c", None), ("", None)] {
        let found = match front.get(hash, id, |value| Some(*value)) {
            Found::Hit { value, .. } => Some(value),
            Found::Miss(_) => None,
        };
        assert_eq!(found, expected, "{id}");
    }
    front.remove(hash, &key("a"));
    assert!(matches!(front.get(hash, "b", |value| Some(*value)), Found::Hit { value: 2, .. }));
}

#[test]
fn an_id_is_found_as_it_was_given() {
    let front = front();
    let namespace = hallway_core::Namespace::new("user").unwrap();
    for (value, id) in ["42", "a:b", "100%", "%3A", "{x}"].into_iter().enumerate() {
        let (hash, key) = (front.hash(id), namespace.key(id).unwrap());
        assert!(front.insert(seat(&front, hash), hash, Name::id(&key), value, 8));
        assert_eq!(found(&front, id), Some(value));
        front.remove(hash, &key);
        assert_eq!(found(&front, id), None);
    }
    // What it is written as is another id.
    let (hash, key) = (0, namespace.key(":").unwrap());
    assert!(front.insert(seat(&front, hash), hash, Name::id(&key), 1, 8));
    assert!(matches!(front.get(hash, "%3A", |value| Some(*value)), Found::Miss(_)));
    assert!(matches!(front.get(hash, ":", |value| Some(*value)), Found::Hit { value: 1, .. }));
}

#[test]
fn one_hit_in_sixteen_is_to_be_recorded() {
    let front = front();
    assert!(put(&front, "a", 1));
    let hits = (0..1_600)
        .filter(|_| matches!(front.get(front.hash("a"), "a", |value| Some(*value)), Found::Hit { record: true, .. }));
    assert_eq!(hits.count(), 100);
}

/// Also where keys are read in turn, so that each of them gets in sooner or later.
#[test]
fn one_miss_in_eight_gets_a_seat() {
    let front = Front::<u64>::new(4_096, 1_000, 7);
    let ids: Vec<String> = (0..64).map(|id| id.to_string()).collect();
    let (mut seated, mut seats) = (HashSet::new(), 0_u32);
    for _ in 0..100 {
        for id in &ids {
            if let Found::Miss(Some(_)) = front.get(front.hash(id), id, |value| Some(*value)) {
                seats += 1;
                seated.insert(id);
            }
        }
    }
    assert!((650..950).contains(&seats), "{seats} of 6,400");
    assert_eq!(seated.len(), 64);
}

#[test]
fn what_is_not_good_is_let_go_at_once() {
    let front = front();
    let value = Arc::new(1);
    assert!(put(&front, "a", value.clone()));
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(matches!(front.get(front.hash("a"), "a", |_| None::<()>), Found::Miss(_)));
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(put(&front, "a", value.clone()));
    front.remove(front.hash("a"), &key("a"));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_removal_revokes_the_seats_given_before() {
    let front = front();
    let hash = front.hash("a");
    let early = seat(&front, hash);
    front.remove(hash, &key("a"));
    assert!(!front.insert(early, hash, name("a"), 1, 8), "read before the removal, perhaps");
    assert_eq!(found(&front, "a"), None);
    assert!(front.insert(seat(&front, hash), hash, name("a"), 2, 8));
    assert_eq!(found(&front, "a"), Some(2));
}

#[test]
fn large_values_stay_out_and_places_are_all_there_is() {
    let front = front();
    let hash = front.hash("large");
    assert!(front.insert(seat(&front, hash), hash, name("large"), Arc::new(0), 1_000));
    front.remove(hash, &key("large"));
    assert!(!front.insert(seat(&front, hash), hash, name("large"), Arc::new(0), 1_001));
    let value = Arc::new(0);
    for id in 0..10_000 {
        assert!(put(&front, &id.to_string(), value.clone()));
    }
    assert_eq!(Arc::strong_count(&value), 1 + 64);
    drop(front);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Of one set, so that there is a choice of four.
#[test]
fn the_coldest_leaves() {
    let front = Front::new(4, 1_000, 7);
    for id in ["a", "b", "c", "d"] {
        assert!(put(&front, id, 1));
    }
    for id in ["a", "b", "d"] {
        for _ in 0..100 {
            assert!(found(&front, id).is_some());
        }
    }
    for id in 0..3 {
        assert!(put(&front, &id.to_string(), 1));
    }
    for (id, stayed) in [("a", true), ("b", true), ("c", false), ("d", true), ("0", false), ("1", false), ("2", true)] {
        assert_eq!(found(&front, id).is_some(), stayed, "{id}");
    }
    // What was hot once does not stay for ever.
    for id in 0..100 {
        assert!(put(&front, &id.to_string(), 1));
        assert!(found(&front, &id.to_string()).is_some() && found(&front, &id.to_string()).is_some());
    }
    assert!(["a", "b", "d"].iter().all(|id| found(&front, id).is_none()));
}

#[test]
fn readers_do_not_wait_for_writers() {
    let front = front();
    let hash = front.hash("a");
    assert!(put(&front, "a", 1));
    let set = front.set_of(hash);
    let changing = front.sets[set].lock();
    assert_eq!(found(&front, "a"), Some(1));
    assert!(matches!(front.get(hash, "a", |_| None::<()>), Found::Miss(_)));
    assert!(!front.insert(seat(&front, hash), hash, name("b"), 1, 8));
    let held: Vec<_> = front.places_of(set).iter().map(Place::write).collect();
    assert_eq!(found(&front, "a"), None);
    drop((held, changing));
    assert_eq!(found(&front, "a"), Some(1), "what could not be removed is judged again");
}

/// Between the look of a reader and the removal another may have put something good there.
#[test]
fn what_is_good_again_when_it_is_to_be_removed_stays() {
    let front = front();
    assert!(put(&front, "a", 1));
    let looks = AtomicU64::new(0);
    let look = |value: &i32| (looks.fetch_add(1, Ordering::SeqCst) > 0).then_some(*value);
    assert!(matches!(front.get(front.hash("a"), "a", look), Found::Miss(_)));
    assert_eq!(looks.load(Ordering::SeqCst), 2, "judged once more, with nobody else at it");
    assert_eq!(found(&front, "a"), Some(1));
    assert!(matches!(front.get(front.hash("a"), "a", |_| None::<()>), Found::Miss(_)));
    assert_eq!(found(&front, "a"), None);
}

#[test]
fn neither_hits_nor_misses_allocate() {
    let front = front();
    let value = Arc::new(1);
    assert!(put(&front, "a", value));
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            assert!(found(&front, "a").is_some() && found(&front, "b").is_none());
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn debug_shows_no_id_and_no_value() {
    let front = front();
    assert!(put(&front, "s3cr3t", "pa55"));
    let shown = format!("{front:?}");
    assert!(shown.contains("held: 1") && !shown.contains("s3cr3t") && !shown.contains("pa55"), "{shown}");
}

/// Readers promote what the tier behind says, a writer replaces it there and then removes it here: whoever reads after a
/// replacement never finds what was there before, and nobody finds the value of another id.
#[test]
fn the_front_is_never_behind_the_tier() {
    const IDS: usize = 6;
    let front = Front::<(usize, u64)>::new(4, 1_000, 7);
    let ids: Vec<String> = (0..IDS).map(|id| id.to_string()).collect();
    let keys: Vec<Key> = ids.iter().map(|id| key(id)).collect();
    let tier: Vec<AtomicU64> = (0..IDS).map(|_| AtomicU64::new(0)).collect();
    let replaced: Vec<AtomicU64> = (0..IDS).map(|_| AtomicU64::new(0)).collect();
    let ended = AtomicBool::new(false);
    let (hits, promoted) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    for (at, id) in ids.iter().enumerate() {
                        let least = replaced[at].load(Ordering::SeqCst);
                        let hash = front.hash(id);
                        match front.get(hash, id, |value| Some(*value)) {
                            Found::Hit { value: (of, number), .. } => {
                                assert_eq!(of, at);
                                assert!(number >= least, "{number} after {least}");
                                hits.fetch_add(1, Ordering::Relaxed);
                            }
                            Found::Miss(None) => {}
                            Found::Miss(Some(seat)) => {
                                let number = tier[at].load(Ordering::SeqCst);
                                thread::yield_now();
                                promoted.fetch_add(
                                    u64::from(front.insert(seat, hash, Name::whole(&keys[at]), (at, number), 8)),
                                    Ordering::Relaxed,
                                );
                            }
                        }
                    }
                }
            });
        }
        let until = Instant::now() + Duration::from_millis(700);
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            for (at, id) in ids.iter().enumerate() {
                tier[at].store(number, Ordering::SeqCst);
                front.remove(front.hash(id), &keys[at]);
                replaced[at].store(number, Ordering::SeqCst);
            }
            // Without a pause no seat would stay good for long enough.
            let (before, pause) = (promoted.load(Ordering::Relaxed), Instant::now() + Duration::from_millis(1));
            while promoted.load(Ordering::Relaxed) == before && Instant::now() < pause {
                thread::yield_now();
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(hits.into_inner() > 0 && promoted.into_inner() > 0);
}
