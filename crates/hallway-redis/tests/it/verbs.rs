//! What the verbs do to the data, seen from outside by `redis-cli`.

use std::collections::BTreeSet;
use std::time::Duration;

use hallway_core::{Bytes, DeleteIf, ErrorKind, Key, KvStore, Namespace, SetOptions, SetOutcome, Ttl};
use hallway_redis::RedisStore;
use hallway_testkit::servers::RedisServer;

use crate::{MINUTE, key, namespace, open, shared};

/// All keys of a namespace, page by page.
async fn scanned(store: &RedisStore, namespace: &Namespace, limit: usize) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.scan(&namespace.prefix(), after, limit).await.unwrap();
        assert!(page.keys.len() <= limit);
        found.extend(page.keys);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

fn opts() -> SetOptions {
    SetOptions::new(MINUTE)
}

#[tokio::test]
async fn what_hallway_writes_redis_cli_reads_byte_for_byte_and_back() {
    let (store, server, ns) = (shared().await, RedisServer::shared(), namespace());
    let key = key(&ns, "a:b c");
    let value = Bytes::from("grüße \"quoted\" \\ text");
    assert_eq!(store.set(&key, value.clone(), opts()).await.unwrap(), SetOutcome::Written);
    assert_eq!(server.cli(&["GET", key.as_str()]).as_bytes(), value);
    assert_eq!(key.as_str(), format!("{}:a%3Ab c", ns.as_str()));
    let life: u64 = server.cli(&["PTTL", key.as_str()]).parse().unwrap();
    assert!((50_000..=60_000).contains(&life), "{life}");

    server.cli(&["SET", key.as_str(), "from outside", "PX", "30000"]);
    let entry = store.get_entry(&key).await.unwrap().unwrap();
    assert_eq!(entry.value, "from outside");
    let rest = entry.remaining.duration().unwrap();
    assert!(rest <= Duration::from_secs(30) && rest > Duration::from_secs(20), "{rest:?}");

    server.cli(&["SET", key.as_str(), "for ever"]);
    assert_eq!(store.get_entry(&key).await.unwrap().unwrap().remaining, Ttl::Forever);
    store.increment(&crate::key(&ns, "n"), i64::MAX, MINUTE.into()).await.unwrap();
    assert_eq!(server.cli(&["GET", crate::key(&ns, "n").as_str()]), i64::MAX.to_string());
    assert_eq!(server.cli(&["DECR", crate::key(&ns, "n").as_str()]), (i64::MAX - 1).to_string());
}

