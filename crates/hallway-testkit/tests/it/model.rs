//! The model test finds the defects that it is there to find, and passes sound stores.

use std::sync::Arc;

use hallway_core::{KvStore, KvStoreExt, Namespace};
use hallway_testkit::model::{self, ModelConfig, Summary};
use hallway_testkit::{Fault, FaultStore, Faults, ManualClock, PlainStore};

use crate::twisted::{Twist, Twisted};

async fn stepped(config: ModelConfig, twist: Twist) -> Result<Summary, model::Mismatch> {
    let clock = ManualClock::new();
    let plain = PlainStore::new().with_clock(Arc::new(clock.clone()));
    model::run(config, Arc::new(Twisted::new(plain, twist)), Some(clock)).await
}

#[tokio::test]
async fn a_sound_store_passes_on_a_stepped_clock() {
    let clock = ManualClock::new();
    let store = Arc::new(PlainStore::new().with_clock(Arc::new(clock.clone())));
    let summary = model::run(ModelConfig::default().with_operations(30_000), store, Some(clock)).await.unwrap();
    assert_eq!((summary.operations, summary.undecided < 100), (30_000, true), "{summary:?}");
    assert!(summary.alive > 5_000 && summary.expired > 500, "{summary:?}");
}

#[tokio::test]
async fn a_sound_store_passes_on_real_time() {
    let store = PlainStore::new().prefixed(Namespace::new("app").unwrap());
    let summary = model::run(ModelConfig::default(), Arc::new(store), None).await.unwrap();
    assert!(summary.alive > 2_000 && summary.expired > 100, "{summary:?}");
    // A busy machine leaves more undecided, but they must not become the rule.
    assert!(summary.undecided < summary.alive, "{summary:?}");
}

#[tokio::test]
async fn a_store_that_can_do_little_passes() {
    stepped(ModelConfig::default(), Twist::Minimal).await.unwrap();
    stepped(ModelConfig::default(), Twist::LocalReads).await.unwrap();
}

async fn check_caught(twist: Twist, named: &str) {
    // Always the same run: whether it is long enough for a twist must not be a matter of luck.
    let mismatch =
        stepped(ModelConfig::default().with_seed(1), twist).await.expect_err(&format!("{twist:?} was not noticed"));
    let text = mismatch.to_string();
    assert!(text.contains("HALLWAY_SEED=0x"), "{text}");
    assert!(text.contains(named), "{twist:?} is shown as\n{text}");
}

#[tokio::test]
async fn every_twist_is_caught() {
    for (twist, named) in [
        (Twist::AbsentSeesDead, "if absent"),
        (Twist::ClearTakesNamesakes, "clear"),
        (Twist::EmptyEqualsAnything, "delete_if"),
        (Twist::FailsAtTimes, "hiccup"),
        (Twist::ForgetsDuplicates, "get_many"),
        (Twist::IncrementRestatesTtl, "increment"),
        (Twist::ScanSkips, "scan"),
        (Twist::SetManyFirstWins, "set_many"),
        (Twist::TouchCutsValue, "touch"),
        (Twist::TouchSaysYes, "touch"),
        (Twist::TtlTooLong, "left to live"),
        (Twist::TtlTooShort, "left to live"),
    ] {
        check_caught(twist, named).await;
    }
}

#[tokio::test]
async fn lives_that_are_wrong_by_40_ms_are_caught_on_real_time() {
    for twist in [Twist::TtlTooLong, Twist::TtlTooShort, Twist::IncrementRestatesTtl] {
        let store = Twisted::new(PlainStore::new(), twist);
        let config = ModelConfig::default().with_operations(20_000);
        model::run(config, Arc::new(store), None).await.expect_err(&format!("{twist:?} was not noticed"));
    }
}

#[tokio::test]
async fn a_seed_fails_at_the_same_operation_and_the_run_is_made_short() {
    let config = ModelConfig::default().with_seed(7);
    let first = stepped(config.clone(), Twist::TouchCutsValue).await.unwrap_err().to_string();
    let again = stepped(config, Twist::TouchCutsValue).await.unwrap_err().to_string();
    assert_eq!(first.lines().next(), again.lines().next());
    // A value longer than a byte and a touch; the model looks at every key in the end.
    assert!(first.contains("a run of 2 operations"), "{first}");
}

#[tokio::test]
async fn a_lost_reply_is_a_difference() {
    let faults = Faults::new();
    faults.inject(Fault::lost_reply().with_probability(0.001));
    let store: Arc<dyn KvStore> = Arc::new(FaultStore::new(PlainStore::new(), faults));
    let text = model::run(ModelConfig::default(), store, None).await.unwrap_err().to_string();
    assert!(text.contains("the reply was lost"), "{text}");
}
