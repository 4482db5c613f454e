//! What an answer rests on is said, and what it does not know is not taken for known.

use hallway_study::advisor::{
    Advice, Architecture, Basis, Cost, CostPoint, Costs, HitCurve, Inputs, Operation, Purpose, Rate, Service, Size,
    Span, advise,
};

use crate::stage::{ask, inputs, known_costs};

fn warns(advice: &Advice, words: &str) -> bool {
    advice.warnings.iter().any(|warning| warning.contains(words))
}

fn fact(advice: &Advice, name: &str) -> Option<(f64, Basis)> {
    advice.basis.iter().find(|fact| fact.name == name).map(|fact| (fact.fact.value, fact.fact.basis))
}

/// A cache of one process over SQLite.
fn over_sqlite() -> Inputs {
    let mut cache = inputs(Purpose::Cache, 1, 1_000.0, 100.0, 0.0);
    cache.has = Some(vec![Service::Sqlite]);
    cache
}

fn shared_cache() -> Inputs {
    let mut cache = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 2_000.0);
    cache.has = Some(vec![Service::Postgres]);
    cache
}

#[test]
fn what_sqlite_takes_is_what_was_measured_of_it_or_said_of_the_database() {
    let direct = |asked: &Inputs, costs: Costs| {
        let advice = advise(&asked.workload(None).unwrap(), &asked.costs(costs)).unwrap();
        let all = std::iter::once(&advice.choice).chain(&advice.runner_up).chain(&advice.others);
        let direct = all.into_iter().find(|of| of.architecture == Architecture::Database).unwrap().clone();
        (direct.mean_us, direct.loads[0].capacity_per_s, direct.loads[0].basis)
    };
    // What is measured of PostgreSQL, at 1.1 and 2 ms, is not true of SQLite.
    let measured = known_costs();
    let measured = [Operation::DatabaseGet, Operation::DatabaseSet]
        .into_iter()
        .fold(measured, |costs, operation| costs.with(operation, Cost::flat(1e4, Basis::Measured, "").unwrap()));
    let (mean, capacity, basis) = direct(&over_sqlite(), measured.clone());
    let expected = (1_000.0 * 15.0 + 100.0 * 900.0) / 1_100.0;
    assert!((mean - expected).abs() < 1e-9, "{mean} for {expected}");
    assert!((capacity - 1e6 / expected).abs() < 1e-6 && basis == Basis::Assumed, "{capacity}: {basis:?}");
    // What is said is, and the load follows.
    let mut said = over_sqlite();
    said.db_read = Some(Span(100.0));
    let (mean, capacity, _) = direct(&said, measured.clone());
    let expected = (1_000.0 * 100.0 + 100.0 * 900.0) / 1_100.0;
    assert!((mean - expected).abs() < 1e-9 && (capacity - 1e6 / expected).abs() < 1e-6, "{mean}, {capacity}");
    // Writes that come together share a commit, so who knows better is believed.
    said.db_capacity = Some(Rate(20_000.0));
    assert_eq!(direct(&said, measured).1, 20_000.0);
}

#[test]
fn a_capacity_that_was_worked_out_is_an_assumption() {
    let mut state = inputs(Purpose::State, 1, 50_000.0, 5_000.0, 0.0);
    state.loss = Some(hallway_study::advisor::Loss::All);
    let advice = ask(&state);
    let sqlite = advice.eliminated.iter().find(|out| out.architecture == Architecture::Sqlite).unwrap();
    assert!(sqlite.reason.contains("assumed; --db-capacity"), "{sqlite:?}");
}

#[test]
fn a_table_of_a_database_that_nobody_named_is_a_new_service() {
    let of = |has: Vec<Service>| {
        let mut cache = shared_cache();
        cache.has = Some(has);
        let advice = ask(&cache);
        let all: Vec<_> = std::iter::once(advice.choice).chain(advice.runner_up).chain(advice.others).collect();
        all.into_iter().find(|of| of.architecture == Architecture::UnloggedDatabase).unwrap()
    };
    assert_eq!((of(vec![]).new_services, of(vec![Service::Postgres]).new_services), (1, 0));
    // How stale its copies are depends on what nobody knows.
    assert_eq!(of(vec![]).stale_share, None);
}

