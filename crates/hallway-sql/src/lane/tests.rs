//! The queue on a connection that tests hold and release.

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{BATCH_BYTES, BATCH_KEYS, Key, Namespace};
use tokio::sync::Semaphore;

use std::sync::atomic::{AtomicBool, AtomicU8};

use super::*;
use crate::dialect::{Dialect, Statement, Verb, sqlite::SQLITE};
use crate::link::{Args, Driver, Item, Row};
use crate::schema::Migrate;
use crate::table::Table;

mod help;

/// The value of every key whose name starts so.
const LARGE: usize = 64 << 10;

/// What the fake connections do and did.
#[derive(Debug)]
struct Script {
    /// One permit for each statement that may end.
    gate: Semaphore,
    /// The keys of each statement.
    seen: Mutex<Vec<Vec<String>>>,
    opened: AtomicU8,
    refuse: bool,
    private: bool,
    /// Connections do not answer questions any more.
    dead: AtomicBool,
}

#[derive(Debug, Clone)]
struct Fake(Arc<Script>);

#[async_trait]
impl Driver for Fake {
    fn dialect(&self) -> &'static Dialect {
        &SQLITE
    }

    fn is_private(&self) -> bool {
        self.0.private
    }

    async fn open(&self, _: Role) -> Result<Box<dyn Link>, Failure> {
        if self.0.refuse {
            return Err(Failure::new(ErrorKind::Unavailable, Effect::Drop, "refused"));
        }
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Link for Fake {
    async fn run(&mut self, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure> {
        let mut keys: Vec<String> = args.items.iter().map(|item| item.key.id().into_owned()).collect();
        if statement.first.is_some() {
            keys.push("+outbox".to_owned());
        }
        self.0.seen.lock().unwrap().push(keys.clone());
        self.0.gate.acquire().await.unwrap().forget();
        if keys.iter().any(|key| key == "bad") {
            return Err(Failure::new(ErrorKind::InvalidInput, Effect::Item, "bad"));
        }
        if keys.iter().any(|key| key.starts_with("locked")) {
            return Err(Failure::new(ErrorKind::Unavailable, Effect::Busy, "locked"));
        }
        if keys.iter().any(|key| key == "cut") {
            return Err(Failure::new(ErrorKind::Unavailable, Effect::Lost, "cut"));
        }
        // Each key is its own value, so that mixed answers show.
        let row = |item: &&Item| Row {
            key: item.key.as_str().to_owned(),
            bytes: Some(match item.key.id().starts_with("large") {
                true => Bytes::from(vec![0; LARGE]),
                false => Bytes::copy_from_slice(item.key.id().as_bytes()),
            }),
            ..Row::default()
        };
        Ok(Answer { rows: args.items.iter().map(row).collect(), changed: 0 })
    }

    async fn script(&mut self, _: sqlx::SqlStr) -> Result<Answer, Failure> {
        Ok(Answer::default())
    }

    async fn check(&mut self) -> Result<(), Failure> {
        match self.0.dead.load(Ordering::Relaxed) {
            true => Err(Failure::new(ErrorKind::Unavailable, Effect::Lost, "dead")),
            false => Ok(()),
        }
    }
}

struct Stage {
    lane: Arc<Lane>,
    script: Arc<Script>,
}

impl Stage {
    async fn new(width: usize) -> Self {
        Self::with(width, false, false).warm().await
    }

    async fn warm(self) -> Self {
        let stage = self;
        stage.lane.warm_up();
        stage.settle(|state| state.idle.len() == 1).await;
        stage
    }

    fn with(width: usize, refuse: bool, private: bool) -> Self {
        Self::of(Role::Read, width, refuse, private)
    }

    fn of(role: Role, width: usize, refuse: bool, private: bool) -> Self {
        let script = Arc::new(Script {
            gate: Semaphore::new(0),
            seen: Mutex::default(),
            opened: AtomicU8::new(0),
            refuse,
            private,
            dead: AtomicBool::new(false),
        });
        let table = Table::default();
        let opener = Opener::new(Box::new(Fake(Arc::clone(&script))), table.clone(), Migrate::Off);
        let lane = Lane::new(role, width, None, 1 << 20, SQLITE.statements(&table), Arc::new(opener));
        Self { lane: Arc::new(lane), script }
    }

    async fn settle(&self, done: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !done(&self.lane.lock()) {
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", self.lane);
            tokio::task::yield_now().await;
        }
    }

    fn call(&self, verb: Verb, id: &str) -> tokio::task::JoinHandle<Result<Answer, CallError>> {
        self.call_until(verb, id, Duration::from_secs(5))
    }

    fn call_until(&self, verb: Verb, id: &str, after: Duration) -> tokio::task::JoinHandle<Result<Answer, CallError>> {
        let (lane, request) = (Arc::clone(&self.lane), request(verb, id));
        tokio::spawn(async move { lane.call(request, Instant::now() + after).await })
    }

    fn call_on(
        &self,
        runtime: &tokio::runtime::Runtime,
        id: &str,
    ) -> tokio::task::JoinHandle<Result<Answer, CallError>> {
        let _entered = runtime.enter();
        let call = self.call(Verb::Get, id);
        runtime.block_on(self.settle(|state| state.batches == 1));
        call
    }

    async fn waiting(&self, calls: usize) {
        self.settle(|state| state.waiting == calls).await;
    }

    async fn running(&self, statements: u64) {
        self.settle(|state| state.batches == statements).await;
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.script.seen.lock().unwrap().clone()
    }
}

fn key(id: &str) -> Key {
    Namespace::new("n").unwrap().key(id).unwrap()
}

/// Who owes an invalidation shares a statement only with those who do.
#[tokio::test]
async fn enlisted_and_plain_calls_share_no_statement() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.settle(|state| state.idle.is_empty()).await;
    let calls: Vec<_> = (0..6)
        .map(|at| {
            let lane = Arc::clone(&stage.lane);
            let request = Request { enlisted: at % 2 == 1, ..request(Verb::SetAlways, &at.to_string()) };
            tokio::spawn(async move { lane.call(request, Instant::now() + Duration::from_secs(5)).await })
        })
        .collect();
    stage.settle(|state| state.waiting == 6).await;
    stage.script.gate.add_permits(10);
    first.await.unwrap().unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().rows.len(), 1);
    }
    let seen = stage.script.seen.lock().unwrap().clone();
    assert_eq!(seen, [vec!["first"], vec!["0", "2", "4"], vec!["1", "3", "5", "+outbox"]]);
}

