//! What waits for a connection, and how it is cut into batches.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use hallway_core::{BATCH_BYTES, BATCH_KEYS};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::dialect::Verb;
use crate::failure::Failure;
use crate::lane::lead::Slot;
use crate::link::{Answer, Bounds, Item, Link};
use crate::opener::Opener;

/// Most calls waiting in one queue.
pub(crate) const QUEUE_LIMIT: usize = 10_000;

/// Most bytes of keys and values in one queue.
pub(crate) const QUEUE_BYTES: usize = 64 << 20;

/// What a call wants done.
pub(crate) struct Request {
    pub(crate) verb: Verb,
    /// Whether it also writes an outbox row for each of its keys.
    pub(crate) enlisted: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) bounds: Bounds,
}

/// Queues of one lane.
const QUEUES: usize = 2 * Verb::COUNT;

impl Request {
    pub(crate) fn of(verb: Verb, items: Vec<Item>) -> Self {
        Self { verb, enlisted: false, items, bounds: Bounds::default() }
    }

    pub(crate) fn within(verb: Verb, bounds: Bounds) -> Self {
        Self { verb, enlisted: false, items: Vec::new(), bounds }
    }

    /// The queue of those it may share a statement with.
    pub(super) fn queue(&self) -> usize {
        2 * self.verb as usize + usize::from(self.enlisted)
    }
}

pub(super) const QUEUED: u8 = 0;
pub(super) const TAKEN: u8 = 1;
pub(super) const GIVEN_UP: u8 = 2;

pub(super) struct Call {
    pub(super) request: Request,
    pub(super) number: u64,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Answer, Failure>>,
    pub(super) shared: Arc<Shared>,
    pub(super) retried: bool,
    /// Most calls in its statement: fewer after one that was too much.
    pub(super) most: usize,
}

/// What a call and its caller both hold.
#[derive(Default)]
pub(super) struct Shared {
    /// Who decides what becomes of the call: the caller that gives up, or the batch that takes it.
    pub(super) state: AtomicU8,
    /// Where to find the call in its queue, 0 before it has had a place there.
    pub(super) number: AtomicU64,
    /// The work, if the caller leads.
    pub(super) slot: Slot,
}

impl Call {
    pub(super) fn reply(self, answer: Result<Answer, Failure>) {
        // Its caller need not look for it in the queue.
        self.shared.state.store(TAKEN, Ordering::Release);
        // A caller that has gone away does not want it.
        let _ = self.answer.send(answer);
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.answer.is_closed() && self.shared.state.load(Ordering::Acquire) == QUEUED
    }

    /// From here on it counts as sent.
    pub(super) fn take(&self) -> bool {
        !self.answer.is_closed()
            && self.shared.state.compare_exchange(QUEUED, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(super) fn bytes(&self) -> usize {
        self.request.items.iter().map(|item| item.key.as_bytes().len() + item.value.len() + item.expected.len()).sum()
    }
}

/// When a connection at rest helps those that work, instead of leaving the queue to grow into one larger statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Help {
    /// When the last statement has taken this long; at once if `None`.
    pub(super) after: Option<Duration>,
    /// When so many wait.
    pub(super) crowd: usize,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) idle: Vec<Idle>,
    pub(super) queues: [VecDeque<Call>; QUEUES],
    pub(super) waiting: usize,
    /// Keys and values of those that wait.
    pub(super) bytes: usize,
    pub(super) numbers: u64,
    /// Callers that work in their own tasks, and some that have done so.
    pub(super) leaders: Vec<Arc<Shared>>,
    /// Connections there are, busy ones included.
    pub(super) live: usize,
    pub(super) opening: usize,
    pub(super) batches: u64,
    /// When a statement was last begun.
    pub(super) begun: Option<Instant>,
}

pub(super) struct Idle {
    pub(super) link: Box<dyn Link>,
    pub(super) since: Instant,
    /// Another connection has broken since: this one may have, too.
    pub(super) suspect: bool,
}

