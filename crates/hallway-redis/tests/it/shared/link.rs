//! The connection of a link: lost, silent, refused, replaced; and what it proves meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Clock, CopyState, ErrorKind, Key, LeaseOutcome, LinkState, SystemClock, Token};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Direction, FaultProxy, LinkFault};

use super::{HEARTBEAT, Linked, PATIENCE, Told, copies, copy_of, server, told};
use crate::{MINUTE, key, within};

const DOWN: Told = Told::Link(LinkState::Down);
const TRACKED: Told = Told::Link(LinkState::Tracked);

/// Above a bound, for the scheduler of a busy machine.
const SLACK: Duration = Duration::from_millis(300);

async fn state(linked: &Linked, state: LinkState) -> Duration {
    within(PATIENCE, &format!("{state:?}"), async || linked.link.state() == state).await
}

fn behind(linked: &Linked) -> Duration {
    Duration::from_micros(SystemClock.now() - linked.link.freshness().proven())
}

#[tokio::test]
async fn a_lost_connection_is_replaced_and_everything_may_have_changed() {
    let server = server();
    let linked = Linked::up(&server).await;
    let key = key(&copies(), "k");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        linked.notes.take();
        server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        told(&linked.notes, TRACKED).await;
        assert_eq!(linked.notes.take(), [DOWN, Told::Everything, TRACKED]);
        // The new one is tracked as well.
        linked.link.read(std::slice::from_ref(&key), PATIENCE).await.unwrap();
        server.cli(&["SET", key.as_str(), "V"]);
        told(&linked.notes, Told::Changed(key.as_str().to_owned())).await;
    }
}

#[tokio::test]
async fn a_read_survives_the_connection_and_a_write_is_in_doubt() {
    let server = server();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let linked = Linked::with_heartbeat(&format!("redis://{}", proxy.addr()), MINUTE).await;
    linked.link.ping(PATIENCE).await.unwrap();
    let key = key(&copies(), "k");
    let one = std::slice::from_ref(&key);
    tokio::time::sleep(Duration::from_millis(60)).await;
    proxy.reset_connections();
    assert_eq!(linked.link.read(one, PATIENCE).await.unwrap(), [CopyState::Absent]);
    // Once before, so that the server knows the script.
    linked.link.unmark(one, Token(1), PATIENCE).await.unwrap();
    linked.link.mark(one, Token(1), MINUTE, PATIENCE).await.unwrap();
    proxy.set(Direction::ToClient, LinkFault::ResetAfter(0));
    let error = linked.link.unmark(one, Token(1), PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(server.cli(&["EXISTS", key.as_str()]), "0", "it was done, once");
    proxy.heal();
}

#[tokio::test]
async fn freshness_advances_while_nobody_calls() {
    let linked = Linked::shared().await;
    let first = linked.link.freshness().proven();
    within(PATIENCE, "proof", async || linked.link.freshness().proven() > first).await;
    let mut last = linked.link.freshness().proven();
    for _ in 0..5 {
        let next = within(PATIENCE, "proof", async || linked.link.freshness().proven() > last).await;
        last = linked.link.freshness().proven();
        assert!(next < HEARTBEAT + SLACK, "{next:?}");
        // Two heartbeats old at most: what it proves is the ping before the last one.
        assert!(behind(&linked) < 3 * HEARTBEAT + SLACK, "{:?}", behind(&linked));
        assert!(behind(&linked) >= HEARTBEAT / 2, "{:?}", behind(&linked));
    }
}

#[tokio::test]
async fn in_a_black_hole_nothing_more_is_proven_and_the_connection_is_replaced() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let linked = Linked::to(&format!("redis://{}", proxy.addr())).await;
    linked.link.ping(PATIENCE).await.unwrap();
    for direction in [Direction::ToClient, Direction::ToServer] {
        linked.notes.take();
        let cut = SystemClock.now();
        proxy.set(direction, LinkFault::BlackHole);
        let down = state(&linked, LinkState::Down).await;
        assert!(down < 4 * HEARTBEAT + SLACK, "{down:?}");
        assert!(linked.link.freshness().proven() <= cut, "what was sent after the cut proves nothing");
        let before = linked.link.freshness().proven();
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(linked.link.freshness().proven(), before);
        let start = Instant::now();
        let error = linked.link.read(&[key(&copies(), "k")], Duration::from_millis(100)).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unavailable && start.elapsed() < Duration::from_millis(100) + SLACK);
        proxy.heal();
        let healed = state(&linked, LinkState::Tracked).await;
        assert!(healed < Duration::from_secs(2) + SLACK, "{healed:?}");
        assert!(linked.link.freshness().proven() > cut);
        assert_eq!(linked.notes.take(), [DOWN, Told::Everything, TRACKED]);
    }
}