fn request(verb: Verb, id: &str) -> Request {
    Request::of(verb, vec![Item::new(key(id))])
}

fn value(answer: Result<Answer, CallError>) -> Vec<String> {
    let text = |row: Row| String::from_utf8(row.bytes.unwrap().to_vec()).unwrap();
    answer.unwrap().rows.into_iter().map(text).collect()
}

#[tokio::test]
async fn what_queues_becomes_one_statement_and_answers_are_not_mixed() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Get, "first");
    stage.running(1).await;
    let ids: Vec<String> = (0..100).map(|at| format!("k{at}")).collect();
    let calls: Vec<_> = ids.iter().chain(&ids[..10]).map(|id| (id, stage.call(Verb::Get, id))).collect();
    stage.waiting(110).await;
    stage.script.gate.add_permits(100);
    assert_eq!(value(first.await.unwrap()), ["first"]);
    for (id, call) in calls {
        assert_eq!(value(call.await.unwrap()), [id.as_str()]);
    }
    let seen = stage.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].len(), 100, "a key that two callers want is asked for once");
    assert!(seen[1].is_sorted());
}

#[tokio::test]
async fn a_lone_call_runs_in_its_own_task() {
    let stage = Stage::new(1).await;
    stage.script.gate.add_permits(1);
    // Polled once, by hand: no other task has a chance to run.
    let mut call = pin!(stage.lane.call(request(Verb::Get, "lone"), Instant::now() + Duration::from_secs(5)));
    let answer = poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    });
    assert_eq!(value(answer.await.expect("an answer in one poll")), ["lone"]);
}

