//! The study itself, from claiming its folder to the report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::control::Noise;
use super::found::Found;
use super::progress::{Progress, Stop};
use super::question::{Depth, Findings, Question};
use super::state::{Runs, SUPPOSED, State};
use super::summing_up::{assemble, warnings};
use super::under_way::UnderWay;
use super::{parts, primitives};
use crate::failure::refused;
use crate::lab::{Backend, Choices, Injection, Lab, Profile, Watch, changes, controls};
use crate::report::{self, Files, NotMeasured, Report, Slower, StudyMode, WireProfile};
use crate::rounds::{Driver, Measured, Point, sweep};
use crate::trace::Reader;
use crate::{Result, questions};

/// What to study.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Quick or full.
    pub mode: StudyMode,
    /// Ids of the questions; all of them if empty.
    pub only: Vec<String>,
    /// Where everything is kept.
    pub out: PathBuf,
    /// Which servers.
    pub choices: Choices,
    /// For everything that is drawn.
    pub seed: u64,
    /// A backend to slow down, to see that the study notices.
    pub injection: Option<Injection>,
    /// A backend that could be slower: what would be found then is computed from what is found.
    pub supposed: Option<Injection>,
    /// Access traces to measure hit ratios with, beside the built-in ones.
    pub traces: Vec<PathBuf>,
    /// Drops what an interrupted study has left in the folder.
    pub restart: bool,
}

impl Plan {
    /// How often each point is measured. Fewer than five rounds give no interval to believe in.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.depth().rounds()
    }

    pub(super) fn depth(&self) -> Depth {
        Depth { mode: self.mode, seed: self.seed }
    }

    /// What a point takes in a round, with criterion's own work.
    pub(super) fn seconds_per_point(&self) -> f64 {
        let times = self.depth().times();
        (times.warm_up + times.measurement).as_secs_f64() * 1.7
    }
}

/// What a study comes to.
#[derive(Debug)]
pub struct Studied {
    /// What was found.
    pub report: Report,
    /// Where it was written.
    pub files: Files,
    /// What would be found if a backend was slower ([`Plan::supposed`]), and where that was written.
    pub supposed: Option<(Files, Report)>,
}

/// How often brackets are halved, in full mode.
const REFINEMENTS: usize = 2;

