//! A study that is measuring: points in rounds, runs, and what is done of both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::found::Found;
use super::progress::{Progress, Stop};
use super::question::Question;
use super::run::Plan;
use super::state::{Runs, State};
use crate::Result;
use crate::failure::refused;
use crate::lab::Lab;
use crate::rounds::{Driver, Measured, Point, PointId, shuffled};

/// How often a cell is run before it counts.
const WARM_UP: u64 = 20;

/// A study that is measuring.
pub(super) struct UnderWay<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a State,
    pub(super) runtime: &'a Runtime,
    pub(super) questions: &'a [Box<dyn Question>],
    pub(super) lab: &'a Lab,
    pub(super) driver: Driver,
    pub(super) progress: &'a dyn Progress,
    pub(super) stop: &'a Stop,
    /// Seconds of work.
    pub(super) done: f64,
    pub(super) ahead: f64,
    /// How much longer the points would take if a backend did.
    pub(super) supposed: BTreeMap<PointId, Duration>,
}

impl UnderWay<'_> {
    /// So much work comes, and the runs with the first of it.
    pub(super) fn expect(&mut self, points: &[Point]) {
        if self.ahead == 0.0 {
            let runs = self.questions.iter().flat_map(|question| question.runs(self.lab, self.plan.depth()));
            self.ahead = runs.map(|run| run.seconds).sum();
        }
        self.ahead += points.len() as f64 * f64::from(self.plan.rounds()) * self.plan.seconds_per_point();
        if !self.state.is_finished() {
            self.progress.begin(self.ahead);
        }
    }

    /// What is there of every point that has all its rounds.
    pub(super) fn measured(&self) -> Result<Measured> {
        Ok(Measured::read(&self.state.criterion())?.complete(self.plan.rounds()))
    }

    /// Every point in every round, but for what is there already.
    pub(super) fn measure(&mut self, points: &[Point]) -> Result<()> {
        self.supposed.extend(points.iter().map(|point| (point.id.clone(), point.cell.supposed())));
        let before = Measured::read(&self.state.criterion())?;
        let rounds = self.plan.rounds();
        let missing = |point: &&Point| (1..=rounds).any(|round| !before.has(&point.id, round));
        if let Some(point) = points.iter().find(missing) {
            self.may_measure(&point.id.to_string())?;
        }
        // A round that does not count: caches fill, statements are prepared, pages are read.
        for point in points.iter().filter(missing) {
            self.stop.check()?;
            self.runtime.block_on(point.cell.run(WARM_UP)).map_err(|error| named(&point.id.to_string(), error))?;
        }
        for round in 1..=rounds {
            for point in shuffled(points, self.plan.seed, round) {
                if !before.has(&point.id, round) {
                    self.stop.check()?;
                    self.progress.at(self.done, &format!("round {round} of {rounds}: {}", point.id));
                    self.driver.measure(point, round)?;
                }
                self.done += self.plan.seconds_per_point();
            }
        }
        // What is read while time runs is looked at shortly; what stores hold in the end is compared byte by byte.
        for point in points {
            self.stop.check()?;
            self.runtime.block_on(point.cell.verify()).map_err(|error| named(&point.id.to_string(), error))?;
        }
        Ok(())
    }

    /// Every run, but for those that are done.
    pub(super) fn run_all(&mut self) -> Result<Runs> {
        let depth = self.plan.depth();
        let mut runs = Runs::new();
        for question in self.questions {
            for run in question.runs(self.lab, depth) {
                let name = format!("{}: {}", question.id(), run.name);
                let found = match self.state.find_run(question.id(), &run.name) {
                    Some(found) => found,
                    None => {
                        self.may_measure(&name)?;
                        self.stop.check()?;
                        self.progress.at(self.done, &name);
                        let found = self.runtime.block_on(question.run(&run.name, self.lab, depth));
                        let found = found.map_err(|error| named(&name, error))?;
                        self.state.keep_run(question.id(), &run.name, &found)?;
                        found
                    }
                };
                runs.insert((question.id().to_owned(), run.name), found);
                self.done += run.seconds;
            }
        }
        Ok(runs)
    }

    /// Learns what is supposed of points that this study put between others before it was interrupted.
    pub(super) fn recall(&mut self, measured: &Measured) -> Result<()> {
        let unknown = measured.ids().filter(|id| !self.supposed.contains_key(id));
        let unknown: BTreeSet<(String, String)> = unknown.map(|id| (id.group.clone(), id.x.clone())).collect();
        for (group, x) in unknown {
            // Of other places none is known that could be asked for.
            let Ok(x) = x.parse() else { continue };
            let points = self.refined(&group, x)?;
            self.supposed.extend(points.into_iter().map(|point| (point.id, point.cell.supposed())));
        }
        Ok(())
    }

    /// What was finished is computed from, not added to: later numbers do not belong to it.
    fn may_measure(&self, what: &str) -> Result<()> {
        match self.state.is_finished() {
            true => Err(refused(format!(
                "the finished study in {} lacks {what}, and nothing is added to a finished one; --restart measures it \
                 anew",
                self.plan.out.display()
            ))),
            false => Ok(()),
        }
    }

    /// What the question of a group has at a place between others.
    fn refined(&self, group: &str, x: f64) -> Result<Vec<Point>> {
        let is_of =
            |question: &dyn Question| group.strip_prefix(question.id()).is_some_and(|rest| rest.starts_with('/'));
        let mut points = Vec::new();
        for question in self.questions.iter().filter(|question| is_of(&***question)) {
            points.extend(self.runtime.block_on(question.refine(self.lab, group, x))?);
        }
        Ok(points)
    }

    /// The points between others at which judgements would like to know more.
    pub(super) fn between(&self, found: &Found<'_>) -> Result<Vec<Point>> {
        let mut between: Vec<Point> = Vec::new();
        for want in found.wants.borrow().iter() {
            between.extend(self.refined(&want.group, want.x)?);
        }
        between.sort_by(|a, b| a.id.cmp(&b.id));
        between.dedup_by(|a, b| a.id == b.id);
        between.retain(|point| !found.measured.has(&point.id, self.plan.rounds()));
        Ok(between)
    }
}

/// What failed, before why. A store's own error stays one, because it tells what to do.
fn named(what: &str, error: crate::Failure) -> crate::Failure {
    match error.downcast::<hallway::Error>() {
        Ok(error) => {
            let kind = error.kind();
            hallway::Error::new(kind, format!("{what} failed")).with_source(*error).into()
        }
        Err(error) => format!("{what}: {error}").into(),
    }
}
