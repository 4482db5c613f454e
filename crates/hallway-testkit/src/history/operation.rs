//! One operation as its caller saw it.

use serde::{Deserialize, Serialize};

/// What was asked.
///
/// Values are numbers, and within a history no two writes of a key write the same one: a value read tells which write
/// it came from. Counters are the exception; a key that was incremented is judged by its sums alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Input {
    /// Writes if the key holds `expected`; `None` is no value.
    CompareAndSet {
        /// What must be there.
        expected: Option<u64>,
        /// What is written.
        new: u64,
    },
    /// Removes the value, if there is one.
    Delete,
    /// Adds; an absent key counts as zero.
    Increment(i64),
    /// Reads.
    Read,
    /// Writes unless there is a value.
    SetIfAbsent(u64),
    /// Writes if there is a value.
    SetIfPresent(u64),
    /// Reads and removes.
    Take,
    /// Writes whatever is there.
    Write(u64),
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Output {
    /// Whether a conditional write wrote, or whether there was something to delete.
    Applied(bool),
    /// It was done, and nothing more was said: a write, or a delete that does not say whether there was a value.
    Done,
    /// No answer, or one that leaves open whether it was done. Such an operation has no return.
    Unknown,
    /// The value read or taken, or the new sum.
    Value(Option<u64>),
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Who asked. What one process may expect of its own operations is judged by this.
    pub process: u32,
    /// The key. Keys are independent of each other.
    pub key: String,
    /// When it was called, in microseconds.
    pub call: u64,
    /// When it returned, in microseconds; `None` if its outcome is unknown.
    pub ret: Option<u64>,
    /// What was asked.
    pub input: Input,
    /// What was answered.
    pub output: Output,
    /// Whether the answer may come from a copy, and so be Δ behind. Only reads may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// How long what is written lives, in microseconds; `None` is for ever. An increment takes it only where it makes
    /// the counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// Operations in any order, of any keys and processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The operations. Whatever speaks of an operation of a history means its index here.
    pub operations: Vec<Operation>,
}

impl Operation {
    /// An operation that returned, not cached and without a TTL.
    #[must_use]
    pub fn new(process: u32, key: impl Into<String>, call: u64, ret: u64, input: Input, output: Output) -> Self {
        Self { process, key: key.into(), call, ret: Some(ret), input, output, cached: false, ttl: None }
    }

    /// An operation of which nobody knows whether it was done.
    #[must_use]
    pub fn unknown(process: u32, key: impl Into<String>, call: u64, input: Input) -> Self {
        Self { process, key: key.into(), call, ret: None, input, output: Output::Unknown, cached: false, ttl: None }
    }

    /// Its answer may come from a copy.
    #[must_use]
    pub fn cached(mut self) -> Self {
        self.cached = true;
        self
    }

    /// What it writes lives so long, in microseconds.
    #[must_use]
    pub fn with_ttl(mut self, micros: u64) -> Self {
        self.ttl = Some(micros);
        self
    }

    /// Whether it definitely returned before the other was called.
    #[must_use]
    pub fn precedes(&self, other: &Self) -> bool {
        self.ret.is_some_and(|ret| ret < other.call)
    }

    /// The value it writes, if its outcome allows that it wrote. Increments write sums and are left out.
    pub(super) fn writes(&self) -> Option<u64> {
        if self.output == Output::Applied(false) {
            return None;
        }
        match self.input {
            Input::CompareAndSet { new, .. } => Some(new),
            Input::SetIfAbsent(value) | Input::SetIfPresent(value) | Input::Write(value) => Some(value),
            Input::Delete | Input::Increment(_) | Input::Read | Input::Take => None,
        }
    }

    /// Whether its outcome allows that it removed a value.
    pub(super) fn removes(&self) -> bool {
        match self.input {
            Input::Delete => self.output != Output::Applied(false),
            Input::Take => self.output != Output::Value(None),
            _ => false,
        }
    }

    /// What it saw in the key, where it says so exactly: `Some(None)` is that there was no value.
    pub(super) fn saw(&self) -> Option<Option<u64>> {
        match (self.input, self.output) {
            (Input::Read | Input::Take, Output::Value(value)) => Some(value),
            (Input::CompareAndSet { expected, .. }, Output::Applied(true)) => Some(expected),
            (Input::SetIfAbsent(_), Output::Applied(true))
            | (Input::SetIfPresent(_) | Input::Delete, Output::Applied(false)) => Some(None),
            _ => None,
        }
    }
}