/// Measures, or goes on measuring, and writes what was found into the folder of the plan. Blocks; must not be called on a
/// worker of a runtime.
///
/// A finished study of the same plan is kept where something is supposed ([`Plan::supposed`]), which is then computed from
/// it without measuring anything; else it begins anew.
///
/// However it ends, private servers are stopped and what was written into others is taken away.
///
/// # Errors
/// If a question is not known, the folder holds something else, a named server does not answer, a read was wrong (the
/// study is void then), or it was told to stop ([`Interrupted`](super::Interrupted)). What was measured before is kept, and the next call with
/// the same plan goes on.
pub fn run(plan: &Plan, progress: &dyn Progress, stop: &Stop) -> Result<Studied> {
    let questions = chosen(&plan.only)?;
    for trace in &plan.traces {
        // Not after half an hour.
        Reader::open(trace, None)
            .map_err(|error| refused(format!("cannot read the trace {}: {error}", trace.display())))?;
    }
    let mut state = State::claim(plan)?;
    if state.is_resumed() {
        let how = if state.is_finished() { "computing from" } else { "going on with" };
        progress.say(&format!("{how} the study in {}", plan.out.display()));
        sweep(&state.criterion())?;
    }
    let watch = Watch::begin();
    if let Some(why) = plan.choices.placement.asleep() {
        progress.say(&format!("cores are not kept awake: {why}"));
    }
    // Before the runtime: its threads have the cores of this one.
    let _pinned = plan.choices.placement.study()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let lab = runtime.block_on(Lab::open(&plan.choices, &plan.out, plan.injection))?;
    let lab = lab.with_traces(plan.traces.clone()).supposing(plan.supposed);
    for absent in lab.absent() {
        progress.say(&format!("not measured: {}: {}", absent.what, absent.why));
    }
    let report = slower_ones_are_there(plan, &lab)
        .and_then(|()| state.same_stores(&lab.identity()))
        .and_then(|()| study(plan, &state, &runtime, &questions, &lab, &watch, progress, stop));
    let cleared = runtime.block_on(lab.clear());
    // The servers of the study go before its last word.
    drop(lab);
    runtime.shutdown_timeout(Duration::from_secs(5));
    let cleared =
        cleared.map_err(|error| format!("what the study wrote into a server could not be taken away: {error}"));
    let (mut report, supposed) = match (report, cleared) {
        (Ok((mut report, supposed)), Err(left)) => {
            report.warnings.push(left);
            (report, supposed)
        }
        (Ok(reports), Ok(())) => reports,
        (Err(error), cleared) => {
            if let Err(left) = cleared {
                progress.say(&left);
            }
            return Err(error);
        }
    };
    if let Some(injection) = plan.injection {
        report.slower = Some(slower(injection, false));
        report.warnings.insert(
            0,
            format!(
                "each call of {} in the rounds, and of replays through tiers, was made {:?} slower on purpose; other runs were not",
                injection.backend, injection.delay
            ),
        );
    }
    if state.is_finished() {
        // Summed up anew, as this version does it; where and how it was measured stays.
        let measured = report::read(&plan.out.join("crossover.json"))?;
        (report.env, report.warnings) = (measured.env, measured.warnings);
    }
    let files = report::write(&report, &plan.out)?;
    let supposed = match (supposed, plan.supposed) {
        (Some(mut supposed), Some(injection)) => {
            supposed.env = report.env.clone();
            supposed.slower = Some(slower(injection, true));
            supposed.warnings = vec![format!(
                "Computed, not measured: as if each call of {} took {:?} longer. Replays, runs and open loops are as they \
                 were measured.",
                injection.backend, injection.delay
            )];
            supposed.warnings.extend(report.warnings.clone());
            Some((report::write(&supposed, &plan.out.join(SUPPOSED))?, supposed))
        }
        _ => None,
    };
    state.complete()?;
    Ok(Studied { report, files, supposed })
}

