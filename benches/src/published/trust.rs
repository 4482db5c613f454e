//! Blocks on the study itself: what a second one of the same machine finds, and whether a backend that is slower on
//! purpose moves the points as far as it must.

use hallway_study::report::markdown::words;
use hallway_study::report::{self, Comparison, Report, Slower, StudyMode};

use super::raw::missing;
use crate::Result;
use crate::controls::Controls;

/// What measures the controls.
pub(super) const CONTROLS: &str =
    "cargo run --release -p hallway-bench --bin controls -- --json > docs/benchmarks/controls.json";

/// What measures two studies. In between the load has to fall to which the first one has brought the machine.
const TWICE: &str = "cargo hallway compare --full --start --out report-1; sleep 300; cargo hallway compare --full --start --out report-2; cp report-1/crossover.json docs/benchmarks/crossover-1.json; cp report-2/crossover.json docs/benchmarks/crossover.json";

/// What computes and then measures a slower Redis.
const SLOWER: &str = "cargo hallway compare --full --start --what-if redis-tcp=200 --out a; cargo hallway compare --full --start --only Q2,Q3,Q4,Q11,Q14 --inject redis-tcp=200 --out b; cp a/crossover.json docs/benchmarks/; cp a/what-if/crossover.json docs/benchmarks/injection-1-computed.json; cp b/crossover.json docs/benchmarks/injection-2-measured.json";

/// How often one backend measured twice was said to be equal, and a slower one found.
pub(super) fn controls(runs: &[Controls]) -> String {
    match runs {
        [] => missing(CONTROLS),
        runs => runs.iter().map(|run| format!("- {}\n", controlled(run))).collect(),
    }
}

fn controlled(run: &Controls) -> String {
    let studies = run.studies.len();
    let mut noise: Vec<f64> = run.studies.iter().map(|one| one.noise * 100.0).collect();
    noise.sort_by(f64::total_cmp);
    let least = run.studies.iter().map(|one| one.times[0]).fold(f64::INFINITY, f64::min);
    let most = run.studies.iter().map(|one| one.times[1]).fold(0.0, f64::max);
    format!(
        "{}, {} ({}): of {studies} studies of {} rounds, {} said `equal` of one backend measured twice, and {} found one that was told as {:.0} % slower on the whole, as {least:.2} to {most:.2} times, {} of them by a verdict for every point. Measured twice, one backend differed by {:.1} % (median, at most {:.1} %).",
        match run.mode {
            StudyMode::Quick => "As quick studies measure",
            StudyMode::Full => "As full studies measure",
        },
        run.backends.join(", "),
        run.placement,
        run.rounds,
        run.equal(),
        run.found_on_the_whole(),
        run.slower_by * 100.0,
        run.found(),
        noise.get(studies / 2).copied().unwrap_or_default(),
        noise.last().copied().unwrap_or_default(),
    )
}

/// The newest study and the newest before it that ran on the same cores, point by point.
///
/// # Errors
/// If they cannot be compared.
pub(super) fn repeated(studies: &[Report]) -> Result<String> {
    let Some((second, before)) = studies.split_last() else { return Ok(missing(TWICE)) };
    // One that ran on other cores is another study, not the same again.
    let is_alike = |study: &&Report| study.env.placement == second.env.placement;
    let Some(first) = before.iter().rfind(is_alike) else { return Ok(missing(TWICE)) };
    let moves = report::moved(first, second)?;
    let mut text = String::from("| pair | one study | another | |\n|---|---|---|---|\n");
    for one in with_points(&moves) {
        let [before, now] = [&one.old, &one.new].map(place);
        text.push_str(&format!("| `{}` | {before} | {now} | {} |\n", one.id, one.change.text()));
    }
    for note in &moves.notes {
        text.push_str(&format!("\nBetween the two another {}.\n", words(note)));
    }
    Ok(format!("{text}\n{}\n", overlapping(&moves)))
}

/// A study without a delay, what is computed from it with one, and what was measured with that.
///
/// # Errors
/// If they cannot be compared, or do not belong together.
pub(super) fn injected(studies: &[Report], injected: &[Report]) -> Result<String> {
    let (computed, measured) = match injected {
        [] => return Ok(missing(SLOWER)),
        [computed, measured] => (computed, measured),
        other => {
            return Err(format!("there are {} raw results injection-…; it takes two: {SLOWER}", other.len()).into());
        }
    };
    let Some(without) = studies.iter().find(|study| study.started == computed.started) else {
        return Err(format!(
            "there is no study from which injection-1-computed.json was computed; measure both: {SLOWER}"
        )
        .into());
    };
    let (Some(said), Some(made)) = (&computed.slower, &measured.slower) else {
        return Err("of the raw results injection-…, the first is to be computed and the second measured".into());
    };
    if !said.computed || *made != (Slower { computed: false, ..said.clone() }) {
        return Err(format!(
            "the raw results injection-… are not the same delay, computed and measured: {said:?}, {made:?}"
        )
        .into());
    }
    let moves = report::moved(computed, measured)?;
    let mut text = String::from("| pair | without | computed | measured | |\n|---|---|---|---|---|\n");
    for one in with_points(&moves) {
        let before = report::moved(without, computed)?.moves.into_iter().find(|before| before.id == one.id);
        let without = place(&before.and_then(|before| before.old));
        let [computed, measured] = [&one.old, &one.new].map(place);
        text.push_str(&format!("| `{}` | {without} | {computed} | {measured} | {} |\n", one.id, one.change.text()));
    }
    Ok(format!(
        "Each call of {} takes {} us longer. Placement: {}.\n\n{text}\n{} Compared are the computed and the measured ones.\n",
        said.backend,
        said.delay_us,
        words(&measured.env.placement),
        overlapping(&moves)
    ))
}

