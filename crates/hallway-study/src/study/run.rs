//! The study itself, from claiming its folder to the report.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::found::Found;
use super::progress::Progress;
use super::question::{Depth, Findings, Question};
use super::state::{Runs, State};
use super::{GET, SET, parts, primitives};
use crate::failure::refused;
use crate::lab::{Backend, CONTROL_GROUP, CONTROL_SERIES, Choices, Injection, Lab, Profile, SLOWER, Watch, controls};
use crate::report::{Environment, NotMeasured, Primitive, Report, SCHEMA, Status, StudyMode, WireProfile};
use crate::rounds::{Driver, Measured, Point, Times, shuffled};
use crate::statistics::{Curves, Judge, noise_floor};
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
    /// Access traces to measure hit ratios with, beside the built-in ones.
    pub traces: Vec<PathBuf>,
    /// Drops what an interrupted study has left in the folder.
    pub restart: bool,
}

impl Plan {
    /// How often each point is measured. Fewer than five rounds give no interval to believe in.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        match self.mode {
            StudyMode::Quick => 5,
            StudyMode::Full => 12,
        }
    }

    fn times(&self) -> Times {
        let (warm_up, measurement) = match self.mode {
            StudyMode::Quick => (40, 80),
            StudyMode::Full => (100, 200),
        };
        Times { warm_up: Duration::from_millis(warm_up), measurement: Duration::from_millis(measurement) }
    }

    /// What a point takes in a round, with criterion's own work.
    fn seconds_per_point(&self) -> f64 {
        let times = self.times();
        (times.warm_up + times.measurement).as_secs_f64() * 1.3
    }
}

/// Above these shares a report warns: of processor time given to others, of load before the start, of noise.
const MOST_STEAL: f64 = 0.02;
const MOST_LOAD: f64 = 0.3;
const MOST_NOISE: f64 = 0.10;

/// How often brackets are halved, in full mode.
const REFINEMENTS: usize = 2;

/// Measures, or goes on measuring, and says what was found. Blocks; must not be called on a worker of a runtime.
///
/// # Errors
/// If a question is not known, the folder holds something else, a named server does not answer, or a read was wrong:
/// the study is void then. What was measured before is kept, and the next call with the same plan goes on.
pub fn run(plan: &Plan, progress: &dyn Progress) -> Result<Report> {
    let questions = chosen(&plan.only)?;
    let depth = Depth { mode: plan.mode, seed: plan.seed };
    let state = State::claim(plan)?;
    if state.is_resumed() {
        progress.say(&format!("going on with the study in {}", plan.out.display()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let watch = Watch::begin();
    let lab = runtime.block_on(Lab::open(&plan.choices, &plan.out, plan.injection))?.with_traces(plan.traces.clone());
    for absent in lab.absent() {
        progress.say(&format!("not measured: {}: {}", absent.what, absent.why));
    }
    let driver = Driver::new(&state.criterion(), runtime.handle().clone(), plan.times(), true)?;
    let mut under_way = UnderWay {
        plan,
        state: &state,
        runtime: &runtime,
        questions: &questions,
        lab: &lab,
        driver,
        progress,
        done: 0.0,
    };

    let mut points = runtime.block_on(primitives::points(&lab))?;
    points.extend(runtime.block_on(controls(&lab))?);
    if questions.iter().any(|question| question.composes_tiers()) {
        points.extend(runtime.block_on(parts::points(&lab))?);
    }
    for question in &questions {
        let asked = runtime.block_on(question.points(&lab, depth));
        points.extend(asked.map_err(|error| format!("{}: {error}", question.id()))?);
    }
    unique(&points)?;
    progress.begin(points.len() as f64 * f64::from(plan.rounds()) * plan.seconds_per_point() + under_way.of_runs());
    under_way.measure(&points)?;
    let runs = under_way.run_all()?;
    let wire = runtime.block_on(Profile::measure(&lab))?;
    let backends = lab.present(&Backend::ALL);
    let mut measured = Measured::read(&state.criterion())?;
    for _ in 0..depth.pick(0, REFINEMENTS) {
        let known = found(&lab, depth, &measured, &runs, &wire, &backends)?;
        answers(&questions, &known)?;
        let between = under_way.between(&known)?;
        if between.is_empty() {
            break;
        }
        under_way.measure(&between)?;
        measured = Measured::read(&state.criterion())?;
    }
    let servers = runtime.block_on(lab.servers())?;
    runtime.block_on(lab.clear())?;

    let known = found(&lab, depth, &measured, &runs, &wire, &backends)?;
    let env = watch.end(&plan.out, noise(&measured)?.map(f64::exp_m1), servers);
    let mut report = assemble(plan, state.started(), env, answers(&questions, &known)?, &known);
    report.warnings = warnings(&report, watch.load_per_core(), &known)?;
    if let Some(injection) = lab.injection() {
        let told = format!("each call of {} was made {:?} slower on purpose", injection.backend, injection.delay);
        report.warnings.insert(0, told);
    }
    // The servers of the study go before its last word.
    drop(lab);
    runtime.shutdown_timeout(Duration::from_secs(5));
    state.complete()?;
    Ok(report)
}

fn found<'a>(
    lab: &'a Lab,
    depth: Depth,
    measured: &'a Measured,
    runs: &'a Runs,
    wire: &'a [WireProfile],
    backends: &'a [Backend],
) -> Result<Found<'a>> {
    let noise_ln = noise(measured)?.unwrap_or(0.0);
    Ok(Found { measured, runs, wire, absent: lab.absent(), backends, noise_ln, wants: RefCell::default(), depth })
}

fn answers(questions: &[Box<dyn Question>], found: &Found<'_>) -> Result<Vec<Findings>> {
    let mut all = Vec::with_capacity(questions.len());
    for question in questions {
        all.push(question.answer(found).map_err(|error| format!("{}: {error}", question.id()))?);
    }
    Ok(all)
}

/// A study that is measuring.
struct UnderWay<'a> {
    plan: &'a Plan,
    state: &'a State,
    runtime: &'a Runtime,
    questions: &'a [Box<dyn Question>],
    lab: &'a Lab,
    driver: Driver,
    progress: &'a dyn Progress,
    /// Seconds of work.
    done: f64,
}

