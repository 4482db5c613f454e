//! What the processes do, and the record of what they saw.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{DeleteIf, Error, ErrorKind, Key, KvStore, Result, SetOptions, Ttl};
use hallway_testkit::history::{Call, Input, Output, Recorder};
use hallway_testkit::sim::{SimRng, World};

use crate::faults;
use crate::instance::Instance;
use crate::judge::Seen;
use crate::scenario::{PROCESSES, Scenario, Tiers};

/// Clients of each process.
const CLIENTS: u32 = 2;

/// Registers, and one counter behind them.
const REGISTERS: u64 = 2;

/// Readers of the truth are recorded as processes of their own: what they see, copies may see later.
const EXACT: u32 = 1_000;

/// What all clients share.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) scenario: Scenario,
    pub(crate) recorder: Recorder,
    pub(crate) instances: Mutex<Vec<Instance>>,
    values: AtomicU64,
}

impl Stage {
    /// A value that nobody else writes.
    fn value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn instance(&self, process: u32) -> Instance {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)[process as usize].clone()
    }

    pub(crate) fn replace(&self, process: u32, instance: Instance) {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)[process as usize] = instance;
    }
}

/// Plays one scenario to its end.
pub(crate) async fn play(world: World, scenario: Scenario) -> Seen {
    let (redis, sql) = (world.redis(), world.sql());
    let recorder = Recorder::with_clock(Arc::new(world.clock().clone()));
    let start = |number: u32| {
        let process = world.process(format!("p{number}"));
        Instance::start(&scenario, process, &redis, &sql, number).expect("the settings of a scenario are valid")
    };
    let stage = Arc::new(Stage {
        instances: Mutex::new((0..PROCESSES).map(start).collect()),
        values: AtomicU64::new(0),
        recorder,
        scenario,
        world: world.clone(),
    });
    if scenario.long_turns {
        redis.set_turns(Some(Duration::from_millis(90)));
    }
    let mut rng = world.rng();
    let mut stats = Vec::new();
    let trouble = tokio::spawn(faults::cause(Arc::clone(&stage), redis, sql, rng.fork()));
    let mut clients = Vec::new();
    for process in 0..PROCESSES {
        for _ in 0..CLIENTS {
            clients.push(tokio::spawn(client(Arc::clone(&stage), process, rng.fork())));
        }
    }
    for client in clients {
        client.await.expect("a client does not panic");
    }
    // Each start of a process counts for itself; those that were killed are in what the fault returns.
    stats.extend(trouble.await.expect("faults do not panic"));
    for process in 0..PROCESSES {
        let instance = stage.instance(process);
        stats.push(instance.tiers.stats());
        instance.tiers.shutdown(Duration::ZERO).await;
    }
    Seen { history: stage.recorder.history(), stats }
}

