//! Concurrent asks of one kind become one batch: single reads one `MGET`, leases one pipeline of scripts.
//!
//! No timer: while few ask, each goes out at once, in the caller's own task; the connection pipelines them. Beyond that
//! they queue, and what has queued while batches are on the wire becomes the next batch. Batches run in tasks of their
//! own, so that a caller who leaves takes nobody with him, and each caller keeps his own deadline and error.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallway_core::{BATCH_KEYS, Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::engine::Engine;
use crate::fault::Fault;

/// Asks on the wire on their own, as long as there are no batches. Few, because each is a packet of its own.
const LONE: usize = 4;

/// Batches on the wire at once.
const BATCHES: usize = 4;

/// So many wait before another batch sets out beside those on the wire: small ones cost nearly as much as large ones.
const CROWD: usize = 8;

/// Callers that may queue.
const QUEUE: usize = 10_000;

/// How often a full queue is searched for callers who have left.
const PRUNE_PAUSE: Duration = Duration::from_millis(5);

/// Bytes a batch is meant to bring there or back: it shrinks where values are large, lest one reply hold up all others.
const BATCH_BYTES: usize = 256 << 10;

/// What can be asked together.
pub(crate) trait Job: Sized + Send + 'static {
    type Ask: Clone + Send + Sync + 'static;
    type Answer: Send + 'static;

    /// Whether asking twice does no harm.
    const HARMLESS: bool;

    /// Where asks of this kind gather.
    fn coalescer(engine: &Engine) -> Option<&Coalescer<Self>>;

    /// Asks alone.
    fn alone(
        engine: &Engine,
        ask: &Self::Ask,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;

    /// Asks together: one answer for each, in their order.
    fn together(
        engine: &Engine,
        asks: &[&Self::Ask],
        deadline: Instant,
    ) -> impl Future<Output = Vec<Result<Self::Answer, Fault>>> + Send;

    /// Bytes that the ask sends, beside a few.
    fn sent(_: &Self::Ask) -> usize {
        0
    }

    /// Bytes that the answer brought.
    fn brought(_: &Self::Answer) -> usize {
        0
    }

    /// Counters of batches and of the asks in them, if they are kept.
    fn counters(_: &Engine) -> Option<(&AtomicU64, &AtomicU64)> {
        None
    }
}

type Outcome<J> = Result<<J as Job>::Answer, Fault>;

pub(crate) struct Coalescer<J: Job> {
    queue: Mutex<Queue<J>>,
}

struct Queue<J: Job> {
    waiting: VecDeque<Waiter<J>>,
    lone: usize,
    batches: usize,
    /// When those who left were last looked for.
    pruned: Option<Instant>,
    /// Moving average of the bytes of an answer.
    mean_bytes: usize,
}

struct Waiter<J: Job> {
    ask: J::Ask,
    deadline: Instant,
    answer: oneshot::Sender<Outcome<J>>,
}

enum Admission<J: Job> {
    /// Go out alone.
    Lone,
    /// Wait for a batch; who gets `true` has it set out.
    Wait(oneshot::Receiver<Outcome<J>>, bool),
}

