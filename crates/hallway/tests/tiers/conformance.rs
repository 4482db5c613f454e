//! Every clause of the contract in every valid pair of mode and tier set, and the stated error on the rest.

use std::time::Duration;

use hallway::{ErrorKind, Mode, NamespaceOptions, TierSet};
use hallway_testkit::Fixture;

use crate::stage::{Place, Truth};

const L: TierSet = TierSet::new(true, false, false);
const S: TierSet = TierSet::new(false, true, false);
const C: TierSet = TierSet::new(false, false, true);
const LS: TierSet = TierSet::new(true, true, false);
const LC: TierSet = TierSet::new(true, false, true);
const SC: TierSet = TierSet::new(false, true, true);
const LSC: TierSet = TierSet::new(true, true, true);

/// How old an answer may be where only the local TTL bounds it.
const LOCAL_TTL: Duration = Duration::from_millis(200);

/// What one pair may answer late: from 0 for those that hold no local copies.
fn staleness(tiers: TierSet, mode: Mode) -> Duration {
    match (mode, tiers.local, tiers.shared) {
        (Mode::Shared, true, true) => Duration::from_secs(1),
        (Mode::Shared, true, false) => LOCAL_TTL,
        _ => Duration::ZERO,
    }
}

async fn fixture(tiers: TierSet, mode: Mode, truth: Truth) -> Fixture {
    let place = Place::new(tiers, truth).await;
    let single = tiers == L && mode == Mode::Shared;
    let mut options = NamespaceOptions::new().with_mode(mode);
    if tiers == LC {
        options = options.with_local_ttl(LOCAL_TTL);
    }
    let store = place.open(options.clone(), single).await;
    let nowhere = place.nowhere();
    let fixture = Fixture::new(store).with_staleness(staleness(tiers, mode));
    // What lives in this process alone cannot be opened again and does not fail.
    if mode == Mode::Local || tiers == L {
        return fixture.keep(place);
    }
    let (again, failing) = (options.clone(), options);
    let reopened = place.clone();
    fixture
        .with_reopen(move || {
            let (place, options) = (reopened.clone(), again.clone());
            async move { place.open(options, false).await }
        })
        .with_failed(move || {
            let (place, options) = (nowhere.clone(), failing.clone());
            async move { place.open(options, false).await }
        })
        .keep(place)
}

macro_rules! pair {
    ($name:ident: $tiers:ident, $mode:ident, $truth:ident, lacks = [$($lack:ident),*]) => {
        mod $name {
            use super::*;

            async fn pair() -> Fixture {
                fixture($tiers, Mode::$mode, Truth::$truth).await
            }

            hallway_testkit::conformance! { fixture = pair, lacks = [$($lack),*] }
        }
    };
}

pair! { local_in_local: L, Local, Sqlite, lacks = [Durable, Shared] }
pair! { local_in_shared_single_instance: L, Shared, Sqlite, lacks = [Durable, Shared] }
pair! { shared_in_shared: S, Shared, Sqlite, lacks = [Durable, LocalRead, OrderedScan] }
pair! { consistent_in_shared: C, Shared, Sqlite, lacks = [LocalRead] }
pair! { consistent_in_consistent: C, Consistent, Sqlite, lacks = [LocalRead] }
pair! { local_shared_in_local: LS, Local, Sqlite, lacks = [Durable, Shared] }
pair! { local_shared_in_shared: LS, Shared, Sqlite, lacks = [Durable, OrderedScan] }
pair! { local_consistent_in_local: LC, Local, Sqlite, lacks = [Durable, Shared] }
pair! { local_consistent_in_shared: LC, Shared, Sqlite, lacks = [] }
pair! { local_consistent_in_consistent: LC, Consistent, Sqlite, lacks = [LocalRead] }
pair! { shared_consistent_in_shared: SC, Shared, Sqlite, lacks = [LocalRead] }
pair! { shared_consistent_in_consistent: SC, Consistent, Sqlite, lacks = [LocalRead] }
pair! { all_in_local: LSC, Local, Sqlite, lacks = [Durable, Shared] }
pair! { all_in_shared: LSC, Shared, Sqlite, lacks = [] }
pair! { all_in_consistent: LSC, Consistent, Sqlite, lacks = [LocalRead] }

pair! { shared_postgres_in_shared: SC, Shared, Postgres, lacks = [LocalRead] }
pair! { all_with_postgres_in_shared: LSC, Shared, Postgres, lacks = [] }

#[tokio::test]
async fn every_other_pair_is_refused_at_build_naming_what_is_missing() {
    let mut refused = Vec::new();
    for tiers in TierSet::ALL {
        for mode in [Mode::Local, Mode::Shared, Mode::Consistent] {
            let place = Place::new(tiers, Truth::Sqlite).await;
            let built = place.builder().await.defaults(NamespaceOptions::new().with_mode(mode)).build();
            if let Err(error) = built {
                assert_eq!(error.kind(), ErrorKind::InvalidConfig);
                assert!(error.to_string().contains(mode.as_str()), "{error}");
                refused.push((tiers, mode));
            }
        }
    }
    let expected = [
        (L, Mode::Shared),
        (L, Mode::Consistent),
        (S, Mode::Local),
        (S, Mode::Consistent),
        (C, Mode::Local),
        (LS, Mode::Consistent),
        (SC, Mode::Local),
    ];
    assert_eq!(refused, expected);
}
