//! Coalescing: what queues while a statement is on the wire becomes the next statement.
//!
//! There is no timer. A call that finds an idle connection runs at once, in its caller's own task, so a lone call
//! pays nothing. Calls that find all connections busy wait in the queue; whoever ends a statement takes all of one
//! kind that have queued, as one batch. As soon as somebody waits for it, the work moves to a task of its own: a caller
//! gets its answer without serving others, and one that is not polled, or goes away in mid-statement, holds nobody up.
//! A connection is therefore never left half-way through an answer.

mod batch;
mod lead;
mod queue;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::dialect::Statements;
use crate::failure::{Effect, Failure};
pub(crate) use crate::lane::batch::full_jitter;
use crate::lane::lead::{Serve, spawn};
pub(crate) use crate::lane::queue::Request;
use crate::lane::queue::{Call, GIVEN_UP, Help, Idle, QUEUE_BYTES, QUEUE_LIMIT, QUEUED, Shared, State, TAKEN};
use crate::link::{Answer, Link, Role};
use crate::opener::Opener;
use crate::stats::SqlStats;

/// A writer is helped by another connection only when its statement takes longer. Two at once would wait for the same
/// flush of the log with half a batch each; but one that waits for a lock must not hold up all others.
const HELP_WRITES_AFTER: Duration = Duration::from_millis(20);

/// Statements that take longer than this spend it on the network, where others may as well be on their way.
const FAR: Duration = Duration::from_micros(500);

/// Where statements are short a reader is helped only when one takes longer than usual, or when many wait: what is read
/// together costs half as much as what is read beside each other.
const HELP_READS_AFTER: Duration = Duration::from_millis(1);
const READ_CROWD: usize = 32;

/// A connection unused for longer is asked whether it still lives before a call is put on it.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// How long that question may take.
const CHECK_LIMIT: Duration = Duration::from_millis(200);

/// Bytes of values that a statement should answer with, as far as the answers before it tell.
const ANSWER_BYTES: u64 = 4 << 20;

/// Most keys of one reading statement, however small their values have been.
const READ_KEYS: usize = 16_384;

/// What a value is taken for before any has been seen.
const UNKNOWN_BYTES: u64 = 16 << 10;

/// Connections of one role and the calls waiting for them.
pub(crate) struct Lane {
    role: Role,
    width: usize,
    /// Longest time on the wire; past it the connection is given up.
    limit: Option<Duration>,
    /// How long the database itself may wait for a lock before it says that it lost.
    patience: Duration,
    cap: i64,
    statements: Statements,
    opener: Arc<Opener>,
    /// How many bytes a key has brought lately.
    bytes_per_key: AtomicU64,
    /// How long a statement has taken lately.
    nanos: AtomicU64,
    // A blocking mutex: nothing awaits while holding it, and what it guards is a few pointer moves.
    state: Mutex<State>,
}

/// Why a call has no answer of the database.
#[derive(Debug)]
pub(crate) enum CallError {
    Failed(Failure),
    /// The deadline passed; whether anything was sent.
    Late {
        sent: bool,
    },
    Full,
}

impl CallError {
    pub(crate) fn into_error(self, writes: bool, deadline: Duration) -> Error {
        match self {
            Self::Failed(failure) => failure.into_error(writes),
            Self::Late { sent: true } if writes => Error::new(
                ErrorKind::Indeterminate,
                format!("no answer within {deadline:?}; the write may have happened"),
            ),
            Self::Late { sent: true } => Error::new(ErrorKind::Unavailable, format!("no answer within {deadline:?}")),
            Self::Late { sent: false } => {
                Error::new(ErrorKind::Unavailable, format!("nothing could be sent within {deadline:?}"))
            }
            Self::Full => Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{QUEUE_LIMIT} calls or {} MiB are waiting for the database already; slow down or add connections",
                    QUEUE_BYTES >> 20
                ),
            ),
        }
    }
}

