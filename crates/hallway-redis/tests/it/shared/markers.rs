//! Write markers against copies, leases and each other.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{CopyState, ErrorKind, Key, LeaseOutcome, SharedLink, Token};
use hallway_testkit::servers::{RedisOptions, RedisServer};

use super::{Linked, PATIENCE, copies, copy_of};
use crate::{MINUTE, key};

async fn state(link: &Arc<dyn SharedLink>, key: &Key) -> CopyState {
    link.read(std::slice::from_ref(key), PATIENCE).await.unwrap().remove(0)
}

async fn put(link: &Arc<dyn SharedLink>, key: &Key) {
    link.lease(&[(key.clone(), Token(77), None)], MINUTE, PATIENCE).await.unwrap();
    let filled = link
        .fill(&[(key.clone(), Token(77), copy_of(77, "x"), MINUTE.into())], Duration::ZERO, PATIENCE)
        .await
        .unwrap();
    assert_eq!(filled, [true]);
}

#[tokio::test]
async fn a_marker_takes_the_place_of_a_copy_and_of_a_lease() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let one = std::slice::from_ref(&key);
    put(link, &key).await;
    link.mark(one, Token(1), MINUTE, PATIENCE).await.unwrap();
    assert!(matches!(state(link, &key).await, CopyState::Busy(life) if life <= MINUTE));
    let lease = link.lease(&[(key.clone(), Token(2), None)], MINUTE, PATIENCE).await.unwrap();
    assert!(matches!(lease[..], [LeaseOutcome::Busy(_)]));
    link.unmark(one, Token(1), PATIENCE).await.unwrap();
    assert_eq!(state(link, &key).await, CopyState::Absent);

    // A fill whose lease was overwritten by a write comes too late.
    link.lease(&[(key.clone(), Token(3), None)], MINUTE, PATIENCE).await.unwrap();
    link.mark(one, Token(4), MINUTE, PATIENCE).await.unwrap();
    let fill = [(key.clone(), Token(3), copy_of(3, "old"), MINUTE.into())];
    assert_eq!(link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap(), [false]);
    link.release(&[(key.clone(), Token(3))], PATIENCE).await.unwrap();
    assert!(matches!(state(link, &key).await, CopyState::Busy(_)), "the marker stays");
    link.unmark(one, Token(4), PATIENCE).await.unwrap();
    assert_eq!(link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap(), [false], "nor when the write is over");
}

#[tokio::test]
async fn every_writer_has_a_marker_of_his_own() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let one = std::slice::from_ref(&key);
    link.mark(one, Token(1), MINUTE, PATIENCE).await.unwrap();
    link.mark(one, Token(2), Duration::from_secs(10), PATIENCE).await.unwrap();
    let busy = async || match state(link, &key).await {
        CopyState::Busy(life) => life,
        state => panic!("{state:?}"),
    };
    assert!(busy().await > Duration::from_secs(50), "as long as the longest");
    link.unmark(one, Token(1), PATIENCE).await.unwrap();
    assert!(busy().await <= Duration::from_secs(10), "as long as the one that is left");
    link.mark(one, Token(2), MINUTE, PATIENCE).await.unwrap();
    assert!(busy().await > Duration::from_secs(50), "renewed");
    link.unmark(one, Token(3), PATIENCE).await.unwrap();
    assert!(busy().await > Duration::from_secs(50), "not ended by a stranger");
    link.unmark(one, Token(2), PATIENCE).await.unwrap();
    assert_eq!(state(link, &key).await, CopyState::Absent);
}

#[tokio::test]
async fn a_marker_that_is_given_back_takes_nothing_else_with_it() {
    let linked = Linked::shared().await;
    let (link, ns) = (&linked.link, copies());
    let [one, two, lease, copy] = ["one", "two", "lease", "copy"].map(|id| key(&ns, id));
    link.mark(&[one.clone(), two.clone()], Token(1), MINUTE, PATIENCE).await.unwrap();
    link.mark(std::slice::from_ref(&two), Token(2), Duration::from_secs(10), PATIENCE).await.unwrap();
    link.lease(&[(lease.clone(), Token(3), None)], MINUTE, PATIENCE).await.unwrap();
    put(link, &copy).await;
    let all = [one, two, lease, copy];
    let give_back = async |token: u64| {
        let tokens: Vec<_> = all.iter().map(|key| (key.clone(), Token(token))).collect();
        link.release(&tokens, PATIENCE).await.unwrap();
        link.read(&all, PATIENCE).await.unwrap()
    };
    let states = give_back(9).await;
    assert!(
        matches!(states[..], [CopyState::Busy(_), CopyState::Busy(_), CopyState::Busy(_), CopyState::Value(_)]),
        "{states:?}"
    );
    let states = give_back(1).await;
    assert!(
        matches!(states[..], [CopyState::Absent, CopyState::Busy(life), CopyState::Busy(_), CopyState::Value(_)]
            if life <= Duration::from_secs(10)),
        "{states:?}"
    );
    let states = give_back(2).await;
    assert!(
        matches!(states[..], [CopyState::Absent, CopyState::Absent, CopyState::Busy(_), CopyState::Value(_)]),
        "{states:?}"
    );
}

