//! A study made by hand, for tests of answers.

use std::cell::RefCell;

use serde_json::Value;

use super::state::Runs;
use super::{Depth, Found};
use crate::lab::Backend;
use crate::report::{NotMeasured, StudyMode};
use crate::rounds::{Measured, PointId};

/// What was measured, put together by a test.
#[derive(Debug)]
pub(crate) struct Sample {
    measured: Measured,
    runs: Runs,
    absent: Vec<NotMeasured>,
    backends: Vec<Backend>,
}

impl Sample {
    /// Nothing measured yet, of these backends. Of Redis and PostgreSQL what is missing is said to be.
    pub(crate) fn of(backends: &[Backend]) -> Self {
        let servers = [("redis", Backend::RedisTcp), ("postgres", Backend::Postgres)];
        let absent = servers
            .iter()
            .filter(|(_, backend)| !backends.contains(backend))
            .map(|(what, _)| NotMeasured { what: (*what).to_owned(), why: format!("no {what} here; use --start") });
        Self { measured: Measured::default(), runs: Runs::new(), absent: absent.collect(), backends: backends.to_vec() }
    }

    /// Five rounds of a point around these nanoseconds, all points of a round off by the same part.
    pub(crate) fn put(&mut self, group: &str, series: &str, x: f64, nanos: f64) -> &mut Self {
        self.put_rounds(group, series, x, [0.98, 1.01, 1.0, 0.99, 1.02].map(|off| nanos * off))
    }

    /// Five rounds of a point, one by one.
    pub(crate) fn put_rounds(&mut self, group: &str, series: &str, x: f64, nanos: [f64; 5]) -> &mut Self {
        for (round, nanos) in (1..).zip(nanos) {
            self.measured.insert(PointId::new(group, series, x), round, nanos);
        }
        self
    }

    /// What a run has found.
    pub(crate) fn run(&mut self, question: &str, name: &str, found: Value) -> &mut Self {
        self.runs.insert((question.to_owned(), name.to_owned()), found);
        self
    }

    /// As an answer sees it.
    pub(crate) fn found(&self) -> Found<'_> {
        Found {
            measured: &self.measured,
            runs: &self.runs,
            wire: &[],
            absent: &self.absent,
            backends: &self.backends,
            noise: Default::default(),
            wants: RefCell::default(),
            depth: Depth { mode: StudyMode::Quick, seed: 7 },
        }
    }
}
