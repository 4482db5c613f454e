//! A cache over a shared tier: who may fill what, markers, generations, damaged copies, and doing without.

use std::io;
use std::time::Duration;

use hallway_core::{Bytes, Codec, ErrorKind, Json, Result};
use hallway_tiered::{Cache, CacheBuilder, Load, OnSharedDown, ServedBy};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache_double::{Call, world};
use crate::cache_support::{MS, SEC, Source, cache, pass, sixteen};

#[tokio::test(start_paused = true)]
async fn a_load_fills_the_shared_tier_and_the_next_read_fills_this_process() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Loader);
    assert_eq!(here.try_get("1"), None, "nothing tells yet of changes to it");
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Shared);
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Local);
    assert_eq!(there.load("1", source.number()).await.unwrap().tier, ServedBy::Shared);
    assert_eq!(source.calls(), 1);
    there.invalidate("1").await.unwrap();
    assert_eq!(here.try_get("1"), None);
    assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn what_comes_once_pushes_nothing_out_of_a_full_process() {
    let (shared, clock) = world();
    let local = sixteen(&clock);
    let (here, there) =
        (cache(&shared.process_with(local.clone(), 1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    let ids: Vec<String> = (0..32).map(|id| id.to_string()).collect();
    for id in &ids {
        there.get_or_load(id, source.number()).await.unwrap();
    }
    // While there is room, once is enough.
    for id in &ids[..16] {
        assert_eq!(here.lookup(id).await.unwrap().unwrap().tier, ServedBy::Shared);
        assert_eq!(here.lookup(id).await.unwrap().unwrap().tier, ServedBy::Local);
    }
    local.run_pending_tasks();
    for id in &ids[16..] {
        for tier in [ServedBy::Shared, ServedBy::Shared, ServedBy::Local] {
            assert_eq!(here.lookup(id).await.unwrap().unwrap().tier, tier, "{id}");
        }
    }
    assert_eq!(source.calls(), 32);
}

#[tokio::test(start_paused = true)]
async fn what_is_likely_missing_is_not_looked_for_first() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let (source, other) = (Source::default(), Source::default());
    for id in 0..40 {
        here.get_or_load(&format!("new:{id}"), source.number()).await.unwrap();
    }
    let reads = shared.calls(Call::Read);
    for id in 40..60 {
        here.get_or_load(&format!("new:{id}"), source.number()).await.unwrap();
    }
    assert_eq!((shared.calls(Call::Read), source.calls()), (reads, 60), "the lease says whether something is there");
    // And where something is, it answers.
    for id in 0..20 {
        there.get_or_load(&format!("old:{id}"), other.number()).await.unwrap();
    }
    for id in 0..20 {
        let loaded = here.load(&format!("old:{id}"), source.number()).await.unwrap();
        assert_eq!((loaded.tier, loaded.value.as_str()), (ServedBy::Shared, (id + 1).to_string().as_str()));
    }
    assert_eq!((source.calls(), other.calls()), (60, 20));
    assert!(shared.calls(Call::Read) >= reads + 10, "after a few it is looked first again");
}

#[tokio::test(start_paused = true)]
async fn what_may_answer_past_its_ttl_is_always_looked_for_first() {
    let (shared, clock) = world();
    let told = |told: CacheBuilder| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 100);
    let (here, plain) = (cache(&shared.process(1), told), cache(&shared.process(2), |told| told.ttl(SEC * 10)));
    let source = Source::default();
    for id in 0..60 {
        here.get_or_load(&format!("new:{id}"), source.number()).await.unwrap();
        plain.get_or_load(&format!("other:{id}"), source.number()).await.unwrap();
    }
    assert!(shared.calls(Call::Read) >= 60);
    pass(&clock, SEC * 11).await;
    let stale = here.load("new:1", source.failing()).await.unwrap();
    assert!(stale.stale, "{:?}", stale.tier);
    // A cache that serves nothing stale takes no such value for one, and what is likely missing for it is loaded.
    let fresh = plain.load("new:2", source.number()).await.unwrap();
    assert_eq!((fresh.tier, fresh.stale), (ServedBy::Loader, false));
    assert_eq!(plain.load("new:2", source.number()).await.unwrap().tier, ServedBy::Shared);
}

#[tokio::test(start_paused = true)]
async fn a_person_can_read_what_stands_in_the_shared_tier() {
    let (shared, _) = world();
    let told = |told: CacheBuilder| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 5);
    let here = cache(&shared.process(1), told);
    let load = Load::store("A".to_owned()).with_tags(["x y"]);
    here.get_or_load("1", move || async move { Ok::<_, io::Error>(load) }).await.unwrap();
    let header = shared.header("copy:text:1").unwrap();
    assert!(header.starts_with("V1 json ttl=15000 soft=10000 cost="), "{header}");
    assert!(header.contains(" gen=") && header.contains(" tags=x%20y:"), "{header}");
    here.get_or_load("2", || async { Ok::<Option<String>, io::Error>(None) }).await.unwrap();
    assert!(shared.header("copy:text:2").unwrap().starts_with("V1 nothing ttl=30000 soft=30000 "));
}

