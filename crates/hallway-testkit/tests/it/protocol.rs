//! The model of the protocol shows what the specification says it shows, state for state.

use hallway_testkit::protocol::{Expected, Outcome, Property, Variant, explore, variants};

#[track_caller]
fn shows_what_is_expected(variant: &Variant) {
    let report = explore(variant);
    match (variant.expected.unwrap(), &report.outcome) {
        (Expected::Holds(_), Outcome::Holds) => {}
        (Expected::Violated(expected, _), Outcome::Violated { property, .. }) => assert_eq!(*property, expected),
        (expected, outcome) => panic!("{}: {outcome:?} instead of {expected:?}", variant.name),
    }
    let (Expected::Holds(states) | Expected::Violated(_, states)) = variant.expected.unwrap();
    assert_eq!(report.states, states, "{}", variant.name);
}

fn expected_to_hold(variant: &Variant) -> bool {
    matches!(variant.expected, Some(Expected::Holds(_)))
}

#[test]
fn every_protocol_with_a_part_missing_is_found_out() {
    let broken: Vec<Variant> = variants().into_iter().filter(|variant| !expected_to_hold(variant)).collect();
    assert_eq!(broken.len(), 6);
    broken.iter().for_each(shows_what_is_expected);
}

#[test]
fn the_full_protocol_holds_under_every_single_fault() {
    let faulty: Vec<Variant> =
        variants().into_iter().filter(|variant| expected_to_hold(variant) && variant.name.contains('+')).collect();
    assert_eq!(faulty.len(), 6);
    faulty.iter().for_each(shows_what_is_expected);
}

#[test]
fn the_full_protocol_holds_in_all_its_631_093_states() {
    let all = variants();
    let full = all.iter().find(|variant| variant.name == "full protocol, no fault").unwrap();
    assert_eq!(full.expected, Some(Expected::Holds(631_093)));
    shows_what_is_expected(full);
}

#[test]
fn three_processes_are_searched_like_two() {
    let quick = Variant::new("three readers").with_gets(&[1, 1, 1]).with_puts(&[0, 0, 0]);
    assert_eq!(explore(&quick).outcome, Outcome::Holds);
    // Without the lease, a third process meets what two of them left behind.
    let naive = Variant::new("naive").without_lease().without_marker().with_gets(&[0, 1, 1]).with_puts(&[1, 0, 0]);
    let Outcome::Violated { property, path } = explore(&naive).outcome else { panic!("it is stale") };
    assert_eq!(property, Property::Acknowledged);
    assert!(path.iter().any(|step| step == "p2 insert L1 v0, return" || step == "p1 insert L1 v0, return"), "{path:?}");
}

#[test]
fn a_violation_comes_with_a_shortest_way_to_it() {
    let all = variants();
    let Outcome::Violated { path, .. } = explore(&all[0]).outcome else { panic!("plain cache-aside is stale") };
    let expected = "\
        p0 begin write w1\n\
        p1 send GETL t2\n\
        redis exec p1 GETL t2 -> lease t2\n\
        p1 recv lease t2\n\
        p1 load v0, send FILL\n\
        p0 commit v1, send UNMARK\n\
        redis exec p0 UNMARK w1 -> unmarked\n\
        p0 recv unmarked\n\
        p0 send GETL t3\n\
        redis exec p1 FILL t2 v0 -> filled\n\
        redis exec p0 GETL t3 -> v0\n\
        p0 recv v0\n\
        p0 insert L1 v0, return";
    assert_eq!(path.join("\n"), expected);
}

#[test]
fn a_search_stops_at_the_most_states_it_may_see() {
    let report = explore(&Variant::new("too large").with_most_states(1_000));
    assert_eq!(report.outcome, Outcome::TooMany);
    assert!((1_001..1_100).contains(&report.states), "{}", report.states);
}