#[tokio::test]
async fn every_verb_meets_a_foreign_type_as_the_contract_says() {
    let (store, server, ns) = (shared().await, RedisServer::shared(), namespace());
    let key = key(&ns, "list");
    server.cli(&["RPUSH", key.as_str(), "x", "y"]);
    let before = store.stats().foreign_keys;

    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(store.stats().foreign_keys, before + 1);
    assert_eq!(store.get_entry(&key).await.unwrap(), None);
    assert_eq!(store.get_many(std::slice::from_ref(&key)).await.unwrap(), [None]);

    let corrupt = |error: hallway_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(!error.to_string().contains(key.as_str()), "{error}");
    };
    let v = || Bytes::from("v");
    corrupt(store.set(&key, v(), opts().if_absent()).await.unwrap_err());
    corrupt(store.set(&key, v(), opts().if_present()).await.unwrap_err());
    corrupt(store.set(&key, v(), opts().if_equals(v())).await.unwrap_err());
    corrupt(store.delete(&key).await.unwrap_err());
    corrupt(store.delete_if(&key, DeleteIf::Equals(v())).await.unwrap_err());
    corrupt(store.delete_many(std::slice::from_ref(&key)).await.unwrap_err());
    corrupt(store.touch(&key, MINUTE.into()).await.unwrap_err());
    corrupt(store.take(&key).await.unwrap_err());
    corrupt(store.increment(&key, 1, MINUTE.into()).await.unwrap_err());
    assert!(scanned(&store, &ns, 10).await.is_empty());
    assert_eq!(store.clear(&ns.prefix()).await.unwrap(), 0);
    assert_eq!(server.cli(&["LRANGE", key.as_str(), "0", "-1"]), "x\ny");

    assert_eq!(store.set(&key, v(), opts()).await.unwrap(), SetOutcome::Written);
    assert_eq!(store.get(&key).await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_value_over_the_cap_stored_by_another_client_is_too_large_and_stays() {
    let (server, ns) = (RedisServer::shared(), namespace());
    let store = open(&format!("{}?deadline=5s&max_value=100", server.url())).await;
    let (exact, over, huge) = (key(&ns, "exact"), key(&ns, "over"), key(&ns, "huge"));
    server.cli(&["SET", exact.as_str(), &"x".repeat(100)]);
    server.cli(&["SET", over.as_str(), &"x".repeat(101)]);
    // Over what the stream lets pass at all.
    server.cli(&["SETRANGE", huge.as_str(), "30000000", "x"]);
    assert_eq!(store.get(&exact).await.unwrap().unwrap().len(), 100);
    for key in [&over, &huge] {
        assert_eq!(store.get(key).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(store.get_entry(key).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(store.take(key).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(store.get_many(&[exact.clone(), key.clone()]).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(server.cli(&["EXISTS", key.as_str()]), "1");
    }
    // Nobody else pays for it, not even with the connection.
    assert_eq!(store.get(&exact).await.unwrap().unwrap().len(), 100);
    assert_eq!(store.stats().connections, 1);
    assert_eq!(store.set(&over, Bytes::from(vec![0; 101]), opts()).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn counters_are_canonical_text_and_keep_value_and_ttl_on_overflow() {
    let (store, server, ns) = (shared().await, RedisServer::shared(), namespace());
    let counter = key(&ns, "n");
    assert_eq!(store.increment(&counter, 9_007_199_254_740_993, MINUTE.into()).await.unwrap(), 9_007_199_254_740_993);
    assert_eq!(store.increment(&counter, 1, Ttl::Forever).await.unwrap(), 9_007_199_254_740_994);
    assert_ne!(server.cli(&["PTTL", counter.as_str()]), "-1", "the TTL applies on creation only");
    let error = store.increment(&counter, i64::MAX, MINUTE.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(server.cli(&["GET", counter.as_str()]), "9007199254740994");
    assert_eq!(store.increment(&key(&ns, "low"), i64::MIN, MINUTE.into()).await.unwrap(), i64::MIN);
    for text in [" 7", "+7", "007", "-0", "7 ", "", "1.5", "9223372036854775808", "99999999999999999999999999"] {
        let odd = key(&ns, "odd");
        server.cli(&["SET", odd.as_str(), text]);
        assert_eq!(
            store.increment(&odd, 1, MINUTE.into()).await.unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{text:?}"
        );
        assert_eq!(server.cli(&["GET", odd.as_str()]), text);
    }
}

#[tokio::test]
async fn a_flushed_script_cache_is_filled_again_in_the_same_call() {
    let (store, server, ns) = (shared().await, RedisServer::shared(), namespace());
    let keys: Vec<Key> = (0..1_000).map(|at| key(&ns, &at.to_string())).collect();
    let items: Vec<_> = keys.iter().map(|key| (key.clone(), Bytes::from("v"), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    server.cli(&["SCRIPT", "FLUSH"]);
    assert!(store.touch(&keys[0], MINUTE.into()).await.unwrap());
    server.cli(&["SCRIPT", "FLUSH"]);
    assert_eq!(store.delete_many(&keys).await.unwrap(), 1_000);
}

#[tokio::test]
async fn clear_and_scan_stay_inside_the_prefix_whatever_characters_it_has() {
    let (store, server, ns) = (shared().await, RedisServer::shared(), namespace());
    let star = Namespace::new(&format!("{}:a*", ns.as_str())).unwrap();
    let other = Namespace::new(&format!("{}:ab", ns.as_str())).unwrap();
    for id in ["1", "2"] {
        let _ = store.set(&key(&star, id), Bytes::from("v"), opts()).await.unwrap();
        let _ = store.set(&key(&other, id), Bytes::from("v"), opts()).await.unwrap();
    }
    // No physical key: a control character, a raw brace, bytes that are no text.
    server.cli(&["SET", &format!("{}:bad\u{1}", star.as_str()), "v"]);
    server.cli(&["SET", &format!("{}:{{raw}}", star.as_str()), "v"]);
    let skipped = store.stats().skipped_keys;
    let found = scanned(&store, &star, 100).await;
    assert!(found.into_iter().eq([key(&star, "1"), key(&star, "2")]));
    assert!(store.stats().skipped_keys >= skipped + 2);
    assert_eq!(store.clear(&star.prefix()).await.unwrap(), 2);
    assert_eq!(server.cli(&["EXISTS", &format!("{}:{{raw}}", star.as_str())]), "1");
    assert!(store.get(&key(&other, "1")).await.unwrap().is_some());
}

#[tokio::test]
async fn pages_keep_to_their_limit_and_miss_nothing() {
    let (store, ns) = (shared().await, namespace());
    let items: Vec<_> = (0..500).map(|at| (key(&ns, &at.to_string()), Bytes::from("v"), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    let found = scanned(&store, &ns, 7).await;
    assert_eq!(found.len(), 500);
}

#[tokio::test]
async fn databases_users_and_unix_sockets_are_reached() {
    let (server, ns) = (RedisServer::shared(), namespace());
    let key = key(&ns, "k");
    let third = open(&format!("{}/3", server.url())).await;
    let _ = third.set(&key, Bytes::from("three"), opts()).await.unwrap();
    assert_eq!(server.cli(&["-n", "3", "GET", key.as_str()]), "three");
    assert_eq!(server.cli(&["EXISTS", key.as_str()]), "0");

    let unix = open(&format!("{}?db=3", server.unix_url())).await;
    assert_eq!(unix.get(&key).await.unwrap().unwrap(), "three");

    server.cli(&["ACL", "SETUSER", "reader", "on", ">p@ss:w/rd", "~test*", "+@read", "+@connection", "+@transaction"]);
    let reader = open(&format!("redis://reader:p%40ss%3Aw%2Frd@127.0.0.1:{}/3", server.port())).await;
    assert_eq!(reader.get(&key).await.unwrap().unwrap(), "three");
    let error = reader.set(&key, Bytes::from("x"), opts()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert_eq!(reader.get(&key).await.unwrap().unwrap(), "three");
    let missing = open(&format!("{}/9999", server.url())).await;
    assert_eq!(missing.get(&key).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn large_values_travel_on_their_own_connection_and_come_back_whole() {
    let (store, ns) = (shared().await, namespace());
    let (small, large) = (key(&ns, "small"), key(&ns, "large"));
    let value = Bytes::from((0..1 << 20).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let _ = store.set(&small, Bytes::from("s"), opts()).await.unwrap();
    assert_eq!(store.stats().connections, 1);
    let _ = store.set(&large, value.clone(), opts()).await.unwrap();
    assert_eq!(store.stats().connections, 2);
    assert!(store.get(&large).await.unwrap().unwrap() == value);
    assert!(store.get_entry(&large).await.unwrap().unwrap().value == value);
    assert!(store.get_many(&[small, large.clone()]).await.unwrap()[1].as_ref().unwrap() == &value);
    assert!(store.take(&large).await.unwrap().unwrap() == value);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_never_read_with_the_life_of_another() {
    let (store, ns) = (shared().await, namespace());
    let key = key(&ns, "k");
    let hour = Duration::from_secs(3_600);
    let writer = {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            for _ in 0..2_000 {
                let _ = store.set(&key, Bytes::from("minute"), opts()).await.unwrap();
                let _ = store.set(&key, Bytes::from("hour"), SetOptions::new(hour)).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let Some(entry) = store.get_entry(&key).await.unwrap() else { continue };
        let rest = entry.remaining.duration().unwrap();
        assert_eq!(rest <= MINUTE, entry.value == "minute", "{entry:?}");
    }
    writer.await.unwrap();
    // Two commands in one packet would hardly ever be torn apart here; on a real network they may be.
    assert!(RedisServer::shared().cli(&["INFO", "commandstats"]).contains("cmdstat_exec:"));
}

#[tokio::test]
async fn no_verb_empties_a_database_or_lists_it_whole() {
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    let (store, ns) = (open(&format!("{}?deadline=5s", server.url())).await, namespace());
    let items: Vec<_> = (0..3_000).map(|at| (key(&ns, &at.to_string()), Bytes::from("v"), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    server.cli(&["SET", "other", "stays"]);
    assert_eq!(store.clear(&hallway_core::Prefix::root()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(store.clear(&ns.prefix()).await.unwrap(), 3_000);
    assert_eq!(server.cli(&["KEYS", "*"]), "other");
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = |command: &str| stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:"))).is_some();
    assert!(!calls("flushdb") && !calls("flushall") && calls("scan") && calls("unlink"), "{stats}");
    assert!(stats.contains("cmdstat_keys:calls=1,"), "the one of this test: {stats}");
}

#[tokio::test]
async fn a_batch_that_fails_in_part_is_indeterminate() {
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    let ns = namespace();
    server.cli(&["ACL", "SETUSER", "part", "on", ">pw", &format!("~{}:1*", ns.as_str()), "+@all"]);
    let store = open(&format!("redis://part:pw@127.0.0.1:{}?deadline=5s", server.port())).await;
    let item = |id: &str| (key(&ns, id), Bytes::from("v"), hallway_core::Ttl::from(MINUTE));
    let error = store.set_many(&[item("1"), item("2")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    let error = store.set_many(&[item("2"), item("3")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "certainly nothing was written");
    let error = store.delete_many(&[key(&ns, "1"), key(&ns, "2")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(server.cli(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn a_foreign_key_keeps_no_other_from_being_deleted() {
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    let (store, ns) = (open(&format!("{}?deadline=5s", server.url())).await, namespace());
    let keys: Vec<Key> = (0..1_200).map(|at| key(&ns, &at.to_string())).collect();
    let items: Vec<_> = keys[1..].iter().map(|key| (key.clone(), Bytes::from("v"), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    server.cli(&["RPUSH", keys[0].as_str(), "x"]);
    let error = store.delete_many(&keys).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(server.cli(&["KEYS", "*"]), keys[0].as_str());
}

#[tokio::test]
async fn a_batch_of_deletes_reports_its_worst_failure() {
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    let ns = namespace();
    server.cli(&["ACL", "SETUSER", "part", "on", ">pw", &format!("~{}:2*", ns.as_str()), "+@all"]);
    let store = open(&format!("redis://part:pw@127.0.0.1:{}?deadline=5s", server.port())).await;
    let (forbidden, foreign, ours) = (key(&ns, "1"), key(&ns, "2f"), key(&ns, "2"));
    server.cli(&["RPUSH", foreign.as_str(), "x"]);
    let error = store.delete_many(&[forbidden.clone(), foreign.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    server.cli(&["SCRIPT", "FLUSH"]);
    server.cli(&["SET", ours.as_str(), "v"]);
    let error = store.delete_many(&[forbidden, ours.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(server.cli(&["EXISTS", ours.as_str()]), "0", "a forbidden key keeps no other from being deleted");
}

#[tokio::test]
async fn a_missing_script_does_not_hide_that_its_text_is_forbidden() {
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    server.cli(&["ACL", "SETUSER", "some", "on", ">pw", "~*", "&*", "+@all", "-eval"]);
    let (store, ns) = (open(&format!("redis://some:pw@127.0.0.1:{}?deadline=5s", server.port())).await, namespace());
    let error = store.delete_many(&[key(&ns, "1"), key(&ns, "2")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
}

#[tokio::test]
async fn a_batch_may_bring_back_far_more_than_one_reply_may_hold() {
    let _memory = crate::MEMORY.lock().await;
    let server = RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap();
    let (store, ns) = (open(&format!("{}?deadline=30s", server.url())).await, namespace());
    let keys: Vec<Key> = (0..100).map(|at| key(&ns, &at.to_string())).collect();
    for (at, key) in keys.iter().enumerate() {
        let _ = store.set(key, Bytes::from(vec![at as u8; 1 << 20]), opts()).await.unwrap();
    }
    // One that knows nothing of the sizes.
    let reader = open(&format!("{}?deadline=30s", server.url())).await;
    let mut many = reader.get_many(&keys).await.unwrap();
    let one_by_one = futures_util::future::join_all(keys.iter().map(|key| reader.get(key))).await;
    many.extend(one_by_one.into_iter().map(Result::unwrap));
    for (at, value) in many.into_iter().enumerate() {
        let value = value.unwrap();
        assert!(value.len() == 1 << 20 && value.iter().all(|byte| usize::from(*byte) == at % 100), "{at}");
    }
    assert_eq!(reader.stats().connections, 2);
    store.delete_many(&keys).await.unwrap();
}

#[tokio::test]
async fn large_batches_of_reads_keep_off_the_connection_of_lone_reads() {
    let (server, ns) = (RedisServer::start(hallway_testkit::servers::RedisOptions::default()).unwrap(), namespace());
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    let keys: Vec<Key> = (0..65).map(|at| key(&ns, &at.to_string())).collect();
    assert_eq!(store.get_many(&keys[..64]).await.unwrap().len(), 64);
    assert_eq!(store.stats().connections, 1);
    assert_eq!(store.get_many(&keys).await.unwrap().len(), 65);
    assert_eq!(store.stats().connections, 2);
}
