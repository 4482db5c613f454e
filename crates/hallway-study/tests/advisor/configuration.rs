//! The configuration that is printed is one, and tiers can be built of it.

use std::collections::BTreeSet;

use hallway_study::advisor::{Advice, Architecture, Loss, Purpose, Rate, Service, Span, advise};

use crate::stage::{inputs, known_costs};

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
                let advice = advise(&asked.workload(None).unwrap(), &asked.costs(known_costs()));
                advices.extend(advice.map(|advice| (stale_ms, advice)));
            }
        }
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
        // Without a bound of the tiers, the TTL in the code below them is it; of one instance all writes are its own.
        if advice.choice.stale_within_ms > 0.0 && bound.mode == hallway::Mode::Shared {
            // No copy is older than it may live, whatever the bound.
            let life_ms = advice.choice.copy_ttl_ms.unwrap_or(f64::INFINITY);
            let promised_ms = (bound.single_fault.unwrap().as_secs_f64() * 1e3).min(life_ms);
            assert!(promised_ms <= stale_ms, "{promised_ms} ms for {stale_ms} ms\n{text}");
            assert_eq!(bound.cut_off_writer, bound.single_fault, "{text}");
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
}
