//! Whether a tier is worth asking.
//!
//! Opens at 5 failures in a row, or when at least half of at least 20 calls within a second fail. Open for 1 s +- 20 %,
//! doubling to 8 s; then one probe, whose reply closes it. What proves the tier alive by other means closes it at once
//! ([`Breaker::close`]), so that recovery never waits for the doubled pause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallway_core::ErrorKind;
use tokio::time::Instant;

use crate::random::Random;

const IN_A_ROW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);
const WINDOW_CALLS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Ask.
    Ask,
    /// Ask, and tell how it went: nobody else asks until then.
    Probe,
    /// Do without.
    Refuse,
}

/// For people and graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// One call is finding out.
    HalfOpen,
    /// Calls are refused at once.
    Open,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    /// Read on every call; the lock is taken only when something has failed lately.
    troubled: AtomicBool,
    state: Mutex<State>,
    random: Random,
}

#[derive(Debug)]
struct State {
    in_a_row: u32,
    window_start: Option<Instant>,
    calls: u32,
    failures: u32,
    open_until: Option<Instant>,
    pause: Duration,
    probing: bool,
}

impl Breaker {
    pub(crate) fn new(random: Random) -> Self {
        let state = State {
            in_a_row: 0,
            window_start: None,
            calls: 0,
            failures: 0,
            open_until: None,
            pause: FIRST_PAUSE,
            probing: false,
        };
        Self { troubled: AtomicBool::new(false), state: Mutex::new(state), random }
    }

    pub(crate) fn permit(&self) -> Permit {
        if !self.troubled.load(Ordering::Acquire) {
            return Permit::Ask;
        }
        let mut state = self.lock();
        match state.open_until {
            None => Permit::Ask,
            Some(_) if state.probing => Permit::Refuse,
            Some(until) if Instant::now() >= until => {
                state.probing = true;
                Permit::Probe
            }
            Some(_) => Permit::Refuse,
        }
    }

    /// A reply came, whatever it said.
    pub(crate) fn succeeded(&self) {
        if self.troubled.load(Ordering::Acquire) {
            let mut state = self.lock();
            state.in_a_row = 0;
            state.roll();
            state.calls += 1;
            // A late reply to a call from before it opened proves nothing; the probe does.
            if state.open_until.is_none() && state.failures == 0 {
                self.troubled.store(false, Ordering::Release);
            }
        }
    }

    /// No reply came. Says whether this opened it.
    pub(crate) fn failed(&self) -> bool {
        let mut state = self.lock();
        self.troubled.store(true, Ordering::Release);
        state.roll();
        state.calls += 1;
        state.failures += 1;
        state.in_a_row += 1;
        if state.open_until.is_some() {
            return false;
        }
        let half = state.calls >= WINDOW_CALLS && state.failures * 2 >= state.calls;
        if state.in_a_row >= IN_A_ROW || half {
            state.open(&self.random);
            return true;
        }
        false
    }

    /// The probe has ended. A probe that was given up counts as failed.
    pub(crate) fn probed(&self, alive: bool) {
        if alive {
            self.close();
            return;
        }
        let mut state = self.lock();
        state.probing = false;
        if state.open_until.is_some() {
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
            state.open(&self.random);
        }
    }

    /// The tier is alive, as something else has proved.
    pub(crate) fn close(&self) {
        if self.troubled.load(Ordering::Acquire) {
            let mut state = self.lock();
            *state = State {
                probing: false,
                open_until: None,
                pause: FIRST_PAUSE,
                in_a_row: 0,
                failures: 0,
                calls: 0,
                ..*state
            };
            self.troubled.store(false, Ordering::Release);
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        if !self.troubled.load(Ordering::Acquire) {
            return BreakerState::Closed;
        }
        let state = self.lock();
        match state.open_until {
            None => BreakerState::Closed,
            Some(_) if state.probing => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, random: &Random) {
        let spread = random.range(0.8..1.2);
        self.open_until = Some(Instant::now() + self.pause.mul_f64(spread));
    }

    fn roll(&mut self) {
        let now = Instant::now();
        if self.window_start.is_none_or(|start| now.duration_since(start) >= WINDOW) {
            (self.window_start, self.calls, self.failures) = (Some(now), 0, 0);
        }
    }
}

/// Whether an error says that the tier gave no usable answer.
pub(crate) fn is_outage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Indeterminate | ErrorKind::Unauthorized | ErrorKind::Overloaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_a_probe_closes_it() {
        let breaker = Breaker::new(Random::new(Some(1)));
        for _ in 0..4 {
            assert!(!breaker.failed());
        }
        assert_eq!(breaker.permit(), Permit::Ask);
        assert!(breaker.failed());
        assert_eq!((breaker.permit(), breaker.state()), (Permit::Refuse, BreakerState::Open));
        tokio::time::advance(Duration::from_millis(1_201)).await;
        assert_eq!(breaker.permit(), Permit::Probe);
        assert_eq!((breaker.permit(), breaker.state()), (Permit::Refuse, BreakerState::HalfOpen));
        breaker.probed(true);
        assert_eq!((breaker.permit(), breaker.state()), (Permit::Ask, BreakerState::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_doubles_up_to_eight_seconds() {
        let breaker = Breaker::new(Random::new(Some(1)));
        for _ in 0..5 {
            breaker.failed();
        }
        for pause in [1, 2, 4, 8, 8, 8] {
            tokio::time::advance(Duration::from_secs(pause).mul_f64(0.79)).await;
            assert_eq!(breaker.permit(), Permit::Refuse, "{pause}");
            tokio::time::advance(Duration::from_secs(pause).mul_f64(0.42)).await;
            assert_eq!(breaker.permit(), Permit::Probe, "{pause}");
            breaker.probed(false);
        }
        breaker.close();
        assert_eq!(breaker.permit(), Permit::Ask);
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_twenty_calls_within_a_second_open_it() {
        let breaker = Breaker::new(Random::new(Some(1)));
        for call in 0..19 {
            if call % 2 == 0 { assert!(!breaker.failed()) } else { breaker.succeeded() }
        }
        assert!(breaker.failed());
        let calm = Breaker::new(Random::new(Some(1)));
        for call in 0..60 {
            tokio::time::advance(Duration::from_millis(100)).await;
            if call % 2 == 0 { assert!(!calm.failed()) } else { calm.succeeded() }
        }
    }
}
