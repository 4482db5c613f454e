//! The search: breadth first, so that the way to a violation is a shortest one.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use super::fingerprint::AsItIs;
use super::state::{Copy, Process, State};
use super::steps::Next;
use super::variants::{Property, Variant};

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every state was seen, and no read broke a property.
    Holds,
    /// There were more states than allowed; none of those seen was wrong.
    TooMany,
    /// A read broke a property.
    Violated {
        /// Which.
        property: Property,
        /// The steps to it, the last of which is the read.
        path: Vec<String>,
    },
}

/// A search that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many different states were seen.
    pub states: u64,
    /// What was found.
    pub outcome: Outcome,
}

/// Searches every state of a variant.
///
/// # Panics
/// If the variant has neither two nor three processes, does not say for each how often it reads and writes, or has more
/// than 15 reads and writes in all.
#[must_use]
pub fn explore(variant: &Variant) -> Report {
    assert_eq!(variant.gets.len(), variant.puts.len(), "every process has a number of reads and one of writes");
    let all: u8 = variant.gets.iter().chain(&variant.puts).sum();
    assert!(all <= 15, "tokens have four bits");
    match variant.gets.len() {
        2 => Search::<2>::new(variant).run(),
        3 => Search::<3>::new(variant).run(),
        other => panic!("the model has two or three processes, not {other}"),
    }
}

struct Search<'a, const N: usize> {
    variant: &'a Variant,
    start: State<N>,
    seen: HashSet<u128, BuildHasherDefault<AsItIs>>,
    /// For each state seen, in order: which it was first reached from, and by which of its possibilities.
    from: Vec<(u32, u8)>,
    /// States whose possibilities have not been looked at: a queue, so that only the front is kept whole.
    open: VecDeque<State<N>>,
}

impl<'a, const N: usize> Search<'a, N> {
    fn new(variant: &'a Variant) -> Self {
        let start = State {
            sql: 0,
            redis: Copy::Absent,
            tracked: 0,
            processes: std::array::from_fn(|at| Process::new(variant.gets[at], variant.puts[at])),
            acknowledged: 0,
            token: 0,
            faults: variant.faults,
            newest: 0,
        };
        let mut seen = HashSet::default();
        seen.insert(start.fingerprint());
        Self { variant, start, seen, from: vec![(0, 0)], open: VecDeque::from([start]) }
    }

    fn run(mut self) -> Report {
        let mut possible: Vec<Next<N>> = Vec::new();
        let mut number = 0;
        while let Some(state) = self.open.pop_front() {
            possible.clear();
            state.next(self.variant, &mut possible);
            for (which, next) in (0_u8..).zip(&possible) {
                if let Some(property) = next.broken {
                    let mut path = self.path_to(number);
                    path.push(next.step.to_string());
                    return self.report(Outcome::Violated { property, path });
                }
                if self.seen.insert(next.state.fingerprint()) {
                    self.from.push((number, which));
                    self.open.push_back(next.state);
                }
            }
            if self.seen.len() as u64 > self.variant.most_states {
                return self.report(Outcome::TooMany);
            }
            number += 1;
        }
        self.report(Outcome::Holds)
    }

    fn report(&self, outcome: Outcome) -> Report {
        Report { states: self.seen.len() as u64, outcome }
    }

    /// The steps from the start to a state that was seen. States are not kept, so they are made once more.
    fn path_to(&self, mut number: u32) -> Vec<String> {
        let mut choices = Vec::new();
        while number != 0 {
            let (before, which) = self.from[number as usize];
            choices.push(which);
            number = before;
        }
        let mut state = self.start;
        let mut possible = Vec::new();
        let mut path = Vec::new();
        for &which in choices.iter().rev() {
            possible.clear();
            state.next(self.variant, &mut possible);
            let next: &Next<N> = &possible[usize::from(which)];
            path.push(next.step.to_string());
            state = next.state;
        }
        path
    }
}
