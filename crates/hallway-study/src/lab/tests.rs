//! Stores of a study on servers of somebody else: nothing is damaged there, and nothing stays.

use std::path::PathBuf;
use std::sync::Arc;

use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use sqlx::Connection as _;
use tempfile::TempDir;

use super::place::{Postgres, Redis, found_postgres, found_redis};
use super::*;
use crate::load::Workload;

const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
const EVERY: [Backend; 4] = [Backend::Postgres, Backend::PostgresUnlogged, Backend::RedisTcp, Backend::Sqlite];

async fn given(redis: Option<String>, postgres: Option<String>) -> (Lab, TempDir) {
    let out = TempDir::new().unwrap();
    let choice = |url: Option<String>| url.map_or(Choice::None, Choice::Url);
    let choices = Choices { redis: choice(redis), postgres: choice(postgres), placement: Placement::Shared };
    (Lab::open(&choices, out.path(), None).await.unwrap(), out)
}

/// Every store there is, and tiers, with entries.
async fn used(lab: &Lab) {
    let workload = Arc::new(Workload::new(50, 64, 2));
    for backend in lab.present(&EVERY) {
        lab.lane(backend, Shape::Bytes, &workload).await.unwrap();
    }
    let database = lab.store(lab.database()).await.unwrap();
    let shared = lab.has(Backend::RedisTcp);
    let tiers = lab.tiers(Tiers { local_entries: Some(100), local_ttl: None, shared }, &database).await.unwrap();
    let keys = lab.seeded(&database, &workload).await.unwrap();
    for key in &keys {
        assert!(tiers.get(key).await.unwrap().is_some());
    }
    lab.end(&[tiers]).await.unwrap();
}

