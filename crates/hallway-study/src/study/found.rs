//! What was measured, as questions ask for it.

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use super::control::Noise;
use super::question::Depth;
use super::state::Runs;
use super::{GET, SET, primitives};
use crate::Result;
use crate::chart::{Scale, Series, Spot, Style};
use crate::lab::Backend;
use crate::report::{Crossover, NotMeasured, WireProfile};
use crate::rounds::{Measured, PointId};
use crate::statistics::{Curves, Estimate, Judge, Pair, cross_check, median_interval, ratio_interval};

/// A place between two others at which a crossing would be known better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Want {
    pub(super) group: String,
    pub(super) x: f64,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Found<'a> {
    pub(super) measured: &'a Measured,
    pub(super) runs: &'a Runs,
    pub(super) wire: &'a [WireProfile],
    pub(super) absent: &'a [NotMeasured],
    pub(super) backends: &'a [Backend],
    pub(super) noise: Noise,
    /// Where judgements would like to know more.
    pub(super) wants: RefCell<Vec<Want>>,
    /// How much was asked for.
    pub depth: Depth,
}

/// Medians of single operations, nanoseconds.
pub const MEDIAN: &str = "median_ns";
/// Means over operations of several kinds, composed or mixed, nanoseconds.
pub const MEAN: &str = "mean_ns";

/// Of a prediction: its parts are those of the rounds.
pub(crate) const APART: &str = "parts of the rounds";
/// Of a prediction: its parts were timed by turns with what it is held against.
pub(crate) const BESIDE: &str = "parts by turns with it";

/// Two curves to judge.
#[derive(Debug, Clone)]
pub struct Pairing<'a> {
    /// `Q1`.
    pub question: &'a str,
    /// The group both belong to.
    pub group: &'a str,
    /// What is done, as it stands in ids: `get`.
    pub op: &'a str,
    /// One series.
    pub a: &'a str,
    /// The other.
    pub b: &'a str,
    /// What a cost is: [`MEDIAN`] or [`MEAN`].
    pub metric: &'a str,
    /// The axis with its unit.
    pub axis: &'a str,
    /// Whether theory says that both costs are straight lines over this axis, `t = a + b x`: then a crossing is checked
    /// against the one of two lines.
    pub is_line: bool,
    /// How it is spaced.
    pub spacing: Scale,
    /// The figure that shows both.
    pub plot: Option<String>,
}

