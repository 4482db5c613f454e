//! Concurrent single reads become one `MGET`.
//!
//! No timer: while few read, each goes out at once, as a plain `GET` in the caller's own task; the connection pipelines
//! them. Beyond that reads queue, and what has queued while batches are on the wire becomes the next batch. Batches run
//! in tasks of their own, so that a caller who leaves takes nobody with him, and each caller keeps his own deadline and
//! error.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{BATCH_KEYS, Error, ErrorKind, Key};
use redis::{Cmd, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::batch::values;
use crate::engine::{Effect, Engine, Lane};
use crate::fault::Fault;

/// Reads on the wire on their own, as long as there are no batches. Few, because each is a packet of its own.
const LONE: usize = 4;

/// Batches on the wire at once.
const BATCHES: usize = 4;

/// So many wait before another batch sets out beside those on the wire: small ones cost nearly as much as large ones.
const CROWD: usize = 8;

/// Callers that may queue.
const QUEUE: usize = 10_000;

/// How often a full queue is searched for callers who have left.
const PRUNE_PAUSE: Duration = Duration::from_millis(5);

/// Bytes a batch is meant to bring back: it shrinks where values are large, lest one reply hold up all others.
const REPLY_BYTES: usize = 256 << 10;

type Answer = Result<Option<Bytes>, Error>;

#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiter>,
    lone: usize,
    batches: usize,
    /// When those who left were last looked for.
    pruned: Option<Instant>,
    /// Moving average of the bytes of a value.
    mean_bytes: usize,
}

#[derive(Debug)]
struct Waiter {
    key: Key,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

enum Admission {
    /// Go out alone.
    Lone,
    /// Wait for a batch; who gets `true` has it set out.
    Wait(oneshot::Receiver<Answer>, bool),
}

/// One small value, together with whatever else is being asked for.
pub(crate) async fn get(engine: &Arc<Engine>, coalescer: &Coalescer, key: &Key, deadline: Instant) -> Answer {
    let answer = match coalescer.enter(key, deadline)? {
        Admission::Lone => {
            let _slot = Slot(coalescer);
            return alone(engine, key, deadline).await;
        }
        Admission::Wait(answer, set_out) => {
            if set_out {
                let batches = Batches { engine: Arc::clone(engine), holding: true };
                // Not simply in the caller's runtime, which may never be driven again once he has his own answer.
                match engine.runtime() {
                    Some(runtime) => drop(runtime.spawn(run(batches))),
                    None => drop(batches),
                }
            }
            answer
        }
    };
    let asked = Instant::now();
    match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => answer,
        // The batch was torn down with its runtime; the read itself can still be had.
        Ok(Err(_)) => alone(engine, key, deadline).await,
        Err(_) => {
            engine.missed_in_queue(asked.elapsed());
            Err(Fault::deadline(asked.elapsed()).into_read_error())
        }
    }
}

/// One value by a plain `GET`.
pub(crate) async fn alone(engine: &Engine, key: &Key, deadline: Instant) -> Answer {
    let lane = engine.large_keys.lane(key);
    let mut command = Cmd::with_capacity(2, 3 + key.as_bytes().len());
    command.arg("GET").arg(key.as_bytes());
    let value = engine.call(lane, Effect::Read, deadline, &command).await.and_then(|value| engine.bulk(key, value));
    value.map_err(Fault::into_read_error)
}

impl Coalescer {
    /// Goes out alone, or takes a place in the queue.
    fn enter(&self, key: &Key, deadline: Instant) -> Result<Admission, Error> {
        let mut queue = self.lock();
        // While there are batches everybody joins them: two ways side by side would halve the batches.
        if queue.lone < LONE && queue.batches == 0 {
            queue.lone += 1;
            return Ok(Admission::Lone);
        }
        if queue.waiting.len() >= QUEUE {
            // Not for every caller: looking at all takes a while, and the others wait for the lock.
            let now = Instant::now();
            if queue.pruned.is_none_or(|last| now.duration_since(last) >= PRUNE_PAUSE) {
                queue.waiting.retain(|waiter| !waiter.answer.is_closed());
                queue.pruned = Some(now);
            }
            if queue.waiting.len() >= QUEUE {
                return Err(Error::new(ErrorKind::Overloaded, format!("{QUEUE} reads are waiting already: shed load")));
            }
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push_back(Waiter { key: key.clone(), deadline, answer: sender });
        let set_out = queue.batches == 0 || queue.batches < BATCHES && queue.waiting.len() >= CROWD;
        queue.batches += usize::from(set_out);
        Ok(Admission::Wait(receiver, set_out))
    }

    /// The next batch, or one batch less on the wire.
    fn next(&self) -> Option<Vec<Waiter>> {
        let mut queue = self.lock();
        let limit = (REPLY_BYTES / queue.mean_bytes.max(1)).clamp(1, BATCH_KEYS);
        let mut batch = Vec::with_capacity(limit.min(queue.waiting.len()));
        while batch.len() < limit {
            let Some(waiter) = queue.waiting.pop_front() else { break };
            if !waiter.answer.is_closed() {
                batch.push(waiter);
            }
        }
        if batch.is_empty() {
            queue.batches -= 1;
            return None;
        }
        Some(batch)
    }

    fn learn(&self, bytes: usize, values: usize) {
        let mut queue = self.lock();
        queue.mean_bytes = (queue.mean_bytes * 3 + bytes / values.max(1)) / 4;
    }

    /// Ends a batch without serving the queue, and lets the queued read for themselves: there is no runtime left
    /// here to serve them.
    fn abandon(&self) {
        let waiting = {
            let mut queue = self.lock();
            queue.batches -= 1;
            if queue.batches > 0 { VecDeque::new() } else { std::mem::take(&mut queue.waiting) }
        };
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a caller's own read out, however it ends.
struct Slot<'a>(&'a Coalescer);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.lock().lone -= 1;
    }
}

