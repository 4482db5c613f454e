//! What is handed over when it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hallway_core::{Count, Counted, ErrorKind};
use hallway_tiered::metrics::Exporter;
use hallway_tiered::{Cache, OnSharedDown};

use super::CANARY;
use super::recorder::Recorded;
use crate::cache_double::world;
use crate::cache_support::{MS, SEC, Source, alone, cache, pass};

#[tokio::test(start_paused = true)]
async fn counts_and_health_are_handed_over_as_they_stand() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, clock) = world();
    let tiers = shared.process(1);
    let here = cache(&tiers, |told| told);
    let exporter = Exporter::new(&tiers).with_cache(&here);
    let source = Source::default();
    for _ in 0..4 {
        here.get_or_load(CANARY, source.number()).await.unwrap();
    }
    here.get_or_load("2", source.failing()).await.unwrap_err();
    here.invalidate(CANARY).await.unwrap();
    assert!(exporter.report());
    for (series, count) in [
        ("hallway_reads_total{tier=local}", 2),
        ("hallway_reads_total{tier=shared}", 1),
        ("hallway_reads_total{tier=authority}", 1),
        ("hallway_fills_total{outcome=written}", 1),
        ("hallway_fills_total{outcome=failed}", 0),
        ("hallway_refused_writes_total", 0),
        ("hallway_cache_reads_total{namespace=text,outcome=local}", 2),
        ("hallway_cache_reads_total{namespace=text,outcome=shared}", 1),
        ("hallway_cache_reads_total{namespace=text,outcome=missed}", 2),
        ("hallway_cache_loads_total{namespace=text}", 2),
        ("hallway_cache_failed_loads_total{namespace=text}", 1),
        ("hallway_cache_fills_total{namespace=text}", 1),
        ("hallway_cache_invalidations_total{namespace=text}", 1),
    ] {
        assert_eq!(recorded.counter(series), Some(count), "{series}");
    }
    let state = |name: &str| recorded.gauge(&format!("hallway_breaker_state{{state={name}}}"));
    assert_eq!(["closed", "half_open", "open"].map(state), [Some(1.0), Some(0.0), Some(0.0)]);
    for (series, value) in [
        ("hallway_tier_ready{tier=local}", Some(1.0)),
        ("hallway_tier_ready{tier=shared}", Some(1.0)),
        ("hallway_tier_ready{tier=consistent}", None),
        ("hallway_owed_invalidations", Some(0.0)),
        ("hallway_invalidation_lag_seconds", Some(0.0)),
        // The shared tier is the authority of the store, but not of the cache: a writer cut off from it does not write.
        // Its copies live for an hour, and a tenth more by jitter.
        ("hallway_bound_seconds{fault=single}", Some(5.0)),
        ("hallway_bound_seconds{fault=cut_off_writer}", Some(5.0)),
        ("hallway_cache_bound_seconds{fault=single,namespace=text}", Some(5.0)),
        ("hallway_cache_bound_seconds{fault=cut_off_writer,namespace=text}", Some(3_960.0)),
    ] {
        assert_eq!(recorded.gauge(series), value, "{series}");
    }

    shared.cut();
    here.invalidate(CANARY).await.unwrap();
    for _ in 0..5 {
        here.get_or_load("3", source.number()).await.unwrap();
        here.invalidate("3").await.unwrap();
    }
    pass(&clock, SEC * 7).await;
    exporter.report();
    assert_eq!(
        ["closed", "open"].map(state).map(|is| is == Some(1.0)),
        [false, tiers.health().breaker == hallway_tiered::BreakerState::Open]
    );
    assert_eq!(recorded.gauge("hallway_tier_ready{tier=shared}"), Some(0.0));
    assert_eq!(recorded.gauge("hallway_owed_invalidations"), Some(2.0));
    assert_eq!(recorded.gauge("hallway_invalidation_lag_seconds"), Some(7.0));
    assert!(recorded.gauge("hallway_link_proof_age_seconds") >= Some(7.0));

    // And with what is measured where it happens, everything that is described has been told.
    shared.mend();
    tokio::time::sleep(SEC * 2).await;
    exporter.report();
    let (told, described) = recorded.names();
    assert_eq!(told, described);
    assert!(!recorded.text().contains(CANARY), "{}", recorded.text());
}

