//! Another checker judges ten thousand histories alike.

use std::time::Duration;

use hallway_testkit::history::{self, History, Input, Operation, Output, Verdict};
use rand::SeedableRng;
use rand::rngs::StdRng;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as Actions};
use todc_utils::specifications::Specification;

use super::random::{Shape, right, spoil};

const KEYS: u32 = 3;

/// The store as the other checker is told of it.
#[derive(Debug)]
struct Store;

impl Specification for Store {
    type State = [Option<u64>; KEYS as usize];
    type Operation = Operation;

    fn init() -> Self::State {
        [None; KEYS as usize]
    }

    fn apply(operation: &Operation, state: &Self::State) -> (bool, Self::State) {
        let key: usize = operation.key[1..].parse().unwrap();
        let value = state[key];
        let mut after = *state;
        let answer = |output: Output| operation.output == Output::Unknown || operation.output == output;
        let valid = match operation.input {
            Input::Read => answer(Output::Value(value)),
            Input::Take => {
                after[key] = None;
                answer(Output::Value(value))
            }
            Input::Delete => {
                after[key] = None;
                answer(Output::Done) || answer(Output::Applied(value.is_some()))
            }
            Input::Write(new) => {
                after[key] = Some(new);
                true
            }
            Input::SetIfAbsent(new) => {
                after[key] = value.or(Some(new));
                answer(Output::Applied(value.is_none()))
            }
            Input::SetIfPresent(new) => {
                after[key] = value.map(|_| new);
                answer(Output::Applied(value.is_some()))
            }
            Input::CompareAndSet { expected, new } => {
                if value == expected {
                    after[key] = Some(new);
                }
                answer(Output::Applied(value == expected))
            }
            Input::Increment(by) => {
                let sum = value.unwrap_or(0).checked_add_signed(by);
                after[key] = sum.or(value);
                sum.map_or(operation.output == Output::Unknown, |sum| answer(Output::Value(Some(sum))))
            }
            _ => unreachable!("the generator makes no other"),
        };
        (valid, after)
    }
}

/// Operations of unknown outcome return after everything else; taking effect there is as good as never.
fn other_says(history: &History) -> bool {
    let mut events: Vec<(u64, u8, usize)> = Vec::new();
    for (index, operation) in history.operations.iter().enumerate() {
        events.push((operation.call, 0, index));
        events.push((operation.ret.unwrap_or(u64::MAX), 1, index));
    }
    events.sort_unstable();
    let actions = events.into_iter().map(|(_, kind, index)| {
        let operation = history.operations[index].clone();
        // Each its own process: unknown ones overlap with what their process does next.
        (index, if kind == 0 { Action::Call(operation) } else { Action::Response(operation) })
    });
    WGLChecker::<Store>::is_linearizable(Actions::from_actions(actions.collect()))
}

#[test]
fn another_checker_agrees_on_ten_thousand_histories() {
    let mut wrong = 0;
    for seed in 0..10_000_u64 {
        let mut rng = StdRng::seed_from_u64(seed);
        // With many unknown outcomes the other takes minutes for histories that ours judges at once: short ones there.
        let (unknown, operations) = [(0, 8 + seed % 23), (10, 8 + seed % 23), (40, 8 + seed % 7)][seed as usize % 3];
        let shape = Shape { unknown, ..Shape::plain(operations as u32, KEYS, 2 + (seed % 4) as u32) };
        let mut history = right(shape, &mut rng);
        let spoilt = seed % 2 == 1;
        if spoilt {
            spoil(&mut history, &mut rng);
        }
        let verdict = history::check(&history, Duration::ZERO);
        let holds = other_says(&history);
        match &verdict {
            Verdict::Holds => assert!(holds, "seed {seed}: only the other finds it wrong\n{}", history.to_json()),
            Verdict::Violated(violation) => {
                let drawn = history::timeline(&history, violation);
                assert!(!holds, "seed {seed}: only ours finds it wrong\n{drawn}\n{}", history.to_json());
            }
            Verdict::Inconclusive(at) => panic!("seed {seed}: gave up on {at:?}"),
        }
        assert!(holds || spoilt, "seed {seed}: a right history was found wrong\n{}", history.to_json());
        wrong += u32::from(!holds);
    }
    // So that the agreement is not about histories that nobody could find wrong.
    assert!(wrong > 3_000, "only {wrong} of 5,000 spoilt histories were wrong");
}