#[tokio::test]
async fn a_leader_that_nobody_polls_holds_nobody_up() {
    let stage = Stage::new(1).await;
    let mut held = pin!(stage.lane.call(request(Verb::SetAlways, "held"), Instant::now() + Duration::from_secs(5)));
    assert!(poll_fn(|context| Poll::Ready(held.as_mut().poll(context))).await.is_pending());
    stage.script.gate.add_permits(2);
    assert_eq!(value(stage.call_until(Verb::SetAlways, "other", Duration::from_secs(2)).await.unwrap()), ["other"]);
    assert_eq!(value(held.await), ["held"]);
    stage.settle(|state| state.idle.len() == 1 && state.live == 1).await;
}

#[tokio::test]
async fn two_writes_of_a_key_take_two_statements_and_reads_go_between() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "x");
    stage.running(1).await;
    let calls: Vec<_> = ["a", "b", "a", "c"].iter().map(|id| stage.call(Verb::SetAbsent, id)).collect();
    stage.waiting(4).await;
    stage.script.gate.add_permits(100);
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.seen()[1..], [vec!["a", "b", "c"], vec!["a"]]);
}

#[tokio::test]
async fn a_leader_that_goes_away_leaves_nobody_behind() {
    let stage = Stage::new(1).await;
    let leader = stage.call(Verb::Get, "leader");
    stage.running(1).await;
    let follower = stage.call(Verb::Get, "follower");
    stage.waiting(1).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    stage.script.gate.add_permits(2);
    assert_eq!(value(follower.await.unwrap()), ["follower"]);
    // Its statement came to its end, so the connection is still the first one.
    assert_eq!(stage.script.opened.load(Ordering::Relaxed), 1);
    stage.settle(|state| state.idle.len() == 1 && state.live == 1).await;
}

#[tokio::test]
async fn a_call_given_up_in_the_queue_is_never_sent() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.running(1).await;
    let late = stage.call_until(Verb::SetAlways, "late", Duration::from_millis(20));
    let dropped = stage.call(Verb::SetAlways, "dropped");
    stage.waiting(2).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let error = late.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Late { sent: false }));
    assert_eq!(error.into_error(true, Duration::ZERO).kind(), ErrorKind::Unavailable);
    stage.script.gate.add_permits(10);
    first.await.unwrap().unwrap();
    stage.waiting(0).await;
    stage.settle(|state| state.idle.len() == 1).await;
    assert_eq!(stage.seen(), [["first"]]);
}

#[tokio::test]
async fn a_write_past_its_deadline_on_the_wire_is_indeterminate_and_a_read_is_not() {
    let stage = Stage::new(2).await;
    for (verb, kind) in [(Verb::SetAlways, ErrorKind::Indeterminate), (Verb::Get, ErrorKind::Unavailable)] {
        let late = stage.call_until(verb, "slow", Duration::from_millis(20));
        let error = late.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Late { sent: true }));
        assert_eq!(error.into_error(verb.writes(), Duration::ZERO).kind(), kind);
    }
    stage.script.gate.add_permits(2);
    stage.settle(|state| state.idle.len() == state.live).await;
}

#[tokio::test]
async fn a_call_given_up_makes_room_at_once() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.running(1).await;
    let calls = ["a", "b", "c"].map(|id| stage.call_until(Verb::SetAlways, id, Duration::from_millis(100)));
    let kept = stage.call(Verb::SetAlways, "kept");
    stage.waiting(4).await;
    calls[1].abort();
    stage.waiting(3).await;
    // Nothing has moved on: the deadline alone empties the queue.
    stage.waiting(1).await;
    assert_eq!(stage.lane.lock().bytes, key("kept").as_bytes().len());
    stage.script.gate.add_permits(10);
    first.await.unwrap().unwrap();
    kept.await.unwrap().unwrap();
    assert_eq!(stage.seen(), [["first"], ["kept"]]);
    assert_eq!(stage.lane.lock().bytes, 0);
}

