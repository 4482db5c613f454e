//! What the advisor chooses: for the four rules of the field, and over the whole range of two inputs.

use hallway_study::advisor::{
    Architecture, Costs, Inputs, Keys, Loss, Purpose, Rate, Service, Size, Span, Workload, advise, choose,
};
use hallway_study::chart::{Axis, Chart, ChoiceMap, Scale, Unit};
use hallway_study::report::Report;
use hallway_study::report::markdown::words;

use crate::Result;

/// Staleness tolerances of the rows, seconds.
const TOLERANCES: [f64; 8] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Measured where a study measured, shipped defaults otherwise.
fn costs(study: Option<&Report>) -> (Costs, &'static str) {
    let shipped = Costs::shipped();
    match study {
        Some(study) => (shipped.with_report(study), "costs of single operations from the study"),
        None => (shipped, "costs of single operations shipped with hallway, measured on one machine"),
    }
}

fn inputs(purpose: Purpose, instances: u32, reads: f64, writes: f64, stale_s: f64, has: &[Service]) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.purpose = Some(purpose);
    inputs.instances = Some(instances);
    inputs.reads = Some(Rate(reads));
    inputs.writes = Some(Rate(writes));
    inputs.stale = Some(Span(stale_s * 1e6));
    inputs.has = Some(has.to_vec());
    inputs
}

/// A figure of this module by its name, with its caption.
pub(super) fn figure(name: &str, study: Option<&Report>) -> Option<(String, Chart)> {
    let (costs, basis) = costs(study);
    let tolerance = axis("staleness tolerance", Unit::Seconds);
    match name {
        "decision-map" => {
            let instances = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0];
            let of = |x: f64, stale| inputs(Purpose::Cache, x as u32, 2_000.0, 40.0, stale, &[Service::Postgres]);
            let title = "Where a cache of PostgreSQL should live: 2,000 reads and 40 writes a second";
            let chart = map(title, axis("instances", Unit::Count), tolerance, &instances, of, &costs)?;
            let caption = format!(
                "What the advisor chooses for 2,000 reads and 40 writes a second over all instances, values of 256 bytes, PostgreSQL running already; {basis}."
            );
            Some((caption, chart))
        }
        "decision-map-reads" => {
            let reads = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4];
            let of = |x: f64, stale| inputs(Purpose::Cache, 4, x, x / 49.0, stale, &[Service::Postgres]);
            let title = "Where a cache of PostgreSQL should live: four instances, one write for 49 reads";
            let chart = map(title, axis("reads a second", Unit::PerSecond), tolerance, &reads, of, &costs)?;
            let caption = format!("The same for four instances and any number of reads; {basis}.");
            Some((caption, chart))
        }
        _ => None,
    }
}

fn axis(label: &str, unit: Unit) -> Axis {
    Axis { label: label.into(), unit, scale: Scale::Log }
}

fn map(title: &str, x: Axis, y: Axis, xs: &[f64], of: impl Fn(f64, f64) -> Inputs, costs: &Costs) -> Option<Chart> {
    let mut chosen: Vec<Vec<Option<Architecture>>> = Vec::new();
    let mut names: Vec<(Architecture, String)> = Vec::new();
    for stale in TOLERANCES {
        let mut row = Vec::new();
        for across in xs {
            let workload: Workload = of(*across, stale).workload(None).ok()?;
            let choice = choose(&workload, costs);
            if let Some(choice) = choice
                && !names.iter().any(|(known, _)| *known == choice)
            {
                names.push((choice, choice.name(&workload)));
            }
            row.push(choice);
        }
        chosen.push(row);
    }
    names.sort();
    let place = |choice: Architecture| names.iter().position(|(known, _)| *known == choice);
    Some(Chart::ChoiceMap(ChoiceMap {
        title: title.to_owned(),
        x,
        y,
        xs: xs.to_vec(),
        ys: TOLERANCES.to_vec(),
        cells: chosen.into_iter().map(|row| row.into_iter().map(|choice| place(choice?)).collect()).collect(),
        options: names.into_iter().map(|(_, name)| name).collect(),
    }))
}