enum Admission {
    Lead(Serve),
    Wait { open: bool, crowd: bool, leaders: Vec<Arc<Shared>> },
}

impl Lane {
    pub(crate) fn new(
        role: Role,
        width: usize,
        limit: Option<Duration>,
        cap: usize,
        statements: Statements,
        opener: Arc<Opener>,
    ) -> Self {
        let cap = i64::try_from(cap).unwrap_or(i64::MAX);
        let bytes_per_key = AtomicU64::new(UNKNOWN_BYTES);
        let patience = Duration::ZERO;
        let nanos = AtomicU64::new(0);
        Self { role, width, limit, patience, cap, statements, opener, bytes_per_key, nanos, state: Mutex::default() }
    }

    /// How many keys a statement should ask for, so that its answer is of a reasonable size.
    pub(crate) fn read_keys(&self) -> usize {
        let keys = ANSWER_BYTES / self.bytes_per_key.load(Ordering::Relaxed).max(1);
        usize::try_from(keys).unwrap_or(READ_KEYS).clamp(1, READ_KEYS)
    }

    /// A statement with many keys tells more than one with few. Racing updates may be lost: it is an estimate.
    fn learn(&self, keys: usize, answer: &Answer) {
        let keys = keys.max(1) as u64;
        let bytes: usize = answer.rows.iter().filter_map(|row| row.bytes.as_ref()).map(Bytes::len).sum();
        let before = self.bytes_per_key.load(Ordering::Relaxed);
        let now = (before.saturating_mul(8).saturating_add(bytes as u64)) / (8 + keys);
        self.bytes_per_key.store(now, Ordering::Relaxed);
    }

    /// Runs a request and waits for its answer until the deadline.
    ///
    /// # Cancel safety
    /// A call that has not been sent is not sent any more; one that has goes on alone.
    pub(crate) async fn call(self: &Arc<Self>, request: Request, deadline: Instant) -> Result<Answer, CallError> {
        let (answer, receiver) = oneshot::channel();
        let shared = Arc::new(Shared::default());
        let queue = request.queue();
        let call = Call {
            request,
            number: 0,
            deadline,
            answer,
            shared: Arc::clone(&shared),
            retried: false,
            most: usize::MAX,
        };
        let caller = Caller { lane: self, shared, queue };
        // A call that leads needs no help.
        let mut help = None;
        match self.admit(call) {
            Err(_) => return Err(CallError::Full),
            Ok(Admission::Lead(serve)) => caller.shared.slot.rest(serve),
            Ok(Admission::Wait { open, crowd, leaders }) => {
                hand_over(leaders);
                help = self.help().after.map(|after| Instant::now() + after).filter(|at| *at < deadline);
                if open {
                    self.open_in_background();
                }
                if crowd {
                    self.go_on();
                }
            }
        }
        let mut receiver = pin!(receiver);
        let mut sleep = pin!(tokio::time::sleep_until(help.unwrap_or(deadline)));
        let answered = poll_fn(|context| {
            caller.shared.slot.poll(context);
            if let Poll::Ready(answer) = receiver.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            // Asked once for each moment it is set to: the moment of help may come between two questions, and is not the
            // deadline.
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if help.take().is_none() {
                return Poll::Ready(None);
            }
            self.go_on();
            sleep.as_mut().reset(deadline);
            sleep.as_mut().poll(context).map(|()| None)
        })
        .await;
        match answered {
            Some(Ok(Ok(answer))) => Ok(answer),
            Some(Ok(Err(failure))) => Err(CallError::Failed(failure)),
            // The task that served us was stopped, with its runtime for example.
            Some(Err(_)) => Err(CallError::Failed(Failure::new(
                ErrorKind::Unavailable,
                if caller.give_up() { Effect::Drop } else { Effect::Lost },
                "the task that waited for the database was stopped",
            ))),
            None => Err(CallError::Late { sent: !caller.give_up() }),
        }
    }