#[test]
fn assumed_tails_warn_and_do_not_rule_out() {
    let costs = |is_known| {
        Operation::ALL.into_iter().fold(known_costs(), |costs, operation| {
            let cost = costs.of(operation).clone().with_tail(3.0, is_known);
            costs.with(operation, cost)
        })
    };
    let mut asked = inputs(Purpose::Cache, 4, 20.0, 5.0, 0.0);
    asked.has = Some(vec![Service::Postgres]);
    let of = |p99_us: f64, is_known| {
        let mut asked = asked.clone();
        asked.p99 = Some(Span(p99_us));
        let advice = advise(&asked.workload(None).unwrap(), &costs(is_known));
        let advice = advice.map(|advice| (advice.choice.architecture, warns(&advice, "tail assumed; --calibrate")));
        advice.map_err(|refusal| refusal.to_string())
    };
    // A usual write takes 2 ms, a slow one perhaps 6.
    assert_eq!(of(3_000.0, false), Ok((Architecture::Database, true)));
    assert!(of(3_000.0, true).unwrap_err().contains("misses the target of 3 ms"));
    assert!(of(1_500.0, false).unwrap_err().contains("at least misses the target of 1.5 ms"));
    assert_eq!(of(50_000.0, true), Ok((Architecture::Database, false)));

    // One tail that is not known is enough for a guess, and one that is not used is none.
    let mixed = |unknown: Operation| {
        let costs = costs(true);
        let cost = costs.of(unknown).clone().with_tail(3.0, false);
        warns(&advise(&asked.workload(None).unwrap(), &costs.with(unknown, cost)).unwrap(), "tail assumed")
    };
    assert!(mixed(Operation::DatabaseGet) && !mixed(Operation::SqliteGet));
}

#[test]
fn a_ping_is_no_read() {
    let asked = shared_cache();
    let of = |cost: Cost| {
        let costs = known_costs().with(Operation::DatabaseGet, cost);
        warns(&advise(&asked.workload(None).unwrap(), &costs).unwrap(), "--db-read says what yours takes")
    };
    let ping = Cost::flat(1_000.0, Basis::Measured, "a ping").unwrap();
    assert!(of(ping.clone().as_least()) && !of(ping));
}

#[test]
fn values_larger_than_any_measured_take_longer_and_are_warned_of() {
    let point = CostPoint { bytes: 256.0, us: 300.0, low_us: 250.0, high_us: 350.0 };
    let costs = [Operation::RedisGet, Operation::RedisSet].into_iter().fold(known_costs(), |costs, operation| {
        costs.with(operation, Cost::new(vec![point], Basis::Report, "").unwrap())
    });
    let of = |bytes: f64| {
        let mut asked = shared_cache();
        asked.stale = Some(Span(0.0));
        asked.bytes = Some(Size(bytes));
        let advice = advise(&asked.workload(None).unwrap(), &costs).unwrap();
        let all: Vec<_> = std::iter::once(&advice.choice).chain(&advice.runner_up).chain(&advice.others).collect();
        let redis = all.iter().find(|of| of.architecture == Architecture::SharedDatabase).unwrap().mean_us;
        (redis, warns(&advice, "measured for values much smaller"))
    };
    let ((small, _), (large, warned)) = (of(256.0), of(262_144.0));
    assert!(large > small + 2_000.0, "a quarter of a MiB takes 2 ms at 1 Gbit/s: {small} {large}");
    assert!(warned || large > 1_100.0, "{large}");
    assert!(!of(512.0).1);
}

#[test]
fn everything_that_was_used_is_in_the_basis() {
    let advice = ask(&shared_cache());
    assert!(advice.choice.architecture.has_local_copies() && advice.choice.architecture.has_redis());
    for name in ["moka_typed_get_us", "moka_typed_set_us", "redis_get_us", "redis_set_us", "database_get_us"] {
        assert_eq!(fact(&advice, name).unwrap().1, Basis::Given, "{name}");
    }
    for (name, value) in
        [("copy_ttl_s", 3_600.0), ("local_ttl_s", 60.0), ("entry_overhead_bytes", 200.0), ("usable_share", 0.7)]
    {
        assert_eq!(fact(&advice, name), Some((value, Basis::Assumed)), "{name}");
    }
    assert_eq!(fact(&advice, "slow_calls"), Some((3.0, Basis::Measured)));
    // SQLite is no part of it, and neither is what sessions need.
    for name in ["sqlite_get_us", "unlogged_get_us", "idle_s"] {
        assert_eq!(fact(&advice, name), None, "{name}");
    }
}

