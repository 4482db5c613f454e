//! Coalescing: what queues while a statement is on the wire becomes the next statement.
//!
//! There is no timer. A call that finds an idle connection runs at once, in its caller's own task, so a lone call
//! pays nothing. Calls that find all connections busy wait in the queue; whoever ends a statement takes all of one
//! verb that have queued, as one batch. As soon as somebody waits for it, the work moves to a task of its own: a caller
//! gets its answer without serving others, and one that is not polled, or goes away in mid-statement, holds nobody up.
//! A connection is therefore never left half-way through an answer.

mod lead;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{BATCH_BYTES, BATCH_KEYS, Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::dialect::{Statements, Verb};
use crate::failure::{Effect, Failure};
use crate::lane::lead::{Serve, Slot, spawn};
use crate::link::{Answer, Args, Bounds, Item, Link, Role, Row};
use crate::opener::Opener;

/// Most calls waiting in one queue.
pub(crate) const QUEUE_LIMIT: usize = 10_000;

/// Most bytes of keys and values in one queue.
pub(crate) const QUEUE_BYTES: usize = 64 << 20;

/// A connection unused for longer is asked whether it still lives before a call is put on it.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// How long that question may take.
const CHECK_LIMIT: Duration = Duration::from_millis(200);

/// How often a statement that lost against other transactions is tried again.
const RETRIES: u32 = 3;

/// After so many calls of a failed batch have waited in vain one by one, the rest need not try.
const IN_VAIN: u32 = 2;

/// Bytes of values that a statement should answer with, as far as the answers before it tell.
const ANSWER_BYTES: u64 = 4 << 20;

/// Most keys of one reading statement, however small their values have been.
const READ_KEYS: usize = 16_384;

/// What a value is taken for before any has been seen.
const UNKNOWN_BYTES: u64 = 16 << 10;

/// What a call wants done.
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) items: Vec<Item>,
    pub(crate) bounds: Bounds,
}

const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

struct Call {
    request: Request,
    number: u64,
    deadline: Instant,
    answer: oneshot::Sender<Result<Answer, Failure>>,
    shared: Arc<Shared>,
    retried: bool,
    /// Most calls in its statement: fewer after one that was too much.
    most: usize,
}

/// What a call and its caller both hold.
#[derive(Default)]
struct Shared {
    /// Who decides what becomes of the call: the caller that gives up, or the batch that takes it.
    state: AtomicU8,
    /// Where to find the call in its queue, 0 before it has had a place there.
    number: AtomicU64,
    /// The work, if the caller leads.
    slot: Slot,
}

impl Call {
    fn reply(self, answer: Result<Answer, Failure>) {
        // Its caller need not look for it in the queue.
        self.shared.state.store(TAKEN, Ordering::Release);
        // A caller that has gone away does not want it.
        let _ = self.answer.send(answer);
    }

    fn is_wanted(&self) -> bool {
        !self.answer.is_closed() && self.shared.state.load(Ordering::Acquire) == QUEUED
    }