#[tokio::test]
async fn a_write_whose_task_ends_before_it_is_sent_was_not_done() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.running(1).await;
    let waiting = stage.call(Verb::SetAlways, "waiting");
    stage.waiting(1).await;
    let calls = stage.lane.lock().drain();
    drop(calls);
    let error = waiting.await.unwrap().unwrap_err().into_error(true, Duration::ZERO);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    stage.script.gate.add_permits(10);
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn one_bad_item_fails_alone() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Get, "first");
    stage.running(1).await;
    let calls = ["a", "bad", "b"].map(|id| stage.call(Verb::Get, id));
    stage.waiting(3).await;
    stage.script.gate.add_permits(100);
    first.await.unwrap().unwrap();
    let [a, bad, b] = calls;
    assert_eq!(value(a.await.unwrap()), ["a"]);
    assert!(matches!(bad.await.unwrap(), Err(CallError::Failed(failure)) if failure.kind == ErrorKind::InvalidInput));
    assert_eq!(value(b.await.unwrap()), ["b"]);
}

#[tokio::test]
async fn a_call_given_up_is_not_run_after_its_batch_has_failed() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.running(1).await;
    let [locked, gone, kept] = ["locked", "gone", "kept"].map(|id| stage.call(Verb::SetAlways, id));
    stage.waiting(3).await;
    stage.script.gate.add_permits(1);
    first.await.unwrap().unwrap();
    stage.running(2).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    stage.script.gate.add_permits(10);
    assert!(matches!(locked.await.unwrap(), Err(CallError::Failed(_))));
    assert_eq!(value(kept.await.unwrap()), ["kept"]);
    assert_eq!(stage.seen()[1..], [vec!["gone", "kept", "locked"], vec!["locked"], vec!["kept"]]);
}

#[tokio::test]
async fn a_failed_batch_does_not_wait_in_vain_for_each_of_its_calls() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::SetAlways, "first");
    stage.running(1).await;
    let ids = ["a", "locked1", "b", "locked2", "locked3", "c", "d"];
    let calls: Vec<_> = ids.iter().map(|id| stage.call(Verb::SetAlways, id)).collect();
    stage.waiting(ids.len()).await;
    stage.script.gate.add_permits(100);
    first.await.unwrap().unwrap();
    let mut done = Vec::new();
    for (id, call) in ids.iter().zip(calls) {
        match call.await.unwrap() {
            Ok(_) => done.push(*id),
            Err(error) => assert_eq!(error.into_error(true, Duration::ZERO).kind(), ErrorKind::Unavailable),
        }
    }
    assert_eq!(done, ["a", "b"]);
    assert_eq!(stage.seen()[2..].concat(), ["a", "locked1", "b", "locked2", "locked3"]);
}

#[tokio::test]
async fn a_lost_connection_is_replaced_reads_are_asked_again_and_writes_are_not() {
    let stage = Stage::new(1).await;
    stage.script.gate.add_permits(100);
    let write = stage.call(Verb::SetAlways, "cut").await.unwrap().unwrap_err();
    assert_eq!(write.into_error(true, Duration::ZERO).kind(), ErrorKind::Indeterminate);
    assert_eq!(stage.seen().len(), 1);
    let read = stage.call(Verb::Get, "cut").await.unwrap().unwrap_err();
    assert_eq!(read.into_error(false, Duration::ZERO).kind(), ErrorKind::Unavailable);
    assert_eq!(stage.seen().len(), 3, "asked twice");
    assert_eq!(value(stage.call(Verb::Get, "fine").await.unwrap()), ["fine"]);
}