/// The rules of the field, each with a workload that it is for.
fn cases() -> Vec<(&'static str, &'static str, Inputs)> {
    use Service::{Postgres, Redis};
    let mut map = inputs(Purpose::State, 1, 50_000.0, 5_000.0, 0.0, &[Postgres, Redis]);
    map.loss = Some(Loss::All);
    let mut shared = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 2.0, &[Postgres, Redis]);
    shared.bytes = Some(Size(400.0));
    // A read by key in the same zone takes hardly longer than one of Redis, which would not earn its keep.
    shared.db_read = Some(Span(1_100.0));
    let mut sessions = inputs(Purpose::Session, 4, 2_000.0, 200.0, 0.0, &[Postgres]);
    sessions.keys = Some(Keys::Count(20_000.0));
    let consistent = inputs(Purpose::Cache, 4, 20.0, 5.0, 0.0, &[Postgres]);
    vec![
        (
            "one instance and the lowest latency: a local map",
            "state that may be lost, 1 instance, 50,000 reads and 5,000 writes a second",
            map,
        ),
        (
            "several instances that share and tolerate some staleness: Redis",
            "cache, 4 instances, 2,000 reads and 40 writes a second, at most 2 s old, values of 400 bytes, Redis running, reads of the database of 1.1 ms",
            shared,
        ),
        (
            "sessions behind a balancer: Redis",
            "sessions, 4 instances, 2,000 requests and 200 changes a second, 20,000 sessions",
            sessions,
        ),
        (
            "consistency before speed, and few reads: the database",
            "cache, 4 instances, 20 reads and 5 writes a second, never stale",
            consistent,
        ),
    ]
}

/// What the advisor says to each of them, and what would change that first.
///
/// # Errors
/// If the advisor refuses one of them.
pub(super) fn rules(study: Option<&Report>) -> Result<String> {
    let (costs, basis) = costs(study);
    let mut text = String::from(
        "| rule of the field | workload | advice | mean | what would change it first |\n|---|---|---|---|---|\n",
    );
    for (rule, workload, inputs) in cases() {
        let costs = inputs.costs(costs.clone());
        let advice = inputs.workload(None).and_then(|workload| advise(&workload, &costs));
        let advice = advice.map_err(|refusal| format!("{rule}: {refusal}"))?;
        let [mean, low, high] =
            [advice.choice.mean_us, advice.choice.mean_interval_us[0], advice.choice.mean_interval_us[1]]
                .map(|mean| Unit::Micros.text(mean));
        let flip = advice.flips.first().map_or("no input alone", |flip| flip.text.as_str());
        let mean = words(&format!("{mean} [{low}, {high}]"));
        text.push_str(&format!(
            "| {rule} | {workload} | {} | {mean} | {} |\n",
            words(&advice.choice.name),
            words(flip)
        ));
    }
    Ok(format!("{text}\nIts basis: {basis}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_costs_follow_the_rules_of_the_field() {
        let (costs, _) = costs(None);
        let wanted = |choice: Architecture| match choice {
            Architecture::Local => "local map",
            Architecture::Redis => "sessions",
            Architecture::Database => "the database",
            other if other.has_redis() => "several instances",
            _ => "another",
        };
        for (rule, _, inputs) in cases() {
            let choice = choose(&inputs.workload(None).unwrap(), &inputs.costs(costs.clone())).unwrap();
            assert!(rule.contains(wanted(choice)), "{rule}: {choice:?}");
        }
    }

    #[test]
    fn maps_hold_more_than_one_choice_and_every_cell_is_one() {
        for name in ["decision-map", "decision-map-reads"] {
            let Some((_, Chart::ChoiceMap(map))) = figure(name, None) else { panic!("{name} is no map") };
            assert!(map.options.len() > 1, "{name}: {:?}", map.options);
            assert_eq!(map.cells.len(), map.ys.len());
            for row in &map.cells {
                assert_eq!(row.len(), map.xs.len());
                assert!(row.iter().flatten().all(|option| *option < map.options.len()));
            }
        }
    }
}