impl State {
    /// Whether a call that comes may take a connection for itself.
    pub(super) fn may_lead(&self, help: Help) -> bool {
        self.waiting == 0 && self.may_help(help)
    }

    /// Whether a connection at rest may begin a statement beside those that work.
    pub(super) fn may_help(&self, help: Help) -> bool {
        let working = self.live > self.idle.len();
        let long = |after| self.begun.is_none_or(|begun| begun.elapsed() >= after);
        !self.idle.is_empty() && (!working || self.waiting >= help.crowd || help.after.is_none_or(long))
    }

    pub(super) fn push_back(&mut self, call: Call) {
        self.waiting += 1;
        self.bytes += call.bytes();
        self.queues[call.request.queue()].push_back(call);
    }

    pub(super) fn push_front(&mut self, calls: Vec<Call>) {
        for call in calls.into_iter().rev() {
            call.shared.state.store(QUEUED, Ordering::Release);
            self.waiting += 1;
            self.bytes += call.bytes();
            self.queues[call.request.queue()].push_front(call);
        }
    }

    pub(super) fn wants_another(&mut self, width: usize, opener: &Opener) -> bool {
        // With a live connection more are a luxury: not while opening fails.
        let open = self.opening < self.waiting
            && self.live + self.opening < width
            && (self.opening == 0 && self.live == 0 || !opener.is_cooling());
        self.opening += usize::from(open);
        open
    }

    /// All in the queue that has waited longest, but one call per key of a write and no more than a batch holds.
    pub(super) fn next_batch(&mut self, read_keys: usize) -> Option<Vec<Call>> {
        loop {
            let oldest = |queue: &&mut VecDeque<Call>| queue.front().map_or(u64::MAX, |call| call.number);
            let queue = self.queues.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(oldest)?;
            let mut batch = Vec::new();
            let mut keys = HashSet::new();
            let mut left = Vec::new();
            let (mut items, mut bytes, mut most) = (0, 0, usize::MAX);
            while let Some(call) = queue.pop_front() {
                let verb = call.request.verb;
                let (more_items, more_bytes) = (call.request.items.len(), call.bytes());
                let keys_limit = if verb.brings_values() { BATCH_KEYS.min(read_keys) } else { BATCH_KEYS };
                let fits = batch.is_empty()
                    || items + more_items <= keys_limit
                        && bytes + more_bytes <= BATCH_BYTES
                        && batch.len() < most.min(call.most);
                if !fits || !batch.is_empty() && !verb.coalesces() {
                    queue.push_front(call);
                    break;
                }
                // Two writes of one key in one statement would have one outcome between them.
                if verb.writes() && call.request.items.iter().any(|item| keys.contains(&item.key)) {
                    left.push(call);
                    if left.len() > BATCH_KEYS {
                        break;
                    }
                    continue;
                }
                self.waiting -= 1;
                self.bytes -= more_bytes;
                if !call.is_wanted() {
                    continue;
                }
                if verb.writes() && verb.coalesces() {
                    keys.extend(call.request.items.iter().map(|item| item.key.clone()));
                }
                items += more_items;
                bytes += more_bytes;
                most = most.min(call.most);
                batch.push(call);
            }
            for call in left.into_iter().rev() {
                queue.push_front(call);
            }
            // Everybody in it had given up: look for the next one.
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    /// Takes a call out of its queue, if it is there.
    pub(super) fn forget(&mut self, queue: usize, number: u64) -> Option<Call> {
        let queue = &mut self.queues[queue];
        // In order but for calls that came back.
        let at = queue.binary_search_by_key(&number, |call| call.number).ok();
        let at = at.or_else(|| queue.iter().position(|call| call.number == number))?;
        let call = queue.remove(at)?;
        self.waiting -= 1;
        self.bytes -= call.bytes();
        Some(call)
    }

    pub(super) fn drain(&mut self) -> Vec<Call> {
        (self.waiting, self.bytes) = (0, 0);
        self.queues.iter_mut().flat_map(std::mem::take).collect()
    }
}
