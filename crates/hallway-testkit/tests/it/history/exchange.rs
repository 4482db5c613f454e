//! Histories leave and come back unchanged, and a recorder writes them down.

use std::sync::Arc;

use hallway_testkit::ManualClock;
use hallway_testkit::history::{History, Input, Operation, Output, Recorder};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::random::{Shape, right};

#[test]
fn random_histories_come_back_from_json() {
    for seed in 0..100 {
        let shape = Shape { ttl: 30, cached: 50, ..Shape::plain(60, 3, 4) };
        let mut history = right(shape, &mut StdRng::seed_from_u64(seed));
        history.operations.push(Operation::unknown(7, "\"\n\u{1f600}", u64::MAX, Input::Increment(i64::MIN)));
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
    }
}

#[test]
fn other_shapes_are_refused() {
    let fails = |text: &str| History::from_json(text).unwrap_err().to_string();
    assert!(fails(r#"{"format":2,"operations":[]}"#).contains("format 2"));
    assert!(fails(r#"{"format":1,"operations":[],"more":1}"#).contains("more"));
    let operation = r#"{"process":0,"key":"a","call":1,"ret":2,"input":"read","output":"done","cashed":true}"#;
    assert!(fails(&format!(r#"{{"format":1,"operations":[{operation}]}}"#)).contains("cashed"));
}

#[test]
fn a_recorder_keeps_the_order_on_a_clock_that_stands_still() {
    let recorder = Recorder::with_clock(Arc::new(ManualClock::new()));
    recorder.call(0, "a", Input::Write(1)).with_ttl(5).returned(Output::Done);
    let slow = recorder.call(1, "a", Input::Write(2));
    recorder.call(0, "a", Input::Read).cached().returned(Output::Value(Some(1)));
    recorder.call(2, "a", Input::Write(3)).failed();
    recorder.call(2, "a", Input::Delete).unknown();
    drop(slow);
    recorder.call(2, "a", Input::Take).returned(Output::Unknown);

    let operations = recorder.history().operations;
    let inputs: Vec<Input> = operations.iter().map(|operation| operation.input).collect();
    assert_eq!(inputs, [Input::Write(1), Input::Read, Input::Delete, Input::Write(2), Input::Take]);
    assert!(operations[0].precedes(&operations[1]), "one returned before the other was called");
    assert!(operations[3].call < operations[1].call, "in the order of the calls");
    assert_eq!(operations[0].ttl, Some(5));
    assert!(operations[1].cached && !operations[0].cached);
    for unknown in &operations[2..] {
        assert_eq!((unknown.ret, unknown.output), (None, Output::Unknown));
    }
}
