//! The configuration that is printed is one, and tiers can be built of it.

use hallway_study::advisor::{Architecture, Loss, Purpose, Rate, Service, Span, advise};

use crate::stage::{inputs, known_costs};

/// Workloads of all sorts, until every architecture that can win has won.
fn advices() -> Vec<hallway_study::advisor::Advice> {
    let mut advices = Vec::new();
    for purpose in [Purpose::Cache, Purpose::Session, Purpose::State] {
        for loss in [Loss::None, Loss::Seconds, Loss::All] {
            for (instances, stale_ms) in [(1, 0.0), (4, 0.0), (4, 20.0), (4, 5_000.0), (4, 600_000.0)] {
                for has in [vec![], vec![Service::Postgres], vec![Service::Sqlite], vec![Service::Redis, Service::Postgres]] {
                    for (reads, writes, read_us) in [(2.0, 0.1, 5_000.0), (2_000.0, 1.0, 1_100.0), (5_000.0, 500.0, 20_000.0)] {
                        let mut asked = inputs(purpose, instances, reads, writes, stale_ms);
                        asked.loss = Some(loss);
                        asked.has = Some(has.clone());
                        asked.db_read = Some(Span(read_us));
                        asked.db_capacity = Some(Rate(100_000.0));
                        advices.extend(advise(&asked.workload(None).unwrap(), &known_costs()));
                    }
                }
            }
        }
    }
    advices
}

#[tokio::test]
async fn tiers_can_be_built_of_every_configuration() {
    let mut seen = std::collections::BTreeSet::new();
    for advice in advices() {
        let text = &advice.hallway_toml;
        let config = hallway::Config::from_toml_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let architecture = advice.choice.architecture;
        let has = |tier: &str| config.urls().any(|(name, url)| name == tier && url.is_some());
        assert_eq!(has("local"), architecture.has_local_copies() || architecture == Architecture::Local, "{text}");
        assert_eq!(has("shared"), architecture.has_redis(), "{text}");
        if seen.insert(text.clone()) {
            // The hosts are examples: those of this machine take their place, and nobody need listen there.
            let folder = tempfile::tempdir().unwrap();
            let here = text
                .replace("cache.internal", "127.0.0.1:1")
                .replace("db.internal", "127.0.0.1:1")
                .replace("app.db", folder.path().join("app.db").to_str().unwrap());
            let config = hallway::Config::from_toml_str(&here).unwrap();
            config.open().await.unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

#[test]
fn no_configuration_promises_more_staleness_than_is_tolerated() {
    for advice in advices() {
        let choice = &advice.choice;
        if choice.local_ttl_ms.is_some_and(|ttl| ttl > 5_000.0) {
            assert!(!advice.hallway_toml.contains("single_instance"), "{}", advice.hallway_toml);
        }
    }
}