#[tokio::test]
async fn markers_whose_time_has_passed_are_forgotten() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let one = std::slice::from_ref(&key);
    link.mark(one, Token(1), Duration::from_millis(30), PATIENCE).await.unwrap();
    link.mark(one, Token(2), MINUTE, PATIENCE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    link.mark(one, Token(3), MINUTE, PATIENCE).await.unwrap();
    let text = RedisServer::shared().cli(&["GET", key.as_str()]);
    assert!(!text.contains("0000000000000001:") && text.contains("0000000000000002:"), "{text}");
    link.unmark(one, Token(2), PATIENCE).await.unwrap();
    link.unmark(one, Token(3), PATIENCE).await.unwrap();
    assert_eq!(state(link, &key).await, CopyState::Absent);
}

#[tokio::test]
async fn an_invalidation_by_an_unused_token_kills_copies_and_leases() {
    let linked = Linked::shared().await;
    let (link, ns) = (&linked.link, copies());
    let keys = [key(&ns, "copy"), key(&ns, "lease"), key(&ns, "nothing")];
    put(link, &keys[0]).await;
    link.lease(&[(keys[1].clone(), Token(5), None)], MINUTE, PATIENCE).await.unwrap();
    link.unmark(&keys, Token(6), PATIENCE).await.unwrap();
    assert_eq!(link.read(&keys, PATIENCE).await.unwrap(), vec![CopyState::Absent; 3]);
    let fill = [(keys[1].clone(), Token(5), copy_of(5, "old"), MINUTE.into())];
    assert_eq!(link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap(), [false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_contention_no_fill_outlives_a_write() {
    let linked = Linked::shared().await;
    let key = key(&copies(), "k");
    let version = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8u64 {
        let (link, key, version) = (Arc::clone(&linked.link), key.clone(), Arc::clone(&version));
        tasks.spawn(async move {
            for turn in 0..60u64 {
                let token = Token((worker << 32) + turn + 1);
                if worker < 2 {
                    link.mark(std::slice::from_ref(&key), token, MINUTE, PATIENCE).await.unwrap();
                    let written = version.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    link.unmark(std::slice::from_ref(&key), token, PATIENCE).await.unwrap();
                    // Acknowledged: from here on nobody may find an older copy.
                    if let CopyState::Value(entry) = state(&link, &key).await {
                        let found: u64 = std::str::from_utf8(&entry.value[1..]).unwrap().parse().unwrap();
                        assert!(found >= written, "{found} after {written}");
                    }
                } else if let [LeaseOutcome::Granted] =
                    link.lease(&[(key.clone(), token, None)], MINUTE, PATIENCE).await.unwrap()[..]
                {
                    let loaded = version.load(std::sync::atomic::Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    let copy = format!("V{loaded}").into();
                    link.fill(&[(key.clone(), token, copy, MINUTE.into())], Duration::ZERO, PATIENCE).await.unwrap();
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test]
async fn a_full_server_refuses_markers_and_leases_but_lets_copies_go() {
    let server = RedisServer::start(RedisOptions::default().with_config("maxmemory-policy", "noeviction")).unwrap();
    let linked = Linked::up(&server).await;
    let (link, ns) = (&linked.link, copies());
    let keys = [key(&ns, "a"), key(&ns, "b"), key(&ns, "c")];
    for key in &keys {
        put(link, key).await;
    }
    link.mark(&keys[2..], Token(1), MINUTE, PATIENCE).await.unwrap();
    link.mark(&keys[2..], Token(2), MINUTE, PATIENCE).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = |error: hallway_core::Error| assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    full(link.mark(&keys, Token(1), MINUTE, PATIENCE).await.unwrap_err());
    full(link.mark(&keys[..1], Token(1), MINUTE, PATIENCE).await.unwrap_err());
    full(link.lease(&[(key(&ns, "d"), Token(1), None)], MINUTE, PATIENCE).await.unwrap_err());
    full(link.claim_refresh(&keys[0], Token(1), MINUTE, PATIENCE).await.unwrap_err());
    assert!(matches!(state(link, &keys[0]).await, CopyState::Value(_)), "reads go on");
    link.unmark(&keys[..1], Token(9), PATIENCE).await.unwrap();
    link.unmark(&keys[2..], Token(9), PATIENCE).await.unwrap();
    link.delete(&keys[1..2], PATIENCE).await.unwrap();
    let states = link.read(&keys, PATIENCE).await.unwrap();
    assert!(matches!(states[..], [CopyState::Absent, CopyState::Absent, CopyState::Busy(_)]), "{states:?}");
}
