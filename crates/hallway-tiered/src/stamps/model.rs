//! Every order in which threads can meet at a slot, and every value that the memory model lets them see there.
//!
//! The source of truth is an atomic, written and read relaxed, so that whatever order is needed must come from the stamps.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Atomic, Stamp, Stamps};

impl Atomic for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn add(&self, by: u64) {
        self.fetch_add(by, Ordering::AcqRel);
    }

    fn replace(&self, from: u64, to: u64) -> Result<(), u64> {
        self.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

#[derive(Clone)]
struct World {
    stamps: Arc<Stamps<AtomicU64>>,
    source: Arc<AtomicU64>,
    /// The local tier: the last copy that somebody kept.
    copy: Arc<Mutex<Option<(u64, Stamp)>>>,
}

impl World {
    fn new() -> Self {
        Self { stamps: Arc::new(Stamps::new(1)), source: Arc::new(AtomicU64::new(0)), copy: Arc::new(Mutex::new(None)) }
    }

    fn fill(&self) {
        let noted = self.stamps.note(0);
        let fetched = self.source.load(Ordering::Relaxed);
        *self.copy.lock().unwrap() = Some((fetched, noted));
    }

    /// A fill whose insert is not ordered with anything, so that the lock helps no later look.
    fn fetch(&self) -> (u64, Stamp) {
        let noted = self.stamps.note(0);
        (self.source.load(Ordering::Relaxed), noted)
    }

    fn hit(&self) -> Option<u64> {
        let (value, noted) = (*self.copy.lock().unwrap())?;
        self.stamps.is_current(0, noted).then_some(value)
    }

    fn write(&self, value: u64) {
        self.stamps.begin_write(0);
        self.source.store(value, Ordering::Relaxed);
        self.stamps.end_write(0);
    }

    fn spawn<T: 'static>(&self, run: impl FnOnce(&Self) -> T + 'static) -> thread::JoinHandle<T> {
        let world = self.clone();
        thread::spawn(move || run(&world))
    }
}

/// For three threads, whose every order would take minutes: all with at most two switches that nobody had to make.
fn model_of_three(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(run);
}

#[test]
fn a_fill_noted_before_an_invalidation_is_never_valid_after_it() {
    loom::model(|| {
        let world = World::new();
        let filling = world.spawn(World::fill);
        // Somebody else has written; the invalidation tells us.
        world.source.store(1, Ordering::Relaxed);
        world.stamps.bump(0);
        assert_ne!(world.hit(), Some(0), "right after it");
        filling.join().unwrap();
        assert_ne!(world.hit(), Some(0), "also if the fill came late");
    });
}

#[test]
fn after_a_write_no_copy_noted_before_it_answers() {
    loom::model(|| {
        let world = World::new();
        let filling = world.spawn(World::fill);
        world.write(1);
        assert_ne!(world.hit(), Some(0), "to the writer");
        filling.join().unwrap();
        assert_ne!(world.hit(), Some(0), "to whoever starts after it");
    });
}

#[test]
fn whoever_saw_the_new_value_accepts_no_older_copy() {
    loom::model(|| {
        let world = World::new();
        world.fill();
        let writing = world.spawn(|world| {
            world.stamps.begin_write(0);
            // Seeing the value must mean seeing the write begun: the authority orders that, here by release.
            world.source.store(1, Ordering::Release);
            world.stamps.end_write(0);
        });
        if world.source.load(Ordering::Acquire) == 1 {
            assert_ne!(world.hit(), Some(0));
        }
        writing.join().unwrap();
    });
}

#[test]
fn a_current_note_taken_after_a_write_brings_what_it_wrote() {
    loom::model(|| {
        let world = World::new();
        let writing = world.spawn(|world| world.write(1));
        let (fetched, noted) = world.fetch();
        writing.join().unwrap();
        assert!(!world.stamps.is_current(0, noted) || fetched == 1);
        let (fetched, noted) = world.fetch();
        assert!(world.stamps.is_current(0, noted) && fetched == 1, "and copies may answer again");
    });
}

#[test]
fn of_two_writers_at_once_neither_lets_an_old_copy_pass() {
    model_of_three(|| {
        let world = World::new();
        let other = world.spawn(|world| world.write(1));
        let filling = world.spawn(World::fetch);
        world.write(2);
        other.join().unwrap();
        let (fetched, noted) = filling.join().unwrap();
        let last = world.source.load(Ordering::Relaxed);
        assert!(!world.stamps.is_current(0, noted) || fetched == last);
        assert!(world.stamps.is_current(0, world.stamps.note(0)), "both have ended");
    });
}

#[test]
fn an_epoch_outdates_every_note_before_it() {
    loom::model(|| {
        let world = World::new();
        let filling = world.spawn(World::fill);
        world.source.store(1, Ordering::Relaxed);
        world.stamps.bump_epoch();
        assert_ne!(world.hit(), Some(0), "right after it");
        filling.join().unwrap();
        assert_ne!(world.hit(), Some(0), "also if the fill came late");
    });
}

#[test]
fn of_two_that_advance_the_same_note_one_succeeds_and_a_write_between_defeats_both() {
    model_of_three(|| {
        let world = World::new();
        let noted = world.stamps.note(0);
        let other = world.spawn(move |world| world.stamps.bump_from(0, noted));
        let writing = world.spawn(|world| world.write(1));
        let mine = world.stamps.bump_from(0, noted);
        let theirs = other.join().unwrap();
        writing.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        for advanced in [mine, theirs].into_iter().flatten() {
            assert!(!world.stamps.is_current(0, advanced), "the write came after it");
        }
    });
}

/// The link tells of a change, then proves that nothing older is missing; a reader relies on that proof for its copy.
fn hit_under_proof(proof_first: bool) {
    loom::model(move || {
        let world = World::new();
        let noted = world.stamps.note(0);
        let proven = Arc::new(AtomicU64::new(0));
        let link = {
            let proven = proven.clone();
            world.spawn(move |world| {
                world.stamps.bump(0);
                proven.store(1, Ordering::Release);
            })
        };
        let (is_proven, is_current) = if proof_first {
            let is_proven = proven.load(Ordering::Acquire) == 1;
            (is_proven, world.stamps.is_current(0, noted))
        } else {
            let is_current = world.stamps.is_current(0, noted);
            (proven.load(Ordering::Acquire) == 1, is_current)
        };
        assert!(!(is_proven && is_current), "a change that the proof covers was overlooked");
        link.join().unwrap();
    });
}

#[test]
fn a_proof_read_before_the_stamp_covers_it() {
    hit_under_proof(true);
}

#[test]
#[should_panic(expected = "overlooked")]
fn a_proof_read_after_the_stamp_proves_nothing() {
    hit_under_proof(false);
}