#[expect(clippy::too_many_arguments, reason = "what a study is made of, named once")]
fn study(
    plan: &Plan,
    state: &State,
    runtime: &Runtime,
    questions: &[Box<dyn Question>],
    lab: &Lab,
    watch: &Watch,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<(Report, Option<Report>)> {
    let depth = plan.depth();
    let driver = Driver::new(&state.criterion(), runtime.handle().clone(), depth.times(), true)?;
    let mut under_way = UnderWay {
        plan,
        state,
        runtime,
        questions,
        lab,
        driver,
        progress,
        stop,
        done: 0.0,
        ahead: 0.0,
        supposed: BTreeMap::new(),
    };
    let servers = runtime.block_on(lab.servers())?;
    let points = points(runtime, questions, lab, depth)?;
    under_way.expect(&points);
    under_way.measure(&points)?;
    let runs = under_way.run_all()?;
    let wire = runtime.block_on(Profile::measure(lab))?;
    let backends = lab.present(&Backend::ALL);
    let mut measured = under_way.measured()?;
    if plan.supposed.is_some() {
        under_way.recall(&measured)?;
    }
    let refinements = if state.is_finished() { 0 } else { depth.pick(0, REFINEMENTS) };
    for _ in 0..refinements {
        let known = found(lab, depth, &measured, &runs, &wire, &backends)?;
        answers(questions, &known);
        if plan.supposed.is_some() {
            let slower = measured.slower(&under_way.supposed);
            let supposed = found(lab, depth, &slower, &runs, &wire, &backends)?;
            answers(questions, &supposed);
            known.wants.borrow_mut().extend(supposed.wants.take());
        }
        let between = under_way.between(&known)?;
        if between.is_empty() {
            break;
        }
        under_way.expect(&between);
        under_way.measure(&between)?;
        measured = under_way.measured()?;
    }
    let changes = changes(&servers, &runtime.block_on(lab.servers())?);
    if !changes.is_empty() {
        return Err(format!("what was measured is void: {}", changes.join("; ")).into());
    }
    let known = found(lab, depth, &measured, &runs, &wire, &backends)?;
    let env = watch.end(&plan.out, known.noise.overall.map(f64::exp_m1), lab, servers);
    let supposed = match plan.supposed {
        Some(_) => {
            let slower = measured.slower(&under_way.supposed);
            let known = found(lab, depth, &slower, &runs, &wire, &backends)?;
            Some(assemble(plan, state.started(), env.clone(), answers(questions, &known), &known))
        }
        None => None,
    };
    let mut report = assemble(plan, state.started(), env, answers(questions, &known), &known);
    report.warnings = warnings(&report, watch.load_per_core().unwrap_or(0.0), &known)?;
    report.warnings.extend(watch.doubts(lab));
    Ok((report, supposed))
}

fn slower(injection: Injection, computed: bool) -> Slower {
    let delay_us = injection.delay.as_secs_f64() * 1e6;
    Slower { backend: injection.backend.name().to_owned(), delay_us, computed }
}

/// What is not there cannot be slower.
fn slower_ones_are_there(plan: &Plan, lab: &Lab) -> Result<()> {
    for injection in plan.injection.iter().chain(&plan.supposed) {
        if !lab.has(injection.backend) {
            let absent = lab.absent().iter().map(|absent| format!("{}: {}", absent.what, absent.why));
            return Err(refused(format!(
                "{} cannot be slower, because it is not there ({})",
                injection.backend,
                absent.collect::<Vec<_>>().join("; ")
            )));
        }
    }
    Ok(())
}

fn points(runtime: &Runtime, questions: &[Box<dyn Question>], lab: &Lab, depth: Depth) -> Result<Vec<Point>> {
    let mut points = runtime.block_on(primitives::points(lab))?;
    points.extend(runtime.block_on(controls(lab))?);
    if questions.iter().any(|question| question.composes_tiers()) {
        points.extend(runtime.block_on(parts::points(lab))?);
    }
    for question in questions {
        let asked = runtime.block_on(question.points(lab, depth));
        points.extend(asked.map_err(|error| format!("{}: {error}", question.id()))?);
    }
    unique(&points)?;
    Ok(points)
}

fn found<'a>(
    lab: &'a Lab,
    depth: Depth,
    measured: &'a Measured,
    runs: &'a Runs,
    wire: &'a [WireProfile],
    backends: &'a [Backend],
) -> Result<Found<'a>> {
    let noise = Noise::of(measured, backends)?;
    Ok(Found { measured, runs, wire, absent: lab.absent(), backends, noise, wants: Default::default(), depth })
}

/// An answer that fails is one that is missing; what the others found stands.
fn answers(questions: &[Box<dyn Question>], found: &Found<'_>) -> Vec<Findings> {
    let answer = |question: &dyn Question| match question.answer(found) {
        Ok(findings) => findings,
        Err(error) => {
            let mut findings = Findings::new(question, "");
            findings.not_measured.push(NotMeasured { what: question.id().to_owned(), why: error.to_string() });
            findings
        }
    };
    questions.iter().map(|question| answer(&**question)).collect()
}

fn chosen(only: &[String]) -> Result<Vec<Box<dyn Question>>> {
    let all = questions::all();
    for id in only {
        if !all.iter().any(|question| question.id().eq_ignore_ascii_case(id)) {
            let known: Vec<_> = all.iter().map(|question| question.id()).collect();
            return Err(refused(format!("there is no question {id}; there are {}", known.join(", "))));
        }
    }
    let wanted =
        |question: &dyn Question| only.is_empty() || only.iter().any(|id| question.id().eq_ignore_ascii_case(id));
    Ok(all.into_iter().filter(|question| wanted(&**question)).collect())
}

fn unique(points: &[Point]) -> Result<()> {
    let mut ids: Vec<_> = points.iter().map(|point| &point.id).collect();
    ids.sort();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} is asked for twice", pair[0]).into()),
        None => Ok(()),
    }
}
