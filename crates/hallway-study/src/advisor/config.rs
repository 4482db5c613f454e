//! The choice as `hallway.toml`, with the lines of code that go with it as comments.

use std::fmt::Write as _;

use super::architecture::Architecture;
use super::hits::{LONGEST_TTL_S, copy_ttl_s};
use super::predict::{Prediction, bound_ms, degraded_ms};
use super::units::{bytes, count, time};
use super::workload::{Database, LONGEST_S, Purpose, Workload};

/// How long a cache remembers that there was nothing, milliseconds, if nobody says: the default of caches.
const NOT_FOUND_MS: f64 = 30_000.0;

/// How long a session lives at most, seconds, if nobody says: the default of sessions.
const ABSOLUTE_S: f64 = 43_200.0;

/// How often a session may be idle for as long as it may be before it ends, where its timeout is longer than usual. A
/// guess, which the text says.
const ABSOLUTES: f64 = 7.0;

/// The largest value that stores take if nobody says, bytes.
const USUAL_VALUE: f64 = 1_048_576.0;

/// `is_cache_possible`: whether anything with copies was among what may be chosen.
pub(super) fn hallway_toml(workload: &Workload, choice: &Prediction, is_cache_possible: bool) -> String {
    let architecture = choice.architecture;
    let mut out = format!("# hallway.toml: {}\n[stores]\n", choice.name);
    for (tier, url) in stores(architecture, workload) {
        let _ = writeln!(out, "{tier} = \"{}\"", with_room(url, workload));
    }
    out.push_str("\n[tiers]\n");
    for (name, value, comment) in tiers(architecture, workload) {
        let line = format!("{name} = {value}");
        let _ = if comment.is_empty() { writeln!(out, "{line}") } else { writeln!(out, "{line:<28}  # {comment}") };
    }
    out.push('\n');
    for line in code(workload, choice, is_cache_possible) {
        let _ = writeln!(out, "# {line}");
    }
    out
}

fn stores(architecture: Architecture, workload: &Workload) -> Vec<(&'static str, String)> {
    let mut stores = Vec::new();
    if architecture.has_local_copies() || architecture == Architecture::Local {
        stores.push(("local", format!("moka:?max={}", size(workload.memory_bytes.value))));
    }
    if architecture.has_redis() {
        stores.push(("shared", "redis://cache.internal/0".to_owned()));
    }
    // What a cache loads from is asked by the application's own code, unless that is all there is.
    let own = match (workload.purpose, architecture) {
        (Purpose::Cache, Architecture::Database) => true,
        (Purpose::Cache, _) => false,
        _ => architecture.has_database(),
    };
    if own && workload.database() != Database::Sqlite {
        stores.push(("consistent", "postgres://db.internal/app".to_owned()));
    } else if architecture == Architecture::Sqlite || own {
        stores.push(("consistent", "sqlite:app.db".to_owned()));
    } else if architecture == Architecture::UnloggedDatabase {
        stores.push(("consistent", "postgres://db.internal/app?table=cache_copies".to_owned()));
    }
    stores
}

/// The URL of a store that takes the values there are.
fn with_room(url: String, workload: &Workload) -> String {
    if workload.bytes.value <= USUAL_VALUE {
        return url;
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}max_value={}B", workload.bytes.value.ceil())
}

/// Bytes as a store URL takes them: never more than there are.
fn size(bytes: f64) -> String {
    let whole = bytes.floor() as u64;
    match whole {
        mib if mib.is_multiple_of(1 << 20) => format!("{}MiB", mib >> 20),
        kib if kib >= 1 << 20 => format!("{}KiB", kib >> 10),
        _ => format!("{whole}B"),
    }
}