#[tokio::test(start_paused = true)]
async fn a_stricter_cache_has_a_bound_of_its_own() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, _) = world();
    let tiers = shared.process(1);
    let strict = cache(&tiers, |told| told.strict().on_shared_down(OnSharedDown::Fail));
    Exporter::new(&tiers).with_cache(&strict).report();
    for fault in ["single", "cut_off_writer"] {
        let bound = recorded.gauge(&format!("hallway_cache_bound_seconds{{fault={fault},namespace=text}}"));
        assert_eq!(bound, Some(1.0), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn caches_of_one_namespace_are_told_of_together_and_counts_outlive_them() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (tiers, _) = alone();
    let source = Source::default();
    let (one, two) = (cache(&tiers, |told| told), cache(&tiers, |told| told));
    let exporter = Exporter::new(&tiers).with_cache(&one).with_cache(&two);
    one.get_or_load("1", source.number()).await.unwrap();
    two.get_or_load("2", source.number()).await.unwrap();
    let loads = || recorded.counter("hallway_cache_loads_total{namespace=text}");
    for _ in 0..2 {
        exporter.report();
        assert_eq!(loads(), Some(2));
    }
    drop(one);
    let exporter = exporter.with_cache(&cache(&tiers, |told| told));
    two.get_or_load("3", source.number()).await.unwrap();
    for _ in 0..3 {
        exporter.report();
        assert_eq!(loads(), Some(3));
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_namespaces_there_are_labels_are_few() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (tiers, _) = alone();
    let mut exporter = Exporter::new(&tiers);
    let mut caches: Vec<Cache<String>> = Vec::new();
    for at in 0..200 {
        let cache: Cache<String> = tiers.cache(&format!("user:{at}")).build().unwrap();
        cache.get_or_load("1", Source::default().number()).await.unwrap();
        exporter = exporter.with_cache(&cache);
        caches.push(cache);
    }
    exporter.report();
    let loads = |series: &String| series.starts_with("hallway_cache_loads_total");
    let series: BTreeSet<String> = recorded.series().into_iter().filter(loads).collect();
    assert_eq!(series.len(), 65);
    assert_eq!(recorded.counter("hallway_cache_loads_total{namespace=user:0}"), Some(1));
    assert_eq!(recorded.counter("hallway_cache_loads_total{namespace=other}"), Some(136));
}

/// Something else that counts.
#[derive(Clone, Default)]
struct Doors(Arc<AtomicU64>);

impl Counted for Doors {
    fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
        let opened = self.0.load(Ordering::SeqCst);
        each(Count::new("hallway_doors_total", "Doors.", opened));
        each(Count::new("hallway_keys_total", "Keys.", opened).within("session"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_else_counts_is_told_at_a_pace_until_nobody_wants_it() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (tiers, _) = alone();
    let doors = Doors::default();
    assert_eq!(Exporter::new(&tiers).every(std::time::Duration::ZERO).unwrap_err().kind(), ErrorKind::InvalidConfig);
    let reporting = Exporter::new(&tiers).with_counted(doors.clone()).every(SEC * 5).unwrap();
    let told = || (recorded.counter("hallway_doors_total"), recorded.counter("hallway_keys_total{namespace=session}"));
    for opened in 0..4 {
        doors.0.store(opened, Ordering::SeqCst);
        tokio::time::sleep(if opened == 0 { MS } else { SEC * 5 }).await;
        assert_eq!(told(), (Some(opened), Some(opened)));
    }
    assert!(recorded.names().1.contains("hallway_doors_total"));
    drop(reporting);
    doors.0.store(9, Ordering::SeqCst);
    tokio::time::sleep(SEC * 20).await;
    assert_eq!(told(), (Some(3), Some(3)));
}

/// A recorder keeps the larger of two counts of one series, so that the smaller would never be seen.
#[tokio::test(start_paused = true)]
async fn two_that_count_the_same_are_added_up() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (tiers, _) = alone();
    let (front, back) = (Doors::default(), Doors::default());
    let exporter = Exporter::new(&tiers).with_counted(front.clone()).with_counted(back.clone());
    let told = || (recorded.counter("hallway_doors_total"), recorded.counter("hallway_keys_total{namespace=session}"));
    for (opened, sum) in [((5, 0), 5), ((5, 3), 8), ((6, 40), 46)] {
        front.0.store(opened.0, Ordering::SeqCst);
        back.0.store(opened.1, Ordering::SeqCst);
        exporter.report();
        assert_eq!(told(), (Some(sum), Some(sum)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_exporter_keeps_neither_tiers_nor_caches_alive() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (tiers, _) = alone();
    let source = Source::default();
    let value = cache(&tiers, |told| told);
    let kept = value.get_or_load("1", source.number()).await.unwrap();
    let exporter = Exporter::new(&tiers).with_cache(&value);
    assert!(exporter.report());
    drop((tiers, value));
    assert!(!exporter.report());
    assert_eq!(Arc::strong_count(&kept), 1, "the copies are gone with the tiers");
}

#[test]
fn outside_of_a_runtime_nothing_reports_in_the_background() {
    let (tiers, _) = alone();
    let refused = Exporter::new(&tiers).every(SEC).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidConfig);
}