#[test]
fn lives_of_copies_count() {
    // Two reads a minute of a thousand keys: most copies end before anybody asks again.
    let of = |reads: f64| {
        let mut cache = shared_cache();
        (cache.reads, cache.writes, cache.stale) = (Some(Rate(reads)), Some(Rate(0.0)), Some(Span(6e8)));
        let advice = ask(&cache);
        let all: Vec<_> = std::iter::once(advice.choice).chain(advice.runner_up).chain(advice.others).collect();
        all.into_iter().find(|of| of.architecture == Architecture::SharedDatabase).unwrap().total_hit_ratio
    };
    assert!(of(0.5) < of(50.0) && of(50.0) < of(5_000.0), "{} {} {}", of(0.5), of(50.0), of(5_000.0));
}

#[test]
fn what_is_written_past_hallway_and_without_redis_is_warned_of() {
    let advice = ask(&shared_cache());
    for words in ["a row in the outbox", "local copies may be 60 s old", "while Redis is down, writes are refused"] {
        assert!(warns(&advice, words), "`{words}` is missing: {advice}");
    }
    assert!(advice.hallway_toml.contains("local_ttl = \"60s\""), "{advice}");
    assert!(advice.hallway_toml.contains("no writes while Redis is down"), "{advice}");
    // A tolerance of a day forgives all of them but the writes.
    let mut patient = shared_cache();
    patient.stale = Some(Span(8.64e10));
    let advice = ask(&patient);
    assert!(!warns(&advice, "outbox") && !warns(&advice, "60 s old"), "{advice}");
    let alone = ask(&inputs(Purpose::Cache, 1, 5_000.0, 100.0, 0.0));
    assert_eq!(alone.choice.architecture, Architecture::LocalDatabase);
    assert!(warns(&alone, "written past hallway") && !warns(&alone, "outbox"), "{alone}");
}

#[test]
fn tracking_is_a_part_wherever_there_are_local_copies_before_redis() {
    let advice = ask(&shared_cache());
    let all: Vec<_> = std::iter::once(&advice.choice).chain(&advice.runner_up).chain(&advice.others).collect();
    let layers = |architecture| all.iter().find(|of| of.architecture == architecture).map(|of| of.layers);
    assert_eq!(
        layers(Architecture::LocalTtlSharedDatabase).unwrap(),
        layers(Architecture::LocalBusSharedDatabase).unwrap()
    );
}

#[test]
fn a_cache_that_is_ruled_out_is_not_said_to_be_slow() {
    let mut cache = inputs(Purpose::Cache, 4, 20.0, 5.0, 0.0);
    cache.redis_capacity = Some(Rate(1.0));
    let advice = ask(&cache);
    assert_eq!(advice.choice.architecture, Architecture::Database);
    assert!(advice.hallway_toml.contains("every cache is ruled out here"), "{advice}");
    cache.redis_capacity = None;
    assert!(ask(&cache).hallway_toml.contains("a cache would not pay"), "{advice}");
}

#[test]
fn a_small_log_is_said_to_be_one() {
    let asked = shared_cache();
    let curve = |reads: f64| {
        HitCurve::from_log(
            vec![hallway_study::advisor::CurveRow { instances: 1, points: vec![(1.0, 0.1), (9_000.0, 0.9)] }],
            9_000.0,
            "a log",
        )
        .unwrap()
        .of_reads(reads)
    };
    let of = |reads| warns(&advise(&asked.workload(Some(curve(reads))).unwrap(), &known_costs()).unwrap(), "is small");
    assert!(of(50_000.0) && !of(500_000.0));
}

#[test]
fn local_copies_need_room_for_one() {
    let mut cache = inputs(Purpose::Cache, 1, 5_000.0, 100.0, 0.0);
    (cache.bytes, cache.memory) = (Some(Size(4e6)), Some(Size(3e6)));
    let advice = ask(&cache);
    let out = advice.eliminated.iter().find(|out| out.architecture == Architecture::LocalDatabase).unwrap();
    assert_eq!(out.rule, "memory", "{out:?}");
}