/// What was in it would be lost with it.
#[tokio::test]
async fn a_private_database_is_kept_while_it_lives_and_never_replaced() {
    let stage = Stage::with(1, false, true).warm().await;
    stage.script.gate.add_permits(100);
    stage.script.dead.store(true, Ordering::Relaxed);
    stage.lane.lock().idle[0].suspect = true;
    assert_eq!(value(stage.call(Verb::Get, "asked nothing").await.unwrap()), ["asked nothing"]);
    stage.script.dead.store(false, Ordering::Relaxed);
    for (verb, kind) in [(Verb::SetAlways, ErrorKind::Indeterminate), (Verb::Get, ErrorKind::Unavailable)] {
        let error = stage.call(verb, "cut").await.unwrap().unwrap_err();
        assert_eq!(error.into_error(verb.writes(), Duration::ZERO).kind(), kind);
        assert_eq!(value(stage.call(Verb::Get, "kept").await.unwrap()), ["kept"]);
    }
    stage.script.dead.store(true, Ordering::Relaxed);
    stage.call(Verb::SetAlways, "cut").await.unwrap().unwrap_err();
    for _ in 0..2 {
        let error = stage.call(Verb::SetAlways, "after").await.unwrap().unwrap_err().into_error(true, Duration::ZERO);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("open a new store"), "{error}");
    }
    assert_eq!(stage.script.opened.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Get, "first");
    stage.running(1).await;
    let calls: Vec<_> = (0..QUEUE_LIMIT).map(|at| stage.call(Verb::Touch, &format!("k{at}"))).collect();
    stage.waiting(QUEUE_LIMIT).await;
    let error = stage.call(Verb::Get, "one more").await.unwrap().unwrap_err();
    assert_eq!(error.into_error(false, Duration::ZERO).kind(), ErrorKind::Overloaded);
    stage.script.gate.add_permits(QUEUE_LIMIT);
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.seen().len(), 1 + QUEUE_LIMIT.div_ceil(BATCH_KEYS));
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Touch, "first");
    stage.running(1).await;
    let large = Bytes::from(vec![0; QUEUE_BYTES / 4]);
    let set = |id: &str| {
        let item = Item { value: large.clone(), ..Item::new(key(id)) };
        let request = Request::of(Verb::SetAlways, vec![item]);
        let lane = Arc::clone(&stage.lane);
        tokio::spawn(async move { lane.call(request, Instant::now() + Duration::from_secs(5)).await })
    };
    let calls = ["a", "b", "c"].map(set);
    stage.waiting(3).await;
    let error = set("d").await.unwrap().unwrap_err();
    assert_eq!(error.into_error(true, Duration::ZERO).kind(), ErrorKind::Overloaded);
    calls[0].abort();
    stage.waiting(2).await;
    let last = set("e");
    stage.waiting(3).await;
    stage.script.gate.add_permits(10);
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
}

#[tokio::test]
async fn statements_ask_for_fewer_large_values_and_more_small_ones() {
    let stage = Stage::new(1).await;
    for (name, count) in [("large", 600_usize), ("small", 3_000)] {
        let before = stage.lane.lock().batches;
        let first = stage.call(Verb::Get, "first");
        stage.running(before + 1).await;
        let calls: Vec<_> = (0..count).map(|at| stage.call(Verb::Get, &format!("{name}{at}"))).collect();
        stage.waiting(count).await;
        stage.script.gate.add_permits(1_000);
        first.await.unwrap().unwrap();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let left = stage.script.gate.available_permits();
        stage.script.gate.forget_permits(left);
    }
    let sizes =
        |name| -> Vec<usize> { stage.seen().iter().filter(|keys| keys[0].starts_with(name)).map(Vec::len).collect() };
    let (large, small) = (sizes("large"), sizes("small"));
    // The first ones have to find out.
    assert!(large[4..].iter().all(|keys| keys * LARGE <= 2 * ANSWER_BYTES as usize), "{large:?}");
    assert!(large.iter().any(|keys| keys * LARGE >= ANSWER_BYTES as usize / 2), "{large:?}");
    assert_eq!(small.iter().max(), Some(&BATCH_KEYS), "{small:?}");
}

