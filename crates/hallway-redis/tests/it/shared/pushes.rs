//! Invalidations: what is told, in which order, and when.

use std::time::Duration;

use hallway_core::{Bytes, CopyState, KvStore, LinkState, SetOptions, Token};

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
