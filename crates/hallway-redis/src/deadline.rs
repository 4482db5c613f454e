//! Deadlines that are hardly ever reached, without a timer for each.
//!
//! To enter a timer into the runtime's wheel and to take it out again takes the wheel's lock twice, for every call that
//! waits. So a timer that was not needed stays armed and serves the next call of the same thread: it rings too early for
//! that one, and only then is it set anew. Each caller still has a timer of his own, on his own runtime: no task of ours has
//! to be driven for him to be released.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::runtime::{Handle, Id};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Armed timers that a thread keeps: as many as a busy one needs at a time, a tenth of a megabyte. Those of a runtime that has
/// ended hold on to its handle, until the thread ends or calls from another.
const KEPT: usize = 256;

thread_local! {
    static ARMED: RefCell<Vec<Timer>> = const { RefCell::new(Vec::new()) };
}

/// The deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed;

/// What `answer` yields, unless the deadline passes before. Dropping it drops `answer`.
///
/// # Panics
/// If it has to wait outside a runtime with timers, as `tokio::time::timeout_at`.
pub(crate) async fn until<F: Future>(deadline: Instant, answer: F) -> Result<F::Output, Passed> {
    let mut answer = pin!(answer);
    let mut lent: Option<Lent> = None;
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        lent.get_or_insert_with(|| Lent::take(deadline)).poll(cx, deadline).map(|()| Err(Passed))
    })
    .await
}

/// A timer in the wheel of its runtime. It rings whoever uses it at the moment.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    bell: Arc<Bell>,
    runtime: Id,
}

/// What the wheel wakes: it was told once, when the timer was set.
#[derive(Default)]
struct Bell(AtomicWaker);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

impl Timer {
    fn new(runtime: Id, deadline: Instant) -> Self {
        let mut timer = Self { sleep: Box::pin(sleep_until(deadline)), bell: Arc::default(), runtime };
        timer.set(deadline);
        timer
    }

    fn set(&mut self, deadline: Instant) {
        self.sleep.as_mut().reset(deadline);
        let bell = Waker::from(Arc::clone(&self.bell));
        // Whatever the task's budget, or nobody would ring. That it has passed already is seen by whoever looks.
        let _ = pin!(unconstrained(self.sleep.as_mut())).poll(&mut Context::from_waker(&bell));
    }
}

/// A timer while somebody waits.
struct Lent(Option<Timer>);

impl Lent {
    /// One that rings at the deadline at the latest.
    fn take(deadline: Instant) -> Self {
        let runtime = Handle::current().id();
        let kept = loop {
            // One at a time: to drop one of another runtime may drop what is not ours, which may call.
            match ARMED.try_with(|kept| kept.borrow_mut().pop()).ok().flatten() {
                // One that has not rung is of a runtime that still runs, and those have names of their own.
                Some(timer) if timer.runtime != runtime || timer.sleep.is_elapsed() => drop(timer),
                kept => break kept,
            }
        };
        let timer = match kept {
            Some(mut timer) => {
                if timer.sleep.deadline() > deadline {
                    timer.set(deadline);
                }
                timer
            }
            None => Timer::new(runtime, deadline),
        };
        Self(Some(timer))
    }