/// Counts a batch out, however the task that serves the queue ends.
struct Batches {
    engine: Arc<Engine>,
    /// Whether it still counts when the task ends: it was cut off in the middle.
    holding: bool,
}

impl Drop for Batches {
    fn drop(&mut self) {
        if let (true, Some(coalescer)) = (self.holding, &self.engine.coalescer) {
            coalescer.abandon();
        }
    }
}

async fn run(mut batches: Batches) {
    let engine = Arc::clone(&batches.engine);
    let Some(coalescer) = &engine.coalescer else { return };
    loop {
        // Whoever is about to ask, perhaps because he has just been answered, shall be in the batch.
        tokio::task::yield_now().await;
        match coalescer.next() {
            Some(batch) => serve(&engine, coalescer, batch).await,
            None => break,
        }
    }
    // `next` counted it out.
    batches.holding = false;
}

async fn serve(engine: &Engine, coalescer: &Coalescer, batch: Vec<Waiter>) {
    let Some(deadline) = batch.iter().map(|waiter| waiter.deadline).max() else { return };
    engine.counters.coalesced_batches.fetch_add(1, Relaxed);
    engine.counters.coalesced_reads.fetch_add(batch.len() as u64, Relaxed);
    let keys: Vec<&Key> = batch.iter().map(|waiter| &waiter.key).collect();
    let mut answer = values(engine, Lane::Small, &keys, deadline).await;
    if batch.len() > 1 && answer.as_ref().is_err_and(|fault| fault.error.kind() == ErrorKind::Unauthorized) {
        // Access rules may forbid some of the keys, and only who asked for those shall hear of it.
        answer = gets(engine, deadline, &batch).await;
    }
    match answer {
        Ok(values) => {
            let mut bytes = 0;
            let count = batch.len();
            for (waiter, value) in batch.into_iter().zip(values) {
                let value = engine.bulk(&waiter.key, value).map_err(Fault::into_read_error);
                bytes += value.as_ref().map_or(0, |value| value.as_ref().map_or(0, Bytes::len));
                // Whoever left does not want it any more.
                let _ = waiter.answer.send(value);
            }
            coalescer.learn(bytes, count);
        }
        Err(fault) => {
            let error = fault.into_read_error();
            for waiter in batch {
                let _ = waiter.answer.send(Err(error.clone()));
            }
        }
    }
}

async fn gets(engine: &Engine, deadline: Instant, batch: &[Waiter]) -> Result<Vec<Value>, Fault> {
    let mut pipeline = redis::Pipeline::with_capacity(batch.len());
    for waiter in batch {
        pipeline.cmd("GET").arg(waiter.key.as_bytes());
    }
    engine.pipeline(Lane::Small, Effect::Read, deadline, &pipeline).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_searched_for_leavers_now_and_then() {
        let coalescer = Coalescer::default();
        let (key, deadline) = (Key::from_physical("a:1").unwrap(), Instant::now());
        for _ in 0..LONE {
            assert!(matches!(coalescer.enter(&key, deadline), Ok(Admission::Lone)));
        }
        let wait = |_| match coalescer.enter(&key, deadline) {
            Ok(Admission::Wait(answer, _)) => answer,
            _ => panic!("there is room in the queue and no way past it"),
        };
        let waiting: Vec<_> = (0..QUEUE).map(wait).collect();
        let refused = || coalescer.enter(&key, deadline).err().map(|error| error.kind());
        assert_eq!(refused(), Some(ErrorKind::Overloaded));
        drop(waiting);
        // As if the last search were just now, however slow this machine is.
        coalescer.lock().pruned = Some(Instant::now() + PRUNE_PAUSE);
        assert_eq!(refused(), Some(ErrorKind::Overloaded), "not searched again so soon");
        coalescer.lock().pruned = Some(Instant::now() - PRUNE_PAUSE);
        assert_eq!(refused(), None, "searched, so there is room");
        assert_eq!(coalescer.lock().waiting.len(), 1);
    }
}
