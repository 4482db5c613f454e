//! Small histories with copies, unknown outcomes and deadlines, judged by trying every order there is.

use std::collections::HashMap;
use std::time::Duration;

use hallway_testkit::history::{self, Checker, History, Input, Operation, Output, Verdict};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::random::{Shape, right, spoil};

/// Something that happens within an interval: an operation, or the end of what one wrote.
#[derive(Debug, Clone, Copy)]
struct Event {
    operation: usize,
    end: bool,
    from: i64,
    until: i64,
}

/// Whether some order of all events that must happen, and some that may, gives every answer. No memory, no shortcuts.
fn holds(history: &History, delta: i64) -> bool {
    let mut events = Vec::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let early = if operation.cached { delta } else { 0 };
        let from = operation.call as i64 - early;
        let until = operation.ret.map_or(i64::MAX, |ret| ret as i64);
        events.push(Event { operation: index, end: false, from, until });
        if let Some(ttl) = operation.ttl {
            let until = operation.ret.map_or(i64::MAX, |ret| (ret + ttl) as i64);
            events.push(Event { operation: index, end: true, from: (operation.call + ttl) as i64, until });
        }
    }
    continues(history, &events, &mut vec![false; events.len()], (None, None))
}

/// The state is the value, and which operation decided its deadline.
fn continues(history: &History, events: &[Event], done: &mut [bool], state: (Option<u64>, Option<usize>)) -> bool {
    let outstanding = || events.iter().zip(done.iter()).filter(|(_, done)| !**done).map(|(event, _)| event);
    let Some(first_return) = outstanding().map(|event| event.until).min() else { return true };
    if first_return == i64::MAX {
        return true;
    }
    for at in 0..events.len() {
        let event = events[at];
        if done[at] || event.from > first_return {
            continue;
        }
        let operation = &history.operations[event.operation];
        let next = if event.end {
            let written = events.iter().position(|other| other.operation == event.operation && !other.end).unwrap();
            // What was never written cannot end.
            if !done[written] {
                continue;
            }
            Some(if state.1 == Some(event.operation) { (None, None) } else { state })
        } else {
            apply(operation, event.operation, state)
        };
        if let Some(next) = next {
            done[at] = true;
            if continues(history, events, done, next) {
                return true;
            }
            done[at] = false;
        }
    }
    false
}

fn apply(
    operation: &Operation,
    index: usize,
    (value, owner): (Option<u64>, Option<usize>),
) -> Option<(Option<u64>, Option<usize>)> {
    let says = |output: Output| operation.output == Output::Unknown || operation.output == output;
    let put = |new: u64| (Some(new), operation.ttl.map(|_| index));
    let (valid, next) = match operation.input {
        Input::Read => (says(Output::Value(value)), (value, owner)),
        Input::Take => (says(Output::Value(value)), (None, None)),
        Input::Delete => (says(Output::Done) || says(Output::Applied(value.is_some())), (None, None)),
        Input::Write(new) => (true, put(new)),
        Input::SetIfAbsent(new) if value.is_none() => (says(Output::Applied(true)), put(new)),
        Input::SetIfPresent(new) if value.is_some() => (says(Output::Applied(true)), put(new)),
        Input::CompareAndSet { expected, new } if value == expected => (says(Output::Applied(true)), put(new)),
        Input::Increment(by) => {
            let sum = value.unwrap_or(0).checked_add_signed(by)?;
            (says(Output::Value(Some(sum))), (Some(sum), if value.is_some() { owner } else { put(sum).1 }))
        }
        _ => (says(Output::Applied(false)), (value, owner)),
    };
    valid.then_some(next)
}

/// Runs `judge` over histories of a few operations of one key, or of a counter, half of them spoilt.
fn small_histories(count: u64, mut judge: impl FnMut(u64, History)) {
    for seed in 0..count {
        let mut rng = StdRng::seed_from_u64(seed);
        let unknown = [15, 50][seed as usize / 4 % 2];
        let shape = Shape { unknown, ttl: 30, cached: 60, behind: 60, ..Shape::plain(10, 2, 3) };
        let mut history = right(shape, &mut rng);
        // The plain key, then the counter.
        let key = if seed % 3 == 0 { "k1" } else { "k0" };
        history.operations.retain(|operation| operation.key == key);
        history.operations.truncate(7);
        if seed % 2 == 1 && !history.operations.is_empty() {
            spoil(&mut history, &mut rng);
        }
        judge(seed, history);
    }
}

#[test]
fn every_order_tried_gives_the_same_verdict_for_every_delta() {
    let mut verdicts: HashMap<bool, u32> = HashMap::new();
    small_histories(3_000, |seed, history| {
        for delta in [0_u16, 1, 7, 20, 60] {
            let expected = holds(&history, i64::from(delta));
            let verdict = history::check(&history, Duration::from_micros(u64::from(delta)));
            let found = verdict == Verdict::Holds;
            assert_eq!(found, expected, "seed {seed}, delta {delta}: {verdict:?}\n{}", history.to_json());
            *verdicts.entry(expected).or_default() += 1;
        }
    });
    assert!(verdicts[&true] > 2_000 && verdicts[&false] > 2_000, "the histories are too much alike: {verdicts:?}");
}

#[test]
fn right_histories_hold_at_the_delta_they_were_made_with() {
    small_histories(2_000, |seed, history| {
        if seed % 2 == 0 {
            let verdict = Checker::new().with_delta(Duration::from_micros(60)).check(&history);
            assert_eq!(verdict, Verdict::Holds, "seed {seed}\n{}", history.to_json());
        }
    });
}

#[test]
fn the_measured_staleness_is_the_least_delta_of_all() {
    let mut behind = 0;
    small_histories(1_000, |seed, history| {
        if history.operations.is_empty() {
            return;
        }
        let staleness = history::measured_staleness(&history);
        let least = (0..600).find(|&delta| holds(&history, delta));
        let measured = staleness.worst().bounded().map(|by| by.as_micros() as i64);
        assert_eq!(measured, least, "seed {seed}: {staleness:?}\n{}", history.to_json());
        behind += u32::from(least.is_some_and(|least| least > 0));
    });
    assert!(behind > 30, "only {behind} histories were behind");
}