    fn poll(&mut self, cx: &Context<'_>, deadline: Instant) -> Poll<()> {
        // Taken out only when this is dropped.
        let Some(timer) = &mut self.0 else { return Poll::Pending };
        // Twice: as it is, and set anew. Where it rings at once, whatever the clock says, others get their turn in between.
        for _ in 0..2 {
            // Before the look, so that no ringing in between is missed.
            timer.bell.0.register(cx.waker());
            if !timer.sleep.is_elapsed() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.set(deadline);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(timer) = self.0.take() else { return };
        // Nobody is to be woken, or kept in memory, for a call that is over.
        timer.bell.0.take();
        if timer.sleep.is_elapsed() {
            return;
        }
        // A thread that ends keeps nothing.
        let _ = ARMED.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT {
                kept.push(timer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn kept() -> usize {
        ARMED.with_borrow(Vec::len)
    }

    async fn answered_in(pause: Duration, limit: Duration) -> Result<(), Passed> {
        until(Instant::now() + limit, sleep(pause)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_was_not_needed_serves_the_next_call_and_each_has_its_own_deadline() {
        let start = Instant::now();
        assert_eq!(answered_in(SECOND / 2, SECOND).await, Ok(()));
        assert_eq!(kept(), 1);
        // The timer rings half a second too early for this one.
        assert_eq!(answered_in(9 * SECOND, SECOND).await, Err(Passed));
        assert_eq!(start.elapsed(), SECOND * 3 / 2);
        assert_eq!(kept(), 0, "one that has rung is of no use");
        // A long deadline before a short one.
        assert_eq!(answered_in(SECOND / 2, 60 * SECOND).await, Ok(()));
        assert_eq!((kept(), answered_in(9 * SECOND, SECOND).await), (1, Err(Passed)));
        assert_eq!(start.elapsed(), SECOND * 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_needs_no_timer_and_wins_over_a_deadline_that_has_passed() {
        assert_eq!(until(Instant::now(), ready(7)).await, Ok(7));
        assert_eq!(until(Instant::now(), pending::<()>()).await, Err(Passed));
        assert_eq!(kept(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_kept_and_no_more() {
        let many = (0..3 * KEPT).map(|_| answered_in(SECOND / 2, SECOND));
        assert!(futures_util::future::join_all(many).await.into_iter().all(|answer| answer.is_ok()));
        assert_eq!(kept(), KEPT);
    }

    /// A task that has used up its budget gets no answer from a timer, and must be released all the same.
    #[tokio::test]
    async fn a_busy_task_is_released_too() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..1_000).for_each(|number| sender.send(number).unwrap());
        let busy = tokio::spawn(async move {
            let spent = poll_fn(|cx| {
                while receiver.poll_recv(cx).is_ready() {}
                Poll::Ready(())
            });
            spent.await;
            until(Instant::now() + SECOND / 50, pending::<()>()).await
        });
        assert_eq!(tokio::time::timeout(9 * SECOND, busy).await.unwrap().unwrap(), Err(Passed));
    }

    /// Nor is the one who waits woken by it.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_over_is_not_kept_in_memory() {
        struct Silent;
        impl Wake for Silent {
            fn wake(self: Arc<Self>) {}
        }
        let silent = Arc::new(Silent);
        let waker = Waker::from(Arc::clone(&silent));
        let mut call = Box::pin(until(Instant::now() + SECOND, pending::<()>()));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&silent), 2);
        drop(call);
        assert_eq!((Arc::strong_count(&silent), kept()), (1, 1));
    }

    /// From thread to thread, some in time and some not, and nobody too soon.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn among_many_tasks_each_is_released_at_its_own_deadline() {
        let calls = (0..4_000_u64).map(|number| {
            tokio::spawn(async move {
                for round in 0..5 {
                    let (pause, limit) = ((number * 7 + round * 3) % 20, 1 + (number * 5 + round * 11) % 20);
                    let (start, limit) = (Instant::now(), Duration::from_millis(limit));
                    let answer = answered_in(Duration::from_millis(pause), limit).await;
                    assert!(answer.is_ok() || start.elapsed() >= limit);
                }
                // Only the deadline ends this.
                until(Instant::now() + Duration::from_millis(number % 30), pending::<()>()).await
            })
        });
        for call in tokio::time::timeout(30 * SECOND, futures_util::future::join_all(calls)).await.unwrap() {
            assert_eq!(call.unwrap(), Err(Passed));
        }
    }

    #[test]
    fn one_of_a_runtime_that_has_ended_is_never_used() {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let first = runtime();
        first.block_on(async { answered_in(SECOND / 2, 60 * SECOND).await.unwrap() });
        assert_eq!(kept(), 1);
        // Two that live at a time do not use each other's.
        let second = runtime();
        assert_eq!(second.block_on(answered_in(9 * SECOND, SECOND)), Err(Passed));
        assert_eq!(first.block_on(answered_in(9 * SECOND, SECOND)), Err(Passed));
        first.block_on(async { answered_in(SECOND / 2, 60 * SECOND).await.unwrap() });
        drop((first, second));
        assert_eq!((kept(), runtime().block_on(answered_in(9 * SECOND, SECOND))), (1, Err(Passed)));
    }
}
