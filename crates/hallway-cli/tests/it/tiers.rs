//! Tiers by flags, by a file and by the environment: pinged, replayed, refused.

use hallway_testkit::servers::{PostgresServer, RedisOptions, RedisServer};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Ran, command, hallway};

/// Three tiers of a test, on data of its own.
pub(crate) struct Place {
    pub(crate) redis: RedisServer,
    // Removed with the database in it.
    _folder: TempDir,
    pub(crate) shared: String,
    pub(crate) consistent: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let redis = RedisServer::start(RedisOptions::default()).expect("a server");
        let consistent = format!("sqlite:{}", folder.path().join("tiers.db").display());
        Self { shared: redis.url(), redis, _folder: folder, consistent }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        hallway(&[args, &self.flags()].concat())
    }

    pub(crate) fn flags(&self) -> [&str; 6] {
        ["--local", "moka:?max=1MiB", "--shared", &self.shared, "--consistent", &self.consistent]
    }

    /// Puts a value into the consistent tier and reads it by tiers, so that there is a copy in the shared one.
    pub(crate) fn copy(&self, key: &str, value: &str) {
        hallway(&["set", key, value, "--ttl", "1h", "--store", &self.consistent]).exits(0);
        let config = hallway::Config::default().with_shared(&*self.shared).with_consistent(&*self.consistent);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            use hallway::KvStore as _;
            let tiers = config.open().await.expect("good URLs");
            let key = hallway::Key::from_physical(key).expect("a key");
            for _ in 0..500 {
                assert_eq!(tiers.get(&key).await.expect("an answer").as_deref(), Some(value.as_bytes()));
                if tiers.stats().fills > 0 || tiers.stats().shared_hits > 0 {
                    return;
                }
                // The link is still being made.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            panic!("no copy was filled: {:?}", tiers.stats());
        });
    }
}

fn number(json: &Value, path: &str) -> u64 {
    json.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} of {json}"))
}

/// What must hold of every replay through tiers that goes well.
fn check_replay(json: &Value, requests: u64) {
    let reads = |field: &str| number(json, &format!("/reads/{field}"));
    assert_eq!(reads("local_hits") + reads("shared_hits") + reads("authority"), reads("total"), "{json}");
    let written = number(json, "/writes/total") - number(json, "/writes/new_keys");
    assert_eq!(reads("total") + written, requests, "{json}");
    assert_eq!(json["failures"], serde_json::json!({}), "{json}");
    assert_eq!(number(json, "/staleness/beyond_bound"), 0, "{json}");
    assert_eq!(json["settled"], true, "{json}");
}

#[test]
fn a_replay_through_embedded_tiers_hits_locally_and_never_reads_stale() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("replay.db").display());
    let args = ["replay", "--requests", "3000", "--write-share", "0.1", "--local", "moka:", "--consistent", &url];
    let json = hallway(&[&args[..], &["--json", "--quiet"]].concat()).exits(0).json();
    check_replay(&json, 3_000);
    assert!(number(&json, "/reads/local_hits") > 500, "{json}");
    assert!((150..=450).contains(&(number(&json, "/writes/total") - number(&json, "/writes/new_keys"))), "{json}");
    assert_eq!(number(&json, "/staleness/stale_reads"), 0, "one instance reads what it wrote: {json}");
    assert_eq!(hallway(&["scan", "--store", &url]).exits(0).text(), "", "cleared");

    let consistent = [&args[..], &["--mode", "consistent", "--json", "--quiet"]].concat();
    let json = hallway(&consistent).exits(0).json();
    assert_eq!((number(&json, "/reads/local_hits"), number(&json, "/reads/shared_hits")), (0, 0), "{json}");
    let text = hallway(&args).exits(0);
    for words in ["answered by", "local", "consistent", "stale reads    0", "failures       none", "bound"] {
        assert!(text.text().contains(words), "`{words}` is missing: {}", text.text());
    }
}

#[test]
fn instances_of_a_replay_share_redis_and_postgres_within_the_bound() {
    let place = Place::new();
    let url = format!("{}?table=replay_tiers_{}", PostgresServer::shared().url(), std::process::id());
    let args = ["replay", "--requests", "4000", "--write-share", "0.05", "--instances", "3", "--concurrency", "16"];
    let flags = ["--local", "moka:?max=1MiB", "--shared", &place.shared, "--consistent", &url, "--json", "--quiet"];
    let json = hallway(&[&args[..], &flags].concat()).exits(0).json();
    check_replay(&json, 4_000);
    for path in ["/reads/local_hits", "/reads/shared_hits", "/writes/marked", "/copies/fills", "/copies/invalidations"]
    {
        assert!(number(&json, path) > 0, "{path}: {json}");
    }
    assert!(json["bound"].as_str().unwrap().contains("writer cut off"), "{json}");
    // On a busy machine the end of a marker may get no answer in time; then it ends by itself, within 10 s.
    let began = std::time::Instant::now();
    while !place.redis.cli(&["keys", "copy:*"]).trim().is_empty() {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "not cleared");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(hallway(&["scan", "--store", &url]).exits(0).text(), "", "cleared");
}

#[test]
fn a_replay_goes_on_while_the_shared_tier_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("replay.db").display());
    let args = ["replay", "--requests", "300", "--local", "moka:", "--shared", "redis://127.0.0.1:1", "--consistent"];
    let json = hallway(&[&args[..], &[&url, "--json", "--quiet"]].concat()).exits(0).json();
    assert_eq!(json["failures"], serde_json::json!({}), "{json}");
    assert!(number(&json, "/writes/unannounced") > 0 && number(&json, "/reads/shared_hits") == 0, "{json}");
    let strict = [&args[..], &[&url, "--on-shared-down", "fail", "--json", "--quiet"]].concat();
    let json = hallway(&strict).exits(0).json();
    assert!(json["failures"]["write: Unavailable"].as_u64().unwrap() > 0, "{json}");
}

