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
use tokio::time::Instant;

use crate::deadline;
use crate::engine::Engine;
use crate::fault::Fault;

/// Batches on the wire at once, as long as each takes all who wait.
const BATCHES: usize = 4;

/// So many wait before another batch sets out beside those on the wire: small ones cost nearly as much as large ones.
const CROWD: usize = 8;

/// Callers that may queue.
const QUEUE: usize = 10_000;

/// How often a full queue is searched for callers who have left.
const PRUNE_PAUSE: Duration = Duration::from_millis(5);

/// What can be asked together.
pub(crate) trait Job: Sized + Send + 'static {
    type Ask: Clone + Send + Sync + 'static;
    type Answer: Send + 'static;

    /// Whether asking twice does no harm.
    const HARMLESS: bool;

    /// Bytes that a batch may bring there or back: it shrinks where values are large, lest one reply hold up all others.
    const BYTES: usize = 256 << 10;

    /// Batches on the wire at once where they are full: who did not fit does not wait for a round trip.
    const FULL_BATCHES: usize = BATCHES;

    /// Asks on the wire on their own, as long as there are no batches. Few, because each is a packet of its own.
    const LONE: usize = 4;

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

    /// Bytes that the ask sends, and what else it costs, as if that were bytes.
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
    /// Those of the batches that are about to take what waits.
    gathering: usize,
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
    Lone(J::Ask),
    Wait {
        answer: oneshot::Receiver<Outcome<J>>,
        /// Whether the caller has a batch set out.
        set_out: bool,
        /// The ask again, where it may be asked twice.
        spare: Option<J::Ask>,
    },
}

/// Asks, together with whatever else is being asked for. A caller whose deadline passes cannot tell whether his ask has
/// been sent.
pub(crate) async fn ask<J: Job>(engine: &Arc<Engine>, ask: J::Ask, deadline: Instant) -> Outcome<J> {
    // In a box, here and below, or all who queue would carry room for a command of their own.
    let Some(coalescer) = J::coalescer(engine) else { return Box::pin(J::alone(engine, &ask, deadline)).await };
    let (answer, spare) = match coalescer.enter(ask, deadline).map_err(Fault::unsent)? {
        Admission::Lone(ask) => {
            let _slot = Slot(coalescer);
            return Box::pin(J::alone(engine, &ask, deadline)).await;
        }
        Admission::Wait { answer, set_out, spare } => {
            if set_out {
                set_out_batch::<J>(engine);
            }
            (answer, spare)
        }
    };
    let asked = Instant::now();
    match deadline::until(deadline, answer).await {
        Ok(Ok(answer)) => answer,
        // The batch was torn down with its runtime.
        Ok(Err(_)) => match spare {
            Some(ask) => Box::pin(J::alone(engine, &ask, deadline)).await,
            None => Err(Fault::torn_down()),
        },
        Err(_) => {
            engine.missed_in_queue(asked.elapsed());
            Err(Fault::deadline(asked.elapsed()))
        }
    }
}

/// Starts a batch that has been counted as gathering.
fn set_out_batch<J: Job>(engine: &Arc<Engine>) {
    let batches = Batches::<J> { engine: Arc::clone(engine), stage: Stage::Gathering, job: PhantomData };
    // Not simply in the caller's runtime, which may never be driven again once he has his own answer.
    match engine.runtime() {
        Some(runtime) => drop(runtime.spawn(run(batches))),
        None => drop(batches),
    }
}

impl<J: Job> Default for Coalescer<J> {
    fn default() -> Self {
        let queue = Queue { waiting: VecDeque::new(), lone: 0, batches: 0, gathering: 0, pruned: None, mean_bytes: 0 };
        Self { queue: Mutex::new(queue) }
    }
}

