//! A flip point is one: the choice holds before it and is another after it.

use hallway_study::advisor::{Lever, Purpose, Service, Side, advise, choose};
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

#[test]
fn setting_a_lever_to_what_it_is_changes_nothing() {
    let workload = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 2_000.0).workload(None).unwrap();
    let costs = known_costs();
    for lever in [Lever::DatabaseRead, Lever::DatabaseWrite, Lever::RedisRtt, Lever::Reads, Lever::Stale, Lever::Keys] {
        let now = lever.of(&workload, &costs).unwrap();
        let (same, costs_then) = lever.set(&workload, &costs, now);
        assert_eq!(lever.of(&same, &costs_then), Some(now));
    }
}
