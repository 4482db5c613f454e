//! Histories whose verdict anybody can see.

use std::time::Duration;

use hallway_testkit::history::{Checker, History, Input, Operation, Output, Rule, Verdict, check, timeline};

const DONE: Output = Output::Done;

fn saw(value: u64) -> Output {
    Output::Value(Some(value))
}

const NOTHING: Output = Output::Value(None);

fn on(call: u64, ret: u64, input: Input, output: Output) -> Operation {
    Operation::new(0, "a", call, ret, input, output)
}

#[track_caller]
fn holds(operations: Vec<Operation>) {
    assert_eq!(check(&History { operations }, Duration::ZERO), Verdict::Holds);
}

#[track_caller]
fn fails(operations: Vec<Operation>) {
    let history = History { operations };
    let Verdict::Violated(violation) = check(&history, Duration::ZERO) else { panic!("no order explains it") };
    assert_eq!(violation.rule, Rule::Linearizability);
}

#[test]
fn overlapping_operations_may_come_in_either_order() {
    holds(vec![on(0, 100, Input::Write(1), DONE), on(10, 20, Input::Read, NOTHING), on(30, 40, Input::Read, saw(1))]);
    fails(vec![on(0, 100, Input::Write(1), DONE), on(10, 20, Input::Read, saw(1)), on(30, 40, Input::Read, NOTHING)]);
    // At the same microsecond they overlap.
    holds(vec![on(0, 10, Input::Write(1), DONE), on(10, 20, Input::Read, NOTHING)]);
    fails(vec![on(0, 10, Input::Write(1), DONE), on(11, 20, Input::Read, NOTHING)]);
}

#[test]
fn an_unknown_write_may_come_late_or_never_but_not_go_again() {
    let unknown = || Operation::unknown(1, "a", 10, Input::Write(2));
    let first = || on(0, 5, Input::Write(1), DONE);
    holds(vec![first(), unknown(), on(100, 110, Input::Read, saw(1))]);
    holds(vec![first(), unknown(), on(100, 110, Input::Read, saw(1)), on(900, 910, Input::Read, saw(2))]);
    fails(vec![first(), unknown(), on(100, 110, Input::Read, saw(2)), on(900, 910, Input::Read, saw(1))]);
}

#[test]
fn an_unseen_write_of_unknown_outcome_can_still_explain_a_refusal() {
    let operations = vec![
        on(0, 5, Input::Write(1), DONE),
        Operation::unknown(1, "a", 10, Input::Write(2)),
        on(20, 30, Input::CompareAndSet { expected: Some(1), new: 3 }, Output::Applied(false)),
    ];
    fails(operations.iter().filter(|operation| operation.ret.is_some()).cloned().collect());
    holds(operations);
}

#[test]
fn conditional_writes_tell_what_they_found() {
    let one = || on(0, 5, Input::SetIfAbsent(1), Output::Applied(true));
    holds(vec![one(), on(10, 15, Input::SetIfAbsent(2), Output::Applied(false)), on(20, 25, Input::Read, saw(1))]);
    fails(vec![one(), on(10, 15, Input::SetIfAbsent(2), Output::Applied(true))]);
    fails(vec![one(), on(10, 15, Input::SetIfPresent(2), Output::Applied(false))]);
    holds(vec![one(), on(10, 15, Input::SetIfPresent(2), Output::Applied(true)), on(20, 25, Input::Read, saw(2))]);
    let compare = |expected, applied| on(10, 15, Input::CompareAndSet { expected, new: 2 }, Output::Applied(applied));
    holds(vec![one(), compare(Some(1), true), on(20, 25, Input::Read, saw(2))]);
    fails(vec![one(), compare(None, true)]);
    fails(vec![one(), compare(Some(1), false)]);
}

#[test]
fn a_value_is_taken_once() {
    let one = || on(0, 5, Input::Write(1), DONE);
    let take = |call, output| on(call, call + 50, Input::Take, output);
    holds(vec![one(), take(10, saw(1)), take(12, NOTHING)]);
    fails(vec![one(), take(10, saw(1)), take(12, saw(1))]);
    fails(vec![one(), take(10, NOTHING), take(12, NOTHING)]);
    holds(vec![one(), on(10, 60, Input::Delete, Output::Applied(true)), take(12, NOTHING)]);
    fails(vec![one(), on(10, 60, Input::Delete, Output::Applied(false)), take(12, NOTHING)]);
}