impl<J: Job> Coalescer<J> {
    /// Goes out alone, or takes a place in the queue.
    fn enter(&self, ask: J::Ask, deadline: Instant) -> Result<Admission<J>, Error> {
        let mut queue = self.lock();
        // While there are batches everybody joins them: two ways side by side would halve the batches.
        if queue.lone < J::LONE && queue.batches == 0 {
            queue.lone += 1;
            return Ok(Admission::Lone(ask));
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
        let spare = J::HARMLESS.then(|| ask.clone());
        queue.waiting.push_back(Waiter { ask, deadline, answer: sender });
        let set_out = queue.set_out();
        Ok(Admission::Wait { answer: receiver, set_out, spare })
    }

    /// The next batch, and whether another is to set out for those whom it leaves; or one batch less on the wire. Ends the
    /// gathering either way.
    fn next(&self) -> Option<(Vec<Waiter<J>>, bool)> {
        let mut queue = self.lock();
        queue.gathering -= 1;
        let mut batch = Vec::with_capacity(BATCH_KEYS.min(queue.waiting.len()));
        let (mut bytes, mut full) = (0, false);
        while let Some(waiter) = queue.waiting.pop_front() {
            if waiter.answer.is_closed() {
                continue;
            }
            bytes += queue.mean_bytes.max(J::sent(&waiter.ask));
            full = batch.len() == BATCH_KEYS || (bytes > J::BYTES && !batch.is_empty());
            if full {
                queue.waiting.push_front(waiter);
                break;
            }
            batch.push(waiter);
        }
        if batch.is_empty() {
            queue.batches -= 1;
            return None;
        }
        // A few small ones may wait for the next; what would fill half a batch by itself may not.
        let left = queue.waiting.iter().take(CROWD).map(|waiter| queue.mean_bytes.max(J::sent(&waiter.ask)));
        let set_out = if full && (queue.waiting.len() >= CROWD || left.sum::<usize>() > J::BYTES / 2) {
            queue.set_out_beside(J::FULL_BATCHES)
        } else {
            queue.set_out()
        };
        Some((batch, set_out))
    }

    /// A batch is back, and about to take what has queued meanwhile.
    fn gather(&self) {
        self.lock().gathering += 1;
    }

    fn learn(&self, bytes: usize, answers: usize) {
        let mut queue = self.lock();
        queue.mean_bytes = (queue.mean_bytes * 3 + bytes / answers.max(1)) / 4;
    }

    /// Ends a batch without serving the queue, and lets the queued ask for themselves: there is no runtime left here to
    /// serve them.
    fn abandon(&self, stage: Stage) {
        let waiting = {
            let mut queue = self.lock();
            queue.batches -= 1;
            queue.gathering -= usize::from(stage == Stage::Gathering);
            if queue.batches > 0 { VecDeque::new() } else { std::mem::take(&mut queue.waiting) }
        };
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        // Nothing panics while holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job> Queue<J> {
    /// Whether a batch is to set out for those who wait, which counts it.
    fn set_out(&mut self) -> bool {
        if self.batches == 0 || self.waiting.len() >= CROWD { self.set_out_beside(BATCHES) } else { false }
    }

    /// The same for those who did not fit into another.
    fn set_out_beside(&mut self, most: usize) -> bool {
        // One that is about to gather takes all who wait, or has another set out: a second would find nothing.
        let set_out = self.batches == 0 || (self.gathering == 0 && self.batches < most);
        self.batches += usize::from(set_out);
        self.gathering += usize::from(set_out);
        set_out
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
    /// Where it is cut off if the task ends.
    stage: Stage,
    job: PhantomData<fn() -> J>,
}

/// How far a batch is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// About to take what waits.
    Gathering,
    OnTheWire,
    /// Counted out.
    Over,
}

impl<J: Job> Drop for Batches<J> {
    fn drop(&mut self) {
        if self.stage != Stage::Over
            && let Some(coalescer) = J::coalescer(&self.engine)
        {
            coalescer.abandon(self.stage);
        }
    }
}

async fn run<J: Job>(mut batches: Batches<J>) {
    let engine = Arc::clone(&batches.engine);
    let Some(coalescer) = J::coalescer(&engine) else { return };
    loop {
        // Whoever is about to ask, perhaps because he has just been answered, shall be in the batch.
        tokio::task::yield_now().await;
        let Some((batch, set_out)) = coalescer.next() else { break };
        batches.stage = Stage::OnTheWire;
        if set_out {
            set_out_batch::<J>(&engine);
        }
        serve(&engine, coalescer, batch).await;
        coalescer.gather();
        batches.stage = Stage::Gathering;
    }
    // `next` counted it out.
    batches.stage = Stage::Over;
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
    use hallway_core::{Key, Token, Ttl};

    use super::*;
    use crate::copies::Fill;
    use crate::gets::Get;

    fn enter(coalescer: &Coalescer<Get>) -> Result<Admission<Get>, Error> {
        coalescer.enter(Key::from_physical("a:1").unwrap(), Instant::now())
    }

    /// Where the next one has to wait.
    fn busy() -> Coalescer<Get> {
        let coalescer = Coalescer::default();
        assert!((0..Get::LONE).all(|_| matches!(enter(&coalescer), Ok(Admission::Lone(_)))));
        coalescer
    }

    /// A place in the queue, and whether a batch sets out.
    fn wait(coalescer: &Coalescer<Get>) -> (oneshot::Receiver<Outcome<Get>>, bool) {
        match enter(coalescer) {
            Ok(Admission::Wait { answer, set_out, .. }) => (answer, set_out),
            _ => panic!("there is room in the queue and no way past it"),
        }
    }

    /// Whoever queues while one is about to gather is taken by that one.
    #[test]
    fn no_batch_sets_out_beside_one_that_gathers() {
        let coalescer = busy();
        let mut answers = Vec::new();
        let mut set_out = |asks: usize| {
            let before = answers.len();
            answers.extend((0..asks).map(|_| wait(&coalescer)));
            answers[before..].iter().filter(|(_, set_out)| *set_out).count()
        };
        let next = || coalescer.next().map(|(batch, set_out)| (batch.len(), set_out));
        assert_eq!(set_out(5 * CROWD), 1, "the first one gathers");
        assert_eq!(next(), Some((5 * CROWD, false)));
        assert_eq!(set_out(CROWD - 1), 0, "too few for another beside the one on the wire");
        assert_eq!(set_out(3 * CROWD), 1, "one for all of them");
        coalescer.gather();
        assert_eq!(set_out(CROWD), 0, "two gather");
        assert_eq!(next(), Some((5 * CROWD - 1, false)));
        assert_eq!(next(), None, "the other finds nothing, and is over");
        assert_eq!(set_out(BATCH_KEYS + CROWD), 1);
        assert_eq!(next(), Some((BATCH_KEYS, true)), "those whom a full batch leaves do not wait for it");
        assert_eq!(next(), Some((CROWD, false)));
    }

    /// What single fills bring together is bounded, lest their script keep the server from everybody else; and those who
    /// are left do not wait for it to end.
    #[test]
    fn a_batch_of_fills_is_short_and_the_next_sets_out_beside_it() {
        let batches = |bytes: usize, fills: usize| {
            let fill = Fill {
                key: Key::from_physical("a:1").unwrap(),
                token: Token(1),
                copy: vec![0; bytes].into(),
                ttl: Ttl::After(Duration::from_secs(1)),
                lease: Duration::ZERO,
            };
            let coalescer = Coalescer::<Fill>::default();
            let waiting: Vec<_> = (0..=fills).map(|_| coalescer.enter(fill.clone(), Instant::now()).ok()).collect();
            let mut sizes = Vec::new();
            while let Some((batch, set_out)) = coalescer.next() {
                sizes.push(batch.len());
                if !set_out {
                    break;
                }
            }
            // The first goes alone, and all the others still wait for an answer.
            assert!(waiting.iter().all(Option::is_some));
            sizes
        };
        assert_eq!(batches(0, 40), [32, 8]);
        assert_eq!(batches(1 << 10, 26), [19], "few small ones wait for the next");
        assert_eq!(batches(1 << 10, 27), [19, 8]);
        assert_eq!(batches(4 << 10, 13), [8, 5]);
        assert_eq!(batches(16 << 10, 10), [2, 2, 2, 2, 2]);
        assert_eq!(batches(1 << 20, 3), [1, 1, 1], "larger ones go by themselves");
        assert_eq!(batches(1 << 20, 100).len(), Fill::FULL_BATCHES);
    }

    /// Or nobody would set out beside a batch on the wire ever again.
    #[test]
    fn one_that_is_torn_down_gathers_no_more() {
        for stage in [Stage::Gathering, Stage::OnTheWire] {
            let coalescer = busy();
            let (mut torn_down, set_out) = wait(&coalescer);
            assert!(set_out);
            if stage == Stage::OnTheWire {
                assert!(coalescer.next().is_some());
            }
            coalescer.abandon(stage);
            assert_eq!(torn_down.try_recv().err(), Some(oneshot::error::TryRecvError::Closed), "he asks for himself");
            let first = wait(&coalescer);
            assert!(first.1 && coalescer.next().is_some());
            let crowd: Vec<_> = (0..CROWD).map(|_| wait(&coalescer)).collect();
            assert_eq!(crowd.iter().filter(|(_, set_out)| *set_out).count(), 1);
        }
    }

    #[test]
    fn a_full_queue_is_searched_for_leavers_now_and_then() {
        let coalescer = busy();
        let waiting: Vec<_> = (0..QUEUE).map(|_| wait(&coalescer)).collect();
        let refused = || enter(&coalescer).err().map(|error| error.kind());
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
