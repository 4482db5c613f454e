//! Listing and clearing what lies below a prefix.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallway_core::{Capability, Cursor, ErrorKind, Key, KvStore, MAX_PAGE, Namespace, Prefix, Result, SetOptions, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

async fn cannot(fixture: &Fixture) -> Result<bool> {
    if fixture.can(Capability::Scan) {
        return Ok(false);
    }
    let store = fixture.store();
    put(store, &key("listed"), "v").await?;
    unsupported(store.scan(&prefix("app"), None, 10).await)?;
    unsupported(store.clear(&prefix("app")).await)?;
    reads(store, &key("listed"), Some("v")).await?;
    Ok(true)
}

async fn put_all(store: &dyn KvStore, keys: &[Key]) -> Result<()> {
    let items: Vec<_> = keys.iter().map(|key| (key.clone(), text("v"), Ttl::After(HOUR))).collect();
    store.set_many(&items).await
}

fn numbered(namespace: &str, count: usize) -> Vec<Key> {
    (0..count).map(|number| key_in(namespace, &format!("n-{number:04}"))).collect()
}

fn physical(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(Key::as_str).collect()
}

fn root_key(id: &str) -> Key {
    Namespace::root().key(id).expect("clauses use legal ids")
}

pub(super) async fn c66_pages_of_one_find_every_key(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, keys) = (fixture.store(), numbered("pages", 40));
    put_all(store, &keys).await?;
    let found: BTreeSet<_> = scan_all(store, &prefix("pages"), 1).await?.into_iter().collect();
    assert!(found.iter().eq(&keys), "{} of {} keys", found.len(), keys.len());
    assert_eq!(scan_all(store, &prefix("nothing"), 1).await?, []);
    Ok(())
}

pub(super) async fn c67_a_limit_is_an_upper_bound(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, keys) = (fixture.store(), numbered("bound", 150));
    put_all(store, &keys).await?;
    for limit in [3, 10, 149, 150, 151, MAX_PAGE, MAX_PAGE + 1, usize::MAX] {
        // `scan_all` checks the bound on every page.
        let found: BTreeSet<_> = scan_all(store, &prefix("bound"), limit).await?.into_iter().collect();
        assert!(found.iter().eq(&keys), "{} of {} keys with limit {limit}", found.len(), keys.len());
    }
    Ok(())
}

pub(super) async fn c68_a_limit_of_zero_is_invalid(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    refused(store.scan(&prefix("app"), None, 0).await, ErrorKind::InvalidInput);
    put(store, &key("k"), "v").await?;
    refused(store.scan(&Prefix::root(), None, 0).await, ErrorKind::InvalidInput);
    Ok(())
}

pub(super) async fn c69_a_prefix_ends_at_a_segment_boundary(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    let below = [key_in("app", "1"), key_in("app:deep", "2"), key_in("app:deep:er", "3")];
    let beside = [
        key_in("app2", "1"),
        key_in("ap", "1"),
        key_in("App", "1"),
        key_in("app;", "1"),
        key_in("app ", "1"),
        key_in("x:app", "1"),
        root_key("app"),
        root_key("app2"),
        root_key("app:1"),
    ];
    put_all(store, &below).await?;
    put_all(store, &beside).await?;
    assert_eq!(physical(&listed(store, &prefix("app")).await?), physical(&below));
    assert_eq!(physical(&listed(store, &prefix("app:deep")).await?), physical(&below[1..]));
    assert_eq!(store.clear(&prefix("app")).await?, below.len() as u64);
    for key in &beside {
        reads(store, key, Some("v")).await?;
    }
    Ok(())
}

pub(super) async fn c70_a_prefix_is_never_a_pattern(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    let namespaces =
        ["a*", "a?", "a_", "a%", "[ab]*", "a\\", "a'b", "ab", "abc", "a", "a\\*", "*", "a^", "a-z", "[a-z]"];
    let keys: Vec<_> = namespaces.iter().map(|namespace| key_in(namespace, "id")).collect();
    put_all(store, &keys).await?;
    for (namespace, key) in namespaces.iter().zip(&keys) {
        assert_eq!(physical(&listed(store, &prefix(namespace)).await?), [key.as_str()]);
    }
    for (cleared, namespace) in namespaces.iter().enumerate() {
        assert_eq!(store.clear(&prefix(namespace)).await?, 1, "clearing {namespace:?}");
        assert_eq!(listed(store, &Prefix::root()).await?.len(), namespaces.len() - cleared - 1);
    }
    Ok(())
}

pub(super) async fn c71_the_root_prefix_lists_everything(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    assert_eq!(scan_all(store, &Prefix::root(), 10).await?, [], "a fresh keyspace is empty");
    let mut keys =
        vec![root_key("alone"), root_key("zzz"), key_in("app", "1"), key_in("app:deep", "2"), key_in("b", "3")];
    put_all(store, &keys).await?;
    keys.sort();
    assert_eq!(physical(&listed(store, &Prefix::root()).await?), physical(&keys));
    let page: Vec<_> = scan_all(store, &Prefix::root(), 2).await?;
    assert!(keys.iter().all(|key| page.contains(key)), "in pages of two as well");
    Ok(())
}

