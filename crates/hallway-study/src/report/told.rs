//! The words in which verdicts, points and settings are told, the same in every format.

use crate::chart::Unit;
use crate::report::{CrossingPoint, Crossover, Environment, Report, Status, StudyMode, Validation, Verdict};

/// Within this a prediction counts as right: predicted over measured.
pub(super) const IN_RANGE: [f64; 2] = [0.8, 1.25];

/// The word of a verdict.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Crossover => "crossover",
        Verdict::Equal => "equal",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Multiple => "several crossovers",
        Verdict::NoCrossover => "no crossover",
    }
}

/// The word of a status.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Answered => "answered",
        Status::NotMeasured => "not measured",
        Status::Partly => "partly answered",
    }
}

/// `140 us [110 us, 180 us]`.
pub(super) fn point(point: &CrossingPoint, axis: &str) -> String {
    let unit = Unit::of_name(axis);
    let [low, high] = point.ci95.map(|end| unit.text(end));
    format!("{} [{low}, {high}]", unit.text(point.x))
}

/// Where it crosses, or by how much somebody wins: what stands in the column `x* [CI]`.
pub(super) fn place(crossover: &Crossover) -> String {
    if !crossover.points.is_empty() {
        return crossover.points.iter().map(|at| point(at, &crossover.axis)).collect::<Vec<_>>().join("; ");
    }
    let range = range(crossover);
    match (crossover.verdict, &crossover.beyond, crossover.factor) {
        (Verdict::Inconclusive, Some(beyond), _) => beyond.clone(),
        (_, _, Some(factor)) => format!("none in {range}; {} times", factors(factor)),
        _ => format!("none in {range}"),
    }
}

/// `64 B to 256 KiB`.
pub(super) fn range(crossover: &Crossover) -> String {
    let unit = Unit::of_name(&crossover.axis);
    let [low, high] = crossover.range.map(|end| unit.text(end));
    format!("{low} to {high}")
}

fn factors([least, most]: [f64; 2]) -> String {
    let [least, most] = [least, most].map(|factor| Unit::Ratio.text(factor));
    if least == most { least } else { format!("{least} to {most}") }
}

/// Who wins, in a few words.
pub(super) fn winner(crossover: &Crossover) -> String {
    match (&crossover.points[..], &crossover.winner) {
        ([only], _) => format!("{} → {}", only.left, only.right),
        ([first, .., last], _) => format!("{} → … → {}", first.left, last.right),
        ([], Some(winner)) => winner.clone(),
        ([], None) => match crossover.verdict {
            Verdict::Equal => format!("{} = {}", crossover.a, crossover.b),
            _ => format!("{} or {}", crossover.a, crossover.b),
        },
    }
}

/// What an axis counts, without its unit: `value_bytes` is `value`.
pub(super) fn axis(name: &str) -> String {
    let known = ["_bytes", "_per_s", "_ns", "_us", "_s"];
    let bare = known.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    bare.replace('_', " ")
}

/// `quick`, with what that means.
pub(super) fn mode(mode: StudyMode) -> &'static str {
    match mode {
        StudyMode::Full => "full study",
        StudyMode::Quick => "quick study",
    }
}

/// The machine and the thoroughness, in one line.
pub(super) fn machine(report: &Report) -> String {
    let cores = report.env.cores;
    let plural = if cores == 1 { "" } else { "s" };
    format!(
        "{}, {cores} core{plural}, {} of {} rounds, {}",
        report.env.cpu,
        mode(report.mode),
        report.rounds,
        when(&report.started)
    )
}

/// To the minute: `2026-11-26 10:00 UTC`.
fn when(started: &str) -> String {
    match (started.get(..10), started.get(10..11), started.get(11..16), started.ends_with('Z')) {
        (Some(day), Some("T"), Some(time), true) => format!("{day} {time} UTC"),
        _ => started.to_owned(),
    }
}

/// What is known of the machine, as names and values.
pub(super) fn environment(env: &Environment) -> Vec<(&'static str, String)> {
    let unknown = || "not known".to_owned();
    let share = |share: Option<f64>| share.map_or_else(unknown, |share| Unit::Share.text(share));
    let [before, after] = env.load.map(|load| load.map_or_else(unknown, |load| format!("{load:.2}")));
    vec![
        ("processor", env.cpu.clone()),
        ("cores", env.cores.to_string()),
        ("governor", env.governor.clone().unwrap_or_else(unknown)),
        ("kernel", env.kernel.clone()),
        ("hallway", env.hallway.clone()),
        ("revision", env.git.clone().unwrap_or_else(unknown)),
        ("toolchain", env.toolchain.clone().unwrap_or_else(unknown)),
        ("load before and after", format!("{before}, {after}")),
        ("stolen time", share(env.steal)),
        ("placement", env.placement.clone()),
        ("file system of SQLite", env.filesystem.clone().unwrap_or_else(unknown)),
        ("noise floor (A/A)", share(env.noise_floor)),
    ]
}

/// Whether a prediction is right.
pub(super) fn is_in_range(validation: &Validation) -> bool {
    (IN_RANGE[0]..=IN_RANGE[1]).contains(&validation.ratio)
}

/// Whether the model can be trusted; `None` if it was not asked.
pub(super) fn model(validations: &[Validation]) -> Option<String> {
    let right = validations.iter().filter(|validation| is_in_range(validation)).count();
    let all = validations.len();
    let [low, high] = IN_RANGE;
    match right {
        _ if all == 0 => None,
        _ if right == all => Some(format!(
            "The formulas hold: all {all} predicted means are within {low} to {high} of the measured ones."
        )),
        _ => Some(format!(
            "The model is out of range here: only {right} of {all} predicted means are within {low} to {high} of the \
             measured ones. Trust what was measured, not what was computed."
        )),
    }
}
