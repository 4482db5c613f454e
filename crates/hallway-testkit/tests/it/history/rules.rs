//! Each rule finds its violation, keeps quiet about what cannot be told, and about right histories.

use std::time::Duration;

use hallway_testkit::history::{
    History, Input, Operation, Output, Rule, Violation, expiry, monotonic_reads, no_resurrection, only_written_values,
    read_your_writes,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::random::{Shape, right};

const DONE: Output = Output::Done;

fn write(process: u32, call: u64, ret: u64, value: u64) -> Operation {
    Operation::new(process, "a", call, ret, Input::Write(value), DONE)
}

fn read(process: u32, call: u64, value: impl Into<Option<u64>>) -> Operation {
    Operation::new(process, "a", call, call + 5, Input::Read, Output::Value(value.into())).cached()
}

fn delete(process: u32, call: u64) -> Operation {
    Operation::new(process, "a", call, call + 5, Input::Delete, DONE)
}

#[track_caller]
fn found(violations: &[Violation], rule: Rule, operations: &[usize]) {
    let [violation] = violations else { panic!("one violation of {rule:?} in {violations:?}") };
    assert_eq!((violation.rule, violation.operations.as_slice()), (rule, operations), "{violation}");
}

fn history(operations: impl Into<Vec<Operation>>) -> History {
    History { operations: operations.into() }
}

#[test]
fn nothing_is_read_that_was_never_written() {
    let check = |operations: &[Operation]| only_written_values(&history(operations));
    found(&check(&[write(0, 0, 5, 1), read(1, 10, 2)]), Rule::Corruption, &[1]);
    found(&check(&[read(1, 10, 1), write(0, 20, 25, 1)]), Rule::Corruption, &[0, 1]);
    assert_eq!(check(&[read(1, 10, 1), write(0, 15, 25, 1)]), []);
    assert_eq!(check(&[Operation::unknown(0, "a", 0, Input::Write(1)), read(1, 10, 1)]), []);
    // A write that was refused wrote nothing.
    let refused = Operation::new(0, "a", 0, 5, Input::SetIfPresent(1), Output::Applied(false));
    found(&check(&[refused, read(1, 10, 1)]), Rule::Corruption, &[1]);
}

#[test]
fn nothing_is_read_after_its_deadline() {
    let check = |operations: &[Operation], slack| expiry(&history(operations), Duration::from_micros(slack));
    let mortal = || write(0, 0, 50, 1).with_ttl(100);
    found(&check(&[mortal(), read(1, 151, 1)], 0), Rule::Expiry, &[1, 0]);
    assert_eq!(check(&[mortal(), read(1, 150, 1)], 0), [], "it may have been written as late as at 50");
    assert_eq!(check(&[mortal(), read(1, 160, 1)], 10), [], "within the slack");
    // Seen at 15, so written by then.
    found(&check(&[mortal(), read(1, 10, 1), read(1, 116, 1)], 0), Rule::Expiry, &[2, 0]);
    let lost = || Operation::unknown(0, "a", 0, Input::Write(1)).with_ttl(100);
    found(&check(&[lost(), read(1, 10, 1), read(1, 116, 1)], 0), Rule::Expiry, &[2, 0]);
    assert_eq!(check(&[lost(), read(1, 9_000, 1)], 0), [], "it may have been written a moment ago");
    // Called in time, it may return at any time.
    let slow = Operation::new(1, "a", 149, 9_000, Input::Read, Output::Value(Some(1)));
    assert_eq!(check(&[mortal(), slow], 0), []);
}

#[test]
fn what_was_deleted_stays_away() {
    let check = |operations: &[Operation], delta| no_resurrection(&history(operations), Duration::from_micros(delta));
    let gone = |seen_at| [write(0, 0, 5, 1), delete(0, 10), read(1, seen_at, 1)];
    found(&check(&gone(20), 0), Rule::Resurrection, &[2, 1, 0]);
    assert_eq!(check(&gone(20), 5), [], "copies may be 5 µs late, and the delete returned at 15");
    found(&check(&gone(21), 5), Rule::Resurrection, &[2, 1, 0]);
    assert_eq!(check(&gone(15), 0), [], "called as the delete returned");
    // Written while the delete went on.
    assert_eq!(check(&[write(0, 0, 10, 1), delete(2, 10), read(1, 20, 1)], 0), []);
    // A take is a removal, whoever got the value.
    let take = Operation::new(0, "a", 10, 15, Input::Take, Output::Value(Some(1)));
    found(&check(&[write(0, 0, 5, 1), take, read(1, 20, 1)], 0), Rule::Resurrection, &[2, 1, 0]);
    // Not acknowledged.
    assert_eq!(check(&[write(0, 0, 5, 1), Operation::unknown(0, "a", 10, Input::Delete), read(1, 20, 1)], 0), []);
}

#[test]
fn a_process_sees_its_own_writes() {
    let check = |operations: &[Operation]| read_your_writes(&history(operations));
    let two = || [write(1, 0, 5, 1), write(0, 10, 15, 2)];
    let then = |last: Operation| [two().as_slice(), &[last]].concat();
    found(&check(&then(read(0, 20, 1))), Rule::ReadYourWrites, &[2, 1, 0]);
    assert_eq!(check(&then(read(1, 20, 1))), [], "not its own");
    assert_eq!(check(&then(read(0, 15, 1))), [], "not yet acknowledged");
    assert_eq!(check(&[write(1, 0, 11, 1), write(0, 10, 15, 2), read(0, 20, 1)]), [], "1 may have come after 2");
    found(&check(&then(read(0, 20, None))), Rule::ReadYourWrites, &[2, 1]);
    assert_eq!(check(&[write(0, 10, 15, 2), delete(1, 12), read(0, 20, None)]), [], "deleted by another");
    assert_eq!(check(&[delete(1, 0), write(0, 10, 15, 2).with_ttl(100), read(0, 130, None)]), [], "ended");
    found(&check(&[delete(1, 0), write(0, 10, 15, 2), read(0, 130, None)]), Rule::ReadYourWrites, &[2, 1]);
    // Its own delete.
    found(&check(&[write(1, 0, 5, 1), delete(0, 10), read(0, 20, 1)]), Rule::ReadYourWrites, &[2, 1, 0]);
}

#[test]
fn a_process_does_not_go_back() {
    let check = |operations: &[Operation]| monotonic_reads(&history(operations));
    let two = || vec![write(7, 0, 5, 1), write(7, 10, 15, 2)];
    let then = |reads: &[Operation]| [two().as_slice(), reads].concat();
    found(&check(&then(&[read(0, 20, 2), read(0, 30, 1)])), Rule::MonotonicReads, &[3, 2, 0]);
    assert_eq!(check(&then(&[read(0, 20, 1), read(0, 30, 2)])), [], "forward");
    assert_eq!(check(&then(&[read(0, 20, 2), read(1, 30, 1)])), [], "another process");
    assert_eq!(check(&then(&[read(0, 20, 2), read(0, 25, 1)])), [], "the reads overlap");
    found(&check(&then(&[read(0, 20, 2), read(0, 30, None)])), Rule::MonotonicReads, &[3, 2]);
    let deleted = |reads: &[Operation]| [two().as_slice(), &[delete(7, 20)], reads].concat();
    assert_eq!(check(&deleted(&[read(0, 30, 2), read(0, 40, None)])), []);
    // Concurrent writes: either order, but only one of them.
    let both = |reads: &[Operation]| [&[write(7, 0, 50, 1), write(8, 0, 50, 2)], reads].concat();
    assert_eq!(check(&both(&[read(0, 60, 2), read(0, 70, 1)])), []);
    found(&check(&both(&[read(0, 60, 2), read(0, 70, 1), read(0, 80, 2)])), Rule::MonotonicReads, &[4, 3, 1]);
}

#[test]
fn right_histories_break_no_rule() {
    for seed in 0..500 {
        let shape = Shape { ttl: 20, unknown: 10, ..Shape::plain(80, 3, 4) };
        let history = right(shape, &mut StdRng::seed_from_u64(seed));
        let all = [
            only_written_values(&history),
            expiry(&history, Duration::ZERO),
            no_resurrection(&history, Duration::ZERO),
            read_your_writes(&history),
            monotonic_reads(&history),
        ];
        assert!(all.concat().is_empty(), "seed {seed}: {:?}\n{}", all.concat(), history.to_json());
    }
}