fn place(found: &Option<report::Found>) -> String {
    words(found.as_ref().map_or("not judged", |found| &found.text))
}

fn with_points(moves: &Comparison) -> impl Iterator<Item = &report::Move> {
    let has = |found: &Option<report::Found>| found.as_ref().is_some_and(|found| !found.points.is_empty());
    // What only one of the two asked about is not compared.
    let asked = |one: &&report::Move| one.old.is_some() && one.new.is_some();
    moves.moves.iter().filter(asked).filter(move |one| has(&one.old) || has(&one.new))
}

fn overlapping(moves: &Comparison) -> String {
    match moves.overlap() {
        Some(share) => {
            let sides = match moves.one_sided {
                0 => String::new(),
                some => format!(", {some} of them with the side that a verdict too noisy for a point leaves"),
            };
            let (overlapping, points) = (moves.overlapping, moves.points);
            format!(
                "The intervals of {overlapping} of {points} crossing points overlap ({:.0} %){sides}.",
                share * 100.0
            )
        }
        None => "There is no crossing point in either.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> Report {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/hallway-study/testdata/report/crossover.json");
        report::read(path.as_ref()).unwrap()
    }

    #[test]
    fn a_point_that_moved_is_told_and_does_not_overlap() {
        let first = study();
        let mut second = study();
        let all = first.crossovers.iter().map(|one| one.points.len()).sum::<usize>();
        let moved = second.crossovers.iter_mut().find(|one| !one.points.is_empty()).unwrap();
        let id = moved.id.clone();
        let point = &mut moved.points[0];
        point.ci95 = point.ci95.map(|end| end * 1e3);
        point.x *= 1e3;
        let text = repeated(&[first.clone(), second.clone()]).unwrap();
        assert!(text.contains(&format!("| `{id}` | ")) && text.contains("| moved |"), "{text}");
        assert!(text.contains(&format!("The intervals of {} of {all} crossing points overlap", all - 1)), "{text}");
        let slower = |computed| Some(Slower { backend: "redis-tcp".to_owned(), delay_us: 200.0, computed });
        let computed = Report { slower: slower(true), ..first.clone() };
        second.slower = slower(false);
        let studies = [first];
        let text = injected(&studies, &[computed.clone(), second.clone()]).unwrap();
        injected(&studies, &[second.clone(), computed.clone()]).unwrap_err();
        injected(&studies, std::slice::from_ref(&computed)).unwrap_err();
        injected(&[], &[computed, second]).unwrap_err();
        assert!(text.contains("| moved |") && text.contains("Compared are the computed"), "{text}");
        assert!(text.contains("200 us longer. Placement: shared."), "{text}");
    }

    #[test]
    fn controls_are_counted() {
        let study = |same: &str, found: bool| serde_json::json!({"noise": 0.031, "same": same, "slower": "no_crossover", "found": found, "times": [1.18, 1.22]});
        let run = serde_json::json!({
            "machine": "m", "date": "d", "command": "c", "mode": "full", "rounds": 12, "placement": "shared",
            "backends": ["moka", "sqlite"], "slower_by": 0.2,
            "studies": [study("equal", true), study("inconclusive", true), study("equal", false)]
        });
        let text = controls(&[serde_json::from_value(run).unwrap()]);
        assert!(text.starts_with("- As full studies measure, moka, sqlite (shared): of 3 studies of 12 rounds, 2 said `equal` of one backend measured twice, and 3 found one that was told as 20 % slower on the whole, as 1.18 to 1.22 times, 2 of them by a verdict for every point. Measured twice, one backend differed by 3.1 %"), "{text}");
        assert!(controls(&[]).contains("--bin controls"));
    }

    #[test]
    fn one_study_is_not_two() {
        assert!(repeated(&[study()]).unwrap().contains("--out report-2"));
        let mut elsewhere = study();
        elsewhere.env.placement =
            "pinned: the study on core 0, servers that it starts on core 1, kept awake".to_owned();
        assert!(repeated(&[study(), elsewhere.clone()]).unwrap().contains("--out report-2"));
        assert!(repeated(&[study(), elsewhere, study()]).unwrap().contains("crossing points overlap"));
        assert!(injected(&[], &[]).unwrap().contains("--inject redis-tcp=200"));
    }
}
