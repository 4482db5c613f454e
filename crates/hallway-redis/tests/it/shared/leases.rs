//! Leases, fills and refreshes.

use std::time::Duration;

use hallway_core::{Bytes, CopyState, ErrorKind, LeaseOutcome, Token, Ttl};
use hallway_testkit::servers::RedisServer;

use super::{Linked, PATIENCE, copies, copy_of, lives, server};
use crate::{MINUTE, key};

#[tokio::test]
async fn one_gets_the_lease_and_only_he_may_fill() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let ask = async |token: u64| link.lease(&[(key.clone(), Token(token), None)], MINUTE, PATIENCE).await.unwrap();
    let fill = async |token: u64, copy: &Bytes| {
        link.fill(&[(key.clone(), Token(token), copy.clone(), MINUTE.into())], Duration::ZERO, PATIENCE).await.unwrap()
            [0]
    };
    assert_eq!(ask(1).await, [LeaseOutcome::Granted]);
    assert!(matches!(ask(2).await[..], [LeaseOutcome::Busy(life)] if life <= MINUTE && !life.is_zero()));
    let copy = copy_of(9, "one");
    assert!(!fill(2, &copy).await);
    assert!(fill(1, &copy).await);
    assert!(!fill(1, &copy_of(9, "again")).await, "the lease went with the fill");
    let [LeaseOutcome::Value(entry)] = &ask(3).await[..] else { panic!("a copy is there") };
    assert!(entry.value == copy && lives(entry, MINUTE));
}

#[tokio::test]
async fn a_copy_found_dead_counts_as_absent_if_it_is_still_the_one() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let ask = async |token: u64, dead: Option<u64>| {
        link.lease(&[(key.clone(), Token(token), dead.map(Token))], MINUTE, PATIENCE).await.unwrap().remove(0)
    };
    assert_eq!(ask(1, None).await, LeaseOutcome::Granted);
    // The payload names another id, as an application's own text may.
    let copy = copy_of(0xabc, " id=0000000000000def ");
    assert_eq!(
        link.fill(&[(key.clone(), Token(1), copy, Ttl::Forever)], Duration::ZERO, PATIENCE).await.unwrap(),
        [true]
    );
    assert!(matches!(ask(2, Some(0xdef)).await, LeaseOutcome::Value(_)));
    assert!(matches!(ask(2, Some(0xab)).await, LeaseOutcome::Value(_)));
    assert_eq!(ask(2, Some(0xabc)).await, LeaseOutcome::Granted);
    assert!(matches!(ask(3, Some(0xabc)).await, LeaseOutcome::Busy(_)));
}

#[tokio::test]
async fn a_released_lease_is_free_and_another_ones_stays() {
    let linked = Linked::shared().await;
    let (link, ns) = (&linked.link, copies());
    let (a, b) = (key(&ns, "a"), key(&ns, "b"));
    let leases = [(a.clone(), Token(1), None), (b.clone(), Token(2), None)];
    link.lease(&leases, MINUTE, PATIENCE).await.unwrap();
    link.release(&[(a.clone(), Token(1)), (b.clone(), Token(1))], PATIENCE).await.unwrap();
    let states = link.read(&[a, b], PATIENCE).await.unwrap();
    assert!(matches!(states[..], [CopyState::Absent, CopyState::Busy(_)]), "{states:?}");
}

