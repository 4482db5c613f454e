//! Tasks that run one future after the other.
//!
//! A task of tokio is an allocation of its own, aligned so that glibc does not serve it from what it keeps for each thread,
//! and freed by whichever thread ends it: a tenth of what this process does for a load that is short. So a task that is done
//! waits here for the next, and its memory with it (`docs/decisions/0021-made-once.md`).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id};
use tokio_util::sync::ReusableBoxFuture;

/// Tasks that wait for work: about as many as end at once. Those above end for good, as after a burst.
const IDLE: usize = 64;

type Work = ReusableBoxFuture<'static, ()>;

/// Runs each future in a task of its own, as `tokio::spawn` does. Dropping it ends the tasks that wait; those that work go on,
/// and end when they are done.
#[derive(Default)]
pub(crate) struct TaskPool {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    // The last one first, because its memory is still in the processor's cache.
    idle: Mutex<Vec<Arc<Desk>>>,
}

/// Where a task that waits is given its next work.
struct Desk {
    runtime: Id,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What to do next.
    next: Option<Work>,
    /// What is done: room for the next.
    room: Option<Work>,
    /// The task, while it waits.
    waker: Option<Waker>,
    /// Whether the task has ended.
    ended: bool,
}

/// What such a task does.
struct Worker {
    pool: Weak<Shared>,
    desk: Arc<Desk>,
    work: Option<Work>,
}

impl TaskPool {
    /// Runs the future in a task of the current runtime.
    ///
    /// # Panics
    /// As `tokio::spawn`: outside a runtime.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let runtime = Handle::current();
        let id = runtime.id();
        while let Some(desk) = self.shared.take(id) {
            let mut state = desk.lock();
            // One that has ended meanwhile is of no use.
            if !state.ended
                && let Some(mut room) = state.room.take()
            {
                room.set(work);
                state.next = Some(room);
                let waker = state.waker.take();
                drop(state);
                waker.inspect(Waker::wake_by_ref);
                return;
            }
        }
        let desk = Arc::new(Desk { runtime: id, state: Mutex::default() });
        let work = Some(ReusableBoxFuture::new(work));
        runtime.spawn(Worker { pool: Arc::downgrade(&self.shared), desk, work });
    }

    #[cfg(test)]
    fn idle(&self) -> usize {
        self.shared.lock().len()
    }
}

/// With the last who holds it, and not with the pool: a task may be about to sit down meanwhile.
impl Drop for Shared {
    fn drop(&mut self) {
        for desk in std::mem::take(&mut *self.lock()) {
            desk.close();
        }
    }
}

impl Shared {
    /// A task of this runtime that waits.
    fn take(&self, runtime: Id) -> Option<Arc<Desk>> {
        let mut idle = self.lock();
        // As a rule there is one runtime, and the last is it.
        let at = idle.iter().rposition(|desk| desk.runtime == runtime)?;
        Some(idle.swap_remove(at))
    }