fn tiers(architecture: Architecture, workload: &Workload) -> Vec<(&'static str, String, String)> {
    let quoted = |ms: f64| format!("\"{}\"", duration(ms));
    let mut tiers = Vec::new();
    let mut say = |name, value: String, comment: &str| tiers.push((name, value, comment.to_owned()));
    let is_alone = !architecture.has_redis() && architecture.has_local_copies() && workload.purpose == Purpose::Cache;
    if architecture == Architecture::Local || is_alone {
        if workload.is_shared() {
            say("mode", "\"local\"".to_owned(), "each instance has copies of its own, bounded by the TTL below");
        } else {
            say("mode", "\"shared\"".to_owned(), "what one process writes, it reads");
            say("single_instance", "true".to_owned(), "the local tier alone is enough for one instance");
        }
        return tiers;
    }
    if architecture.has_copies() || architecture == Architecture::Redis {
        say("mode", "\"shared\"".to_owned(), "");
    } else {
        say("mode", "\"consistent\"".to_owned(), "every call asks the database");
    }
    if architecture == Architecture::UnloggedDatabase {
        tiers.clear();
        return vec![("mode", "\"consistent\"".to_owned(), "the table of copies is the store".to_owned())];
    }
    let mut say = |name, value: String, comment: &str| tiers.push((name, value, comment.to_owned()));
    let has_local = architecture.has_local_copies();
    if has_local && architecture.has_redis() {
        say("bound", quoted(bound_ms(workload)), "H: how old a local copy may be that nobody contradicts");
        say("degraded_ttl", quoted(degraded_ms(workload)), "the same while Redis is down");
    }
    if architecture.has_copies() && architecture.has_redis() {
        let otherwise = "no writes while Redis is down; \"proceed\" writes on, and copies may be old until it is back";
        say("on_shared_down", "\"fail\"".to_owned(), otherwise);
    }
    if has_local {
        let comment = if architecture.has_redis() {
            "the longest life of a local copy, and H where a server or proxy tells of no writes"
        } else {
            "the longest life of a local copy"
        };
        say("local_ttl", quoted(copy_ttl_s(architecture, workload) * 1e3), comment);
    }
    tiers
}

fn code(workload: &Workload, choice: &Prediction, is_cache_possible: bool) -> Vec<String> {
    let mut code = Vec::new();
    if choice.local_entries > 0.0 {
        code.push(format!(
            "The local tier holds about {} entries of {} in {}.",
            count(choice.local_entries.floor()),
            bytes(workload.bytes.value),
            bytes(choice.local_bytes)
        ));
    }
    match (workload.purpose, choice.architecture) {
        (Purpose::Cache, Architecture::Database) => {
            let reason = if is_cache_possible { "a cache would not pay" } else { "every cache is ruled out here" };
            code.push(format!("Ask your database in every call; {reason}."));
        }
        (Purpose::Cache, Architecture::UnloggedDatabase) => {
            code.push("Once: ALTER TABLE cache_copies SET UNLOGGED;".to_owned());
            let ttl = in_code(choice.copy_ttl_ms.unwrap_or(1.0));
            code.push(
                "Look there first with store.get(&key); what you load, set, and what you write, delete:".to_owned(),
            );
            code.push(format!("store.set(&key, value, SetOptions::new({ttl})).await?"));
        }
        (Purpose::Cache, _) => {
            // Where the TTL is what bounds staleness, nothing may live longer.
            let bound = choice.copy_ttl_ms.filter(|_| !choice.architecture.has_redis());
            let ttl = bound.unwrap_or(LONGEST_TTL_S * 1e3);
            let exactly = bound.map_or_else(String::new, |ttl| {
                format!(".jitter(0.0).not_found_ttl({})", in_code(ttl.min(NOT_FOUND_MS)))
            });
            code.push(format!(
                "let cache: Cache<Value> = tiers.cache(\"name\").ttl({}){exactly}.build()?;",
                in_code(ttl)
            ));
            code.push("Write through it, so that copies end: cache.write(id, || your_update()).await?".to_owned());
        }
        (Purpose::Session, _) => {
            let idle = workload.idle_s.value.round();
            // No session may be idle for longer than it lives.
            let absolute = (idle > ABSOLUTE_S).then(|| (ABSOLUTES * idle).min(LONGEST_S));
            let at_most = absolute.map_or_else(String::new, |most| format!(".absolute(Duration::from_secs({most}))"));
            code.push(format!(
                "let sessions: Sessions<User> = tiers.sessions(\"session\").idle(Duration::from_secs({idle})){at_most}.build()?;"
            ));
            code.extend(absolute.map(|most| {
                format!("After {} everybody has to log in again: that is yours to decide.", time(most * 1e6))
            }));
            code.push(format!(
                "A load writes only when that prolongs the session by a minute, or by 5 % of {}: nothing to set.",
                time(workload.idle_s.value * 1e6)
            ));
        }
        (Purpose::State, _) => code.push("let store: Arc<dyn KvStore> = Arc::new(config.open().await?);".to_owned()),
    }
    code.push("Hosts are examples: put yours in.".to_owned());
    code
}

/// Milliseconds as code has them.
fn in_code(ms: f64) -> String {
    match (ms.floor() as u64).max(1) {
        ms if ms.is_multiple_of(1_000) => format!("Duration::from_secs({})", ms / 1_000),
        ms => format!("Duration::from_millis({ms})"),
    }
}

/// Milliseconds as a configuration takes them, rounded down and never below one.
fn duration(ms: f64) -> String {
    let ms = if ms <= 0.0 { 0 } else { (ms.floor() as u64).max(1) };
    if ms > 0 && ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}