#[tokio::test]
async fn a_stopped_server_is_noticed_by_its_silence() {
    let server = server();
    let linked = Linked::up(&server).await;
    let key = key(&copies(), "k");
    linked.link.lease(&[(key.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
    linked.notes.take();
    server.pause();
    let down = state(&linked, LinkState::Down).await;
    assert!(down < 4 * HEARTBEAT + SLACK, "{down:?}");
    server.resume();
    let up = state(&linked, LinkState::Tracked).await;
    assert!(up < Duration::from_secs(2) + SLACK, "{up:?}");
    assert_eq!(linked.notes.take(), [DOWN, Told::Everything, TRACKED]);
    let fill = [(key, Token(1), copy_of(1, "x"), MINUTE.into())];
    assert_eq!(linked.link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap(), [true]);
}

#[tokio::test]
async fn calls_that_time_out_give_the_connection_up_before_the_heartbeat_does() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let linked = Linked::with_heartbeat(&format!("redis://{}?deadline=100ms", proxy.addr()), MINUTE).await;
    linked.link.ping(PATIENCE).await.unwrap();
    proxy.set_both(LinkFault::BlackHole);
    let key = key(&copies(), "k");
    let mut calls = 0;
    while linked.link.state() == LinkState::Tracked {
        linked.link.read(std::slice::from_ref(&key), Duration::from_millis(50)).await.unwrap_err();
        calls += 1;
        assert!(calls < 20);
    }
    assert!(calls >= 6, "{calls}");
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let linked = Linked::to(&format!("redis://{}", proxy.addr())).await;
    linked.link.ping(PATIENCE).await.unwrap();
    linked.notes.take();
    proxy.set(Direction::ToClient, LinkFault::Corrupt(0));
    told(&linked.notes, DOWN).await;
    proxy.heal();
    state(&linked, LinkState::Tracked).await;
    assert!(linked.notes.all().contains(&Told::Everything));
}

#[tokio::test]
async fn a_server_absent_at_first_is_found_without_any_call() {
    let server = server();
    server.kill9();
    let linked = Linked::to(&server.url()).await;
    let error = linked.link.read(&[key(&copies(), "k")], PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let mark = linked.link.mark(&[key(&copies(), "k")], Token(1), MINUTE, PATIENCE).await.unwrap_err();
    assert_eq!(mark.kind(), ErrorKind::Unavailable, "nothing was sent");
    assert_eq!((linked.link.state(), linked.link.freshness().proven()), (LinkState::Down, 0));
    assert!(linked.notes.take().is_empty());
    server.restart().unwrap();
    let up = state(&linked, LinkState::Tracked).await;
    assert!(up < Duration::from_secs(2) + SLACK, "{up:?}");
}

#[tokio::test]
async fn where_tracking_is_refused_the_link_works_and_proves_nothing() {
    let server = server();
    // The second may not do anything at all, but is let in.
    for (user, rules) in [("untracked", vec!["+@all", "-client"]), ("nobody", vec!["-@all", "+hello"])] {
        let mut acl = vec!["ACL", "SETUSER", user, "on", ">pw", "~*"];
        acl.extend(&rules);
        assert_eq!(server.cli(&acl), "OK");
        let linked = Linked::to(&format!("redis://{user}:pw@{}", server.addr())).await;
        state(&linked, LinkState::Untracked).await;
        tokio::time::sleep(3 * HEARTBEAT).await;
        assert_eq!((linked.link.state(), linked.link.freshness().proven()), (LinkState::Untracked, 0), "{user}");
        assert_eq!(linked.notes.take(), [Told::Everything, Told::Link(LinkState::Untracked)]);
        let lease = linked.link.lease(&[(key(&copies(), "k"), Token(1), None)], MINUTE, PATIENCE).await;
        match user {
            "untracked" => assert_eq!(lease.unwrap(), [LeaseOutcome::Granted]),
            _ => assert_eq!(lease.unwrap_err().kind(), ErrorKind::Unauthorized),
        }
    }
}

#[tokio::test]
async fn a_replica_is_no_shared_tier() {
    let (primary, server) = (server(), server());
    let demote = || {
        let port = primary.port().to_string();
        assert_eq!(server.cli(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    };
    let promote = || assert_eq!(server.cli(&["REPLICAOF", "NO", "ONE"]), "OK");
    demote();
    let linked = Linked::to(&server.url()).await;
    let error = linked.link.read(&[key(&copies(), "k")], PATIENCE).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("replica"), "{error}");
    promote();
    state(&linked, LinkState::Tracked).await;
    linked.notes.take();
    // Nobody writes here, so only the heartbeat can notice.
    demote();
    state(&linked, LinkState::Down).await;
    promote();
    state(&linked, LinkState::Tracked).await;
    assert_eq!(linked.notes.take(), [DOWN, Told::Everything, TRACKED]);
}

#[tokio::test]
async fn whoever_may_not_ask_for_the_role_is_served_all_the_same() {
    let server = server();
    assert_eq!(server.cli(&["ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@all", "-role"]), "OK");
    let linked = Linked::to(&format!("redis://plain:pw@{}", server.addr())).await;
    state(&linked, LinkState::Tracked).await;
    let first = linked.link.freshness().proven();
    within(PATIENCE, "proof", async || linked.link.freshness().proven() > first).await;
}

#[tokio::test]
async fn whoever_may_not_say_what_he_keeps_is_served_and_says_it_once() {
    let server = server();
    assert_eq!(server.cli(&["ACL", "SETUSER", "mute", "on", ">pw", "~*", "+@all", "-client|caching"]), "OK");
    let linked = Linked::to(&format!("redis://mute:pw@{}", server.addr())).await;
    state(&linked, LinkState::Tracked).await;
    let ns = copies();
    let keys: Vec<Key> = (0..20).map(|n| key(&ns, &n.to_string())).collect();
    let leases: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1), None)).collect();
    linked.link.lease(&leases, MINUTE, PATIENCE).await.unwrap();
    let fills: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1), copy_of(1, "x"), MINUTE.into())).collect();
    assert_eq!(linked.link.fill(&fills, MINUTE, PATIENCE).await.unwrap(), [true; 20]);
    for key in &keys {
        let found = linked.link.read_once(std::slice::from_ref(key), PATIENCE).await.unwrap();
        assert_eq!(found, [Some(copy_of(1, "x"))]);
    }
    let refused = server.cli(&["INFO", "errorstats"]);
    let refused = refused.lines().find_map(|line| line.trim().strip_prefix("errorstat_NOPERM:count="));
    // Once for each of the fills that were sent together, and never again.
    assert_eq!(refused, Some("20"));
}

#[tokio::test]
async fn a_dropped_link_takes_its_connection_with_it_and_lets_go_of_the_sink() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let Linked { link, notes } = Linked::up(&server).await;
    let connections = || server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count() - 1;
    within(PATIENCE, "its own", async || connections() == 1).await;
    assert!(format!("{link:?}").contains("Tracked"));
    drop(link);
    within(PATIENCE, "closed", async || connections() == 0).await;
    within(PATIENCE, "released", async || Arc::strong_count(&notes) == 1).await;
    assert_eq!(notes.all().last(), Some(&DOWN));
}

#[test]
fn a_link_outlives_the_runtime_it_was_made_in() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let linked = first.block_on(Linked::shared());
    drop(first);
    assert_eq!(linked.link.state(), LinkState::Down);
    linked.notes.take();
    let second = runtime();
    second.block_on(async {
        linked.link.read(&[key(&copies(), "k")], PATIENCE).await.unwrap();
        assert_eq!(linked.notes.take(), [Told::Everything, TRACKED]);
    });
}