fn servers() -> (RedisServer, PostgresServer) {
    (RedisServer::start(RedisOptions::default()).unwrap(), PostgresServer::start(PostgresOptions::fast()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_studied_twice_and_nothing_is_left_behind() {
    let (redis, postgres) = servers();
    for _ in 0..2 {
        let (lab, _out) = given(Some(redis.url()), Some(postgres.url())).await;
        used(&lab).await;
        assert_ne!(redis.cli(&["DBSIZE"]), "0");
        assert_ne!(postgres.psql(TABLES), "0");
        lab.clear().await.unwrap();
        lab.clear().await.unwrap();
        assert_eq!(redis.cli(&["DBSIZE"]), "0");
        assert_eq!(postgres.psql(TABLES), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_studies_and_an_application_on_one_server_keep_their_tables() {
    let (redis, postgres) = servers();
    // The table of an application, by the name that studies once had.
    let theirs = format!("{}?table=hallway_study", postgres.url());
    hallway::open(&theirs).await.unwrap().ping().await.unwrap();
    let before = postgres.psql(TABLES);
    postgres.psql("INSERT INTO hallway_study (key, value) VALUES ('a', 'b')");
    let (one, _out) = given(Some(redis.url()), Some(postgres.url())).await;
    let (other, _out_too) = given(Some(redis.url()), Some(postgres.url())).await;
    used(&one).await;
    let workload = Arc::new(Workload::new(50, 64, 2));
    let lane = other.lane(Backend::Postgres, Shape::Bytes, &workload).await.unwrap();
    let cached = other.lane(Backend::RedisTcp, Shape::Bytes, &workload).await.unwrap();
    one.clear().await.unwrap();
    lane.verify().await.unwrap();
    cached.verify().await.unwrap();
    other.clear().await.unwrap();
    assert_eq!(postgres.psql("SELECT count(*) FROM hallway_study"), "1");
    assert_eq!(postgres.psql(TABLES), before);
    assert_eq!(postgres.psql("SELECT store FROM hallway_schema"), "hallway_study");
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_one_server_does_not_wait_for_the_other_to_live() {
    let (redis, postgres) = servers();
    let (lab, _out) = given(Some(redis.url()), Some(postgres.url())).await;
    used(&lab).await;
    redis.kill9();
    let failure = lab.clear().await.unwrap_err().to_string();
    assert!(failure.contains(&format!("copy:{}", lab.name)), "{failure}");
    assert_eq!(postgres.psql(TABLES), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_may_say_what_the_study_says_itself() {
    let postgres = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let (lab, _out) = given(None, Some(format!("{}?table=theirs&migrate=off&deadline=9s", postgres.url()))).await;
    used(&lab).await;
    assert_eq!(postgres.psql("SELECT to_regclass('theirs') IS NULL"), "t");
    let [_, _, server] = &lab.servers().await.unwrap()[..] else { panic!("three stores") };
    assert_eq!(server.settings["relpersistence of postgres-unlogged"], "u");
    lab.clear().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_of_somebody_else_has_not_is_told() {
    let (redis, postgres) = servers();
    let (lab, _out) = given(Some(redis.url()), Some(postgres.url())).await;
    let told: Vec<_> = lab.absent().iter().map(|absent| absent.what.as_str()).collect();
    assert_eq!(told, ["redis-unix", "postgres-async"]);
    assert!(!lab.has(Backend::PostgresAsync) && !lab.has(Backend::RedisUnix));
    lab.clear().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_named_by_its_socket_is_measured_as_that() {
    let redis = RedisServer::start(RedisOptions::default().with_password("canary")).unwrap();
    let (lab, _out) = given(Some(redis.unix_url()), None).await;
    assert!(lab.has(Backend::RedisUnix) && !lab.has(Backend::RedisTcp), "{lab:?}");
    assert_eq!(lab.absent()[1].what, "redis", "{:?}", lab.absent());
    assert!(lab.url(Backend::RedisTcp).is_err());
    let workload = Arc::new(Workload::new(50, 64, 2));
    lab.lane(Backend::RedisUnix, Shape::Bytes, &workload).await.unwrap();
    let server = &lab.servers().await.unwrap()[2];
    assert_eq!(server.settings["appendonly"], "no");
    assert!(Profile::measure(&lab).await.unwrap().is_empty());
    let shown = format!("{lab:?}");
    assert!(!shown.contains("canary"), "{shown}");
    lab.clear().await.unwrap();
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_wire_stands_before_a_redis_however_it_is_named() {
    let redis = RedisServer::start(RedisOptions::default().with_password("canary")).unwrap();
    let (lab, _out) = given(Some(redis.url().replace("127.0.0.1", "localhost")), None).await;
    assert!(lab.redis().unwrap().url().contains("localhost"));
    assert_eq!(lab.redis().unwrap().addr(), Some(redis.addr()));
    let profiles = Profile::measure(&lab).await.unwrap();
    assert_eq!(profiles.len(), 4, "{profiles:?}");
    lab.clear().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_tells_nothing_is_studied_if_it_was_named() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    redis.cli(&["ACL", "SETUSER", "hosted", "on", ">canary", "~*", "&*", "+@all", "-@dangerous"]);
    let url = redis.url().replace("redis://", "redis://hosted:canary@");
    let (lab, _out) = given(Some(url.clone()), None).await;
    used(&lab).await;
    let server = &lab.servers().await.unwrap()[2];
    assert_eq!((server.version.as_str(), server.settings["maxmemory"].as_str()), ("not told", "not told"));
    assert!(!lab.identity().contains("canary"), "{}", lab.identity());
    lab.clear().await.unwrap();
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    // Nobody named it: what might be evicted is not known.
    let left_alone = found_redis(&url, &[], "probe").await.unwrap_err().to_string();
    assert!(left_alone.contains("does not tell"), "{left_alone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_redis_with_bounded_memory_is_left_alone_before_the_first_write() {
    let redis = RedisServer::start(
        RedisOptions::default().with_config("maxmemory", "8mb").with_config("maxmemory-policy", "allkeys-lru"),
    )
    .unwrap();
    let left_alone = found_redis(&redis.url(), &[], "probe").await.unwrap_err().to_string();
    assert!(left_alone.contains("allkeys-lru") && left_alone.contains("--redis"), "{left_alone}");
    let sets = redis.cli(&["INFO", "commandstats"]);
    assert!(!sets.contains("cmdstat_set:"), "{sets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_redis_that_takes_no_writes_is_left_alone_and_a_named_one_ends_the_study() {
    let (first, replica) =
        (RedisServer::start(RedisOptions::default()).unwrap(), RedisServer::start(RedisOptions::default()).unwrap());
    replica.cli(&["REPLICAOF", "127.0.0.1", &first.port().to_string()]);
    let left_alone = found_redis(&replica.url(), &[], "probe").await.unwrap_err().to_string();
    assert!(left_alone.contains("no writes"), "{left_alone}");
    let out = TempDir::new().unwrap();
    let choices = Choices { redis: Choice::Url(replica.url()), postgres: Choice::None, placement: Placement::Shared };
    let failure = Lab::open(&choices, out.path(), None).await.unwrap_err().to_string();
    assert!(failure.contains(&replica.port().to_string()), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_used_if_the_same_redis_is_behind_it() {
    let (redis, other) =
        (RedisServer::start(RedisOptions::default()).unwrap(), RedisServer::start(RedisOptions::default()).unwrap());
    let found = async |sockets: &[PathBuf]| -> Redis { found_redis(&redis.url(), sockets, "probe").await.unwrap() };
    let nobodys = PathBuf::from("/no/such/socket");
    assert_eq!(found(&[nobodys.clone(), redis.socket()]).await.socket(), Some(redis.socket()));
    let without = found(&[nobodys, other.socket()]).await;
    assert_eq!(without.socket(), None);
    assert!(without.no_socket().contains("another Redis"), "{}", without.no_socket());
    assert_eq!(without.origin(), Origin::Found);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_postgres_that_lets_us_make_no_tables_is_left_alone() {
    let postgres = PostgresServer::start(PostgresOptions::fast()).unwrap();
    postgres.psql("CREATE ROLE guest LOGIN");
    postgres.psql("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let as_guest = postgres.url().replace("postgres://postgres@", "postgres://guest@");
    let left_alone = found_postgres(&as_guest, "probe").await.unwrap_err().to_string();
    assert!(left_alone.contains("CREATE on the schema") && left_alone.contains("--postgres"), "{left_alone}");
    assert_eq!(postgres.psql(TABLES), "0");
    let found: Postgres = found_postgres(&postgres.url(), "probe").await.unwrap();
    assert_eq!(found.origin(), Origin::Found);
    found.clear().await.unwrap();
    assert_eq!(postgres.psql(TABLES), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_half_made_is_taken_away() {
    let postgres = PostgresServer::start(PostgresOptions::fast()).unwrap();
    // The second table is refused, when the first is there already.
    postgres.psql(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF to_regclass('hallway_probe_unlogged') IS NOT NULL THEN RAISE 'no more tables'; END IF; END $$",
    );
    postgres
        .psql("CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()");
    let left_alone = found_postgres(&postgres.url(), "probe").await.unwrap_err().to_string();
    assert!(left_alone.contains("P0001"), "{left_alone}");
    assert_eq!(postgres.psql(TABLES), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_somebody_locks_are_waited_for_no_longer_than_told() {
    let postgres = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let (lab, _out) = given(None, Some(postgres.url())).await;
    let mut other = lab.postgres().unwrap().connect().await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(7521962890145624369)").execute(&mut *held).await.unwrap();
    let failure = lab.clear().await.unwrap_err().to_string();
    assert!(failure.contains("lock timeout") && failure.contains(&lab.name), "{failure}");
    held.rollback().await.unwrap();
    lab.clear().await.unwrap();
    assert_eq!(postgres.psql(TABLES), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_the_same_for_the_same_servers_and_another_one_for_others() {
    let (redis, postgres) = servers();
    let other = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let identity = async |postgres: &PostgresServer| {
        let (lab, _out) = given(Some(redis.url()), Some(postgres.url())).await;
        lab.clear().await.unwrap();
        lab.identity()
    };
    assert_eq!(identity(&postgres).await, identity(&postgres).await);
    assert_ne!(identity(&postgres).await, identity(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_changes_under_a_study_shows() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let (lab, _out) = given(Some(redis.url()), None).await;
    let before = lab.servers().await.unwrap();
    assert!(changes(&before, &lab.servers().await.unwrap()).is_empty());
    redis.cli(&["CONFIG", "SET", "maxmemory", "64mb"]);
    let changed = changes(&before, &lab.servers().await.unwrap());
    assert_eq!(changed, ["maxmemory of redis was \"0\" and is \"67108864\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_server_that_is_not_as_planned_voids() {
    let out = TempDir::new().unwrap();
    let choices = Choices { redis: Choice::Start, postgres: Choice::None, placement: Placement::Shared };
    let lab = Lab::open(&choices, out.path(), None).await.unwrap();
    lab.servers().await.unwrap();
    lab.redis().unwrap().started().unwrap().cli(&["CONFIG", "SET", "appendonly", "yes"]);
    let void = lab.servers().await.unwrap_err().to_string();
    assert!(void.contains("appendonly") && void.contains("void"), "{void}");
}
