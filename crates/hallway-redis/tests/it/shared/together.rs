//! Concurrent calls share commands, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{CopyState, ErrorKind, LeaseOutcome, Token};
use hallway_testkit::servers::RedisServer;
use hallway_testkit::{Direction, FaultProxy, LinkFault};
use tokio::task::JoinSet;

use super::{Linked, PATIENCE, copies, copy_of, server};
use crate::{MINUTE, key};

/// How often the server ran a command since `CONFIG RESETSTAT`.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_thousand_concurrent_misses_take_few_round_trips_and_each_gets_its_own() {
    let server = server();
    let linked = Linked::up(&server).await;
    let ns = copies();
    server.cli(&["CONFIG", "RESETSTAT"]);
    let mut tasks = JoinSet::new();
    for at in 0..1_000u64 {
        let (link, key) = (Arc::clone(&linked.link), key(&ns, &at.to_string()));
        tasks.spawn(async move {
            let one = std::slice::from_ref(&key);
            assert_eq!(link.read(one, PATIENCE).await.unwrap(), [CopyState::Absent]);
            let lease = [(key.clone(), Token(at), None)];
            assert_eq!(link.lease(&lease, MINUTE, PATIENCE).await.unwrap(), [LeaseOutcome::Granted]);
            // Every third one fills with another's lease.
            let token = Token(at + u64::from(at % 3 == 0));
            let copy = copy_of(at, &at.to_string());
            let filled = link
                .fill(&[(key.clone(), token, copy.clone(), MINUTE.into())], Duration::ZERO, PATIENCE)
                .await
                .unwrap();
            assert_eq!(filled, [at % 3 != 0], "{at}");
            match &link.read(one, PATIENCE).await.unwrap()[..] {
                [CopyState::Value(entry)] => assert!(at % 3 != 0 && entry.value == copy),
                [CopyState::Busy(_)] => assert!(at % 3 == 0),
                states => panic!("{at}: {states:?}"),
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert!(calls(&server, "exec") <= 64, "{} transactions for 2,000 reads", calls(&server, "exec"));
    // Fills have become batches, and what was not first takes one more script.
    assert!(calls(&server, "evalsha") <= 300, "{} scripts for 1,000 fills", calls(&server, "evalsha"));
    assert!(calls(&server, "mget") > 0);
}

#[tokio::test]
async fn a_lone_call_goes_out_at_once_and_plain() {
    let server = server();
    let linked = Linked::up(&server).await;
    let ns = copies();
    server.cli(&["CONFIG", "RESETSTAT"]);
    for at in 0..20 {
        linked.link.read(&[key(&ns, &at.to_string())], PATIENCE).await.unwrap();
    }
    assert_eq!((calls(&server, "get"), calls(&server, "mget")), (20, 0));
}

#[tokio::test]
async fn a_caller_who_leaves_takes_nobody_with_him_and_a_late_one_is_in_doubt() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let linked = Linked::with_heartbeat(&format!("redis://{}?deadline=10s", proxy.addr()), MINUTE).await;
    linked.link.ping(PATIENCE).await.unwrap();
    let ns = copies();
    proxy.set(Direction::ToClient, LinkFault::Stall);
    let leases: Vec<_> = (0..60u64)
        .map(|at| {
            let (link, key) = (Arc::clone(&linked.link), key(&ns, &at.to_string()));
            let patience = if at % 3 == 1 { Duration::from_millis(100) } else { PATIENCE };
            tokio::spawn(async move { link.lease(&[(key, Token(at), None)], MINUTE, patience).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for lease in leases.iter().step_by(3) {
        lease.abort();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.heal();
    for (at, lease) in leases.into_iter().enumerate() {
        match (at % 3, lease.await) {
            (0, Err(error)) => assert!(error.is_cancelled()),
            (1, Ok(Err(error))) => assert_eq!(error.kind(), ErrorKind::Indeterminate, "{at}: {error}"),
            (2, Ok(Ok(outcome))) => assert_eq!(outcome, [LeaseOutcome::Granted], "{at}"),
            (_, other) => panic!("{at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn forbidden_and_foreign_keys_fail_those_who_asked_for_them() {
    let server = server();
    let acl = ["ACL", "SETUSER", "some", "on", ">pw", "~copy:*:open:*", "+@all"];
    assert_eq!(server.cli(&acl), "OK");
    let linked = Linked::to(&format!("redis://some:pw@{}", server.addr())).await;
    linked.link.ping(PATIENCE).await.unwrap();
    let ns = copies();
    let open = hallway_core::Namespace::new("open").unwrap().within(&ns).unwrap();
    let closed = hallway_core::Namespace::new("closed").unwrap().within(&ns).unwrap();
    for at in (2..60).step_by(3) {
        server.cli(&["RPUSH", key(&open, &format!("{at}")).as_str(), "x"]);
    }
    let mut tasks = JoinSet::new();
    for at in 0..60u64 {
        let key = key(if at % 3 == 1 { &closed } else { &open }, &at.to_string());
        let link = Arc::clone(&linked.link);
        tasks.spawn(async move {
            let read = link.read(std::slice::from_ref(&key), PATIENCE).await.map_err(|error| error.kind());
            let lease = [(key.clone(), Token(at), None)];
            let lease = link.lease(&lease, MINUTE, PATIENCE).await.map_err(|error| error.kind());
            let fill = [(key, Token(at), copy_of(at, "x"), MINUTE.into())];
            let filled = link.fill(&fill, Duration::ZERO, PATIENCE).await.map_err(|error| error.kind());
            match (at % 3, filled) {
                (0, filled) => assert_eq!(filled, Ok(vec![true])),
                (1, filled) => assert_eq!(filled, Err(ErrorKind::Unauthorized)),
                // Alone it hears why.
                (_, filled) => assert!(matches!(filled, Err(ErrorKind::Corrupt)) || filled == Ok(vec![false])),
            }
            match at % 3 {
                0 => assert_eq!((read, lease), (Ok(vec![CopyState::Absent]), Ok(vec![LeaseOutcome::Granted]))),
                1 => assert_eq!((read, lease), (Err(ErrorKind::Unauthorized), Err(ErrorKind::Unauthorized))),
                _ => assert_eq!((read, lease), (Ok(vec![CopyState::Absent]), Err(ErrorKind::Corrupt))),
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}
