//! The four rules of the field, with the whole answer kept as a golden file each.

use std::path::Path;

use hallway_study::advisor::{Architecture, Inputs, Keys, Loss, Purpose, Rate, Service, Size};

use crate::stage::{ask, inputs};

/// Compares with `golden/NAME.txt`; what it is now lies in the folder of the target for a look, and for copying.
fn golden(name: &str, asked: &Inputs, expected: Architecture) {
    let advice = ask(asked);
    assert_eq!(advice.choice.architecture, expected, "{advice}");
    let text = format!("{advice}\n");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("advice");
    std::fs::create_dir_all(&folder).unwrap();
    let new = folder.join(format!("{name}.txt"));
    std::fs::write(&new, &text).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/advisor/golden/{name}.txt"));
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} differs; if it is meant, copy {} there", path.display(), new.display());
}

#[test]
fn one_instance_and_the_lowest_latency_is_a_local_map() {
    let mut state = inputs(Purpose::State, 1, 50_000.0, 5_000.0, 0.0);
    state.loss = Some(Loss::All);
    state.has = Some(vec![Service::Postgres, Service::Redis]);
    golden("local-map", &state, Architecture::Local);

    let mut cache = inputs(Purpose::Cache, 1, 5_000.0, 100.0, 0.0);
    cache.has = Some(vec![Service::Postgres, Service::Redis]);
    golden("local-cache", &cache, Architecture::LocalDatabase);
}

#[test]
fn several_instances_that_share_and_tolerate_staleness_are_redis() {
    let mut cache = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 2_000.0);
    cache.has = Some(vec![Service::Postgres]);
    cache.bytes = Some(Size(400.0));
    golden("shared-cache", &cache, Architecture::LocalBusSharedDatabase);

    // Too little tolerance for local copies: Redis alone.
    cache.stale = Some(hallway_study::advisor::Span(20_000.0));
    cache.keys = Some(Keys::Count(1e6));
    golden("shared-cache-fresh", &cache, Architecture::SharedDatabase);

    let mut state = inputs(Purpose::State, 4, 2_000.0, 400.0, 20.0);
    state.loss = Some(Loss::Seconds);
    golden("shared-state", &state, Architecture::Redis);
}

#[test]
fn sessions_behind_a_balancer_are_in_redis() {
    let mut sessions = inputs(Purpose::Session, 4, 2_000.0, 200.0, 0.0);
    sessions.keys = Some(Keys::Count(20_000.0));
    sessions.has = Some(vec![Service::Postgres]);
    golden("sessions", &sessions, Architecture::Redis);
}

#[test]
fn consistency_before_speed_with_few_reads_is_the_database() {
    // Copies in Redis could keep that, and for so few reads they are not worth a service.
    let mut cache = inputs(Purpose::Cache, 4, 20.0, 5.0, 0.0);
    cache.has = Some(vec![Service::Postgres]);
    golden("database", &cache, Architecture::Database);

    // Some staleness is tolerated, but so few reads are not worth a service.
    let mut few = inputs(Purpose::Cache, 4, 0.5, 0.1, 50.0);
    few.has = Some(vec![Service::Postgres]);
    golden("few-reads", &few, Architecture::Database);
}

#[test]
fn consistency_with_many_reads_is_copies_in_redis_that_are_void_before_a_write_is_done() {
    let mut cache = inputs(Purpose::Cache, 4, 5_000.0, 50.0, 0.0);
    cache.has = Some(vec![Service::Postgres]);
    golden("consistent-cache", &cache, Architecture::SharedDatabase);
}

#[test]
fn sessions_that_must_not_be_lost_are_in_sql() {
    let mut sessions = inputs(Purpose::Session, 4, 50.0, 5.0, 0.0);
    sessions.loss = Some(Loss::None);
    sessions.has = Some(vec![Service::Postgres, Service::Redis]);
    let advice = ask(&sessions);
    assert_eq!(advice.choice.architecture, Architecture::Database, "{advice}");
    assert!(advice.choice.name.contains("sessions"));
}

#[test]
fn one_instance_with_state_to_keep_is_sqlite() {
    let advice = ask(&inputs(Purpose::State, 1, 500.0, 10.0, 0.0));
    assert_eq!(advice.choice.architecture, Architecture::Sqlite, "{advice}");
}

#[test]
fn a_database_that_cannot_take_the_reads_is_relieved() {
    let mut cache = inputs(Purpose::Cache, 4, 2_000.0, 10.0, 20.0);
    cache.db_capacity = Some(Rate(1_500.0));
    let advice = ask(&cache);
    let out = advice.eliminated.iter().find(|out| out.architecture == Architecture::Database).unwrap();
    assert_eq!(out.rule, "load", "{out:?}");
    assert!(advice.choice.loads.iter().all(|load| load.per_s <= 0.7 * load.capacity_per_s));
}
