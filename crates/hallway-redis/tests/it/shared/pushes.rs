//! Invalidations: what is told, in which order, and when.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Bytes, CopyState, Key, KvStore, LinkState, SetOptions, Token};

use super::{Linked, Notes, PATIENCE, Told, copies, copy_of, server, told};
use crate::{MINUTE, key, open};

#[tokio::test]
async fn a_new_connection_says_that_everything_changed_before_it_is_used() {
    let linked = Linked::shared().await;
    assert_eq!(linked.notes.take(), [Told::Everything, Told::Link(LinkState::Tracked)]);
    assert!(linked.link.freshness().proven() > 0);
}

#[tokio::test]
async fn whoever_read_a_key_hears_of_its_changes_and_only_he() {
    let server = server();
    let (reader, other) = (Linked::up(&server).await, Linked::up(&server).await);
    let store = open(&server.url()).await;
    let ns = copies();
    let (read, unread) = (key(&ns, "read"), key(&ns, "unread"));
    // A miss is tracked too.
    reader.link.read(std::slice::from_ref(&read), PATIENCE).await.unwrap();
    for key in [&read, &unread] {
        let _ = store.set(key, Bytes::from("V"), SetOptions::new(MINUTE)).await.unwrap();
    }
    told(&reader.notes, Told::Changed(read.as_str().to_owned())).await;
    reader.link.ping(PATIENCE).await.unwrap();
    assert!(!reader.notes.changed(&unread));
    other.link.ping(PATIENCE).await.unwrap();
    assert!(!other.notes.changed(&read));
}

#[tokio::test]
async fn what_a_script_or_a_batch_read_is_tracked_as_well() {
    let server = server();
    let linked = Linked::up(&server).await;
    let ns = copies();
    let heard = async |key: &hallway_core::Key| {
        linked.notes.take();
        server.cli(&["SET", key.as_str(), "x"]);
        told(&linked.notes, Told::Changed(key.as_str().to_owned())).await;
    };
    let (a, b, c) = (key(&ns, "a"), key(&ns, "b"), key(&ns, "c"));
    linked.link.mark(std::slice::from_ref(&a), Token(1), MINUTE, PATIENCE).await.unwrap();
    linked.link.lease(&[(a.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
    heard(&a).await;
    linked.link.read(&[a.clone(), b.clone()], PATIENCE).await.unwrap();
    heard(&b).await;
    linked.link.read_entries(std::slice::from_ref(&b), PATIENCE).await.unwrap();
    heard(&b).await;
    linked.link.generations(&[(c.clone(), 1)], PATIENCE).await.unwrap();
    linked.link.generations(&[(c.clone(), 1)], PATIENCE).await.unwrap();
    heard(&c).await;
}

/// Nor does it take the word away from those who keep what they read on the same connection at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_once_is_not_tracked_and_what_is_read_beside_it_is() {
    let server = server();
    let linked = Linked::up(&server).await;
    let store = open(&server.url()).await;
    let ns = copies();
    let write = async |keys: &[Key], value: &'static str| {
        let items: Vec<_> = keys.iter().map(|key| (key.clone(), Bytes::from(value), MINUTE.into())).collect();
        store.set_many(&items).await.unwrap();
    };
    let names = |word: &str, many: usize| -> Vec<Key> { (0..many).map(|n| key(&ns, &format!("{word}-{n}"))).collect() };
    for round in 0..5 {
        let (once, kept) = (names(&format!("once-{round}"), 200), names(&format!("kept-{round}"), 200));
        write(&once, "V").await;
        write(&kept, "V").await;
        let reads = once.iter().zip(&kept).map(|(once, kept)| {
            let link = Arc::clone(&linked.link);
            let (once, kept) = (once.clone(), kept.clone());
            async move {
                let first = tokio::spawn({
                    let link = Arc::clone(&link);
                    async move { link.read_once(&[once], PATIENCE).await.unwrap() }
                });
                let kept = link.read(&[kept], PATIENCE).await.unwrap();
                assert!(matches!(kept[..], [CopyState::Value(_)]));
                assert_eq!(first.await.unwrap(), [Some(Bytes::from("V"))]);
            }
        });
        futures_util::future::join_all(reads).await;
        // Many at once, and none of them alone.
        assert_eq!(linked.link.read_once(&once, PATIENCE).await.unwrap(), vec![Some(Bytes::from("V")); 200]);
        linked.notes.take();
        write(&once, "W").await;
        write(&kept, "W").await;
        for key in &kept {
            told(&linked.notes, Told::Changed(key.as_str().to_owned())).await;
        }
        // What the server told before this reply has been heard.
        linked.link.ping(PATIENCE).await.unwrap();
        let heard = once.iter().filter(|key| linked.notes.changed(key)).count();
        assert_eq!(heard, 0, "in round {round}");
    }
}

#[tokio::test]
async fn a_fill_is_told_to_others_and_not_to_who_fills() {
    let server = server();
    let (filler, other) = (Linked::up(&server).await, Linked::up(&server).await);
    let ns = copies();
    let keys: Vec<Key> = (0..6).map(|n| key(&ns, &n.to_string())).collect();
    let fill = |key: &Key| (key.clone(), Token(1), copy_of(1, "x"), MINUTE.into());
    // One by itself, and two together; with the life of the lease taken off, and without.
    for (keys, lease) in [(&keys[..1], false), (&keys[1..3], false), (&keys[3..4], true), (&keys[4..], true)] {
        let lease = if lease { MINUTE } else { Duration::ZERO };
        let leases: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1), None)).collect();
        filler.link.lease(&leases, MINUTE, PATIENCE).await.unwrap();
        other.link.read(keys, PATIENCE).await.unwrap();
        filler.notes.take();
        let fills: Vec<_> = keys.iter().map(fill).collect();
        assert_eq!(filler.link.fill(&fills, lease, PATIENCE).await.unwrap(), vec![true; keys.len()]);
        for key in keys {
            told(&other.notes, Told::Changed(key.as_str().to_owned())).await;
        }
        filler.link.ping(PATIENCE).await.unwrap();
        assert!(!keys.iter().any(|key| filler.notes.changed(key)));
    }
}