#[test]
fn tiers_are_pinged_one_by_one_with_the_bound_in_both_figures() {
    let place = Place::new();
    let json = place.run(&["ping", "--json"]).exits(0).json();
    assert_eq!((&json["ready"], &json["bound"]["mode"]), (&true.into(), &"shared".into()), "{json}");
    assert_eq!(json["tiers"].as_array().unwrap().len(), 3);
    assert!(json["tiers"].as_array().unwrap().iter().all(|tier| tier["latency_us"].as_f64().is_some()), "{json}");
    assert_eq!((&json["bound"]["single_fault_ms"], &json["bound"]["cut_off_writer_ms"]), (&5e3.into(), &3.6e6.into()));
    assert!(json["proven_ms"].as_f64().is_some(), "{json}");
    let text = place.run(&["ping"]).exits(0);
    for words in ["single fault", "writer cut off", "at worst 1h", "no invalidation missing", &place.shared] {
        assert!(text.text().contains(words), "`{words}` is missing: {}", text.text());
    }
    let strict = place.run(&["ping", "--on-shared-down", "fail", "--bound", "500ms", "--json"]).exits(0).json();
    assert_eq!(strict["bound"]["cut_off_writer_ms"], strict["bound"]["single_fault_ms"]);
}

#[test]
fn a_tier_that_is_down_is_told_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("app.db").display());
    let flags = ["ping", "--local", "moka:", "--shared", "redis://:hunter2@127.0.0.1:1", "--consistent", &url];
    let text = hallway(&flags).exits(3);
    assert!(text.text().contains("down: ") && text.text().contains("consistent"), "{text:?}");
    let json = hallway(&[&flags[..], &["--json"]].concat()).exits(3).json();
    let health: Vec<_> = json["tiers"].as_array().unwrap().iter().filter_map(|tier| tier["health"].as_str()).collect();
    assert_eq!((health, &json["ready"]), (vec!["ready", "down", "ready"], &false.into()), "{json}");
    assert!(!format!("{text:?} {json}").contains("hunter2"), "{text:?}");
}

#[test]
fn tiers_come_from_a_file_or_the_environment_where_no_flag_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hallway.toml"),
        "[stores]\nlocal = 'moka:?max=1MiB'\nconsistent = 'sqlite:app.db'\n[tiers]\nlocal_ttl = '7s'\n",
    )
    .unwrap();
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = command();
        command.current_dir(folder.path()).args(args).envs(env.iter().copied());
        Ran::from(command.output().unwrap())
    };
    let from_folder = run(&["ping"], &[]).exits(0);
    assert!(from_folder.text().contains("at most 7s"), "{from_folder:?}");
    let named = run(&["ping", "--config", "hallway.toml"], &[("HALLWAY_CONSISTENT", "sqlite:other.db")]).exits(0);
    assert!(named.text().contains("sqlite:other.db"), "{named:?}");
    // A store in the environment comes first, as it always did; a flag before that.
    let store = run(&["ping"], &[("HALLWAY_STORE", "moka:?max=2MiB")]).exits(0);
    assert!(store.text().contains("moka:?max=2MiB") && !store.text().contains("bound"), "{store:?}");
    let flag = run(&["ping", "--local", "moka:?max=3MiB"], &[("HALLWAY_STORE", "moka:?max=2MiB")]).exits(0);
    assert!(flag.text().contains("moka:?max=3MiB"), "{flag:?}");
    run(&["ping", "--mode", "consistent"], &[]).exits(2).complains("[tiers]");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let refused = |args: &[&str], words: &str| {
        hallway(args).exits(2).complains(words);
    };
    refused(&["verify"], "HALLWAY_SHARED");
    refused(&["watch"], "--config FILE");
    refused(&["verify", "--local", "moka:", "--consistent", "sqlite::memory:"], "--shared URL");
    refused(&["verify", "--sample", "0"], "above 0");
    refused(&["verify", "--sample", "1.5"], "at most 1");
    refused(&["verify", "--wait", "1"], "a duration has a unit");
    refused(&["watch", "--interval", "1ms", "--local", "moka:"], "--interval is 50ms to 1h");
    refused(&["ping", "--local", "moka:", "--store", "moka:"], "leave one of them out");
    refused(&["ping", "--local", "moka:", "--mode", "shared"], "HALLWAY_SINGLE_INSTANCE");
    refused(&["ping", "--local", "moka:", "--mode", "strong"], "local, shared or consistent");
    refused(&["ping", "--local", "moka:", "--shared", "sqlite::memory:"], "cannot be a shared tier");
    refused(&["ping", "--local", "moka:", "--consistent", "sqlite::memory:", "--bound", "1h"], "`bound`");
    refused(&["replay", "--write-share", "0.1"], "--local");
    refused(&["replay", "--write-share", "2", "--local", "moka:"], "0 to 1");
    refused(&["replay", "--store", "moka:", "--local", "moka:"], "leave out");
    refused(&["replay", "--capacity", "10", "--local", "moka:?max=1MiB"], "--capacity");
    hallway(&["ping", "--local", "moka:", "--mode", "shared", "--single-instance"]).exits(0);
}

#[test]
fn a_password_goes_to_one_tier_only() {
    let run = |args: &[&str]| {
        let ran = Ran::from(command().args(args).env("HALLWAY_PASSWORD", "hunter2").output().unwrap());
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
        ran
    };
    run(&["ping", "--shared", "redis://127.0.0.1:1", "--consistent", "postgres://a@127.0.0.1:1/b"])
        .exits(2)
        .complains("--shared-file FILE");
}
