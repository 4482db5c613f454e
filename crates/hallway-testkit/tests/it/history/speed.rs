//! A thousand operations are judged at once, right or wrong, and a search without end is given up.

use std::time::{Duration, Instant};

use hallway_testkit::history::{Checker, History, Input, Operation, Output, Verdict, check, measured_staleness};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::random::{Shape, right, spoil};

/// A tenth of this on an idle machine; other tests run beside this one.
const PATIENCE: Duration = Duration::from_millis(500);

#[test]
fn a_thousand_operations_on_eight_keys_take_no_time() {
    for unknown in [0, 3] {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut history = right(Shape { unknown, ..Shape::plain(1_000, 8, 8) }, &mut rng);
            if seed % 2 == 1 {
                spoil(&mut history, &mut rng);
            }
            let started = Instant::now();
            let verdict = check(&history, Duration::ZERO);
            assert!(started.elapsed() < PATIENCE, "seed {seed}: {:?} for {verdict:?}", started.elapsed());
            assert!(!matches!(verdict, Verdict::Inconclusive(_)), "seed {seed}: {verdict:?}");
        }
    }
}

#[test]
fn the_staleness_of_a_thousand_operations_is_measured_at_once() {
    let mut rng = StdRng::seed_from_u64(1);
    let history = right(Shape { unknown: 1, cached: 80, behind: 300, ..Shape::plain(1_000, 8, 8) }, &mut rng);
    let started = Instant::now();
    let by = measured_staleness(&history).worst().bounded().unwrap();
    assert!(started.elapsed() < 4 * PATIENCE, "{:?}", started.elapsed());
    assert!(by > Duration::ZERO && by <= Duration::from_micros(300), "{by:?}");
}

#[test]
fn a_search_beyond_its_limits_is_given_up() {
    // Sixty-four writes at once, all of which anybody may have overwritten, and two reads that cannot both be right.
    let mut operations: Vec<Operation> =
        (0..64).map(|number| Operation::new(0, "a", 0, 1_000, Input::Write(number), Output::Done)).collect();
    operations.push(Operation::new(1, "a", 0, 1_000, Input::Increment(1), Output::Value(Some(500))));
    let history = History { operations };
    let Verdict::Inconclusive(gave_up) = Checker::new().with_steps(5_000).check(&history) else {
        panic!("a sum of 500 has no explanation, and to find that takes all subsets")
    };
    assert_eq!((gave_up.key.as_str(), gave_up.steps), ("a", 5_001));
    let started = Instant::now();
    let verdict = Checker::new().with_steps(u64::MAX).with_time(Duration::from_millis(50)).check(&history);
    assert!(matches!(verdict, Verdict::Inconclusive(_)), "{verdict:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
