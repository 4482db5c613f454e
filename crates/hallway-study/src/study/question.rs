//! What a question of the study is: the points it needs, the runs it needs, and the answer from both.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::Found;
use crate::Result;
use crate::lab::Lab;
use crate::report::{Answer, Crossover, Fit, NotMeasured, StudyMode, Validation};
use crate::rounds::{Point, Times};

/// How much a question may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Quick or full.
    pub mode: StudyMode,
    /// For everything that is drawn.
    pub seed: u64,
}

impl Depth {
    /// One of two, by mode.
    #[must_use]
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self.mode {
            StudyMode::Quick => quick,
            StudyMode::Full => full,
        }
    }

    /// How often each point is measured. Fewer than five rounds give no interval to believe in.
    #[must_use]
    pub fn rounds(self) -> u32 {
        self.pick(5, 12)
    }

    /// For how long each time.
    #[must_use]
    pub fn times(self) -> Times {
        let [warm_up, measurement] = self.pick([40, 80], [100, 200]).map(Duration::from_millis);
        Times { warm_up, measurement }
    }
}

/// Something that is measured in another way than by criterion: a replay, a run at a fixed rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name within the question.
    pub name: String,
    /// What it is expected to take.
    pub seconds: f64,
}

impl Run {
    /// A run of a question.
    pub fn new(name: impl Into<String>, seconds: f64) -> Self {
        Self { name: name.into(), seconds }
    }
}

/// A question of the study.
#[async_trait]
pub trait Question: fmt::Debug + Send + Sync {
    /// `Q1` to `Q18`.
    fn id(&self) -> &'static str;

    /// The question itself.
    fn asks(&self) -> &'static str;

    /// Whether it composes reads from the parts of tiers, which are measured once for all who do. Default: no.
    fn composes_tiers(&self) -> bool {
        false
    }

    /// Opens what it needs and lists what criterion is to measure. Groups begin with the id: `Q1/get`. Default: nothing,
    /// for questions of runs alone.
    ///
    /// # Errors
    /// If a backend that is there does not work.
    async fn points(&self, _lab: &Lab, _depth: Depth) -> Result<Vec<Point>> {
        Ok(Vec::new())
    }

    /// The points of all series of one of its groups at a place between those it asked for, because a crossing lies near
    /// there. Default: none, where places are not free to choose.
    ///
    /// # Errors
    /// If a backend that is there does not work.
    async fn refine(&self, _lab: &Lab, _group: &str, _x: f64) -> Result<Vec<Point>> {
        Ok(Vec::new())
    }

    /// What else is to be run. Default: nothing.
    fn runs(&self, _lab: &Lab, _depth: Depth) -> Vec<Run> {
        Vec::new()
    }

    /// Does one of [`Question::runs`]. What it returns is kept on disk until the answer.
    ///
    /// # Errors
    /// If it fails; what was measured is void.
    async fn run(&self, name: &str, _lab: &Lab, _depth: Depth) -> Result<Value> {
        Err(format!("{} has no run {name}", self.id()).into())
    }

    /// The answer, from nothing but what was measured: the same for the same files.
    ///
    /// # Errors
    /// If what was measured does not fit together.
    fn answer(&self, found: &Found<'_>) -> Result<Findings>;
}

/// An answer and what stands beside it in a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What is said.
    pub answer: Answer,
    /// The pairs that were judged.
    pub crossovers: Vec<Crossover>,
    /// Lines that were fitted.
    pub fits: Vec<Fit>,
    /// Predictions that were checked.
    pub validation: Vec<Validation>,
    /// What is missing.
    pub not_measured: Vec<NotMeasured>,
}

impl Findings {
    /// An answer without anything yet.
    #[must_use]
    pub fn new(question: &dyn Question, method: impl Into<String>) -> Self {
        Self {
            answer: Answer {
                id: question.id().to_owned(),
                question: question.asks().to_owned(),
                status: crate::report::Status::Answered,
                rules: Vec::new(),
                figures: Vec::new(),
                tables: Vec::new(),
                method: method.into(),
                caveats: Vec::new(),
            },
            crossovers: Vec::new(),
            fits: Vec::new(),
            validation: Vec::new(),
            not_measured: Vec::new(),
        }
    }

    /// Adds a judged pair with its sentence.
    pub fn judge(&mut self, crossover: Crossover) {
        self.answer.rules.push(crossover.rule.clone());
        self.crossovers.push(crossover);
    }

    /// Says that something is missing; the question is then answered in part, or not at all if nothing was said.
    pub fn lacks(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_measured.push(NotMeasured { what: what.into(), why: why.into() });
        self.answer.status = crate::report::Status::Partly;
    }
}
