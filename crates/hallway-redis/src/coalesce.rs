//! Concurrent single reads become one `MGET`.
//!
//! No timer: a read that finds a free slot goes out at once, as a plain `GET` in the caller's own task. While all slots
//! are on the wire, what queues becomes the next batch. A batch runs in a task of its own, so that a caller who leaves
//! takes nobody with him, and each caller keeps his own deadline and error.

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

/// Reads and batches on the wire at once.
const SLOTS: usize = 4;

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
    in_flight: usize,
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

/// One small value, together with whatever else is being asked for.
pub(crate) async fn get(engine: &Arc<Engine>, coalescer: &Coalescer, key: &Key, deadline: Instant) -> Answer {
    let Some(answer) = coalescer.enter(key, deadline)? else {
        let _slot = Slot { engine, coalescer };
        return alone(engine, key, deadline).await;
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
    /// Takes a slot, or a place in the queue.
    fn enter(&self, key: &Key, deadline: Instant) -> Result<Option<oneshot::Receiver<Answer>>, Error> {
        let mut queue = self.lock();
        if queue.in_flight < SLOTS && queue.waiting.is_empty() {
            queue.in_flight += 1;
            return Ok(None);
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
        Ok(Some(receiver))
    }

    /// The next batch for a slot, or the slot given back.
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
            queue.in_flight -= 1;
            return None;
        }
        Some(batch)
    }

    fn learn(&self, bytes: usize, values: usize) {
        let mut queue = self.lock();
        queue.mean_bytes = (queue.mean_bytes * 3 + bytes / values.max(1)) / 4;
    }

    /// Gives a slot back without serving the queue, and lets the queued read for themselves: there is no runtime left
    /// here to serve them.
    fn abandon(&self) {
        let waiting = {
            let mut queue = self.lock();
            queue.in_flight -= 1;
            if queue.in_flight > 0 { VecDeque::new() } else { std::mem::take(&mut queue.waiting) }
        };
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot held by a caller's own read. However the read ends, the queue is served next.
struct Slot<'a> {
    engine: &'a Arc<Engine>,
    coalescer: &'a Coalescer,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some(batch) = self.coalescer.next() else { return };
        let batches = Batches { engine: Arc::clone(self.engine), holding: true };
        // Not simply in the caller's runtime, which may never be driven again once he has his own answer.
        match self.engine.runtime() {
            Some(runtime) => drop(runtime.spawn(run(batches, batch))),
            None => drop(batches),
        }
    }
}

/// A slot held by the task that serves the queue.
struct Batches {
    engine: Arc<Engine>,
    /// Whether the slot is still held when the task ends: it was cut off in the middle.
    holding: bool,
}

impl Drop for Batches {
    fn drop(&mut self) {
        if let (true, Some(coalescer)) = (self.holding, &self.engine.coalescer) {
            coalescer.abandon();
        }
    }
}

async fn run(mut batches: Batches, mut batch: Vec<Waiter>) {
    let engine = Arc::clone(&batches.engine);
    let Some(coalescer) = &engine.coalescer else { return };
    loop {
        serve(&engine, coalescer, batch).await;
        batch = match coalescer.next() {
            Some(next) => next,
            None => break,
        };
    }
    // `next` took the slot back.
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
        for _ in 0..SLOTS {
            assert!(coalescer.enter(&key, deadline).unwrap().is_none());
        }
        let waiting: Vec<_> = (0..QUEUE).map(|_| coalescer.enter(&key, deadline).unwrap().unwrap()).collect();
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