impl UnderWay<'_> {
    fn depth(&self) -> Depth {
        Depth { mode: self.plan.mode, seed: self.plan.seed }
    }

    fn of_runs(&self) -> f64 {
        self.questions.iter().flat_map(|question| question.runs(self.lab, self.depth())).map(|run| run.seconds).sum()
    }

    /// Every point in every round, but for what is there already.
    fn measure(&mut self, points: &[Point]) -> Result<()> {
        let before = Measured::read(&self.state.criterion())?;
        // A round that does not count: caches fill, statements are prepared, pages are read.
        for point in points.iter().filter(|point| !before.has(&point.id, 1)) {
            self.runtime.block_on(point.cell.run(20)).map_err(|error| format!("{}: {error}", point.id))?;
        }
        let rounds = self.plan.rounds();
        for round in 1..=rounds {
            for point in shuffled(points, self.plan.seed, round) {
                self.progress.at(self.done, &format!("round {round} of {rounds}: {}", point.id));
                if !before.has(&point.id, round) {
                    self.driver.measure(point, round)?;
                }
                self.done += self.plan.seconds_per_point();
            }
        }
        Ok(())
    }

    fn run_all(&mut self) -> Result<Runs> {
        let mut runs = Runs::new();
        for question in self.questions {
            for run in question.runs(self.lab, self.depth()) {
                self.progress.at(self.done, &format!("{}: {}", question.id(), run.name));
                let found = match self.state.find_run(question.id(), &run.name) {
                    Some(found) => found,
                    None => {
                        let found = self.runtime.block_on(question.run(&run.name, self.lab, self.depth()));
                        let found = found.map_err(|error| format!("{}, {}: {error}", question.id(), run.name))?;
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

    /// The points between others at which judgements would like to know more.
    fn between(&self, found: &Found<'_>) -> Result<Vec<Point>> {
        let mut between: Vec<Point> = Vec::new();
        for want in found.wants.borrow().iter() {
            for question in self
                .questions
                .iter()
                .filter(|question| want.group.strip_prefix(question.id()).is_some_and(|rest| rest.starts_with('/')))
            {
                let points = self.runtime.block_on(question.refine(self.lab, &want.group, want.x))?;
                between.extend(points);
            }
        }
        between.sort_by(|a, b| a.id.cmp(&b.id));
        between.dedup_by(|a, b| a.id == b.id);
        between.retain(|point| !found.measured.has(&point.id, self.plan.rounds()));
        Ok(between)
    }
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

/// What one backend measured twice differs by at most, as a logarithm.
fn noise(measured: &Measured) -> Result<Option<f64>> {
    Ok(control(measured, CONTROL_SERIES[1])?.map(|curves| noise_floor(&curves)))
}

/// A backend against a control of itself, at the places of all backends.
pub(super) fn control(measured: &Measured, other: &str) -> Result<Option<Curves>> {
    let a = measured.curve(CONTROL_GROUP, CONTROL_SERIES[0]);
    let b = measured.curve(CONTROL_GROUP, other);
    if a.len() < 2 || a.len() != b.len() {
        return Ok(None);
    }
    let rounds = a.iter().chain(&b).map(|(_, rounds)| rounds.len()).min().unwrap_or(0);
    let by_round = |curve: &[(f64, Vec<f64>)]| {
        (0..rounds).map(|round| curve.iter().map(|(_, all)| all[round]).collect()).collect()
    };
    let xs = a.iter().map(|(x, _)| *x).collect();
    Curves::new(crate::chart::Scale::Linear, xs, by_round(&a), by_round(&b)).map(Some)
}

fn warnings(report: &Report, load_per_core: f64, found: &Found<'_>) -> Result<Vec<String>> {
    let mut warnings = vec![
        "Client and servers share the cores of this machine: ratios and round trips transfer to others, absolute throughput does not."
            .to_owned(),
    ];
    if report.env.steal.is_some_and(|steal| steal > MOST_STEAL) {
        warnings
            .push("The host gave more than 2 % of the processor to others: advisory only; do not publish.".to_owned());
    }
    if load_per_core > MOST_LOAD {
        warnings.push(format!(
            "The machine was busy before the first measurement (load {load_per_core:.2} for each core): advisory only; do not publish."
        ));
    }
    if report.env.noise_floor.is_some_and(|noise| noise > MOST_NOISE) {
        warnings
            .push("One backend measured twice differs by more than 10 %: advisory only; do not publish.".to_owned());
    }
    if let Some(curves) = control(found.measured, CONTROL_SERIES[2])? {
        let slower = Judge::new(found.noise_ln, found.depth.seed).judge(&curves).overall;
        // Negative: the side that was not slowed down takes less time.
        if slower.high >= 0.0 {
            warnings.push(format!(
                "A backend made {:.0} % slower on purpose was not found to be: this study sees no small differences.",
                SLOWER * 100.0
            ));
        }
    }
    Ok(warnings)
}

fn assemble(plan: &Plan, started: &str, env: Environment, findings: Vec<Findings>, found: &Found<'_>) -> Report {
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        mode: plan.mode,
        started: started.to_owned(),
        seed: plan.seed,
        rounds: plan.rounds(),
        env,
        warnings: Vec::new(),
        answers: Vec::new(),
        crossovers: Vec::new(),
        primitives: primitives_of(found),
        wire: found.wire.to_vec(),
        fits: Vec::new(),
        validation: Vec::new(),
        not_measured: found.absent.to_vec(),
    };
    for mut one in findings {
        if one.answer.rules.is_empty() && one.answer.figures.is_empty() && one.answer.tables.is_empty() {
            one.answer.status = Status::NotMeasured;
        }
        report.answers.push(one.answer);
        report.crossovers.extend(one.crossovers);
        report.fits.extend(one.fits);
        report.validation.extend(one.validation);
        report.not_measured.extend(one.not_measured);
    }
    let mut seen: Vec<NotMeasured> = Vec::new();
    report.not_measured.retain(|one| {
        let new = !seen.contains(one);
        seen.push(one.clone());
        new
    });
    report
}

fn primitives_of(found: &Found<'_>) -> Vec<Primitive> {
    let mut primitives = Vec::new();
    for (group, op) in [(GET, "get"), (SET, "set")] {
        for backend in found.backends {
            if let Some(cost) = found.cost(group, backend.name(), primitives::BYTES as f64) {
                primitives.push(Primitive {
                    backend: backend.name().to_owned(),
                    op: op.to_owned(),
                    bytes: primitives::BYTES as u64,
                    tasks: 1,
                    batch: 1,
                    rtt_us: 0.0,
                    median_ns: cost.median,
                    ci95: [cost.low, cost.high],
                });
            }
        }
    }
    primitives
}
