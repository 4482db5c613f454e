//! One store in several runtimes, some of which end.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hallway_core::{Bytes, ErrorKind, KvStore, SetOptions};
use hallway_redis::RedisConfig;
use hallway_testkit::servers::RedisServer;
use tokio::runtime::{Builder, Runtime};

use crate::{MINUTE, key, namespace, open};

const PATIENCE: Duration = Duration::from_secs(20);

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_call_on_a_runtime_that_has_ended_returns() {
    // Opened outside of a runtime, so that the call has to start the supervisor.
    let store = RedisConfig::tcp("127.0.0.1", RedisServer::shared().port()).open().unwrap();
    let key = key(&namespace(), "k");
    let ended = multi_thread();
    let handle = ended.handle().clone();
    ended.shutdown_background();
    let (done, waits) = channel();
    let (store_there, key_there) = (store.clone(), key.clone());
    thread::spawn(move || done.send(handle.block_on(store_there.get(&key_there))));
    let error = waits.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("runtime"), "{error}");
    assert_eq!(multi_thread().block_on(store.get(&key)).unwrap(), None, "another runtime is welcome");
}

#[test]
fn threads_that_drive_their_own_runtimes_only_while_they_ask_strand_nobody() {
    let home = multi_thread();
    let store = Arc::new(home.block_on(open(&format!("{}?deadline=10s", RedisServer::shared().url()))));
    let ns = namespace();
    let (small, large) = (key(&ns, "small"), key(&ns, "large"));
    let large_value = Bytes::from(vec![7; 100_000]);
    let _ = home.block_on(store.set(&small, Bytes::from("v"), SetOptions::new(MINUTE))).unwrap();
    let (done, waits) = channel();
    for _ in 0..16 {
        let (store, done, small, large) = (Arc::clone(&store), done.clone(), small.clone(), large.clone());
        let large_value = large_value.clone();
        thread::spawn(move || {
            let own = Builder::new_current_thread().enable_all().build().unwrap();
            let _ = own.block_on(store.set(&large, large_value.clone(), SetOptions::new(MINUTE))).unwrap();
            for _ in 0..100 {
                assert_eq!(own.block_on(store.get(&small)).unwrap().unwrap(), "v");
            }
            assert!(own.block_on(store.get(&large)).unwrap().unwrap() == large_value);
            done.send(()).unwrap();
            // It stays, and nobody drives it any more.
            std::mem::forget(own);
        });
    }
    for _ in 0..16 {
        waits.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(home.block_on(store.get(&small)).unwrap().unwrap(), "v");
}
