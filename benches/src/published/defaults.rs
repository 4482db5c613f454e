//! What operations cost where nobody measured: the advisor's defaults, from the newest full study.

use hallway_study::advisor::Operation;
use hallway_study::report::{Primitive, Report, StudyMode};
use serde::Serialize;

use crate::Result;

/// The file that the advisor is built with.
pub(super) const FILE: &str = "crates/hallway-study/src/advisor/defaults.json";

/// Another machine may be so many times as fast or as slow: the interval of a default says so.
const ELSEWHERE: f64 = 3.0;

#[derive(Serialize)]
struct Defaults<'a> {
    source: String,
    basis: &'a str,
    primitives: Vec<Primitive>,
}

/// The text of [`FILE`]; `None` unless the study is a full one that measured all that the advisor cannot do without.
pub(super) fn text(study: Option<&Report>) -> Result<Option<String>> {
    let Some(study) = study.filter(|study| study.mode == StudyMode::Full) else { return Ok(None) };
    let primitives: Option<Vec<Primitive>> =
        Operation::ALL.into_iter().map(|operation| default(study, operation)).collect();
    let Some(primitives) = primitives else { return Ok(None) };
    let day = study.started.split('T').next().unwrap_or_default();
    let source = format!(
        "measured on {} with {} cores on {day}, servers beside the client; yours may be {ELSEWHERE} times as fast or as slow: `hallway compare` measures it",
        study.env.cpu, study.env.cores
    );
    let defaults = Defaults { source, basis: "shipped", primitives };
    Ok(Some(format!("{}\n", serde_json::to_string_pretty(&defaults)?)))
}

/// What was measured of an operation, or of one that costs the same.
fn default(study: &Report, operation: Operation) -> Option<Primitive> {
    let measured = |operation: Operation| {
        let (backend, op) = operation.primitive();
        let all = study.primitives.iter();
        all.filter(|one| one.backend == backend && one.op == op)
            .find(|one| one.bytes == 256 && one.tasks == 1 && one.batch == 1 && one.rtt_us == 0.0)
    };
    let found = measured(operation).or_else(|| measured(operation.like()?))?;
    // Three digits: more would claim what is not known.
    let rounded = |nanos: f64| {
        let unit = 10_f64.powf(nanos.log10().floor() - 2.0);
        (nanos / unit).round() * unit
    };
    let median_ns = rounded(found.median_ns);
    let [low, high] = [found.ci95[0].min(median_ns / ELSEWHERE), found.ci95[1].max(median_ns * ELSEWHERE)].map(rounded);
    Some(Primitive { backend: operation.primitive().0.to_owned(), median_ns, ci95: [low, high], ..found.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> Report {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/hallway-study/testdata/report/crossover.json");
        let mut study = hallway_study::report::read(path.as_ref()).unwrap();
        study.mode = StudyMode::Full;
        study.primitives = Operation::ALL
            .into_iter()
            .filter(|operation| operation.like().is_none())
            .map(Operation::primitive)
            .map(|(backend, op)| Primitive {
                backend: backend.to_owned(),
                op: op.to_owned(),
                bytes: 256,
                tasks: 1,
                batch: 1,
                rtt_us: 0.0,
                median_ns: 123_456.0,
                ci95: [120_000.0, 500_000.0],
            })
            .collect();
        study
    }

    #[test]
    fn a_default_is_what_was_measured_with_room_for_another_machine() {
        let text = text(Some(&study())).unwrap().unwrap();
        let defaults: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(defaults["basis"], "shipped");
        let primitives = defaults["primitives"].as_array().unwrap();
        assert_eq!(primitives.len(), Operation::ALL.len());
        for one in primitives {
            assert_eq!(one["median_ns"], 123_000.0, "{one}");
            assert_eq!((&one["ci95"][0], &one["ci95"][1]), (&41_000.0.into(), &500_000.0.into()), "{one}");
        }
    }

    #[test]
    fn a_study_that_lacks_a_cost_changes_no_default() {
        let mut lacking = study();
        lacking.primitives.retain(|one| one.backend != "redis-tcp");
        assert_eq!(text(Some(&lacking)).unwrap(), None);
        assert_eq!(text(Some(&Report { mode: StudyMode::Quick, ..study() })).unwrap(), None);
        assert_eq!(text(None).unwrap(), None);
    }
}