impl Found<'_> {
    /// Whether there was such a backend.
    #[must_use]
    pub fn has(&self, backend: Backend) -> bool {
        self.backends.contains(&backend)
    }

    /// The backend that plays the authority.
    #[must_use]
    pub fn database(&self) -> Backend {
        if self.has(Backend::Postgres) { Backend::Postgres } else { Backend::Sqlite }
    }

    /// The nearest shared tier.
    #[must_use]
    pub fn shared(&self) -> Option<Backend> {
        self.has(Backend::RedisTcp).then_some(Backend::RedisTcp)
    }

    /// Why a backend or server is missing.
    #[must_use]
    pub fn why_absent(&self, server: &str) -> String {
        self.told_absent(server).unwrap_or_else(|| format!("{server} was not measured"))
    }

    /// Why something is missing, if that was known before anything was measured.
    #[must_use]
    pub fn told_absent(&self, what: &str) -> Option<String> {
        self.absent.iter().find(|absent| absent.what == what).map(|absent| absent.why.clone())
    }

    /// What a run has found.
    ///
    /// # Errors
    /// If it is something else than is asked for.
    pub fn run<T: DeserializeOwned>(&self, question: &str, name: &str) -> Result<Option<T>> {
        match self.runs.get(&(question.to_owned(), name.to_owned())) {
            Some(value) => Ok(Some(serde_json::from_value(value.clone())?)),
            None => Ok(None),
        }
    }

    /// The runs of a question, by name, sorted.
    #[must_use]
    pub fn runs(&self, question: &str) -> Vec<String> {
        self.runs.keys().filter(|(id, _)| id == question).map(|(_, name)| name.clone()).collect()
    }

    /// The rounds of one point, nanoseconds.
    #[must_use]
    pub fn rounds(&self, group: &str, series: &str, x: f64) -> Vec<f64> {
        self.measured.rounds(&PointId::new(group, series, x))
    }

    /// The median of one point, nanoseconds, with its interval; `None` if it was not measured.
    #[must_use]
    pub fn cost(&self, group: &str, series: &str, x: f64) -> Option<Estimate> {
        let rounds = self.rounds(group, series, x);
        median_interval(&rounds, self.depth.seed).ok()
    }

    /// A read of a backend at the default point.
    #[must_use]
    pub fn get(&self, backend: Backend) -> Option<Estimate> {
        self.cost(GET, backend.name(), primitives::BYTES as f64)
    }

    /// A write of a backend at the default point.
    #[must_use]
    pub fn set(&self, backend: Backend) -> Option<Estimate> {
        self.cost(SET, backend.name(), primitives::BYTES as f64)
    }

    /// The means of the rounds of one point, nanoseconds: what is composed to a mean of many operations.
    #[must_use]
    pub fn means(&self, group: &str, series: &str, x: f64) -> Vec<f64> {
        self.measured.means(&PointId::new(group, series, x))
    }

    /// The means of the rounds of a read or a write at the default point.
    #[must_use]
    pub fn primitive_means(&self, group: &str, backend: Backend) -> Vec<f64> {
        self.means(group, backend.name(), primitives::BYTES as f64)
    }

    /// The rounds of a read or a write at the default point.
    #[must_use]
    pub fn primitive_rounds(&self, group: &str, backend: Backend) -> Vec<f64> {
        self.rounds(group, backend.name(), primitives::BYTES as f64)
    }

    /// A positive statistic of rounds that belong together, with its interval: `of` is given the numbers of the rounds
    /// that were drawn. `None` if there are too few rounds.
    #[must_use]
    pub fn statistic(&self, rounds: usize, of: impl Fn(&[usize]) -> f64) -> Option<Estimate> {
        ratio_interval(rounds, self.depth.seed, of).ok()
    }

    /// A curve to draw, of the points that were measured. Empty if none was.
    #[must_use]
    pub fn series(&self, group: &str, series: &str, label: &str) -> Series {
        let points = self.measured.curve(group, series).into_iter().filter_map(|(x, rounds)| {
            let cost = median_interval(&rounds, self.depth.seed).ok()?;
            Some(Spot { x, y: cost.median, interval: Some(cost.interval()), label: None })
        });
        Series { label: label.to_owned(), points: points.collect(), style: Style::Measured }
    }

    /// The curve of one series with its rounds.
    #[must_use]
    pub fn curve(&self, group: &str, series: &str) -> Vec<(f64, Vec<f64>)> {
        self.measured.curve(group, series)
    }

    /// What an operation puts on the wire.
    #[must_use]
    pub fn wire(&self, backend: Backend, op: &str) -> Option<&WireProfile> {
        self.wire.iter().find(|profile| profile.backend == backend.name() && profile.op == op)
    }

    /// Judges two series at the places where both were measured; `None` if there are fewer than two.
    ///
    /// # Errors
    /// If there are too few rounds.
    pub fn judge(&self, pairing: &Pairing<'_>) -> Result<Option<Crossover>> {
        let a = self.measured.curve(pairing.group, pairing.a);
        let b = self.measured.curve(pairing.group, pairing.b);
        let both: Vec<_> = a
            .iter()
            .filter_map(|(x, a)| b.iter().find(|(other, _)| other == x).map(|(_, b)| (*x, a.clone(), b.clone())))
            .collect();
        if both.len() < 2 {
            return Ok(None);
        }
        let rounds = both.iter().map(|(_, a, b)| a.len().min(b.len())).min().unwrap_or(0);
        let xs = both.iter().map(|(x, ..)| *x).collect();
        let of_a = (0..rounds).map(|round| both.iter().map(|(_, a, _)| a[round]).collect()).collect();
        let of_b = (0..rounds).map(|round| both.iter().map(|(.., b)| b[round]).collect()).collect();
        let curves = Curves::new(pairing.spacing, xs, of_a, of_b)?;
        self.judge_curves(pairing, &curves).map(Some)
    }

    /// Judges two curves that a question has composed itself.
    ///
    /// # Errors
    /// If there are too few rounds.
    pub fn judge_curves(&self, pairing: &Pairing<'_>, curves: &Curves) -> Result<Crossover> {
        let judgement = Judge::new(self.noise.between(pairing.a, pairing.b), self.depth.seed).judge(curves);
        let wants = judgement.wants.iter().map(|x| Want { group: pairing.group.to_owned(), x: x.round() });
        self.wants.borrow_mut().extend(wants);
        let check = (pairing.is_line && !judgement.crossings.is_empty()).then(|| cross_check(curves)).transpose()?;
        let pair = Pair {
            id: format!("{}/{}/{}/{}", pairing.question, pairing.op, pairing.a, pairing.b),
            question: pairing.question.to_owned(),
            metric: pairing.metric.to_owned(),
            a: pairing.a.to_owned(),
            b: pairing.b.to_owned(),
            axis: pairing.axis.to_owned(),
            plot: pairing.plot.clone(),
        };
        let mut crossover = judgement.finding(&pair, check);
        crossover.rule = format!("{}, {} against {}: {}.", pairing.op, pairing.a, pairing.b, crossover.rule);
        Ok(crossover)
    }
}
