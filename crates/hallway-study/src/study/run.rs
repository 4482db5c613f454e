//! The study itself, from claiming its folder to the report.

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::found::Found;
use super::progress::Progress;
use super::question::{Depth, Findings, Question};
use super::state::{Runs, State};
use super::{GET, SET, primitives};
use crate::lab::{Backend, CONTROL_GROUP, CONTROL_SERIES, Choices, Injection, Lab, Profile, SLOWER, Watch, controls};
use crate::report::{Environment, NotMeasured, Primitive, Report, SCHEMA, Status, StudyMode, WireProfile};
use crate::rounds::{Driver, Measured, Point, Times, shuffled};
use crate::statistics::{Curves, noise_floor};
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
    let lab = runtime.block_on(Lab::open(&plan.choices, &plan.out, plan.injection))?;
    for absent in lab.absent() {
        progress.say(&format!("not measured: {}: {}", absent.what, absent.why));
    }

    let mut points = runtime.block_on(primitives::points(&lab))?;
    points.extend(runtime.block_on(controls(&lab))?);
    for question in &questions {
        let asked = runtime.block_on(question.points(&lab, depth));
        points.extend(asked.map_err(|error| format!("{}: {error}", question.id()))?);
    }
    let measured = measure(plan, &state, &runtime, &questions, &lab, &points, progress)?;
    let runs = run_all(plan, &state, &runtime, &questions, &lab, &points, progress)?;
    let wire = runtime.block_on(Profile::measure(&lab))?;
    let servers = runtime.block_on(lab.servers())?;
    runtime.block_on(lab.clear())?;

    let backends = lab.present(&Backend::ALL);
    let noise = noise(&measured)?;
    let found = Found {
        measured: &measured,
        runs: &runs,
        wire: &wire,
        absent: lab.absent(),
        backends: &backends,
        noise_ln: noise.unwrap_or(0.0),
        depth,
    };
    let env = watch.end(&plan.out, noise.map(f64::exp_m1), servers);
    let findings = questions
        .iter()
        .map(|question| question.answer(&found).map_err(|error| format!("{}: {error}", question.id()).into()))
        .collect::<Result<Vec<_>>>()?;
    let mut report = assemble(plan, state.started(), env, findings, &found, wire.clone());
    report.warnings = warnings(&report, watch.load_per_core(), &found)?;
    if let Some(injection) = lab.injection() {
        report
            .warnings
            .insert(0, format!("each call of {} was made {:?} slower on purpose", injection.backend, injection.delay));
    }
    // The servers of the study go before its last word.
    drop(lab);
    runtime.shutdown_timeout(Duration::from_secs(5));
    state.complete()?;
    Ok(report)
}

fn chosen(only: &[String]) -> Result<Vec<Box<dyn Question>>> {
    let all = questions::all();
    for id in only {
        if !all.iter().any(|question| question.id().eq_ignore_ascii_case(id)) {
            let known: Vec<_> = all.iter().map(|question| question.id()).collect();
            return Err(format!("there is no question {id}; there are {}", known.join(", ")).into());
        }
    }
    let wanted =
        |question: &dyn Question| only.is_empty() || only.iter().any(|id| question.id().eq_ignore_ascii_case(id));
    Ok(all.into_iter().filter(|question| wanted(&**question)).collect())
}

/// The seconds of all points, and of all runs, that are still to be done.
fn ahead(plan: &Plan, questions: &[Box<dyn Question>], lab: &Lab, points: &[Point]) -> (f64, f64) {
    let depth = Depth { mode: plan.mode, seed: plan.seed };
    let runs = questions.iter().flat_map(|question| question.runs(lab, depth)).map(|run| run.seconds).sum();
    (points.len() as f64 * f64::from(plan.rounds()) * plan.seconds_per_point(), runs)
}

fn measure(
    plan: &Plan,
    state: &State,
    runtime: &Runtime,
    questions: &[Box<dyn Question>],
    lab: &Lab,
    points: &[Point],
    progress: &dyn Progress,
) -> Result<Measured> {
    unique(points)?;
    let (of_points, of_runs) = ahead(plan, questions, lab, points);
    progress.begin(of_points + of_runs);
    let home = state.criterion();
    let driver = Driver::new(&home, runtime.handle().clone(), plan.times(), true)?;
    let before = Measured::read(&home)?;
    // A round that does not count: caches fill, statements are prepared, pages are read.
    for point in points.iter().filter(|point| !before.has(&point.id, 1)) {
        runtime.block_on(point.cell.run(20)).map_err(|error| format!("{}: {error}", point.id))?;
    }
    let mut done = 0.0;
    for round in 1..=plan.rounds() {
        for point in shuffled(points, plan.seed, round) {
            progress.at(done, &format!("round {round} of {}: {}", plan.rounds(), point.id));
            if !before.has(&point.id, round) {
                driver.measure(point, round)?;
            }
            done += plan.seconds_per_point();
        }
    }
    Measured::read(&home)
}

fn unique(points: &[Point]) -> Result<()> {
    let mut ids: Vec<_> = points.iter().map(|point| &point.id).collect();
    ids.sort();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} is asked for twice", pair[0]).into()),
        None => Ok(()),
    }
}

fn run_all(
    plan: &Plan,
    state: &State,
    runtime: &Runtime,
    questions: &[Box<dyn Question>],
    lab: &Lab,
    points: &[Point],
    progress: &dyn Progress,
) -> Result<Runs> {
    let depth = Depth { mode: plan.mode, seed: plan.seed };
    let (mut done, _) = ahead(plan, questions, lab, points);
    let mut runs = Runs::new();
    for question in questions {
        for run in question.runs(lab, depth) {
            progress.at(done, &format!("{}: {}", question.id(), run.name));
            let found = match state.find_run(question.id(), &run.name) {
                Some(found) => found,
                None => {
                    let found = runtime
                        .block_on(question.run(&run.name, lab, depth))
                        .map_err(|error| format!("{}, {}: {error}", question.id(), run.name))?;
                    state.keep_run(question.id(), &run.name, &found)?;
                    found
                }
            };
            runs.insert((question.id().to_owned(), run.name), found);
            done += run.seconds;
        }
    }
    Ok(runs)
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
    // 20 % must be seen where the tie is narrower than that.
    if let Some(curves) = control(found.measured, CONTROL_SERIES[2])? {
        let slower = noise_floor(&curves);
        if slower < SLOWER.ln_1p() / 2.0 {
            warnings.push(
                "A backend made 20 % slower on purpose was not found to be: this study sees no small differences."
                    .to_owned(),
            );
        }
    }
    Ok(warnings)
}

fn assemble(
    plan: &Plan,
    started: &str,
    env: Environment,
    findings: Vec<Findings>,
    found: &Found<'_>,
    wire: Vec<WireProfile>,
) -> Report {
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
        wire,
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
