//! The front by itself, with numbers for copies.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A value and the id that it is of.
#[derive(Debug, Clone)]
struct Of<T>(String, T);

impl<T> Named for Of<T> {
    fn is(&self, id: &str) -> bool {
        self.0 == id
    }
}

fn front<T: Send + 'static>() -> Front<Of<T>> {
    Front::new(64, 1_000, 7)
}

fn seat<T: Named>(front: &Front<T>, hash: u64) -> Seat {
    Seat { count: front.count(hash).unwrap() }
}

fn insert<T>(front: &Front<Of<T>>, seat: Seat, hash: u64, id: &str, value: T, bytes: usize) -> bool {
    front.insert(seat, hash, id, Of(id.to_owned(), value), bytes)
}

fn put<T>(front: &Front<Of<T>>, id: &str, value: T) -> bool {
    let hash = front.hash(id);
    insert(front, seat(front, hash), hash, id, value, 8)
}

fn found<T: Clone>(front: &Front<Of<T>>, id: &str) -> Option<T> {
    match front.get(front.hash(id), id, |_| true) {
        Found::Hit { value, .. } => Some(value.1.clone()),
        Found::Miss(_) => None,
    }
}

#[test]
fn what_was_put_is_found_until_it_is_replaced() {
    let front = front();
    assert_eq!(found(&front, "a"), None);
    assert!(put(&front, "a", 1) && put(&front, "b", 2));
    assert_eq!((found(&front, "a"), found(&front, "b"), found(&front, "c")), (Some(1), Some(2), None));
    assert!(put(&front, "a", 3));
    assert_eq!(found(&front, "a"), Some(3));
    front.replace(front.hash("a"), || ());
    assert_eq!((found(&front, "a"), found(&front, "b")), (None, Some(2)));
}

#[test]
fn ids_of_one_hash_are_told_apart() {
    let front = front();
    let hash = 0;
    for (id, value) in [("a", 1), ("b", 2)] {
        assert!(insert(&front, seat(&front, hash), hash, id, value, 8));
    }
    for (id, expected) in [("a", Some(1)), ("b", Some(2)), ("c", None), ("", None)] {
        let found = match front.get(hash, id, |_| true) {
            Found::Hit { value, .. } => Some(value.1),
            Found::Miss(_) => None,
        };
        assert_eq!(found, expected, "{id}");
    }
    // Counts are by hash: the other comes back with the next seat.
    front.replace(hash, || ());
    assert!(["a", "b"].iter().all(|id| matches!(front.get(hash, id, |_| true), Found::Miss(_))));
    assert!(insert(&front, seat(&front, hash), hash, "b", 2, 8));
    assert!(matches!(front.get(hash, "b", |_| true), Found::Hit { value, .. } if value.1 == 2));
}

#[test]
fn one_hit_in_sixty_four_is_to_be_recorded_and_an_early_one() {
    let front = front();
    assert!(put(&front, "a", 1));
    let recorded: Vec<u32> = (1..=1_600)
        .filter(|_| matches!(front.get(front.hash("a"), "a", |_| true), Found::Hit { record: true, .. }))
        .collect();
    assert_eq!(recorded[..4], [16, 64, 128, 192]);
    assert_eq!(recorded.len(), 1 + 1_600 / 64);
}