    /// Has a task wait, if there is room. One that another runtime may not need any more makes room.
    fn put(&self, desk: &Arc<Desk>) -> bool {
        let other = {
            let mut idle = self.lock();
            let full = idle.len() >= IDLE;
            let other = if full { idle.iter().position(|other| other.runtime != desk.runtime) } else { None };
            if full && other.is_none() {
                return false;
            }
            let other = other.map(|at| idle.swap_remove(at));
            idle.push(Arc::clone(desk));
            other
        };
        other.inspect(|desk| desk.close());
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Desk>>> {
        // Entries are pushed or removed whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Ends the task that waits here.
    fn close(&self) {
        let waker = {
            let mut state = self.lock();
            state.ended = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each field is good by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Worker {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            if let Some(work) = &mut this.work {
                if work.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // Before others may find it there.
                this.desk.lock().room = this.work.take();
                if !this.pool.upgrade().is_some_and(|pool| pool.put(&this.desk)) {
                    return Poll::Ready(());
                }
            }
            let mut state = this.desk.lock();
            this.work = state.next.take();
            if this.work.is_some() {
                continue;
            }
            if state.ended {
                return Poll::Ready(());
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
    }
}

/// However it ends: done, with its runtime, or by a panic.
impl Drop for Worker {
    fn drop(&mut self) {
        // What it was given goes with its desk.
        self.desk.lock().ended = true;
        if let Some(pool) = self.pool.upgrade() {
            pool.lock().retain(|desk| !Arc::ptr_eq(desk, &self.desk));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    fn alive() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    /// Ends when the sender is used or dropped, and says in which task it was.
    fn work() -> (oneshot::Sender<()>, impl Future<Output = ()>, oneshot::Receiver<tokio::task::Id>) {
        let (end, ends) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let work = async move {
            let _ = ends.await;
            let _ = tell.send(tokio::task::id());
        };
        (end, work, told)
    }

    async fn run(pool: &TaskPool) -> tokio::task::Id {
        let (end, work, told) = work();
        pool.spawn(work);
        yield_now().await;
        drop(end);
        told.await.unwrap()
    }

    #[tokio::test]
    async fn a_task_that_is_done_takes_the_next_and_those_that_work_are_left_alone() {
        let pool = TaskPool::default();
        let first = run(&pool).await;
        assert_eq!((pool.idle(), run(&pool).await), (1, first));
        let (end, work, told) = work();
        pool.spawn(work);
        assert_ne!(run(&pool).await, first);
        drop(end);
        assert_eq!(told.await.unwrap(), first);
        assert_eq!((pool.idle(), alive()), (2, 2));
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_those_that_wait_and_not_those_that_work() {
        let pool = TaskPool::default();
        run(&pool).await;
        let (end, work, told) = work();
        pool.spawn(work);
        run(&pool).await;
        assert_eq!(alive(), 2);
        drop(pool);
        yield_now().await;
        assert_eq!(alive(), 1);
        drop(end);
        told.await.unwrap();
        yield_now().await;
        assert_eq!(alive(), 0);
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let pool = TaskPool::default();
        let mut told = Vec::new();
        for _ in 0..3 * IDLE {
            let (_, work, task) = work();
            pool.spawn(work);
            told.push(task);
        }
        for told in told {
            told.await.unwrap();
        }
        yield_now().await;
        assert_eq!((pool.idle(), alive()), (IDLE, IDLE));
    }

    #[tokio::test]
    async fn a_panic_ends_one_task_and_what_it_held_is_dropped() {
        let pool = TaskPool::default();
        run(&pool).await;
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        pool.spawn(async move {
            let _holds = holds;
            yield_now().await;
            panic!("as planned");
        });
        while alive() > 0 {
            yield_now().await;
        }
        assert_eq!((Arc::strong_count(&held), pool.idle()), (1, 0));
        run(&pool).await;
        assert_eq!(pool.idle(), 1);
    }

    #[test]
    fn each_runtime_has_its_own_and_takes_them_along() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (pool, first, second) = (TaskPool::default(), runtime(), runtime());
        first.block_on(run(&pool));
        second.block_on(run(&pool));
        assert_eq!(pool.idle(), 2);
        first.block_on(run(&pool));
        assert_eq!(pool.idle(), 2, "the first one's own");
        // What it has been given and has not begun is dropped with its runtime, and so is what it works at.
        let held = Arc::new(());
        for _ in 0..2 {
            let holds = Arc::clone(&held);
            let _entered = first.enter();
            pool.spawn(async move {
                let _holds = holds;
                pending::<()>().await;
            });
        }
        assert_eq!((Arc::strong_count(&held), pool.idle()), (3, 1));
        drop(first);
        assert_eq!((Arc::strong_count(&held), pool.idle()), (1, 1));
        second.block_on(run(&pool));
        assert_eq!(pool.idle(), 1);
        drop(second);
        assert_eq!(pool.idle(), 0, "none that nobody can wake");
    }

    #[test]
    fn those_of_a_runtime_that_is_quiet_make_room() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (pool, quiet, busy) = (TaskPool::default(), runtime(), runtime());
        quiet.block_on(async {
            let all: Vec<_> = (0..IDLE).map(|_| work()).collect();
            let told = all.into_iter().map(|(_, work, told)| {
                pool.spawn(work);
                told
            });
            for told in told.collect::<Vec<_>>() {
                told.await.unwrap();
            }
            yield_now().await;
        });
        let first = busy.block_on(run(&pool));
        assert_eq!((pool.idle(), busy.block_on(run(&pool))), (IDLE, first));
        quiet.block_on(yield_now());
        assert_eq!((quiet.metrics().num_alive_tasks(), busy.metrics().num_alive_tasks()), (IDLE - 1, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_waits_for_a_pool_that_goes_while_its_tasks_end() {
        for _ in 0..2_000 {
            let pool = TaskPool::default();
            let all: Vec<_> = (0..4).map(|_| work()).collect();
            let ends: Vec<_> = all
                .into_iter()
                .map(|(end, work, told)| {
                    pool.spawn(work);
                    (end, told)
                })
                .collect();
            let mut last = None;
            for (end, told) in ends {
                drop(end);
                last = Some(told);
            }
            last.unwrap().await.unwrap();
        }
        for _ in 0..1_000 {
            if alive() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{} tasks wait for ever", alive());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_at_once_each_run_once() {
        let (pool, runs) = (Arc::new(TaskPool::default()), Arc::new(AtomicUsize::new(0)));
        let callers = (0..8).map(|_| {
            let (pool, runs) = (Arc::clone(&pool), Arc::clone(&runs));
            tokio::spawn(async move {
                for round in 0..2_000 {
                    let (tell, told) = oneshot::channel();
                    let runs = Arc::clone(&runs);
                    pool.spawn(async move {
                        if round % 3 == 0 {
                            yield_now().await;
                        }
                        runs.fetch_add(1, SeqCst);
                        let _ = tell.send(());
                    });
                    told.await.unwrap();
                }
            })
        });
        for caller in futures_util::future::join_all(callers).await {
            caller.unwrap();
        }
        assert_eq!(runs.load(SeqCst), 16_000);
    }
}
