//! What one instance does: a writer and two readers on a few keys that all instances share.

use std::time::Duration;

use hallway::{Bytes, Clock, ErrorKind, Key, KvStore, SetOptions, SystemClock, TieredStore, Ttl};
use hallway_testkit::history::{Call, Input, Output, Recorder};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::rng::Rng;

const KEYS: u64 = 4;
const READERS: u64 = 2;

/// Between the writes of an instance: long enough that copies of a key live for a while.
const WRITER_PAUSE: std::ops::Range<u64> = 60..200;

/// Between the reads of a reader, so that a history stays small enough to be checked.
const READER_PAUSE: std::ops::Range<u64> = 2..7;

/// Reads and writes until `until` on the machine's clock. The instance is one process of the history.
pub(super) async fn play(store: TieredStore, recorder: Recorder, process: u32, seed: u64, until: u64) {
    let mut tasks = JoinSet::new();
    for reader in 1..=READERS {
        let rng = Rng::new(seed, u64::from(process) * 100 + reader);
        tasks.spawn(read(store.clone(), recorder.clone(), process, rng, until));
    }
    tasks.spawn(write(store, recorder, process, Rng::new(seed, u64::from(process) * 100), until));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

async fn read(store: TieredStore, recorder: Recorder, process: u32, mut rng: Rng, until: u64) {
    while SystemClock.now() < until {
        let (name, key) = pick(&mut rng);
        let call = recorder.call(process, name, Input::Read).cached();
        match store.get(&key).await {
            Ok(value) => call.returned(Output::Value(value.map(|bytes| number(&bytes)))),
            Err(_) => call.failed(),
        }
        sleep(Duration::from_millis(rng.range(READER_PAUSE))).await;
    }
}

async fn write(store: TieredStore, recorder: Recorder, process: u32, mut rng: Rng, until: u64) {
    // No two writes of a history write the same value.
    let mut value = u64::from(process) * 1_000_000_000;
    while SystemClock.now() < until {
        let (name, key) = pick(&mut rng);
        if rng.range(0..8) == 0 {
            let call = recorder.call(process, name, Input::Delete);
            settle(call, store.delete(&key).await.map(Output::Applied));
        } else {
            value += 1;
            let call = recorder.call(process, name, Input::Write(value));
            settle(call, store.set(&key, text(value), SetOptions::new(Ttl::Forever)).await.map(|_| Output::Done));
        }
        sleep(Duration::from_millis(rng.range(WRITER_PAUSE))).await;
    }
}

/// Notes how a write has ended. One that says it failed is believed: were it done all the same, somebody would see a
/// value that nobody wrote.
fn settle(call: Call, answer: hallway::Result<Output>) {
    match answer {
        Ok(output) => call.returned(output),
        Err(error) if error.kind() == ErrorKind::Indeterminate => call.unknown(),
        Err(_) => call.failed(),
    }
}

fn text(value: u64) -> Bytes {
    Bytes::from(value.to_string())
}

fn number(bytes: &Bytes) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

fn pick(rng: &mut Rng) -> (String, Key) {
    let name = format!("stale:{}", rng.range(0..KEYS));
    let key = Key::from_physical(&name).unwrap();
    (name, key)
}