#[test]
fn sums_are_handed_out_once() {
    let add = |call, sum| on(call, call + 50, Input::Increment(1), saw(sum));
    holds(vec![add(0, 2), add(1, 1), add(2, 3), on(90, 95, Input::Read, saw(3))]);
    fails(vec![add(0, 1), add(1, 1), add(2, 2)]);
    // One of unknown outcome fills the gap.
    holds(vec![add(0, 1), Operation::unknown(1, "a", 60, Input::Increment(1)), add(100, 3)]);
    fails(vec![add(0, 1), add(100, 3)]);
}

#[test]
fn a_value_ends_a_ttl_after_some_moment_of_its_write() {
    let write = || on(100, 200, Input::Write(1), DONE).with_ttl(1_000);
    let read = |call, output| on(call, call + 1, Input::Read, output);
    fails(vec![write(), read(500, NOTHING)]);
    holds(vec![write(), read(1_098, saw(1)), read(1_101, NOTHING)]);
    holds(vec![write(), read(1_150, saw(1)), read(1_160, NOTHING)]);
    fails(vec![write(), read(1_150, NOTHING), read(1_160, saw(1))]);
    fails(vec![write(), read(1_201, saw(1))]);
    let slack = Checker::new().with_expiry_slack(Duration::from_micros(5));
    let late = History { operations: vec![write(), read(1_203, saw(1))] };
    assert_eq!(slack.check(&late), Verdict::Holds);
    // What replaced it in time does not end with it; a counter does.
    holds(vec![write(), on(500, 510, Input::Write(2), DONE), read(5_000, saw(2))]);
    let count = |call, sum| on(call, call + 1, Input::Increment(1), saw(sum));
    holds(vec![count(0, 1).with_ttl(100), count(50, 2).with_ttl(100), count(120, 1)]);
    fails(vec![count(0, 1).with_ttl(100), count(50, 2).with_ttl(100), count(120, 3)]);
}

#[test]
fn keys_are_judged_on_their_own() {
    let mut other = on(10, 20, Input::Read, NOTHING);
    other.key = "b".to_owned();
    holds(vec![on(0, 5, Input::Write(1), DONE), other]);
}

#[test]
fn a_history_that_makes_no_sense_is_said_to_be_malformed() {
    let malformed = |operations: Vec<Operation>| match check(&History { operations }, Duration::ZERO) {
        Verdict::Violated(violation) => assert_eq!(violation.rule, Rule::Malformed, "{violation}"),
        other => panic!("{other:?}"),
    };
    malformed(vec![on(0, 5, Input::Read, DONE)]);
    malformed(vec![on(0, 5, Input::Write(1), Output::Unknown)]);
    malformed(vec![on(10, 5, Input::Write(1), DONE)]);
    malformed(vec![on(0, 5, Input::Write(1), DONE).cached()]);
    malformed(vec![on(0, 5, Input::Write(1), DONE), on(10, 15, Input::Write(1), DONE)]);
}

#[test]
fn a_violation_is_drawn_with_what_is_around_it() {
    let mut operations: Vec<Operation> =
        (0..100).map(|number| on(number * 100, number * 100 + 50, Input::Write(number), DONE)).collect();
    operations.push(Operation::new(3, "a", 5_260, 5_290, Input::Read, saw(51)).cached());
    operations.push(Operation::unknown(4, "a", 5_265, Input::Delete));
    let history = History { operations };
    let Verdict::Violated(violation) = check(&history, Duration::ZERO) else { panic!("52 was written") };
    assert_eq!(violation.operations, [100, 52, 51], "the read, what came before it, where its answer is from");
    let text = timeline(&history, &violation);
    assert!(text.contains("linearizability: key \"a\": Read of process 3 got Value(Some(51))"), "{text}");
    let read = text.lines().find(|line| line.contains("> #100 ")).expect("the read is marked");
    assert!(read.contains("read -> ~51"), "{text}");
    assert!(text.contains("> #52 ") && text.contains("> #51 "), "what it saw and what it missed are marked\n{text}");
    assert!(text.contains("delete -> ?"), "{text}");
    assert!(text.lines().count() <= 26, "{text}");
    assert!(text.lines().all(|line| line.len() < 240), "{text}");
}