    /// From here on it counts as sent.
    fn take(&self) -> bool {
        !self.answer.is_closed()
            && self.shared.state.compare_exchange(QUEUED, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn bytes(&self) -> usize {
        self.request.items.iter().map(|item| item.key.as_bytes().len() + item.value.len() + item.expected.len()).sum()
    }
}

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
    // A blocking mutex: nothing awaits while holding it, and what it guards is a few pointer moves.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Idle>,
    queues: [VecDeque<Call>; Verb::COUNT],
    waiting: usize,
    /// Keys and values of those that wait.
    bytes: usize,
    numbers: u64,
    /// Callers that work in their own tasks, and some that have done so.
    leaders: Vec<Arc<Shared>>,
    /// Connections there are, busy ones included.
    live: usize,
    opening: usize,
    batches: u64,
}

struct Idle {
    link: Box<dyn Link>,
    since: Instant,
    /// Another connection has broken since: this one may have, too.
    suspect: bool,
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
    Wait { open: bool, leaders: Vec<Arc<Shared>> },
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
        Self { role, width, limit, patience, cap, statements, opener, bytes_per_key, state: Mutex::default() }
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
        let verb = request.verb;
        let call = Call {
            request,
            number: 0,
            deadline,
            answer,
            shared: Arc::clone(&shared),
            retried: false,
            most: usize::MAX,
        };
        let caller = Caller { lane: self, shared, verb };
        match self.admit(call) {
            Err(_) => return Err(CallError::Full),
            Ok(Admission::Lead(serve)) => caller.shared.slot.rest(serve),
            Ok(Admission::Wait { open, leaders }) => {
                hand_over(leaders);
                if open {
                    self.open_in_background();
                }
            }
        }
        let mut receiver = pin!(receiver);
        let mut sleep = pin!(tokio::time::sleep_until(deadline));
        let answered = poll_fn(|context| {
            caller.shared.slot.poll(context);
            if let Poll::Ready(answer) = receiver.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
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
        // Connections are idle only while the queue is empty, so nobody is overtaken.
        if let Some(idle) = state.idle.pop() {
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
        let open = state.wants_another(self.width, &self.opener);
        Ok(Admission::Wait { open, leaders: std::mem::take(&mut state.leaders) })
    }

    fn open_in_background(self: &Arc<Self>) {
        spawn(open(Busy { lane: Arc::clone(self), phase: Phase::Opening }));
    }

    /// Sees to calls that came back to the queue: by a connection at rest, or by another one.
    fn go_on(self: &Arc<Self>) {
        let mut state = self.lock();
        if !state.idle.is_empty()
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

impl State {
    fn push_back(&mut self, call: Call) {
        self.waiting += 1;
        self.bytes += call.bytes();
        self.queues[call.request.verb as usize].push_back(call);
    }

    fn push_front(&mut self, calls: Vec<Call>) {
        for call in calls.into_iter().rev() {
            call.shared.state.store(QUEUED, Ordering::Release);
            self.waiting += 1;
            self.bytes += call.bytes();
            self.queues[call.request.verb as usize].push_front(call);
        }
    }

    fn wants_another(&mut self, width: usize, opener: &Opener) -> bool {
        // With a live connection more are a luxury: not while opening fails.
        let open = self.opening < self.waiting
            && self.live + self.opening < width
            && (self.opening == 0 && self.live == 0 || !opener.is_cooling());
        self.opening += usize::from(open);
        open
    }

    /// All of the verb that has waited longest, but one call per key of a write and no more than a batch holds.
    fn next_batch(&mut self, read_keys: usize) -> Option<Vec<Call>> {
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
    fn forget(&mut self, verb: Verb, number: u64) -> Option<Call> {
        let queue = &mut self.queues[verb as usize];
        // In order but for calls that came back.
        let at = queue.binary_search_by_key(&number, |call| call.number).ok();
        let at = at.or_else(|| queue.iter().position(|call| call.number == number))?;
        let call = queue.remove(at)?;
        self.waiting -= 1;
        self.bytes -= call.bytes();
        Some(call)
    }

    fn drain(&mut self) -> Vec<Call> {
        (self.waiting, self.bytes) = (0, 0);
        self.queues.iter_mut().flat_map(std::mem::take).collect()
    }
}

/// A caller that may lead and may go away. Work that it leaves behind goes on in a task of its own.
struct Caller<'a> {
    lane: &'a Lane,
    shared: Arc<Shared>,
    verb: Verb,
}

impl Caller<'_> {
    /// Whether the call has not been sent, and so will not be.
    fn give_up(&self) -> bool {
        let state = &self.shared.state;
        match state.compare_exchange(QUEUED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // What it holds is of no more use, so it makes room for others.
                let forgotten = self.lane.lock().forget(self.verb, self.shared.number.load(Ordering::Relaxed));
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
        if !lane.execute(&mut *link, batch).await {
            return;
        }
        match lane.next_or_park(link) {
            Some(next) => (link, batch) = next,
            None => return busy.parked(),
        }
    }
}

impl Lane {
    /// Runs a batch and answers its calls; says whether the connection is still good.
    async fn execute(&self, link: &mut dyn Link, batch: Vec<Call>) -> bool {
        let mut groups = VecDeque::from([batch]);
        // Why the batch failed as a whole, and how many of its calls in a row waited in vain again since.
        let (mut split, mut in_vain): (Option<Failure>, u32) = (None, 0);
        while let Some(mut group) = groups.pop_front() {
            if let Some(failure) = &split {
                let hopeless = in_vain >= IN_VAIN;
                if hopeless || group.iter().all(|call| call.deadline <= Instant::now()) {
                    for call in group {
                        call.reply(Err(failure.clone()));
                    }
                    continue;
                }
            }
            if !link.is_ready()
                && let Err(failure) = link.prepare().await
            {
                for call in group {
                    call.reply(Err(failure.clone()));
                }
                continue;
            }
            group.retain(Call::take);
            if group.is_empty() {
                link.release();
                continue;
            }
            match self.run(link, &group).await {
                Ok(answer) => {
                    in_vain = 0;
                    distribute(group, answer);
                }
                Err(failure) => {
                    let verb = group[0].request.verb;
                    let doubtful = matches!(failure.effect, Effect::Drop | Effect::Lost);
                    // A private database ends with its connection, which is given up only if it has ended itself.
                    let kept = doubtful && self.opener.is_private() && link.check().await.is_ok();
                    if doubtful && !kept {
                        let mut again: Vec<Call> = Vec::new();
                        // The answer may have been too large to come in time.
                        let half = (group.len() / 2).max(1);
                        for mut call in group {
                            // A read may be asked again; so may whatever was certainly not done.
                            let harmless = !verb.writes() || failure.effect == Effect::Drop;
                            if harmless && !call.retried && Instant::now() < call.deadline {
                                call.retried = true;
                                call.most = half;
                                again.push(call);
                            } else {
                                call.reply(Err(failure.clone()));
                            }
                        }
                        again.extend(groups.into_iter().flatten());
                        let mut state = self.lock();
                        state.idle.iter_mut().for_each(|idle| idle.suspect = true);
                        state.push_front(again);
                        return false;
                    }
                    // One of them may be to blame for all: each gets a statement of its own.
                    let busy = matches!(failure.effect, Effect::Again | Effect::Busy);
                    if group.len() > 1 && (busy || failure.effect == Effect::Item) {
                        // Certainly not done, so its caller may still give it up as never sent.
                        group.iter().for_each(|call| call.shared.state.store(QUEUED, Ordering::Release));
                        groups.extend(group.into_iter().map(|call| vec![call]));
                        split = Some(failure);
                        continue;
                    }
                    in_vain = if busy { in_vain + 1 } else { 0 };
                    for call in group {
                        call.reply(Err(failure.clone()));
                    }
                }
            }
        }
        true
    }

    async fn run(&self, link: &mut dyn Link, group: &[Call]) -> Result<Answer, Failure> {
        let verb = group[0].request.verb;
        // Sorted, so that all writers lock rows in one order; reads ask once for a key that several callers want.
        let mut items: Vec<&Item> = group.iter().flat_map(|call| &call.request.items).collect();
        if items.len() > 1 {
            items.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            items.dedup_by(|one, other| one.key == other.key);
        }
        let args = Args { items: &items, bounds: &group[0].request.bounds, cap: self.cap };
        let latest = group.iter().map(|call| call.deadline).max().unwrap_or_else(Instant::now);
        let statement = self.statements.get(verb);
        for attempt in 0.. {
            if !link.is_ready() {
                link.prepare().await?;
            }
            self.lock().batches += 1;
            let run = link.run(statement, &args);
            let ran = match self.limit {
                Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
                    Err(Failure::new(
                        ErrorKind::Unavailable,
                        Effect::Lost,
                        format!("the database did not answer within {limit:?}; its connection was given up"),
                    ))
                }),
                None => run.await,
            };
            match ran {
                Err(failure) if failure.effect == Effect::Again && attempt < RETRIES => {
                    let pause = full_jitter(attempt);
                    if Instant::now() + pause + self.patience >= latest {
                        return Err(failure);
                    }
                    tokio::time::sleep(pause).await;
                }
                ran => {
                    if verb.brings_values()
                        && let Ok(answer) = &ran
                    {
                        self.learn(items.len(), answer);
                    }
                    return ran;
                }
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// Any time up to a bound that doubles.
pub(crate) fn full_jitter(attempt: u32) -> Duration {
    Duration::from_millis(10 << attempt.min(7)).mul_f64(rand::random::<f64>())
}

/// Gives each call the rows of its own keys.
fn distribute(mut group: Vec<Call>, answer: Answer) {
    if group.len() == 1 {
        if let Some(call) = group.pop() {
            call.reply(Ok(answer));
        }
        return;
    }
    // Sorted by key, so that a row finds the calls it belongs to.
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (call, asked) in group.iter().enumerate() {
        order.extend((0..asked.request.items.len()).map(|item| (call, item)));
    }
    let key = |&(call, item): &(usize, usize)| group[call].request.items[item].key.as_str();
    order.sort_unstable_by(|one, other| key(one).cmp(key(other)));
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); group.len()];
    for row in answer.rows {
        let from = order.partition_point(|at| key(at) < row.key.as_str());
        let owners = order[from..].iter().take_while(|at| key(at) == row.key);
        for &(call, _) in owners {
            rows[call].push(row.clone());
        }
    }
    for (call, rows) in group.into_iter().zip(rows) {
        let changed = call.request.items.len() as u64;
        call.reply(Ok(Answer { rows, changed }));
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;