    /// Does not begin another attempt that the database may sit on past the deadline.
    #[must_use]
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long after the deadline of a write it may still be done.
    pub(crate) fn outlasts(&self) -> Option<Duration> {
        self.opener.outlasts()
    }

    /// What all lanes of the store have counted.
    pub(crate) fn stats(&self) -> SqlStats {
        self.opener.counters.snapshot()
    }

    /// Opens a first connection, so that the first call finds one.
    pub(crate) fn warm_up(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.live + state.opening == 0 {
            state.opening += 1;
            drop(state);
            self.open_in_background();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave the state half-changed.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn admit(self: &Arc<Self>, mut call: Call) -> Result<Admission, ()> {
        let mut state = self.lock();
        state.numbers += 1;
        call.number = state.numbers;
        call.shared.number.store(call.number, Ordering::Relaxed);
        // Nobody waits while a connection may be taken, so nobody is overtaken.
        if state.may_lead(self.help())
            && let Some(idle) = state.idle.pop()
        {
            call.shared.slot.begin();
            state.leaders.retain(|leader| leader.slot.leads());
            state.leaders.push(Arc::clone(&call.shared));
            drop(state);
            let busy = Busy { lane: Arc::clone(self), phase: Phase::Live };
            return Ok(Admission::Lead(Box::pin(serve(busy, idle, vec![call]))));
        }
        let full = state.waiting > 0 && state.bytes + call.bytes() > QUEUE_BYTES;
        if full || state.waiting >= QUEUE_LIMIT {
            call.shared.state.store(TAKEN, Ordering::Release);
            return Err(());
        }
        state.push_back(call);
        // A connection that rests although somebody waits is for statements that take long: see `call`.
        let open = state.wants_another(self.width, &self.opener);
        let crowd = state.may_help(self.help());
        Ok(Admission::Wait { open, crowd, leaders: std::mem::take(&mut state.leaders) })
    }

    /// When another connection helps.
    fn help(&self) -> Help {
        match self.role {
            Role::Migrate | Role::Write => Help { after: Some(HELP_WRITES_AFTER), crowd: usize::MAX },
            Role::Read if self.typical() >= FAR => Help { after: None, crowd: 0 },
            Role::Read => Help { after: Some(HELP_READS_AFTER), crowd: READ_CROWD },
        }
    }

    /// How long a statement has taken lately.
    fn typical(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn note(&self, took: Duration) {
        let (before, took) = (self.nanos.load(Ordering::Relaxed), u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        // Racing updates may be lost: it is an estimate.
        self.nanos.store(before - before / 8 + took / 8, Ordering::Relaxed);
    }

    fn open_in_background(self: &Arc<Self>) {
        spawn(open(Busy { lane: Arc::clone(self), phase: Phase::Opening }));
    }

    /// Sees to calls that came back to the queue: by a connection at rest, or by another one.
    fn go_on(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.may_help(self.help())
            && let Some(batch) = state.next_batch(self.read_keys())
            && let Some(idle) = state.idle.pop()
        {
            drop(state);
            let busy = Busy { lane: Arc::clone(self), phase: Phase::Live };
            spawn(serve(busy, idle, batch));
        } else if state.waiting > 0 {
            let open = state.wants_another(self.width, &self.opener);
            let leaders = std::mem::take(&mut state.leaders);
            drop(state);
            hand_over(leaders);
            if open {
                self.open_in_background();
            }
        }
    }

    /// The next batch for a connection, or the connection put to rest.
    fn next_or_park(&self, link: Box<dyn Link>) -> Option<(Box<dyn Link>, Vec<Call>)> {
        let mut state = self.lock();
        match state.next_batch(self.read_keys()) {
            Some(batch) => Some((link, batch)),
            None => {
                state.idle.push(Idle { link, since: Instant::now(), suspect: false });
                None
            }
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Lane")
            .field("role", &self.role)
            .field("live", &state.live)
            .field("waiting", &state.waiting)
            .field("batches", &state.batches)
            .finish_non_exhaustive()
    }
}

/// A caller that may lead and may go away. Work that it leaves behind goes on in a task of its own.
struct Caller<'a> {
    lane: &'a Lane,
    shared: Arc<Shared>,
    queue: usize,
}

impl Caller<'_> {
    /// Whether the call has not been sent, and so will not be.
    fn give_up(&self) -> bool {
        let state = &self.shared.state;
        match state.compare_exchange(QUEUED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // What it holds is of no more use, so it makes room for others.
                let forgotten = self.lane.lock().forget(self.queue, self.shared.number.load(Ordering::Relaxed));
                drop(forgotten);
                true
            }
            Err(before) => before == GIVEN_UP,
        }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.give_up();
        self.shared.slot.hand_over();
    }
}

/// Somebody waits now, and must not depend on these callers being polled.
fn hand_over(leaders: Vec<Arc<Shared>>) {
    for leader in leaders {
        leader.slot.hand_over();
    }
}

enum Phase {
    Opening,
    Live,
    Over,
}

/// Counts a connection that somebody is working with, and counts it out however that work ends.
struct Busy {
    lane: Arc<Lane>,
    phase: Phase,
}

impl Busy {
    fn opened(&mut self) {
        let mut state = self.lane.lock();
        state.opening -= 1;
        state.live += 1;
        self.phase = Phase::Live;
    }

    /// The connection rests; it still counts.
    fn parked(&mut self) {
        self.phase = Phase::Over;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.lane.lock();
        match self.phase {
            Phase::Opening => {
                state.opening -= 1;
                // Its runtime has ended: whoever waits for it alone is told so by the end of the channel. Opening
                // another from here would go round for ever.
                let stranded = if state.live + state.opening == 0 { state.drain() } else { Vec::new() };
                drop(state);
                drop(stranded);
            }
            Phase::Live => {
                state.live -= 1;
                drop(state);
                self.lane.go_on();
            }
            Phase::Over => {}
        }
    }
}

/// Opens a connection and serves with it.
async fn open(mut busy: Busy) {
    let lane = Arc::clone(&busy.lane);
    match lane.opener.open(lane.role).await {
        Ok(link) => {
            busy.opened();
            if let Some((link, batch)) = lane.next_or_park(link) {
                serve(busy, Idle { link, since: Instant::now(), suspect: false }, batch).await;
            } else {
                busy.parked();
            }
        }
        Err(failure) => {
            let mut state = lane.lock();
            state.opening -= 1;
            busy.phase = Phase::Over;
            // Others may still get through with the connections they have.
            let calls = if state.live + state.opening == 0 { state.drain() } else { Vec::new() };
            drop(state);
            for call in calls {
                call.reply(Err(failure.clone()));
            }
        }
    }
}

/// Runs batch after batch until nothing waits.
async fn serve(mut busy: Busy, idle: Idle, mut batch: Vec<Call>) {
    let lane = Arc::clone(&busy.lane);
    let Idle { mut link, since, suspect } = idle;
    // SQLite is in this process: there is nothing to ask, and a question that takes long would cost the connection.
    let doubtful = lane.limit.is_some() && (suspect || since.elapsed() > IDLE_CHECK);
    if doubtful && !matches!(tokio::time::timeout(CHECK_LIMIT, link.check()).await, Ok(Ok(()))) {
        // Nothing was sent: the calls may take another connection.
        lane.lock().push_front(batch);
        return;
    }
    loop {
        let several = batch.len() > 1;
        if !lane.execute(&mut *link, batch).await {
            return;
        }
        if several {
            // Whoever has just been answered and asks again at once shall be in the next batch.
            tokio::task::yield_now().await;
        }
        match lane.next_or_park(link) {
            Some(next) => (link, batch) = next,
            None => return busy.parked(),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;