#[tokio::test]
async fn our_own_writes_are_told_too() {
    let linked = Linked::shared().await;
    let key = key(&copies(), "k");
    let one = std::slice::from_ref(&key);
    linked.link.lease(&[(key.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
    linked
        .link
        .fill(&[(key.clone(), Token(1), copy_of(1, "x"), MINUTE.into())], Duration::ZERO, PATIENCE)
        .await
        .unwrap();
    assert!(matches!(linked.link.read(one, PATIENCE).await.unwrap()[..], [CopyState::Value(_)]));
    linked.notes.take();
    linked.link.unmark(one, Token(2), PATIENCE).await.unwrap();
    told(&linked.notes, Told::Changed(key.as_str().to_owned())).await;
}

/// The order that everything rests on: a reply that the server gave after a change is seen after the change was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_before_any_later_reply_is_seen() {
    let server = server();
    let linked = Linked::up(&server).await;
    let store = open(&server.url()).await;
    let ns = copies();
    let seen = |notes: &Notes, key: &hallway_core::Key| notes.changed(key);
    for round in 0..300 {
        let (copy, fence) = (key(&ns, &format!("{round}")), key(&ns, &format!("fence-{round}")));
        linked.link.read(std::slice::from_ref(&copy), PATIENCE).await.unwrap();
        // The fence is written after the copy, so whoever sees it has heard of the copy.
        let writes = async {
            let _ = store.set(&copy, Bytes::from("V"), SetOptions::new(MINUTE)).await.unwrap();
            let _ = store.set(&fence, Bytes::from("V"), SetOptions::new(MINUTE)).await.unwrap();
        };
        let reads = async {
            let mut tries = 0;
            while linked.link.read(std::slice::from_ref(&fence), PATIENCE).await.unwrap()[0] == CopyState::Absent {
                tries += 1;
                assert!(tries < 100_000);
            }
            assert!(seen(&linked.notes, &copy), "{round}");
        };
        futures_util::future::join(writes, reads).await;
        linked.notes.take();
    }
}

#[tokio::test]
async fn an_emptied_database_changes_everything() {
    let server = server();
    let linked = Linked::up(&server).await;
    linked.notes.take();
    for flush in ["FLUSHALL", "FLUSHDB"] {
        server.cli(&[flush]);
        told(&linked.notes, Told::Everything).await;
        assert_eq!(linked.notes.take(), [Told::Everything], "{flush}");
    }
}
