//! What is certain about the values of one key, whatever the order was.

use std::collections::HashMap;

use super::{History, Input, Operation};

/// How much earlier than its TTL says a value may end, in microseconds: the step of the store's clock, and how far it
/// runs apart from the writer's. That close to a deadline nothing is concluded from an absent value.
const EARLY: u64 = 100_000;

/// What is certain about one key.
///
/// Keys that were incremented have no facts: a sum does not tell which operation it came from. Neither have keys with
/// two writes of one value, which [`check`](super::check) reports.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    history: &'a History,
    indices: &'a [usize],
    /// The writer of each value.
    writers: HashMap<u64, usize>,
    /// By when each value was certainly written: its writer had returned, or somebody who had seen it.
    there_by: HashMap<u64, u64>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(history: &'a History, indices: &'a [usize]) -> Option<Self> {
        let mut facts = Self { history, indices, writers: HashMap::new(), there_by: HashMap::new() };
        for (index, operation) in facts.operations() {
            if matches!(operation.input, Input::Increment(_)) {
                return None;
            }
            if let Some(value) = operation.writes()
                && facts.writers.insert(value, index).is_some()
            {
                return None;
            }
        }
        for (_, operation) in facts.operations() {
            for value in [operation.writes(), operation.saw().flatten()].into_iter().flatten() {
                if let Some(ret) = operation.ret {
                    facts.there_by.entry(value).and_modify(|by| *by = ret.min(*by)).or_insert(ret);
                }
            }
        }
        Some(facts)
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = (usize, &'a Operation)> + use<'a> {
        let history = self.history;
        self.indices.iter().map(move |&index| (index, &history.operations[index]))
    }

    pub(super) fn writer(&self, value: u64) -> Option<usize> {
        self.writers.get(&value).copied()
    }

    /// By when the value was certainly written.
    pub(super) fn there_by(&self, value: u64) -> Option<u64> {
        self.there_by.get(&value).copied()
    }

    /// Whether what a read saw had certainly been replaced when `change`, a write or a removal, took effect: then the
    /// read was of a state before it.
    pub(super) fn before(&self, seen: Option<u64>, read: &Operation, change: usize) -> bool {
        let change = &self.history.operations[change];
        match seen {
            Some(value) if change.writes() == Some(value) => false,
            Some(value) => self.there_by(value).is_some_and(|by| by < change.call),
            None => change.writes().is_some() && !self.could_be_gone(change, read),
        }
    }

    /// Whether anything may have removed the value that `change` wrote, or a later one, before `read` returned.
    fn could_be_gone(&self, change: &Operation, read: &Operation) -> bool {
        let until = read.ret.unwrap_or(u64::MAX);
        self.operations().any(|(_, other)| {
            let late_enough = !other.precedes(change);
            let removes = other.removes() && other.call <= until;
            let expires = other.writes().is_some()
                && other.ttl.is_some_and(|ttl| other.call.saturating_add(ttl) <= until.saturating_add(EARLY));
            late_enough && (removes || expires)
        })
    }
}
