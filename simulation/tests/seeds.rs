//! The first seeds hold, and the same seed is the same run.

/// Every run of the test suite; 100,000 are done before a release.
const SEEDS: u64 = 2_000;
const QUICK: u64 = 200;

#[test]
fn every_promise_holds_in_every_seed() {
    let seeds = if std::env::var_os("HALLWAY_TEST_QUICK").is_some() { QUICK } else { SEEDS };
    hallway_simulation::on_all_cores(0..seeds, |seed| hallway_simulation::run(seed).map(drop));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (once, again) = (hallway_simulation::run(seed), hallway_simulation::run(seed));
        match (once, again) {
            (Ok(once), Ok(again)) => assert_eq!(once, again, "seed {seed}"),
            (once, again) => panic!("seed {seed}: {once:?} {again:?}"),
        }
    }
}
