//! Reads: what stands there, and for how long.

use std::time::Duration;

use hallway_core::{Bytes, CopyState, ErrorKind, KvStore, LeaseOutcome, SetOptions, Token, Ttl};
use hallway_testkit::servers::RedisServer;

use super::{Linked, PATIENCE, copies, copy_of, lives, server};
use crate::{MINUTE, key, open};

#[tokio::test]
async fn a_key_is_absent_busy_or_a_value() {
    let linked = Linked::shared().await;
    let (link, server, ns) = (&linked.link, RedisServer::shared(), copies());
    let keys: Vec<_> = ["none", "copy", "forever", "lease", "markers", "foreign", "list", "lookalike"]
        .iter()
        .map(|id| key(&ns, id))
        .collect();
    let copy = copy_of(1, "payload");
    let lease = [(keys[1].clone(), Token(1), None), (keys[3].clone(), Token(3), None)];
    link.lease(&lease, MINUTE, PATIENCE).await.unwrap();
    assert_eq!(
        link.fill(&[(keys[1].clone(), Token(1), copy.clone(), MINUTE.into())], Duration::ZERO, PATIENCE).await.unwrap(),
        [true]
    );
    server.cli(&["SET", keys[2].as_str(), "V1 forever"]);
    link.mark(&keys[4..5], Token(4), Duration::from_secs(10), PATIENCE).await.unwrap();
    server.cli(&["SET", keys[5].as_str(), "somebody else's"]);
    server.cli(&["RPUSH", keys[6].as_str(), "x"]);
    // Like a lease, but without an end: nobody may wait for it.
    server.cli(&["SET", keys[7].as_str(), "L00000000000000ff"]);

    let check = |at: usize, state: &CopyState| match (at, state) {
        (1, CopyState::Value(entry)) => assert!(entry.value == copy && lives(entry, MINUTE), "{entry:?}"),
        (2, CopyState::Value(entry)) => assert!(entry.remaining == Ttl::Forever),
        (3, CopyState::Busy(life)) => assert!(*life <= MINUTE && *life > Duration::from_secs(50)),
        (4, CopyState::Busy(life)) => assert!(*life <= Duration::from_secs(10) && *life > Duration::from_secs(5)),
        (0 | 5..=7, CopyState::Absent) => {}
        (at, state) => panic!("{at}: {state:?}"),
    };
    for (at, state) in link.read(&keys, PATIENCE).await.unwrap().iter().enumerate() {
        check(at, state);
    }
    for (at, key) in keys.iter().enumerate() {
        let states = link.read(std::slice::from_ref(key), PATIENCE).await.unwrap();
        assert_eq!(states.len(), 1);
        check(at, &states[0]);
    }
    assert!(link.read(&[], PATIENCE).await.unwrap().is_empty());

    // Who keeps nothing gets what stands there, as it is.
    let found = link.read_once(&keys, PATIENCE).await.unwrap();
    assert_eq!((&found[1], &found[2]), (&Some(copy), &Some(Bytes::from("V1 forever"))));
    assert!(found[3].as_ref().unwrap().starts_with(b"L") && found[4].as_ref().unwrap().starts_with(b"M"));
    assert_eq!((&found[0], &found[6]), (&None, &None));
    assert!(found[5].is_some() && found[7].is_some());
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(link.read_once(std::slice::from_ref(key), PATIENCE).await.unwrap(), found[at..=at]);
    }
    assert!(link.read_once(&[], PATIENCE).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_keys_keep_their_order_and_duplicates() {
    let linked = Linked::shared().await;
    let ns = copies();
    let keys: Vec<_> = (0..1_500).map(|at| key(&ns, &(at % 1_200).to_string())).collect();
    let leases: Vec<_> = keys[..1_200].iter().zip(1..).map(|(key, at)| (key.clone(), Token(at), None)).collect();
    let granted = linked.link.lease(&leases, MINUTE, PATIENCE).await.unwrap();
    assert!(granted.len() == 1_200 && granted.iter().all(|outcome| *outcome == LeaseOutcome::Granted));
    let fills: Vec<_> = keys[..1_200]
        .iter()
        .zip(1..)
        .map(|(key, at)| (key.clone(), Token(at), Bytes::from(format!("V{at}")), MINUTE.into()))
        .collect();
    assert!(linked.link.fill(&fills, Duration::ZERO, PATIENCE).await.unwrap().iter().all(|filled| *filled));
    let states = linked.link.read(&keys, PATIENCE).await.unwrap();
    assert_eq!(states.len(), 1_500);
    for (at, state) in states.iter().enumerate() {
        let CopyState::Value(entry) = state else { panic!("{at}: {state:?}") };
        assert_eq!(entry.value, format!("V{}", at % 1_200 + 1));
    }
    linked.link.delete(&keys, PATIENCE).await.unwrap();
    assert!(linked.link.read(&keys, PATIENCE).await.unwrap().iter().all(|state| *state == CopyState::Absent));
}

#[tokio::test]
async fn plain_entries_are_read_as_they_are() {
    let linked = Linked::shared().await;
    let store = open(&RedisServer::shared().url()).await;
    let ns = crate::namespace();
    let keys = [key(&ns, "a"), key(&ns, "none"), key(&ns, "v")];
    let _ = store.set(&keys[0], Bytes::from("Look"), SetOptions::new(MINUTE)).await.unwrap();
    let _ = store.set(&keys[2], Bytes::new(), SetOptions::new(Ttl::Forever)).await.unwrap();
    let entries = linked.link.read_entries(&keys, PATIENCE).await.unwrap();
    assert!(entries[0].as_ref().is_some_and(|entry| entry.value == "Look" && lives(entry, MINUTE)));
    assert_eq!(entries[1], None);
    assert!(entries[2].as_ref().is_some_and(|entry| entry.value.is_empty() && entry.remaining == Ttl::Forever));
    let alone = linked.link.read_entries(&keys[..1], PATIENCE).await.unwrap().remove(0);
    assert!(alone.is_some_and(|entry| entry.value == "Look" && lives(&entry, MINUTE)));
}

#[tokio::test]
async fn expired_keys_are_absent_and_do_not_upset_the_stream() {
    let server = server();
    let linked = Linked::up(&server).await;
    let ns = copies();
    let keys: Vec<_> = (0..50).map(|at| key(&ns, &at.to_string())).collect();
    // The server must not find them by itself first.
    server.cli(&["CONFIG", "SET", "hz", "1"]);
    for round in 0..5 {
        let life = Duration::from_millis(20);
        for key in &keys {
            server.cli(&["SET", key.as_str(), "V", "PX", &life.as_millis().to_string()]);
        }
        linked.link.read(&keys, PATIENCE).await.unwrap();
        tokio::time::sleep(life * 2).await;
        // Found expired in the middle of a transaction that tracks them.
        let states = linked.link.read(&keys, PATIENCE).await.unwrap();
        assert!(states.iter().all(|state| *state == CopyState::Absent), "{round}");
        linked.link.ping(PATIENCE).await.unwrap();
    }
    let everything = linked.notes.count(&super::Told::Everything);
    assert_eq!(everything, 1, "still the first connection");
}

#[tokio::test]
async fn generations_are_made_once_and_replaced_at_will() {
    let linked = Linked::shared().await;
    let (link, ns) = (&linked.link, crate::namespace());
    let (a, b) = (key(&ns, "a"), key(&ns, "b"));
    assert_eq!(link.generations(&[(a.clone(), 7)], PATIENCE).await.unwrap(), [7]);
    let all = [(a.clone(), 1), (b.clone(), u64::MAX), (a.clone(), 2)];
    assert_eq!(link.generations(&all, PATIENCE).await.unwrap(), [7, u64::MAX, 7]);
    link.bump_generation(&a, 99, PATIENCE).await.unwrap();
    assert_eq!(link.generations(&all, PATIENCE).await.unwrap(), [99, u64::MAX, 99]);
    // What is no generation is as good as none.
    RedisServer::shared().cli(&["SET", b.as_str(), "7"]);
    assert_eq!(link.generations(&[(b.clone(), 5)], PATIENCE).await.unwrap(), [5]);
    assert_eq!(RedisServer::shared().cli(&["GET", b.as_str()]), "0000000000000005");
    assert!(link.generations(&[], PATIENCE).await.unwrap().is_empty());
}

#[tokio::test]
async fn copies_over_the_cap_are_refused_before_anything_is_sent() {
    let linked = Linked::to(&format!("{}?max_value=1KiB", RedisServer::shared().url())).await;
    let key = key(&copies(), "k");
    let large = Bytes::from(vec![b'V'; 1_025]);
    let lease = linked.link.lease(&[(key.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
    assert_eq!(lease, [LeaseOutcome::Granted]);
    let fill = [(key.clone(), Token(1), large.clone(), MINUTE.into())];
    assert_eq!(linked.link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap_err().kind(), ErrorKind::TooLarge);
    let replaced = linked.link.replace(&key, Token(1), large, MINUTE.into(), PATIENCE).await;
    assert_eq!(replaced.unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(matches!(linked.link.read(&[key], PATIENCE).await.unwrap()[..], [CopyState::Busy(_)]));
}
