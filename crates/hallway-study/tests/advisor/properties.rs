//! What must hold for any workload and any costs.

use hallway_study::advisor::{Advice, Architecture, Fact, Lever, Refusal, WORTH_IN_FLIGHT, Workload, advise};
use proptest::prelude::*;

use crate::stage::{costs, workloads};

/// What may be chosen.
fn options(advice: &Result<Advice, Refusal>) -> Vec<Architecture> {
    let Ok(advice) = advice else { return Vec::new() };
    let others = advice.runner_up.iter().chain(&advice.others);
    std::iter::once(&advice.choice).chain(others).map(|prediction| prediction.architecture).collect()
}

fn choice(advice: &Result<Advice, Refusal>) -> Option<Architecture> {
    advice.as_ref().ok().map(|advice| advice.choice.architecture)
}

/// What may be missing.
const OPTIONAL: [&str; 4] = ["copy_ttl_ms", "runner_up", "stale_share", "to"];

fn numbers(value: &serde_json::Value, out: &mut Vec<f64>) {
    match value {
        serde_json::Value::Number(number) => out.extend(number.as_f64()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| numbers(value, out)),
        serde_json::Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| !value.is_null() || !OPTIONAL.contains(&name.as_str()))
            .for_each(|(_, value)| numbers(value, out)),
        // What is not finite is written as null.
        serde_json::Value::Null => out.push(f64::NAN),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn more_tolerance_removes_no_option(workload in workloads(), costs in costs(), more in 1.0..1e3_f64) {
        let before = options(&advise(&workload, &costs));
        let longer = Workload { stale_ms: workload.stale_ms * more + more, ..workload.clone() };
        let after = options(&advise(&longer, &costs));
        prop_assert!(before.iter().all(|option| after.contains(option)), "{before:?} {after:?}");

        let share = Fact::given((workload.stale_share.value * more).min(1.0));
        let after = options(&advise(&Workload { stale_share: share, ..workload }, &costs));
        prop_assert!(before.iter().all(|option| after.contains(option)), "{before:?} {after:?}");
    }

    /// A target for p99 is left out: a miss of a cache takes longer than the database alone, so a target may rule out
    /// the cache first.
    #[test]
    fn a_slower_database_does_not_make_it_win(workload in workloads(), costs in costs(), slower in 1.0..100.0_f64) {
        let read = Lever::DatabaseRead.of(&workload, &costs).unwrap();
        let before = choice(&advise(&workload, &costs));
        let (workload, slow) = Lever::DatabaseRead.set(&workload, &costs, read * slower);
        let after = choice(&advise(&workload, &slow));
        prop_assert!(after != Some(Architecture::Database) || before == after, "{before:?} {after:?}");
    }

    #[test]
    fn more_memory_never_hits_less(workload in workloads(), costs in costs(), more in 1.0..1e3_f64) {
        let larger = Workload { memory_bytes: Fact::given(workload.memory_bytes.value * more), ..workload.clone() };
        let (before, after) = (advise(&workload, &costs), advise(&larger, &costs));
        let all = |advice: &Result<Advice, Refusal>| -> Vec<_> {
            let all = advice.iter().flat_map(|a| std::iter::once(&a.choice).chain(&a.runner_up).chain(&a.others));
            all.cloned().collect()
        };
        for old in all(&before) {
            if let Some(new) = all(&after).iter().find(|new| new.architecture == old.architecture) {
                prop_assert!(new.local_hit_ratio >= old.local_hit_ratio - 1e-12, "{old:?} {new:?}");
                prop_assert!(new.total_hit_ratio >= old.total_hit_ratio - 1e-12, "{old:?} {new:?}");
            }
        }
    }

    #[test]
    fn what_is_shared_is_never_in_one_process(workload in workloads(), costs in costs(), more in 1..50_u32) {
        let shared = Workload { instances: workload.instances + more, ..workload };
        let options = options(&advise(&shared, &costs));
        prop_assert!(!options.contains(&Architecture::Local) && !options.contains(&Architecture::Sqlite), "{options:?}");
    }

    #[test]
    fn every_number_is_one(workload in workloads(), costs in costs()) {
        let Ok(advice) = advise(&workload, &costs) else { return Ok(()) };
        let json = serde_json::to_value(&advice).unwrap();
        let mut found = Vec::new();
        numbers(&json, &mut found);
        prop_assert!(found.len() > 20 && found.iter().all(|number| number.is_finite()));
        prop_assert!(!advice.to_string().contains("NaN") && !advice.to_string().contains("inf "));
        for prediction in std::iter::once(&advice.choice).chain(&advice.runner_up).chain(&advice.others) {
            let [low, high] = prediction.mean_interval_us;
            prop_assert!(low <= prediction.mean_us && prediction.mean_us <= high, "{prediction:?}");
            prop_assert!(low.is_finite() && high.is_finite() && prediction.p99_us.is_finite());
            let stale_share = prediction.stale_share.unwrap_or(0.0);
            for ratio in [prediction.local_hit_ratio, prediction.total_hit_ratio, stale_share] {
                prop_assert!((0.0..=1.0).contains(&ratio), "{prediction:?}");
            }
            prop_assert!(prediction.loads.iter().all(|load| load.per_s.is_finite() && load.capacity_per_s.is_finite()));
            prop_assert!(stale_share <= workload.stale_share.value + 1e-12, "{prediction:?}");
            // To seconds and back.
            prop_assert!(prediction.stale_within_ms <= workload.stale_ms * (1.0 + 1e-12), "{prediction:?}");
        }
    }

    #[test]
    fn a_new_service_beats_everything_without_it_by_more_than_a_tie(workload in workloads(), costs in costs()) {
        let Ok(advice) = advise(&workload, &costs) else { return Ok(()) };
        for other in advice.runner_up.iter().chain(&advice.others) {
            if other.new_services < advice.choice.new_services {
                prop_assert!(advice.choice.mean_us * 1.1 < other.mean_us, "{advice}");
            }
        }
    }

    /// As many parts for each, so that none comes cheaper by being two at once.
    #[test]
    fn each_new_service_is_worth_what_one_is(workload in workloads(), costs in costs()) {
        let Ok(advice) = advise(&workload, &costs) else { return Ok(()) };
        for other in advice.runner_up.iter().chain(&advice.others) {
            let services = advice.choice.new_services.saturating_sub(other.new_services);
            let saved = workload.requests_per_s() * (other.mean_us - advice.choice.mean_us) / 1e6;
            prop_assert!(services == 0 || saved >= WORTH_IN_FLIGHT * f64::from(services), "{advice}");
        }
    }

    #[test]
    fn no_number_breaks_it(
        workload in workloads(), costs in costs(), which in 0..8_usize,
        strange in prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(-1.0)],
    ) {
        let mut workload = workload;
        let fact = || Fact::given(strange);
        match which {
            0 => workload.reads_per_s = strange,
            1 => workload.writes_per_s = strange,
            2 => workload.stale_ms = strange,
            3 => workload.keys = fact(),
            4 => workload.bytes = fact(),
            5 => workload.memory_bytes = fact(),
            6 => workload.p99_target_us = Some(strange),
            _ => workload.stale_share = fact(),
        }
        if let Ok(advice) = advise(&workload, &costs) {
            prop_assert!(advice.choice.mean_us.is_finite() && advice.choice.p99_us.is_finite());
        }
    }
}