/// One client: its process may be killed under it, then it goes on in the next start.
async fn client(stage: Arc<Stage>, process: u32, mut rng: SimRng) {
    for _ in 0..stage.scenario.operations {
        tokio::time::sleep(rng.duration(Duration::ZERO..=stage.scenario.pause)).await;
        let instance = stage.instance(process);
        let (work, seed) = (Arc::clone(&stage), rng.fork());
        let here = instance.clone();
        // A task of the process: it ends with it, and then its outcome is unknown.
        let done = instance.process.spawn(async move { operate(&work, &here, seed).await });
        if done.await.is_none() {
            // Killed: the next start is on its way.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn operate(stage: &Stage, instance: &Instance, mut rng: SimRng) {
    let counter = rng.chance(if stage.scenario.long_turns { 0.02 } else { 0.15 });
    if stage.scenario.tiers == Tiers::Cache {
        return cached(stage, instance, rng).await;
    }
    if counter {
        return count(stage, instance, &mut rng).await;
    }
    let register = rng.below(REGISTERS);
    let name = format!("r{register}");
    let key = Key::from_physical(&format!("sim:{name}")).expect("the key is legal");
    let store = &instance.tiers;
    let call = |input| stage.recorder.call(instance.number, name.clone(), input);
    let ttl = *rng.pick(&[Duration::from_millis(700), Duration::from_secs(3), Duration::from_secs(40)]);
    let lives = |call: Call| call.with_ttl(ttl.as_micros() as u64);
    // With few writes a local copy is often good when the link ends, which is what long turns are about.
    let reads = if stage.scenario.long_turns { 800 } else { 70 };
    match rng.weighted(&[reads, 10, 9, 3, 2, 2, 4, 2]) {
        0 => {
            let call = call(Input::Read).cached();
            read(call, store.get(&key).await);
        }
        1 => {
            let call = stage.recorder.call(EXACT + instance.number, name.clone(), Input::Read);
            let direct = store.direct().expect("a tiered store has a direct view");
            read(call, direct.get(&key).await);
        }
        2 => {
            let value = stage.value();
            let call = lives(call(Input::Write(value)));
            wrote(call, store.set(&key, text(value), SetOptions::new(ttl)).await.map(|_| Output::Done));
        }
        3 => {
            let call = call(Input::Delete);
            wrote(call, store.delete_if(&key, DeleteIf::Always).await.map(Output::Applied));
        }
        4 => {
            let value = stage.value();
            let call = lives(call(Input::SetIfPresent(value)));
            let done = store.set(&key, text(value), SetOptions::new(ttl).if_present()).await;
            wrote(call, done.map(|outcome| Output::Applied(outcome.is_written())));
        }
        5 => {
            let value = stage.value();
            let call = lives(call(Input::SetIfAbsent(value)));
            let done = store.set(&key, text(value), SetOptions::new(ttl).if_absent()).await;
            wrote(call, done.map(|outcome| Output::Applied(outcome.is_written())));
        }
        6 => {
            // A session's save: what was loaded, changed, and saved only if it is still there.
            let Ok(Some(seen)) = store.get(&key).await else { return };
            let Some(expected) = number(&seen) else { return };
            tokio::time::sleep(rng.duration(Duration::ZERO..=Duration::from_millis(20))).await;
            let new = stage.value();
            let call = lives(call(Input::CompareAndSet { expected: Some(expected), new }));
            let done = store.set(&key, text(new), SetOptions::new(ttl).if_equals(seen)).await;
            wrote(call, done.map(|outcome| Output::Applied(outcome.is_written())));
        }
        _ => {
            let call = call(Input::Take);
            let taken = store.take(&key).await;
            wrote(call, taken.map(|value| Output::Value(value.and_then(|value| number(&value)))));
        }
    }
}

async fn count(stage: &Stage, instance: &Instance, rng: &mut SimRng) {
    let key = Key::from_physical("sim:counter").expect("the key is legal");
    let call = |input| stage.recorder.call(instance.number, "counter", input);
    if rng.chance(0.5) {
        read(call(Input::Read).cached(), instance.tiers.get(&key).await);
    } else {
        let by = rng.within(1..=9) as i64;
        let call = call(Input::Increment(by));
        let done = instance.tiers.increment(&key, by, Ttl::After(Duration::from_secs(3_000))).await;
        wrote(call, done.map(|sum| Output::Value(u64::try_from(sum).ok())));
    }
}

/// The application's own database behind a cache: the cache never writes it.
async fn cached(stage: &Stage, instance: &Instance, mut rng: SimRng) {
    let register = rng.below(REGISTERS);
    let id = format!("c{register}");
    let row = Key::from_physical(&format!("app:{id}")).expect("the key is legal");
    let call = |input| stage.recorder.call(instance.number, id.clone(), input);
    let sql = Arc::clone(&instance.sql);
    let forever = SetOptions::new(Ttl::Forever);
    let reads = if stage.scenario.long_turns { 800 } else { 68 };
    match rng.weighted(&[reads, 8, 10, 9, 3, 2]) {
        0 => {
            let call = call(Input::Read).cached();
            let rest =
                if rng.chance(0.25) { rng.duration(Duration::ZERO..=stage.scenario.rest) } else { Duration::ZERO };
            let loader = move || async move {
                let found = load(&*sql, &row).await;
                tokio::time::sleep(rest).await;
                found
            };
            let found = instance.cache.get_or_load(&id, loader).await;
            answered(call, found);
        }
        1 => {
            let call = call(Input::Read).cached();
            let many = instance.cache.get_or_load_many([id.clone(), "never".to_owned()], move |missing| async move {
                let mut found = Vec::new();
                for id in missing {
                    let row = Key::from_physical(&format!("app:{id}")).expect("the key is legal");
                    found.push((id, load(&*sql, &row).await?));
                }
                Ok::<_, Error>(found)
            });
            answered(call, many.await.map(|mut found| found.swap_remove(0)));
        }
        2 => {
            let call = stage.recorder.call(EXACT + instance.number, id.clone(), Input::Read);
            read(call, sql.get(&row).await);
        }
        3 => {
            let value = stage.value();
            let call = call(Input::Write(value));
            let write = move || async move { sql.set(&row, text(value), forever).await.map(drop) };
            wrote(call, instance.cache.write(&id, write).await.map(|()| Output::Done));
        }
        4 => {
            let call = call(Input::Delete);
            let delete = move || async move { sql.delete(&row).await };
            wrote(call, instance.cache.write(&id, delete).await.map(Output::Applied));
        }
        _ => {
            // Invalidations without a write change nothing that anybody may see.
            let done =
                if rng.chance(0.3) { instance.cache.clear().await } else { instance.cache.invalidate(&id).await };
            drop(done);
        }
    }
}

async fn load(sql: &dyn KvStore, row: &Key) -> Result<Option<u64>> {
    Ok(sql.get(row).await?.and_then(|value| number(&value)))
}

fn answered(call: Call, answer: Result<Option<Arc<u64>>>) {
    match answer {
        Ok(value) => call.returned(Output::Value(value.as_deref().copied())),
        Err(_) => call.failed(),
    }
}

fn read(call: Call, answer: Result<Option<Bytes>>) {
    match answer {
        // What is no number was never written; 0 never is.
        Ok(value) => call.returned(Output::Value(value.map(|value| number(&value).unwrap_or(0)))),
        Err(_) => call.failed(),
    }
}

fn wrote(call: Call, answer: Result<Output>) {
    match answer {
        Ok(output) => call.returned(output),
        Err(error) if may_have_happened(&error) => call.unknown(),
        Err(_) => call.failed(),
    }
}

fn may_have_happened(error: &Error) -> bool {
    error.kind() == ErrorKind::Indeterminate
}

fn text(value: u64) -> Bytes {
    Bytes::from(value.to_string())
}

fn number(value: &Bytes) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