#[tokio::test]
async fn a_lease_is_prolonged_as_long_as_it_stands_and_never_made_anew() {
    let linked = Linked::shared().await;
    let (link, ns) = (&linked.link, copies());
    let [mine, other, marked, free] = ["mine", "other", "marked", "free"].map(|id| key(&ns, id));
    let short = Duration::from_secs(5);
    link.lease(&[(mine.clone(), Token(1), None), (other.clone(), Token(2), None)], short, PATIENCE).await.unwrap();
    link.lease(&[(marked.clone(), Token(1), None)], short, PATIENCE).await.unwrap();
    link.mark(std::slice::from_ref(&marked), Token(3), short, PATIENCE).await.unwrap();
    let keys = [mine, other, marked, free];
    let leases: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1))).collect();
    assert_eq!(link.renew(&leases, MINUTE, PATIENCE).await.unwrap(), [true, false, false, false]);
    let states = link.read(&keys, PATIENCE).await.unwrap();
    assert!(
        matches!(states[..], [CopyState::Busy(mine), CopyState::Busy(other), CopyState::Busy(marked), CopyState::Absent]
            if mine > MINUTE / 2 && other <= short && marked <= short),
        "{states:?}"
    );
    let fill = [(keys[0].clone(), Token(1), copy_of(1, "x"), MINUTE.into())];
    assert_eq!(link.fill(&fill, Duration::ZERO, PATIENCE).await.unwrap(), [true]);
    assert_eq!(link.renew(&leases[..1], MINUTE, PATIENCE).await.unwrap(), [false], "used");
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    let life = Duration::from_millis(60);
    let ask = async |token| link.lease(&[(key.clone(), Token(token), None)], life, PATIENCE).await.unwrap().remove(0);
    assert_eq!(ask(1).await, LeaseOutcome::Granted);
    crate::within(PATIENCE, "free", async || ask(2).await == LeaseOutcome::Granted).await;
    let late = [(key.clone(), Token(1), copy_of(1, "late"), MINUTE.into())];
    assert_eq!(link.fill(&late, Duration::ZERO, PATIENCE).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_refresh_has_one_winner_and_replaces_only_what_it_has_seen() {
    let linked = Linked::shared().await;
    let (link, key) = (&linked.link, key(&copies(), "k"));
    RedisServer::shared().cli(&["SET", key.as_str(), std::str::from_utf8(&copy_of(5, "old")).unwrap()]);
    let claim = async |token| link.claim_refresh(&key, Token(token), MINUTE, PATIENCE).await.unwrap();
    assert!(claim(1).await);
    assert!(!claim(2).await);
    let replace = async |seen, copy| link.replace(&key, Token(seen), copy, MINUTE.into(), PATIENCE).await.unwrap();
    assert!(!replace(6, copy_of(7, "new")).await);
    assert!(replace(5, copy_of(7, "new")).await);
    assert!(!replace(5, copy_of(8, "late")).await);
    let states = link.read(std::slice::from_ref(&key), PATIENCE).await.unwrap();
    let [CopyState::Value(entry)] = &states[..] else { panic!("{states:?}") };
    assert!(entry.value == copy_of(7, "new") && lives(entry, MINUTE), "it has a deadline now");
    link.delete(std::slice::from_ref(&key), PATIENCE).await.unwrap();
    assert!(!replace(7, copy_of(9, "gone")).await);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = server();
    let linked = Linked::up(&server).await;
    let (link, ns) = (&linked.link, copies());
    for round in 0..3 {
        let keys: Vec<_> = (0..3).map(|at| key(&ns, &format!("{round}-{at}"))).collect();
        let one = keys[0].clone();
        let leases: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1), None)).collect();
        let fills: Vec<_> = keys.iter().map(|key| (key.clone(), Token(1), copy_of(1, "x"), MINUTE.into())).collect();
        let forget = || assert_eq!(server.cli(&["SCRIPT", "FLUSH"]), "OK");
        forget();
        assert_eq!(link.lease(&leases, MINUTE, PATIENCE).await.unwrap(), vec![LeaseOutcome::Granted; 3]);
        forget();
        assert_eq!(link.fill(&fills, Duration::ZERO, PATIENCE).await.unwrap(), [true; 3]);
        forget();
        assert!(link.replace(&one, Token(1), copy_of(2, "y"), MINUTE.into(), PATIENCE).await.unwrap());
        forget();
        link.mark(&keys, Token(1), MINUTE, PATIENCE).await.unwrap();
        forget();
        link.unmark(&keys, Token(1), PATIENCE).await.unwrap();
        forget();
        assert_eq!(link.lease(&leases[..1], MINUTE, PATIENCE).await.unwrap(), [LeaseOutcome::Granted]);
        forget();
        assert_eq!(link.renew(&[(one.clone(), Token(1))], MINUTE, PATIENCE).await.unwrap(), [true]);
        forget();
        link.release(&[(one.clone(), Token(1))], PATIENCE).await.unwrap();
        forget();
        assert_eq!(link.generations(&[(one, 3)], PATIENCE).await.unwrap(), [3]);
    }
}

#[tokio::test]
async fn a_foreign_type_stands_in_the_way_of_writes_and_plain_text_does_not() {
    let server = server();
    let linked = Linked::up(&server).await;
    let (link, ns) = (&linked.link, copies());
    let (list, text) = (key(&ns, "list"), key(&ns, "text"));
    server.cli(&["RPUSH", list.as_str(), "x"]);
    let corrupt = |error: hallway_core::Error| assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    corrupt(link.lease(&[(list.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap_err());
    corrupt(
        link.fill(&[(list.clone(), Token(1), copy_of(1, ""), MINUTE.into())], Duration::ZERO, PATIENCE)
            .await
            .unwrap_err(),
    );
    corrupt(link.release(&[(list.clone(), Token(1))], PATIENCE).await.unwrap_err());
    corrupt(link.renew(&[(list.clone(), Token(1))], MINUTE, PATIENCE).await.unwrap_err());
    corrupt(link.replace(&list, Token(1), copy_of(1, ""), MINUTE.into(), PATIENCE).await.unwrap_err());
    corrupt(link.mark(std::slice::from_ref(&list), Token(1), MINUTE, PATIENCE).await.unwrap_err());
    corrupt(link.unmark(std::slice::from_ref(&list), Token(1), PATIENCE).await.unwrap_err());
    assert_eq!(server.cli(&["LLEN", list.as_str()]), "1");
    // Beside others it does not keep them from being served.
    corrupt(link.mark(&[list, text.clone()], Token(1), MINUTE, PATIENCE).await.unwrap_err());
    assert!(server.cli(&["GET", text.as_str()]).starts_with("M0000000000000001:"));

    for text_there in ["Lorem", "Money", "x"] {
        server.cli(&["SET", text.as_str(), text_there]);
        let lease = link.lease(&[(text.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
        assert_eq!(lease, [LeaseOutcome::Granted], "{text_there}");
        server.cli(&["SET", text.as_str(), text_there]);
        link.mark(std::slice::from_ref(&text), Token(1), MINUTE, PATIENCE).await.unwrap();
        assert!(server.cli(&["GET", text.as_str()]).starts_with("M0000000000000001:"), "{text_there}");
    }
}
