//! A cache in one process: hits share the value, misses load it once, writes and invalidations end it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{ErrorKind, Ttl};
use hallway_moka::MokaStore;
use hallway_tiered::{Cache, Load, Mode, NamespaceOptions, NotWritten, ServedBy, TieredStore};

use crate::cache_support::{MS, SEC, Source, alone, pass, texts};

#[tokio::test(start_paused = true)]
async fn a_hit_shares_the_value_and_nothing_is_loaded_again() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    assert_eq!(cache.get("1").await.unwrap(), None);
    let first = cache.get_or_load("1", source.number()).await.unwrap();
    let again = cache.get_or_load("1", source.number()).await.unwrap();
    let got = cache.get("1").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &got));
    assert_eq!((first.as_str(), source.calls()), ("1", 1));
    let stats = cache.stats();
    assert_eq!((stats.local_hits, stats.loads, stats.misses), (2, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_value_says_who_answered_and_how_old_it_is() {
    let (cache, clock) = texts(|told| told.jitter(0.0));
    let source = Source::default();
    let loaded = cache.load("1", source.number()).await.unwrap();
    assert_eq!((loaded.tier, loaded.age, loaded.stale), (ServedBy::Loader, Duration::ZERO, false));
    pass(&clock, SEC * 7).await;
    let hit = cache.load("1", source.number()).await.unwrap();
    assert_eq!((hit.tier, hit.age, hit.stale), (ServedBy::Local, SEC * 7, false));
    assert_eq!(cache.lookup("1").await.unwrap().unwrap().age, SEC * 7);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_served_past_its_ttl() {
    let (cache, clock) = texts(|told| told.ttl(SEC * 10).jitter(0.0));
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 10 - MS).await;
    assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "1");
    pass(&clock, MS).await;
    assert_eq!(cache.get("1").await.unwrap(), None);
    assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_loader_says_what_becomes_of_its_value() {
    let (cache, clock) = texts(|told| told.ttl(SEC * 100).not_found_ttl(SEC * 5).jitter(0.0));
    let load = |load: Load<String>| move || async move { Ok::<_, io::Error>(load) };
    // Store, for as long as the cache says.
    cache.get_or_load("a", load(Load::store("A".into()))).await.unwrap();
    // Store for less.
    cache.get_or_load("b", load(Load::store("B".into()).with_ttl(SEC * 10))).await.unwrap();
    // Hand on and do not store.
    let passed = cache.get_or_load("c", load(Load::do_not_store("C".into()))).await.unwrap();
    assert_eq!(passed.as_deref().map(String::as_str), Some("C"));
    assert_eq!(cache.get("c").await.unwrap(), None);
    // Nothing there, which is remembered and is no error.
    assert_eq!(cache.get_or_load("d", load(Load::not_found())).await.unwrap(), None);
    assert_eq!(cache.lookup("d").await.unwrap().unwrap().value, None);
    assert_eq!(cache.get("d").await.unwrap(), None);
    // Fail.
    let failed = cache.get_or_load("e", || async { Err::<String, _>(io::Error::other("no disk")) }).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(std::error::Error::source(&failed).unwrap().to_string(), "no disk");
    assert!(cache.lookup("e").await.unwrap().is_none());

    pass(&clock, SEC * 5).await;
    assert!(cache.lookup("d").await.unwrap().is_none(), "the not-found TTL is its own");
    pass(&clock, SEC * 5).await;
    assert!(cache.get("b").await.unwrap().is_none());
    assert!(cache.get("a").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_not_found_ttl_of_zero_remembers_nothing() {
    let (cache, _) = texts(|told| told.not_found_ttl(Duration::ZERO));
    for _ in 0..2 {
        assert_eq!(cache.get_or_load("1", || async { Ok::<Option<String>, io::Error>(None) }).await.unwrap(), None);
    }
    assert_eq!(cache.stats().loads, 2);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_always_has_a_value_is_asked_although_another_found_nothing() {
    let (cache, _) = texts(|told| told);
    assert_eq!(cache.get_or_load("1", || async { Ok::<Option<String>, io::Error>(None) }).await.unwrap(), None);
    let source = Source::default();
    assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "1");
    assert_eq!(cache.get("1").await.unwrap().as_deref().map(String::as_str), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn after_an_invalidation_or_a_write_the_next_read_loads() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    cache.invalidate("1").await.unwrap();
    assert_eq!(cache.get("1").await.unwrap(), None);
    assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "2");
    let written = cache.write("1", || async { Ok::<_, io::Error>(17) }).await.unwrap();
    assert_eq!((written, cache.get("1").await.unwrap()), (17, None));
    for id in ["a", "b", "c"] {
        cache.get_or_load(id, source.number()).await.unwrap();
    }
    cache.invalidate_many(["a", "c"]).await.unwrap();
    let left: BTreeSet<_> = ["a", "b", "c"].into_iter().filter(|id| futures_get(&cache, id)).collect();
    assert_eq!(left, BTreeSet::from(["b"]));
}

fn futures_get(cache: &Cache<String>, id: &str) -> bool {
    use futures_util::FutureExt;
    cache.get(id).now_or_never().expect("nothing to wait for in this process").unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn clear_ends_every_value_of_the_namespace_and_no_other() {
    let (tiers, _) = alone();
    let (one, two): (Cache<String>, Cache<String>) =
        (tiers.cache("one").build().unwrap(), tiers.cache("two").build().unwrap());
    let source = Source::default();
    for id in ["a", "b"] {
        one.get_or_load(id, source.number()).await.unwrap();
        two.get_or_load(id, source.number()).await.unwrap();
    }
    one.clear().await.unwrap();
    for id in ["a", "b"] {
        assert_eq!(one.get(id).await.unwrap(), None);
        assert!(two.get(id).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_ends_all_values_that_carry_it() {
    let (cache, _) = texts(|told| told);
    let tagged = |value: &str, tags: &[&str]| {
        let load = Load::store(value.to_owned()).with_tags(tags.iter().copied());
        move || async move { Ok::<_, io::Error>(load) }
    };
    cache.get_or_load("a", tagged("A", &["red", "team:1 a,b"])).await.unwrap();
    cache.get_or_load("b", tagged("B", &["red"])).await.unwrap();
    cache.get_or_load("c", tagged("C", &["team:1 a,b"])).await.unwrap();
    cache.get_or_load("d", tagged("D", &[])).await.unwrap();
    cache.invalidate_tag("team:1 a,b").await.unwrap();
    let left: String = ["a", "b", "c", "d"].into_iter().filter(|id| futures_get(&cache, id)).collect();
    assert_eq!(left, "bd");
    let too_many: Vec<String> = (0..65).map(|tag| tag.to_string()).collect();
    let load = Load::store("E".to_owned()).with_tags(too_many);
    cache.get_or_load("e", move || async move { Ok::<_, io::Error>(load) }).await.unwrap();
    assert_eq!(cache.get("e").await.unwrap(), None, "a value that cannot be tagged is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_loads_whatever_is_there() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    assert_eq!(*cache.refresh("1", source.number()).await.unwrap(), "2");
    assert_eq!(cache.get("1").await.unwrap().as_deref().map(String::as_str), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_write_decides_how_soon_copies_come_back() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    let kept = async |cache: &Cache<String>, id: &str| {
        cache.get_or_load(id, source.number()).await.unwrap();
        cache.get(id).await.unwrap().is_some()
    };
    // Certainly not written.
    let error = cache.write("a", || async { Err::<(), _>(NotWritten::new("constraint")) }).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert!(kept(&cache, "a").await);
    // Any other error may hide a commit.
    let error = cache.write("b", || async { Err::<(), _>(io::Error::other("reset")) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(!kept(&cache, "b").await);
    tokio::time::sleep(SEC * 10 - MS * 5).await;
    assert!(!kept(&cache, "b").await);
    tokio::time::sleep(MS * 10).await;
    assert!(kept(&cache, "b").await, "once the write can no longer happen");
    // Ours say it by their kind.
    let refused = || async { Err::<(), _>(hallway_core::Error::invalid_input("no")) };
    assert_eq!(cache.write("c", refused).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(kept(&cache, "c").await);
    let panics = cache.write("d", || async { panic!("as planned") as Result<(), io::Error> }).await.unwrap_err();
    assert_eq!(panics.kind(), ErrorKind::Indeterminate);
    assert!(!kept(&cache, "d").await);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_outlasts_its_deadline_goes_on_and_keeps_copies_away() {
    let (cache, _) = texts(|told| told.write_deadline(SEC * 2));
    let source = Source::default();
    let error = cache
        .write("1", || async {
            tokio::time::sleep(SEC * 20).await;
            Ok::<_, io::Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    tokio::time::sleep(SEC * 17).await;
    cache.get_or_load("1", source.number()).await.unwrap();
    assert_eq!(cache.get("1").await.unwrap(), None);
    tokio::time::sleep(SEC * 2).await;
    cache.get_or_load("1", source.number()).await.unwrap();
    assert!(cache.get("1").await.unwrap().is_some());
}

#[test]
fn what_cannot_work_is_refused_with_the_name_of_the_setting() {
    let (tiers, _) = alone();
    let refused = |error: hallway_core::Error, word: &str| {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(word), "{error} does not say {word}");
    };
    let cache = || tiers.cache("a");
    refused(cache().ttl(Ttl::Forever).build::<String>().unwrap_err(), "`ttl`");
    refused(cache().ttl(Duration::ZERO).build::<String>().unwrap_err(), "`ttl`");
    refused(cache().ttl(SEC * 400_000_000).build::<String>().unwrap_err(), "`ttl`");
    refused(cache().local_ttl(Duration::ZERO).build::<String>().unwrap_err(), "`local_ttl`");
    refused(cache().jitter(0.6).build::<String>().unwrap_err(), "`jitter`");
    refused(cache().jitter(f64::NAN).build::<String>().unwrap_err(), "`jitter`");
    refused(cache().early_refresh(-1.0).build::<String>().unwrap_err(), "`early_refresh`");
    refused(cache().hard_timeout(Duration::ZERO).build::<String>().unwrap_err(), "`hard_timeout`");
    refused(cache().soft_timeout(Duration::ZERO).build::<String>().unwrap_err(), "`soft_timeout`");
    refused(cache().lease(Duration::ZERO).build::<String>().unwrap_err(), "`lease`");
    refused(cache().lease(SEC * 6).build::<String>().unwrap_err(), "`lease`");
    refused(cache().max_in_flight(0).build::<String>().unwrap_err(), "`max_in_flight`");
    refused(cache().max_loads(0).build::<String>().unwrap_err(), "`max_loads`");
    refused(cache().max_refreshes(0).build::<String>().unwrap_err(), "`max_refreshes`");
    refused(cache().write_deadline(Duration::ZERO).build::<String>().unwrap_err(), "`write_deadline`");
    refused(cache().mode(Mode::Consistent).build::<String>().unwrap_err(), "`mode`");
    refused(cache().mode(Mode::Shared).build::<String>().unwrap_err(), "single_instance");
    assert_eq!(tiers.cache("").build::<String>().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn one_instance_may_call_its_own_copies_shared_and_nobody_weakens_a_promise() {
    let local = || MokaStore::builder().build().unwrap();
    let tiers = TieredStore::builder()
        .local(local())
        .single_instance()
        .namespace("promised", NamespaceOptions::new().with_mode(Mode::Shared))
        .build()
        .unwrap();
    assert!(tiers.cache("a").mode(Mode::Shared).build::<String>().is_ok());
    let weaker = tiers.cache("promised").mode(Mode::Local).build::<String>().unwrap_err();
    assert_eq!(weaker.kind(), ErrorKind::InvalidConfig);
    assert!(tiers.cache("promised").build::<String>().is_ok());
    let far = TieredStore::builder().consistent(local()).build().unwrap();
    let nowhere = far.cache("a").build::<String>().unwrap_err();
    assert!(nowhere.to_string().contains("local or a shared tier"), "{nowhere}");
}