pub(super) async fn c72_a_scan_finds_what_is_there_throughout(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, keys) = (fixture.store(), numbered("stable", 100));
    put_all(store, &keys).await?;
    let done = Arc::new(AtomicBool::new(false));
    let churn = tokio::spawn({
        let (store, done) = (store.clone(), done.clone());
        async move {
            // Before, between and after the stable keys, so that pages shift under the scan.
            while !done.load(Ordering::Relaxed) {
                for number in [3, 50, 97] {
                    for letter in ["a", "n-0001x", "n-0050x", "z"] {
                        let key = key_in("stable", &format!("{letter}-{number}"));
                        store.set(&key, text("v"), SetOptions::new(HOUR)).await?;
                        store.delete(&key).await?;
                    }
                }
                tokio::task::yield_now().await;
            }
            Result::Ok(())
        }
    });
    for _ in 0..5 {
        let found: BTreeSet<_> = scan_all(store, &prefix("stable"), 7).await?.into_iter().collect();
        let missed = keys.iter().filter(|key| !found.contains(*key)).count();
        assert_eq!(missed, 0, "keys that were there all the time were missed");
    }
    done.store(true, Ordering::Relaxed);
    churn.await.expect("the other writer does not panic")
}

pub(super) async fn c73_an_ordered_scan_is_in_the_order_of_bytes(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    let ids =
        ["a", "B", "b", "A", "-", "_", "10", "9", " ", "~", "é", "z", "ä", "日", "\u{ffff}", "🦀", "a-b", "a b", "ab"];
    let mut keys: Vec<_> = ids.iter().map(|id| key_in("order", id)).collect();
    keys.push(key_in("order:deeper", "x"));
    put_all(store, &keys).await?;
    keys.sort();
    for limit in [1, 4, 100] {
        let mut found = scan_all(store, &prefix("order"), limit).await?;
        if !fixture.can(Capability::OrderedScan) {
            // In any order and perhaps twice, but all of them.
            found.sort();
            found.dedup();
        }
        assert_eq!(physical(&found), physical(&keys), "in pages of {limit}");
    }
    Ok(())
}

pub(super) async fn c74_a_made_up_cursor_never_leaves_the_prefix(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    put_all(store, &numbered("mine", 5)).await?;
    put_all(store, &[key_in("a", "other"), key_in("mine2", "other"), key_in("z", "other"), root_key("mine")]).await?;
    let made_up = [
        "",
        "0",
        "-1",
        "1",
        "a",
        "a:",
        "mine",
        "mine:",
        "mine;",
        "mine2:other",
        "z",
        "zzz",
        "\0",
        "'; --",
        "%",
        "*",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "\u{10ffff}",
        "{}",
        "null",
    ];
    let long = "x".repeat(100_000);
    for position in made_up.into_iter().chain([long.as_str()]) {
        let mut after = Some(Cursor::new(position));
        // A cursor that a caller forged may miss keys, but shows no others, and asks for no more than it should.
        for _ in 0..20 {
            match store.scan(&prefix("mine"), after, 3).await {
                Ok(page) => {
                    assert!(page.keys.len() <= 3);
                    assert!(page.keys.iter().all(|key| prefix("mine").matches(key.as_str())), "after {position:?}");
                    after = page.next;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidInput, "after {position:?}: {error}");
                    break;
                }
            }
            if after.is_none() {
                break;
            }
        }
    }
    assert_eq!(listed(store, &prefix("mine")).await?.len(), 5, "honest scans still work");
    Ok(())
}

pub(super) async fn c75_clear_deletes_its_prefix_only_and_counts(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = patient(fixture);
    // More than one page of any backend.
    let (below, deeper) = (numbered("full", 1_500), numbered("full:deep", 30));
    let beside = [key_in("full2", "1"), key_in("ful", "1"), root_key("full")];
    for keys in [&below[..], &deeper, &beside] {
        put_all(&*store, keys).await?;
    }
    assert_eq!(store.clear(&prefix("full:deep")).await?, 30);
    assert_eq!(store.clear(&prefix("full")).await?, 1_500);
    assert_eq!(store.clear(&prefix("full")).await?, 0, "nothing is left to clear");
    assert!(store.get_many(&below).await?.iter().all(Option::is_none));
    for key in &beside {
        reads(&*store, key, Some("v")).await?;
    }
    Ok(())
}

pub(super) async fn c76_clear_refuses_the_root(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    put(store, &key("stays"), "v").await?;
    put(store, &root_key("stays"), "v").await?;
    refused(store.clear(&Prefix::root()).await, ErrorKind::InvalidInput);
    reads(store, &key("stays"), Some("v")).await?;
    reads(store, &root_key("stays"), Some("v")).await
}