#[tokio::test]
async fn reads_that_cost_a_connection_are_asked_again_in_smaller_statements() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Get, "first");
    stage.running(1).await;
    let calls: Vec<_> = ["a", "b", "c", "cut"].iter().map(|id| stage.call(Verb::Get, id)).collect();
    stage.waiting(4).await;
    stage.script.gate.add_permits(100);
    first.await.unwrap().unwrap();
    let mut answered = 0;
    for call in calls {
        answered += usize::from(call.await.unwrap().is_ok());
    }
    assert_eq!(answered, 2);
    assert_eq!(stage.seen()[1..], [vec!["a", "b", "c", "cut"], vec!["a", "b"], vec!["c", "cut"]]);
}

#[tokio::test]
async fn a_refused_connection_fails_everybody_who_waits_and_is_not_hammered() {
    let stage = Stage::with(3, true, false);
    let calls: Vec<_> = (0..50).map(|at| stage.call(Verb::SetAlways, &at.to_string())).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.into_error(true, Duration::ZERO).kind(), ErrorKind::Unavailable);
    }
    stage.settle(|state| state.waiting == 0 && state.opening == 0 && state.live == 0).await;
    assert!(stage.lane.opener.is_cooling());
}

#[tokio::test]
async fn batches_keep_to_their_size() {
    let stage = Stage::new(1).await;
    let first = stage.call(Verb::Get, "first");
    stage.running(1).await;
    let half = Bytes::from(vec![0; BATCH_BYTES / 2]);
    let calls: Vec<_> = (0..5)
        .map(|at| {
            let item = Item { value: half.clone(), ..Item::new(key(&format!("k{at}"))) };
            let request = Request::of(Verb::SetAlways, vec![item]);
            let lane = Arc::clone(&stage.lane);
            tokio::spawn(async move { lane.call(request, Instant::now() + Duration::from_secs(5)).await })
        })
        .collect();
    stage.waiting(5).await;
    stage.script.gate.add_permits(100);
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(stage.seen()[1..].iter().all(|keys| keys.len() == 1), "{:?}", stage.seen());
}

#[tokio::test]
async fn a_call_that_comes_back_is_taken_by_a_connection_at_rest() {
    let stage = Stage::new(2).await;
    let calls = ["one", "two"].map(|id| stage.call(Verb::Get, id));
    stage.running(2).await;
    stage.script.gate.add_permits(2);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    stage.settle(|state| state.idle.len() == 2).await;
    stage.script.gate.add_permits(2);
    let error = stage.call(Verb::Get, "cut").await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Failed(_)), "{error:?}");
}

#[tokio::test]
async fn a_second_writer_helps_only_where_a_statement_takes_long() {
    let stage = Stage::of(Role::Write, 2, false, false).warm().await;
    let both = ["a", "b"].map(|id| stage.call(Verb::SetAlways, id));
    stage.running(2).await;
    stage.script.gate.add_permits(2);
    for call in both {
        call.await.unwrap().unwrap();
    }
    stage.settle(|state| state.idle.len() == 2).await;

    let long = stage.call(Verb::SetAlways, "long");
    stage.running(3).await;
    let later = ["x", "y"].map(|id| stage.call(Verb::SetAlways, id));
    // Nobody else comes, and `long` does not end: they ask for help themselves, and go together.
    stage.running(4).await;
    stage.script.gate.add_permits(2);
    for call in later {
        call.await.unwrap().unwrap();
    }
    long.await.unwrap().unwrap();
    let seen = stage.seen();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.contains(&vec!["x".to_owned(), "y".to_owned()]), "{seen:?}");
}

#[test]
fn the_end_of_a_runtime_ends_its_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::new(1));
    let (busy, waiting) = (stage.call_on(&runtime, "busy"), stage.call_on(&runtime, "waiting"));
    runtime.block_on(stage.waiting(1));
    drop(runtime);
    drop((busy, waiting));
    {
        let state = stage.lane.lock();
        assert_eq!(state.live + state.opening, 0);
    }
    // Another runtime starts anew.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    stage.script.gate.add_permits(10);
    runtime.block_on(async { assert_eq!(value(stage.call(Verb::Get, "new").await.unwrap()), ["new"]) });
}
