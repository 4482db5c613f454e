//! Readers that wait for a key to change: another process holds its lease or writes it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// More readers than this poll instead of waiting to be woken.
const MOST: usize = 100_000;

/// Those who wait, by the slot of their key's stamp.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    count: AtomicUsize,
    // A blocking mutex: the connection's task takes it only while somebody waits, and never for long.
    map: Mutex<BTreeMap<u32, Vec<oneshot::Sender<()>>>>,
}

impl Waiters {
    /// To be taken before the state is read, so that no change in between is missed. `None` when too many wait already.
    pub(crate) fn register(&self, slot: u32) -> Option<oneshot::Receiver<()>> {
        let mut map = self.lock();
        let (sender, receiver) = oneshot::channel();
        let waiting = map.entry(slot).or_default();
        let before = waiting.len();
        waiting.retain(|waiter| !waiter.is_closed());
        self.count.fetch_sub(before - waiting.len(), Ordering::SeqCst);
        if self.count.load(Ordering::SeqCst) >= MOST {
            return None;
        }
        waiting.push(sender);
        self.count.fetch_add(1, Ordering::SeqCst);
        Some(receiver)
    }

    pub(crate) fn wake(&self, slot: u32) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let woken = self.lock().remove(&slot).unwrap_or_default();
        self.count.fetch_sub(woken.len(), Ordering::SeqCst);
        // Dropping the senders wakes as well.
        for waiter in woken {
            let _ = waiter.send(());
        }
    }

    pub(crate) fn wake_all(&self) {
        let woken = std::mem::take(&mut *self.lock());
        let count: usize = woken.values().map(Vec::len).sum();
        self.count.fetch_sub(count, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Vec<oneshot::Sender<()>>>> {
        // Entries are inserted and removed whole.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_wakes_who_waits_for_it_and_nobody_else() {
        let waiters = Waiters::default();
        let (mut one, mut two) = (waiters.register(1).unwrap(), waiters.register(2).unwrap());
        waiters.wake(1);
        assert!(one.try_recv().is_ok());
        assert!(matches!(two.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        waiters.wake_all();
        assert!(two.await.is_err(), "woken by the end of the sender");
        assert_eq!(waiters.count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn who_has_left_is_not_counted() {
        let waiters = Waiters::default();
        for _ in 0..10 {
            drop(waiters.register(7));
        }
        let _stays = waiters.register(7);
        assert_eq!(waiters.count.load(Ordering::SeqCst), 1);
    }
}
