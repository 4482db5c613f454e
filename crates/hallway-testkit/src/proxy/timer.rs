//! Waiting to a tenth of a millisecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// What the kernel adds to a short sleep (50 us of timer slack) and some: this much is spun instead.
const SPIN: Duration = Duration::from_micros(90);

struct Alarm {
    at: Instant,
    // Equal instants ring in the order they were set.
    number: u64,
    bell: oneshot::Sender<()>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Alarm {}
impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Waits until `at`, returning at once if it has passed.
pub(super) async fn until(at: Instant) {
    // One thread for the whole process; it lives as long.
    static ALARMS: LazyLock<Sender<(Instant, oneshot::Sender<()>)>> = LazyLock::new(|| {
        let (send, receive) = channel();
        thread::spawn(move || ring(&receive));
        send
    });
    if at <= Instant::now() {
        return;
    }
    let (bell, rings) = oneshot::channel();
    if ALARMS.send((at, bell)).is_err() || rings.await.is_err() {
        // Only if the thread has panicked: late, but never early.
        tokio::time::sleep_until(at.into()).await;
    }
}

fn ring(orders: &Receiver<(Instant, oneshot::Sender<()>)>) {
    let mut alarms: BinaryHeap<Reverse<Alarm>> = BinaryHeap::new();
    let mut number = 0;
    loop {
        let order = match alarms.peek() {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(Reverse(next)) => {
                orders.recv_timeout(next.at.saturating_duration_since(Instant::now()).saturating_sub(SPIN))
            }
        };
        match order {
            Ok((at, bell)) => {
                number += 1;
                alarms.push(Reverse(Alarm { at, number, bell }));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(Reverse(alarm)) = alarms.pop() {
                    while Instant::now() < alarm.at {
                        std::hint::spin_loop();
                    }
                    // Whoever waited may be gone.
                    let _unheard = alarm.bell.send(());
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn short_waits_are_short_and_never_early() {
        let mut fastest = Duration::MAX;
        for _ in 0..50 {
            let began = Instant::now();
            until(began + Duration::from_micros(250)).await;
            let took = began.elapsed();
            assert!(took >= Duration::from_micros(250));
            fastest = fastest.min(took);
        }
        // The best of many: the others show how busy the machine is.
        assert!(fastest < Duration::from_micros(500), "{fastest:?}");
    }
}