/// Also where keys are read in turn, so that each of them gets in sooner or later.
#[test]
fn one_miss_in_eight_gets_a_seat() {
    let front = Front::<Of<u64>>::new(4_096, 1_000, 7);
    assert!(matches!(front.get(0, "first", |_| true), Found::Miss(Some(_))), "there is no table yet");
    assert!(put(&front, "first", 1));
    let ids: Vec<String> = (0..64).map(|id| id.to_string()).collect();
    let (mut seated, mut seats) = (HashSet::new(), 0_u32);
    for _ in 0..100 {
        for id in &ids {
            if let Found::Miss(Some(_)) = front.get(front.hash(id), id, |_| true) {
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
    assert!(matches!(front.get(front.hash("a"), "a", |_| false), Found::Miss(_)));
    assert_eq!(Arc::strong_count(&value), 1);
    // What was replaced leaves when somebody asks for it, or something needs its place.
    for ask in [true, false] {
        assert!(put(&front, "a", value.clone()));
        front.replace(front.hash("a"), || ());
        assert_eq!(Arc::strong_count(&value), 2);
        assert!(if ask { found(&front, "a").is_none() } else { put(&front, "a", Arc::new(2)) });
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

/// Though it is hot, as no reader can tell.
#[test]
fn what_was_replaced_makes_room_first() {
    let front = Front::new(4, 1_000, 7);
    for id in ["a", "b", "c", "d"] {
        assert!(put(&front, id, 1));
    }
    for _ in 0..10 {
        assert!(found(&front, "a").is_some());
    }
    front.replace(front.hash("a"), || ());
    let alive: Vec<_> = ["b", "c", "d"].into_iter().filter(|id| found(&front, id).is_some()).collect();
    assert!(!alive.is_empty(), "all four have one count, choose other ids");
    assert!(put(&front, "e", 1));
    assert!(alive.iter().all(|id| found(&front, id).is_some()) && found(&front, "e").is_some());
    assert!(found(&front, "a").is_none());
}

#[test]
fn a_replacement_revokes_the_seats_given_before() {
    let front = front();
    let hash = front.hash("a");
    let early = seat(&front, hash);
    front.replace(hash, || ());
    assert!(!insert(&front, early, hash, "a", 1, 8), "read before the replacement, perhaps");
    assert_eq!(found(&front, "a"), None);
    assert!(insert(&front, seat(&front, hash), hash, "a", 2, 8));
    assert_eq!(found(&front, "a"), Some(2));
    // Also between the look at the count and the place being taken.
    let own = front.own().unwrap();
    own.0.borrow_mut().put(hash, early.count, Of("a".into(), 1), |value| value.is("a"), |_, _| true, 64);
    assert_eq!(found(&front, "a"), None);
}

#[test]
fn large_values_stay_out_and_places_are_all_there_is() {
    let front = front();
    let hash = front.hash("large");
    assert!(insert(&front, seat(&front, hash), hash, "large", Arc::new(0), 1_000));
    assert!(!insert(&front, seat(&front, hash), hash, "large", Arc::new(0), 1_001));
    let value = Arc::new(0);
    for id in 0..10_000 {
        assert!(put(&front, &id.to_string(), value.clone()));
    }
    assert_eq!(Arc::strong_count(&value), 1 + 64);
    drop(front);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Also one that panics comes to an end.
#[test]
fn nothing_answers_and_no_seat_is_given_during_a_replacement() {
    let front = front();
    assert!(put(&front, "a", 1));
    let (hash, early) = (front.hash("a"), seat(&front, front.hash("a")));
    for panics in [false, true] {
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            front.replace(hash, || {
                front.replace(hash, || ());
                for _ in 0..100 {
                    assert!(matches!(front.get(hash, "a", |_| true), Found::Miss(None)));
                }
                assert!(!insert(&front, early, hash, "a", 1, 8));
                assert!(!panics, "as it was told");
            });
        }));
        assert_eq!(replaced.is_err(), panics);
        assert!(put(&front, "a", 2));
        assert_eq!(found(&front, "a"), Some(2));
    }
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

/// A table begins small and grows by what it would have to push out.
#[test]
fn a_table_grows_and_loses_nothing_of_it() {
    let front = Front::new(4_096, 1_000, 7);
    let sets = |front: &Front<Of<u32>>| front.own().unwrap().0.borrow().sets();
    assert!(put(&front, "0", 0));
    assert_eq!(sets(&front), 64);
    for id in 0..1_000 {
        assert!(put(&front, &id.to_string(), id));
    }
    let lost = (0..1_000).filter(|id| found(&front, &id.to_string()) != Some(*id)).count();
    assert!(lost <= 20 && (256..=1_024).contains(&sets(&front)), "{lost} lost in {} sets", sets(&front));
    // What no longer answers needs no room.
    let few = Front::new(4_096, 1_000, 7);
    for id in 0..10_000 {
        assert!(put(&few, &id.to_string(), id));
        few.replace(few.hash(&id.to_string()), || ());
    }
    assert_eq!(sets(&few), 64);
}

#[test]
fn each_thread_finds_what_it_put_itself_and_so_many_threads_have_a_table() {
    let front = front();
    let value = Arc::new(1);
    assert!(put(&front, "a", value.clone()));
    let gate = std::sync::Barrier::new(3 * *THREADS);
    let put: Vec<bool> = thread::scope(|threads| {
        let threads: Vec<_> = (0..3 * *THREADS)
            .map(|_| {
                threads.spawn(|| {
                    assert_eq!(found(&front, "a"), None);
                    let put = put(&front, "a", value.clone());
                    assert_eq!(found(&front, "a").is_some(), put);
                    gate.wait();
                    if !put {
                        assert!(matches!(front.get(front.hash("b"), "b", |_| true), Found::Miss(None)));
                    }
                    put
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(put.into_iter().filter(|put| *put).count(), *THREADS - 1);
    assert!(Arc::strong_count(&value) <= 1 + *THREADS);
    drop(front);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Threads come and go; their tables stay for those that come after them, and are not counted again.
#[test]
fn a_thread_goes_on_with_the_table_of_one_that_ended() {
    let all_have_tables = || {
        let front = front();
        let value = Arc::new(1);
        let mut all = true;
        for _ in 0..10 * *THREADS {
            // Joined, so that it has given up its number: without, it has only returned.
            let has_table = thread::scope(|threads| {
                let thread = threads.spawn(|| {
                    (found(&front, "a").is_some() || put(&front, "a", value.clone())) && found(&front, "a").is_some()
                });
                thread.join().unwrap()
            });
            all &= has_table;
        }
        let held = Arc::strong_count(&value) - 1;
        assert!((1..=*THREADS).contains(&held), "{held} hold it");
        all
    };
    // Threads of other tests in this process may have the numbers of those that ended.
    assert!((0..50).any(|_| all_have_tables()));
}

/// What is dropped may be anything, and so may what is done with a value.
#[test]
fn the_front_may_be_asked_from_within() {
    struct Asks(Arc<Front<Of<Asks>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let hash = self.0.hash("b");
            assert!(matches!(self.0.get(hash, "b", |_| true), Found::Hit { .. }));
        }
    }
    let front = Arc::new(front());
    for id in ["a", "b"] {
        assert!(put(&front, id, Asks(front.clone())));
    }
    assert!(put(&front, "a", Asks(front.clone())), "what stood there is dropped");
    assert!(matches!(front.get(front.hash("a"), "a", |_| false), Found::Miss(_)), "so it is here");
    let within = |_: &Of<Asks>| {
        assert!(matches!(front.get(front.hash("b"), "b", |_| true), Found::Miss(None)));
        assert!(!format!("{front:?}").is_empty());
        true
    };
    assert!(matches!(front.get(front.hash("b"), "b", within), Found::Hit { .. }));
    // They keep each other alive.
    std::mem::forget(front);
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

/// Readers promote what the tier behind says, a writer replaces it there: whoever reads after a
/// replacement, or after another has told what he read, never finds what was there before, and nobody finds the value of
/// another id.
#[test]
fn the_front_is_never_behind_the_tier() {
    const IDS: usize = 6;
    let front = Front::<Of<(usize, u64)>>::new(4, 1_000, 7);
    let ids: Vec<String> = (0..IDS).map(|id| id.to_string()).collect();
    let numbers = || (0..IDS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    let (tier, replaced, told) = (numbers(), numbers(), numbers());
    let ended = AtomicBool::new(false);
    let (hits, promoted) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    for (at, id) in ids.iter().enumerate() {
                        let least = replaced[at].load(Ordering::SeqCst).max(told[at].load(Ordering::Acquire));
                        let hash = front.hash(id);
                        let number = match front.get(hash, id, |_| true) {
                            Found::Hit { value, .. } => {
                                let (of, number) = value.1;
                                assert_eq!(of, at);
                                hits.fetch_add(1, Ordering::Relaxed);
                                number
                            }
                            Found::Miss(None) => tier[at].load(Ordering::SeqCst),
                            Found::Miss(Some(seat)) => {
                                let number = tier[at].load(Ordering::SeqCst);
                                thread::yield_now();
                                let put = insert(&front, seat, hash, id, (at, number), 8);
                                promoted.fetch_add(u64::from(put), Ordering::Relaxed);
                                number
                            }
                        };
                        assert!(number >= least, "{number} after {least}");
                        // As a task that goes on in another thread.
                        told[at].fetch_max(number, Ordering::AcqRel);
                    }
                }
            });
        }
        let until = Instant::now() + Duration::from_millis(700);
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            for (at, id) in ids.iter().enumerate() {
                front.replace(front.hash(id), || {
                    tier[at].store(number, Ordering::SeqCst);
                    thread::yield_now();
                });
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
