//! The configuration that is printed is one, and tiers can be built of it.

use std::collections::BTreeSet;
use std::time::Duration;

use hallway::session::SessionsExt as _;
use hallway_study::advisor::{Advice, Architecture, Keys, Loss, Purpose, Rate, Service, Size, Span, advise};

use crate::stage::{inputs, known_costs};

/// Bytes of values that stores do not take unless they are told to.
const LARGE: usize = 3 << 20;

/// Workloads of all sorts, until every architecture that can win has won; each with its tolerance.
fn advices() -> Vec<(f64, Advice)> {
    let services = [vec![], vec![Service::Postgres], vec![Service::Sqlite], vec![Service::Redis, Service::Postgres]];
    let asked = [
        (Purpose::Cache, Loss::All),
        (Purpose::Session, Loss::All),
        (Purpose::Session, Loss::None),
        (Purpose::State, Loss::All),
        (Purpose::State, Loss::Seconds),
        (Purpose::State, Loss::None),
    ];
    let mut advices = Vec::new();
    for (at, (purpose, loss)) in asked.into_iter().enumerate() {
        for (instances, stale_ms) in [(1, 0.0), (4, 0.0), (4, 20.0), (4, 5_000.0), (4, 600_000.0)] {
            let (reads, writes, read_us) =
                if at % 2 == 0 { (2_000.0, 1.0, 5_000.0) } else { (5_000.0, 300.0, 1_100.0) };
            for has in &services {
                let mut asked = inputs(purpose, instances, reads, writes, stale_ms);
                asked.loss = Some(loss);
                asked.has = Some(has.clone());
                asked.db_read = Some(Span(read_us));
                asked.db_capacity = Some(Rate(100_000.0));
                // Longer than sessions live by default, and larger than stores take.
                asked.idle = (instances == 4).then_some(Span(36.0 * 3.6e9));
                asked.bytes = (instances == 1).then_some(Size(LARGE as f64));
                let advice = advise(&asked.workload(None).unwrap(), &asked.costs(known_costs()));
                advices.extend(advice.map(|advice| (stale_ms, advice)));
            }
        }
    }
    // Too few reads for a service, of so few keys that a TTL alone is enough.
    for stale_ms in [5_000.0, 600_000.0] {
        let mut asked = inputs(Purpose::Cache, 4, 40.0, 0.0, stale_ms);
        asked.keys = Some(Keys::Count(20.0));
        let advice = advise(&asked.workload(None).unwrap(), &known_costs()).unwrap();
        assert_eq!(advice.choice.architecture, Architecture::LocalDatabase, "{advice}");
        advices.push((stale_ms, advice));
    }
    advices
}

#[tokio::test]
async fn tiers_can_be_built_of_every_configuration_and_promise_what_is_tolerated() {
    let mut seen = BTreeSet::new();
    for (stale_ms, advice) in advices() {
        let text = &advice.hallway_toml;
        let config = hallway::Config::from_toml_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let architecture = advice.choice.architecture;
        let has = |tier: &str| config.urls().any(|(name, url)| name == tier && url.is_some());
        assert_eq!(has("local"), architecture.has_local_copies() || architecture == Architecture::Local, "{text}");
        assert_eq!(has("shared"), architecture.has_redis(), "{text}");
        if !seen.insert(text.clone()) {
            continue;
        }
        // The hosts are examples: those of this machine take their place, and nobody need listen there.
        let folder = tempfile::tempdir().unwrap();
        let here = text
            .replace("cache.internal", "127.0.0.1:1")
            .replace("db.internal", "127.0.0.1:1")
            .replace("app.db", folder.path().join("app.db").to_str().unwrap());
        let config = hallway::Config::from_toml_str(&here).unwrap();
        let tiers = config.open().await.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let bound = tiers.bound();
        built(text, &tiers, &advice, stale_ms);
        if let (Some(url), true) = (local(text), advice.hallway_toml.contains("max_value")) {
            let key = hallway::Namespace::new("large").unwrap().key("one").unwrap();
            let store = hallway::open(&url).await.unwrap();
            let minute = hallway::SetOptions::new(Duration::from_secs(60));
            store.set(&key, vec![b'x'; LARGE].into(), minute).await.unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
        // Of one instance all writes are its own.
        if advice.choice.stale_within_ms > 0.0 && bound.mode == hallway::Mode::Shared {
            // No copy is older than it may live, whatever the bound.
            let life_ms = advice.choice.copy_ttl_ms.unwrap_or(f64::INFINITY);
            let promised_ms = (bound.single_fault.unwrap().as_secs_f64() * 1e3).min(life_ms);
            assert!(promised_ms <= stale_ms, "{promised_ms} ms for {stale_ms} ms\n{text}");
            // What is said is what the file promises.
            assert_eq!(promised_ms, advice.choice.stale_within_ms, "{text}");
            assert_eq!(bound.cut_off_writer, bound.single_fault, "{text}");
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
    for code in ["tiers.cache(", ".jitter(0.0)", "tiers.sessions(", ".absolute(", "config.open()", "max_value="] {
        assert!(seen.iter().any(|text| text.contains(code)), "nothing has {code}");
    }
}

/// The URL of the local store.
fn local(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("local = "))?;
    Some(line.split('"').nth(1).unwrap().to_owned())
}

/// What stands between the brackets after a word of the code.
fn argument<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!("{word}("))?.1;
    rest.split_once(')').map(|(argument, _)| argument)
}

/// A duration of the code.
fn duration(text: &str, word: &str) -> Option<Duration> {
    let (unit, number) = argument(text, word)?.split_once('(').unwrap();
    let number = number.parse().unwrap();
    Some(match unit {
        "Duration::from_secs" => Duration::from_secs(number),
        "Duration::from_millis" => Duration::from_millis(number),
        _ => panic!("{unit} in {text}"),
    })
}

/// Builds what the code below the configuration builds, and holds its TTLs to what is tolerated.
fn built(text: &str, tiers: &hallway::TieredStore, advice: &Advice, stale_ms: f64) {
    for line in text.lines().filter_map(|line| line.strip_prefix("# let ")) {
        if line.starts_with("cache:") {
            let ttl = duration(line, ".ttl").unwrap();
            let mut builder = tiers.cache("name").ttl(ttl);
            let jitter = argument(line, ".jitter").map(|share| share.parse::<f64>().unwrap());
            let nothing = duration(line, ".not_found_ttl");
            if let Some(share) = jitter {
                builder = builder.jitter(share);
            }
            if let Some(ttl) = nothing {
                builder = builder.not_found_ttl(ttl);
            }
            builder.build::<String>().unwrap_or_else(|error| panic!("{error}: {line}\n{text}"));
            if advice.choice.stale_within_ms > 0.0 && tiers.bound().mode == hallway::Mode::Local {
                // The defaults of caches, where nothing is said.
                let longest = ttl.max(nothing.unwrap_or(Duration::from_secs(30)));
                let promised_ms = longest.as_secs_f64() * 1e3 * (1.0 + jitter.unwrap_or(0.1));
                assert!(promised_ms <= stale_ms, "{promised_ms} ms for {stale_ms} ms\n{text}");
            }
        } else if line.starts_with("sessions:") {
            let mut builder = tiers.sessions("session").idle(duration(line, ".idle").unwrap());
            if let Some(absolute) = duration(line, ".absolute") {
                builder = builder.absolute(absolute);
            }
            builder.build::<String>().unwrap_or_else(|error| panic!("{error}: {line}\n{text}"));
        } else {
            assert!(line.starts_with("store:") && line.contains("config.open()"), "nobody builds this: {line}");
        }
    }
}
