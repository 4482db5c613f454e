//! Random operations against a model that knows the contract.

use std::sync::Arc;

use hallway_core::{KvStoreExt, Namespace};
use hallway_moka::MokaStore;
use hallway_testkit::ManualClock;
use hallway_testkit::model::{self, ModelConfig};

#[tokio::test]
async fn random_operations_on_a_stepped_clock() {
    let clock = ManualClock::new();
    let store = MokaStore::builder().with_clock(Arc::new(clock.clone())).build().unwrap();
    let summary = model::run(ModelConfig::default(), Arc::new(store), Some(clock)).await.unwrap();
    assert!(summary.operations >= 10_000 && summary.alive > 0 && summary.expired > 0, "{summary:?}");
}

#[tokio::test]
async fn random_operations_on_real_time() {
    let store = MokaStore::builder().build().unwrap();
    let summary = model::run(ModelConfig::default(), Arc::new(store), None).await.unwrap();
    assert!(summary.operations >= 10_000 && summary.alive > 0 && summary.expired > 0, "{summary:?}");
}

#[tokio::test]
async fn random_operations_through_a_view() {
    let clock = ManualClock::new();
    let store = MokaStore::builder().with_clock(Arc::new(clock.clone())).build().unwrap();
    let view = store.prefixed(Namespace::new("tenant").unwrap());
    model::run(ModelConfig::default(), Arc::new(view), Some(clock)).await.unwrap();
}