#[tokio::test(start_paused = true)]
async fn while_somebody_writes_nobody_fills_and_everybody_is_answered() {
    let (shared, clock) = world();
    let (writer, reader) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    reader.get_or_load("1", source.number()).await.unwrap();
    reader.get("1").await.unwrap().unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        writer
            .write("1", || async move {
                receiver.await.unwrap();
                Ok::<_, io::Error>(())
            })
            .await
    });
    tokio::time::sleep(MS).await;
    assert_eq!(reader.try_get("1"), None, "the marker ends the copies");
    for _ in 0..3 {
        reader.get_or_load("1", source.number()).await.unwrap();
        assert_eq!((reader.get("1").await.unwrap(), shared.header("copy:text:1")), (None, None));
    }
    // Longer than a marker stands by itself.
    for _ in 0..25 {
        pass(&clock, SEC).await;
    }
    assert_eq!(reader.get("1").await.unwrap(), None);
    assert!(shared.calls(Call::Mark) >= 6, "renewed every 3 s");
    sender.send(()).unwrap();
    writing.await.unwrap().unwrap();
    reader.get_or_load("1", source.number()).await.unwrap();
    assert!(reader.get("1").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn after_a_write_of_unknown_outcome_nobody_fills_until_it_can_no_longer_happen() {
    let (shared, clock) = world();
    let told = |told: CacheBuilder| told.settle(SEC * 20);
    let (writer, reader) = (cache(&shared.process(1), told), cache(&shared.process(2), told));
    let source = Source::default();
    let lost = writer.write("1", || async { Err::<(), _>(io::Error::other("connection reset")) }).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Indeterminate);
    // Longer than a marker stands by itself.
    for _ in 0..19 {
        pass(&clock, SEC).await;
        reader.get_or_load("1", source.number()).await.unwrap();
        assert_eq!(shared.header("copy:text:1"), None);
    }
    pass(&clock, SEC * 2).await;
    reader.get_or_load("1", source.number()).await.unwrap();
    assert!(shared.header("copy:text:1").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_load_overtaken_by_an_invalidation_elsewhere_is_not_kept() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    let loading = tokio::spawn({
        let (here, loader) = (here.clone(), source.slow(MS * 100));
        async move { here.get_or_load("1", loader).await.unwrap() }
    });
    tokio::time::sleep(MS * 10).await;
    there.invalidate("1").await.unwrap();
    let late = here.get_or_load("1", source.slow(MS * 10)).await.unwrap();
    assert_eq!((late.as_str(), loading.await.unwrap().as_str()), ("2", "1"), "nor joined by who comes later");
    assert_eq!(*there.get("1").await.unwrap().unwrap(), "2");
}

/// With everything that means something in a key or in a header.
const RED: &str = "r e,d:%20{1}%2C=é";

#[tokio::test(start_paused = true)]
async fn tags_and_clear_reach_every_process_and_every_cache() {
    let (shared, _) = world();
    let (one, two) = (shared.process(1), shared.process(2));
    let here: Cache<String> = one.cache("a").build().unwrap();
    let other: Cache<u64> = one.cache("b").build().unwrap();
    let there: Cache<String> = two.cache("a").build().unwrap();
    let tagged =
        |tag: &'static str| move || async move { Ok::<_, io::Error>(Load::store("A".to_owned()).with_tags([tag])) };
    for id in ["1", "2"] {
        here.get_or_load(id, tagged(if id == "1" { RED } else { "blue" })).await.unwrap();
        here.get(id).await.unwrap().unwrap();
        there.get(id).await.unwrap().unwrap();
    }
    other.get_or_load("9", || async { Ok::<_, io::Error>(Load::store(9_u64).with_tags([RED])) }).await.unwrap();
    there.invalidate_tag(RED).await.unwrap();
    assert_eq!((here.try_get("1"), here.get("1").await.unwrap(), there.get("1").await.unwrap()), (None, None, None));
    assert_eq!(other.get("9").await.unwrap(), None);
    assert!(here.get("2").await.unwrap().is_some() && there.get("2").await.unwrap().is_some());
    there.clear().await.unwrap();
    assert_eq!((here.get("2").await.unwrap(), there.get("2").await.unwrap()), (None, None));
    // What is dead is replaced.
    let source = Source::default();
    assert_eq!(*here.get_or_load("2", source.number()).await.unwrap(), "1");
    assert_eq!(there.get("2").await.unwrap().as_deref().map(String::as_str), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn the_maker_of_a_generation_keeps_his_first_load() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    // Told of the generation as of a change, he does not know it when he asks for the lease.
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Loader);
    assert_eq!(here.stats().fills, 1, "{:?}", here.stats());
    assert_eq!(there.load("1", source.number()).await.unwrap().tier, ServedBy::Shared);
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_during_which_the_link_was_lost_is_kept_unless_the_namespace_was_cleared() {
    for cleared in [false, true] {
        let (shared, _) = world();
        let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
        let source = Source::default();
        let loading = tokio::spawn({
            let (cache, loader) = (here.clone(), source.slow(MS * 100));
            async move { cache.get_or_load("1", loader).await.unwrap() }
        });
        tokio::time::sleep(MS * 50).await;
        shared.cut();
        shared.mend();
        if cleared {
            there.clear().await.unwrap();
        }
        assert_eq!(*loading.await.unwrap(), "1");
        assert_eq!(here.stats().fills, u64::from(!cleared), "{:?}", here.stats());
        let found = if cleared { "2" } else { "1" };
        assert_eq!(*there.get_or_load("1", source.number()).await.unwrap(), found);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_generation_revives_nothing() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let load = || async { Ok::<_, io::Error>(Load::store("old".to_owned()).with_tags(["t"])) };
    here.get_or_load("1", load).await.unwrap();
    here.get_or_load("2", || async { Ok::<_, io::Error>("old".to_owned()) }).await.unwrap();
    shared.evict("generation:");
    for cache in [&here, &there] {
        assert_eq!((cache.get("1").await.unwrap(), cache.get("2").await.unwrap()), (None, None));
    }
}

/// A tag that this process did not know may have been replaced while its value was loaded.
#[tokio::test(start_paused = true)]
async fn a_tag_replaced_elsewhere_during_a_load_leaves_no_stale_copy() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let tagged = |value: &'static str| {
        move || async move {
            tokio::time::sleep(MS * 100).await;
            Ok::<_, io::Error>(Load::store(value.to_owned()).with_tags(["t"]))
        }
    };
    let early = tokio::spawn({
        let here = here.clone();
        async move { here.get_or_load("1", tagged("old")).await.unwrap() }
    });
    tokio::time::sleep(MS * 10).await;
    there.invalidate_tag("t").await.unwrap();
    let joined = tokio::spawn({
        let here = here.clone();
        async move { here.get_or_load("1", tagged("new")).await.unwrap() }
    });
    assert_eq!(early.await.unwrap().as_deref().map(String::as_str), Some("old"), "it was asked for before");
    assert_eq!(joined.await.unwrap().as_deref().map(String::as_str), Some("new"));
    assert_eq!(there.get("1").await.unwrap().as_deref().map(String::as_str), Some("new"));
}

/// Nor when another load here has come to know the tag in between.
#[tokio::test(start_paused = true)]
async fn a_tag_first_met_during_a_load_proves_nothing_about_its_beginning() {
    let (shared, _) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    let tagged = |value: &'static str, time: Duration| {
        move || async move {
            tokio::time::sleep(time).await;
            Ok::<_, io::Error>(Load::store(value.to_owned()).with_tags(["t"]))
        }
    };
    let early = tokio::spawn({
        let here = here.clone();
        async move { here.get_or_load("1", tagged("old", MS * 100)).await.unwrap() }
    });
    tokio::time::sleep(MS * 10).await;
    there.invalidate_tag("t").await.unwrap();
    here.get_or_load("2", tagged("other", MS)).await.unwrap();
    early.await.unwrap();
    assert_eq!((here.get("1").await.unwrap(), there.get("1").await.unwrap()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_no_value_is_counted_removed_and_replaced() {
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told);
    let source = Source::default();
    let good = {
        here.get_or_load("1", source.number()).await.unwrap();
        shared.header("copy:text:1").unwrap()
    };
    // A payload of another shape under a good header; garbage; another version; a cut line.
    let crc = |payload: &[u8]| format!("{:08x}", crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(payload));
    let (before, after) = good.split_once("crc=").unwrap();
    let shaped = format!("{before}crc={}{}\n{{\"name\":1}}", crc(b"{\"name\":1}"), &after[8..]);
    let damaged = format!("{good}\n\"2\"");
    let next = format!("V2{}\n\"1\"", &good[2..]);
    for (round, bytes) in [shaped.as_bytes(), damaged.as_bytes(), next.as_bytes(), b"V", b"V1 json"].iter().enumerate()
    {
        shared.write_raw("copy:text:1", bytes, SEC * 60);
        assert_eq!(here.get("1").await.unwrap(), None, "{round}");
        shared.write_raw("copy:text:1", bytes, SEC * 60);
        let loaded = here.load("1", source.number()).await.unwrap();
        assert_eq!((loaded.tier, loaded.value.as_str()), (ServedBy::Loader, (round + 2).to_string().as_str()));
        assert!(here.get("1").await.unwrap().is_some(), "{round}: replaced by a good one");
    }
    assert_eq!(here.stats().undecodable, 2);
}

/// JSON by another name.
struct Other;

impl Codec for Other {
    const NAME: &'static str = "other";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        Json::encode(value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        Json::decode(bytes)
    }
}

#[tokio::test(start_paused = true)]
async fn another_codec_is_another_value() {
    let (shared, _) = world();
    let tiers = shared.process(1);
    let json: Cache<String> = tiers.cache("text").wait_for_fills().build().unwrap();
    let source = Source::default();
    json.get_or_load("1", source.number()).await.unwrap();
    let other: Cache<String> = shared.process(2).cache("text").wait_for_fills().codec::<Other>().build().unwrap();
    assert_eq!(*other.get_or_load("1", source.number()).await.unwrap(), "2");
    assert!(shared.header("copy:text:1").unwrap().starts_with("V1 other "));
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_tier_the_loader_answers_and_this_process_keeps_it_for_a_moment() {
    let (shared, clock) = world();
    let here = cache(&shared.process(1), |told| told.degraded_ttl(SEC * 5));
    let source = Source::default();
    here.get_or_load("1", source.number()).await.unwrap();
    here.get("1").await.unwrap().unwrap();
    assert!(here.try_get("1").is_some());
    shared.cut();
    pass(&clock, SEC * 5).await;
    assert!(here.try_get("1").is_some(), "within the degraded TTL");
    pass(&clock, MS).await;
    assert_eq!(here.try_get("1"), None);
    assert_eq!(here.get("1").await.unwrap_err().kind(), ErrorKind::Unavailable, "a failure is no miss");
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Loader);
    assert_eq!(here.load("1", source.number()).await.unwrap().tier, ServedBy::Local);
    pass(&clock, SEC * 5).await;
    assert_eq!(here.load("1", source.number()).await.unwrap().value.as_str(), "3");
    shared.mend();
    assert_eq!(here.try_get("1"), None, "what was kept meanwhile ends with the outage");
    let found = here.load("1", source.number()).await.unwrap();
    assert_eq!((found.tier, found.value.as_str()), (ServedBy::Shared, "1"), "nobody has written meanwhile");
    assert!(here.stats().bypassed >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_strict_cache_keeps_nothing_and_refuses_writes_without_the_shared_tier() {
    let (shared, _) = world();
    let here = cache(&shared.process(1), CacheBuilder::strict);
    let source = Source::default();
    here.get_or_load("1", source.number()).await.unwrap();
    here.get("1").await.unwrap().unwrap();
    shared.cut();
    for call in 2..5 {
        assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), call.to_string());
    }
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let write = {
        let ran = std::sync::Arc::clone(&ran);
        || async move {
            ran.store(true, std::sync::atomic::Ordering::SeqCst);
            Ok::<_, io::Error>(())
        }
    };
    assert_eq!(here.write("1", write).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!ran.load(std::sync::atomic::Ordering::SeqCst), "refused before it began");
    for failed in [here.invalidate("1").await, here.clear().await, here.invalidate_tag("t").await] {
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(here.bound().single_fault, here.bound().cut_off_writer);
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_process_invalidates_is_owed_and_paid() {
    let (shared, clock) = world();
    let (tiers, other) = (shared.process(1), shared.process(2));
    let told = |told: CacheBuilder| told.on_shared_down(OnSharedDown::Proceed);
    let (here, there) = (cache(&tiers, told), cache(&other, told));
    let source = Source::default();
    for id in ["1", "2"] {
        here.get_or_load(id, source.number()).await.unwrap();
    }
    shared.cut();
    here.invalidate("1").await.unwrap();
    here.write("2", || async { Ok::<_, io::Error>(()) }).await.unwrap();
    assert_eq!(tiers.health().owed, 2);
    shared.mend();
    pass(&clock, SEC * 2).await;
    assert_eq!(tiers.health().owed, 0);
    assert_eq!((there.get("1").await.unwrap(), there.get("2").await.unwrap()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_process_never_reads_again_what_it_has_ended() {
    let (shared, clock) = world();
    let here = cache(&shared.process(1), |told| told);
    let load = |value: &'static str| {
        move || async move { Ok::<_, io::Error>(Load::store(value.to_owned()).with_tags([value])) }
    };
    shared.slow_down();
    for id in ["key", "tag", "clear"] {
        here.get_or_load(id, load(id)).await.unwrap();
        shared.cut();
        match id {
            "key" => here.invalidate(id).await.unwrap(),
            "tag" => here.invalidate_tag(id).await.unwrap(),
            _ => here.clear().await.unwrap(),
        }
        shared.mend();
        // Before anything had the time to be repaired in the background.
        assert_eq!(here.get(id).await.unwrap(), None, "{id}");
        pass(&clock, SEC * 2).await;
        // Its tag is not known since the reconnect, and may have been replaced during a load: the next one is kept.
        here.get_or_load(id, load(id)).await.unwrap();
        here.get_or_load(id, load(id)).await.unwrap();
        assert!(here.get(id).await.unwrap().is_some(), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_fails_fast_does_not_ask_its_loader() {
    let (shared, _) = world();
    let here = cache(&shared.process(1), CacheBuilder::fail_fast);
    let source = Source::default();
    shared.cut();
    assert_eq!(here.get_or_load("1", source.number()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let many =
        |ids: Vec<String>| async move { Ok::<Vec<(String, String)>, io::Error>(vec![(ids[0].clone(), String::new())]) };
    assert_eq!(here.get_or_load_many(["1"], many).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((source.calls(), here.stats().loads), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_no_tier_takes_is_still_answered() {
    let (shared, _) = world();
    let here: Cache<f64> = shared.process(1).cache("f").build().unwrap();
    // JSON has no infinity: what comes back would be no number.
    let endless = here.get_or_load("1", || async { Ok::<_, io::Error>(f64::INFINITY) }).await.unwrap();
    assert_eq!(*endless, f64::INFINITY);
    let began = tokio::time::Instant::now();
    let again = here.get_or_load("1", || async { Ok::<_, io::Error>(1.5) }).await.unwrap();
    assert_eq!((*again, began.elapsed()), (1.5, Duration::ZERO), "and nobody waits for a lease that was not used");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_this_process_alone_never_asks_the_shared_tier() {
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told.mode(hallway_tiered::Mode::Local));
    let source = Source::default();
    shared.cut();
    here.get_or_load("1", source.number()).await.unwrap();
    shared.mend();
    assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), "1", "nor does a reconnect end its copies");
    here.clear().await.unwrap();
    assert_eq!(here.get("1").await.unwrap(), None);
    assert_eq!([Call::Read, Call::Lease, Call::Fill, Call::Mark].map(|call| shared.calls(call)), [0; 4]);
}