/// Asks, together with whatever else is being asked for. A caller whose deadline passes cannot tell whether his ask has
/// been sent.
pub(crate) async fn ask<J: Job>(engine: &Arc<Engine>, ask: J::Ask, deadline: Instant) -> Outcome<J> {
    // In a box, here and below, or all who queue would carry room for a command of their own.
    let Some(coalescer) = J::coalescer(engine) else { return Box::pin(J::alone(engine, &ask, deadline)).await };
    let answer = match coalescer.enter(&ask, deadline).map_err(Fault::unsent)? {
        Admission::Lone => {
            let _slot = Slot(coalescer);
            return Box::pin(J::alone(engine, &ask, deadline)).await;
        }
        Admission::Wait(answer, set_out) => {
            if set_out {
                let batches = Batches::<J> { engine: Arc::clone(engine), holding: true, job: PhantomData };
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
        // The batch was torn down with its runtime.
        Ok(Err(_)) if J::HARMLESS => Box::pin(J::alone(engine, &ask, deadline)).await,
        Ok(Err(_)) => Err(Fault::torn_down()),
        Err(_) => {
            engine.missed_in_queue(asked.elapsed());
            Err(Fault::deadline(asked.elapsed()))
        }
    }
}

impl<J: Job> Default for Coalescer<J> {
    fn default() -> Self {
        let queue = Queue { waiting: VecDeque::new(), lone: 0, batches: 0, pruned: None, mean_bytes: 0 };
        Self { queue: Mutex::new(queue) }
    }
}

impl<J: Job> Coalescer<J> {
    /// Goes out alone, or takes a place in the queue.
    fn enter(&self, ask: &J::Ask, deadline: Instant) -> Result<Admission<J>, Error> {
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
                return Err(Error::new(ErrorKind::Overloaded, format!("{QUEUE} calls are waiting already: shed load")));
            }
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push_back(Waiter { ask: ask.clone(), deadline, answer: sender });
        let set_out = queue.batches == 0 || queue.batches < BATCHES && queue.waiting.len() >= CROWD;
        queue.batches += usize::from(set_out);
        Ok(Admission::Wait(receiver, set_out))
    }

    /// The next batch, or one batch less on the wire.
    fn next(&self) -> Option<Vec<Waiter<J>>> {
        let mut queue = self.lock();
        let mut batch = Vec::with_capacity(BATCH_KEYS.min(queue.waiting.len()));
        let mut bytes = 0;
        while batch.len() < BATCH_KEYS {
            let Some(waiter) = queue.waiting.pop_front() else { break };
            if waiter.answer.is_closed() {
                continue;
            }
            bytes += queue.mean_bytes.max(J::sent(&waiter.ask));
            if bytes > BATCH_BYTES && !batch.is_empty() {
                queue.waiting.push_front(waiter);
                break;
            }
            batch.push(waiter);
        }
        if batch.is_empty() {
            queue.batches -= 1;
            return None;
        }
        Some(batch)
    }

    fn learn(&self, bytes: usize, answers: usize) {
        let mut queue = self.lock();
        queue.mean_bytes = (queue.mean_bytes * 3 + bytes / answers.max(1)) / 4;
    }

    /// Ends a batch without serving the queue, and lets the queued ask for themselves: there is no runtime left here to
    /// serve them.
    fn abandon(&self) {
        let waiting = {
            let mut queue = self.lock();
            queue.batches -= 1;
            if queue.batches > 0 { VecDeque::new() } else { std::mem::take(&mut queue.waiting) }
        };
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        // Nothing panics while holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a caller's own ask out, however it ends.
struct Slot<'a, J: Job>(&'a Coalescer<J>);

impl<J: Job> Drop for Slot<'_, J> {
    fn drop(&mut self) {
        self.0.lock().lone -= 1;
    }
}

/// Counts a batch out, however the task that serves the queue ends.
struct Batches<J: Job> {
    engine: Arc<Engine>,
    /// Whether it still counts when the task ends: it was cut off in the middle.
    holding: bool,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> Drop for Batches<J> {
    fn drop(&mut self) {
        if let (true, Some(coalescer)) = (self.holding, J::coalescer(&self.engine)) {
            coalescer.abandon();
        }
    }
}

async fn run<J: Job>(mut batches: Batches<J>) {
    let engine = Arc::clone(&batches.engine);
    let Some(coalescer) = J::coalescer(&engine) else { return };
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

async fn serve<J: Job>(engine: &Engine, coalescer: &Coalescer<J>, batch: Vec<Waiter<J>>) {
    let Some(deadline) = batch.iter().map(|waiter| waiter.deadline).max() else { return };
    if let Some((batches, asks)) = J::counters(engine) {
        batches.fetch_add(1, Relaxed);
        asks.fetch_add(batch.len() as u64, Relaxed);
    }
    let asks: Vec<&J::Ask> = batch.iter().map(|waiter| &waiter.ask).collect();
    let answers = J::together(engine, &asks, deadline).await;
    let mut bytes = 0;
    let (count, mut good) = (batch.len(), false);
    for (waiter, answer) in batch.into_iter().zip(answers) {
        if let Ok(answer) = &answer {
            bytes += J::brought(answer);
            good = true;
        }
        // Whoever left does not want it any more.
        let _ = waiter.answer.send(answer);
    }
    if good {
        coalescer.learn(bytes, count);
    }
}

#[cfg(test)]
mod tests {
    use hallway_core::Key;

    use super::*;
    use crate::gets::Get;

    #[test]
    fn a_full_queue_is_searched_for_leavers_now_and_then() {
        let coalescer = Coalescer::<Get>::default();
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
