//! A flip point is one: the choice holds before it and is another after it.

use std::collections::BTreeSet;

use hallway_study::advisor::{
    Architecture, Costs, Flip, Inputs, Lever, Prediction, Purpose, Rate, Service, Side, Workload, advise, choose,
};
use proptest::prelude::*;

use crate::stage::{ask, costs, inputs, known_costs, workloads};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_choice_holds_up_to_each_flip_point_and_changes_there(workload in workloads(), costs in costs()) {
        let Ok(advice) = advise(&workload, &costs) else { return Ok(()) };
        for flip in &advice.flips {
            let at = |value| {
                let (workload, costs) = flip.lever.set(&workload, &costs, value);
                choose(&workload, &costs)
            };
            prop_assert_eq!(at(flip.now), Some(advice.choice.architecture), "{:?}", flip);
            prop_assert_eq!(at(flip.holds_at), Some(advice.choice.architecture), "{:?}", flip);
            prop_assert_eq!(at(flip.changes_at), flip.to, "{:?}", flip);
            prop_assert!(flip.to != Some(advice.choice.architecture), "{:?}", flip);
            let ordered = if flip.side == Side::Up { flip.holds_at < flip.changes_at } else { flip.holds_at > flip.changes_at };
            prop_assert!(ordered, "{:?}", flip);
        }
    }
}

#[test]
fn the_points_of_a_shared_cache_are_where_its_terms_end() {
    let mut cache = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 2_000.0);
    cache.has = Some(vec![Service::Postgres]);
    let advice = ask(&cache);
    let find = |lever, side| advice.flips.iter().find(|flip| flip.lever == lever && flip.side == side);
    // One instance needs no Redis.
    let instances = find(Lever::Instances, Side::Down).unwrap();
    assert_eq!((instances.holds_at, instances.changes_at), (2.0, 1.0), "{}", instances.text);
    assert!(instances.text.starts_with("holds while instances >= 2; then "), "{}", instances.text);
    // A database that is as near as Redis needs none either.
    let read = find(Lever::DatabaseRead, Side::Down).unwrap();
    assert!(read.holds_at < 1_100.0 && read.changes_at >= 1.0, "{}", read.text);
    // In the order of nearness.
    assert!(advice.flips.len() >= 3);
}

const LEVERS: [Lever; 13] = [
    Lever::DatabaseCapacity,
    Lever::DatabaseRead,
    Lever::DatabaseWrite,
    Lever::Instances,
    Lever::Keys,
    Lever::Memory,
    Lever::P99Target,
    Lever::Reads,
    Lever::RedisRtt,
    Lever::StaleShare,
    Lever::Stale,
    Lever::ValueSize,
    Lever::Writes,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Not only the lever: everything that is predicted stays as it was.
    #[test]
    fn setting_a_lever_to_what_it_is_changes_nothing(
        workload in workloads(), costs in costs(), is_sqlite in any::<bool>(), which in 0..LEVERS.len(), target in prop_oneof![Just(None), (100.0..1e6_f64).prop_map(Some)],
    ) {
        let mut workload = workload;
        workload.p99_target_us = target;
        let predicted = |workload: &Workload, costs: &Costs| -> Vec<(Architecture, [f64; 4])> {
            let Ok(advice) = advise(workload, costs) else { return Vec::new() };
            let all = std::iter::once(&advice.choice).chain(&advice.runner_up).chain(&advice.others);
            let load = |of: &Prediction| of.loads.iter().map(|load| load.capacity_per_s.min(1e12)).sum();
            all.map(|of| (of.architecture, [of.mean_us, of.p99_us, of.total_hit_ratio, load(of)])).collect()
        };
        if is_sqlite {
            workload.purpose = Purpose::Cache;
            workload.running = BTreeSet::from([Service::Sqlite]);
        }
        let lever = LEVERS[which];
        let Some(now) = lever.of(&workload, &costs) else { return Ok(()) };
        let (same, costs_then) = lever.set(&workload, &costs, now);
        let (before, after) = (predicted(&workload, &costs), predicted(&same, &costs_then));
        prop_assert_eq!(before.len(), after.len(), "{:?}", lever);
        for ((option, numbers), (option_then, numbers_then)) in before.iter().zip(&after) {
            prop_assert_eq!(option, option_then, "{:?}", lever);
            let is_same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * a.abs().max(1e-9);
            prop_assert!(numbers.iter().zip(numbers_then).all(is_same), "{:?}: {:?} {:?}", lever, numbers, numbers_then);
        }
    }
}

#[test]
fn what_sqlite_can_take_is_a_lever_only_if_it_was_said() {
    let mut cache = inputs(Purpose::Cache, 1, 2_000.0, 40.0, 2_000.0);
    cache.has = Some(vec![Service::Sqlite]);
    let of = |asked: &Inputs| Lever::DatabaseCapacity.of(&asked.workload(None).unwrap(), &known_costs());
    assert_eq!(of(&cache), None);
    cache.db_capacity = Some(Rate(5_000.0));
    assert_eq!(of(&cache), Some(5_000.0));
}

#[test]
fn from_nothing_the_nearest_point_comes_first() {
    let mut cache = inputs(Purpose::Cache, 4, 2_000.0, 0.0, 0.0);
    cache.has = Some(vec![Service::Postgres, Service::Redis]);
    let advice = ask(&cache);
    let distance = |flip: &Flip| match (flip.now, flip.changes_at) {
        (0.0, changes_at) => changes_at.max(1e-2).ln() - 1e-3_f64.ln(),
        (now, changes_at) => (changes_at / now).ln().abs(),
    };
    let from_nothing = advice.flips.iter().position(|flip| flip.lever == Lever::Stale).unwrap();
    assert!(from_nothing > 0, "100 ms from 0 are further than one instance from four: {advice}");
    let near = advice.flips.iter().filter(|flip| flip.now > 0.0 && flip.changes_at > 0.0).map(distance);
    assert!(near.is_sorted());
}
