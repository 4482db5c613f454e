//! Requests that come when they come, whether or not those before them have been answered.
//!
//! A closed loop waits for an answer before it asks again, so a slow answer slows the questions and hides the queue. Here
//! a schedule of its own says when each request is due, and its time counts from then (Tene's coordinated omission;
//! Schroeder, Wierman, Harchol-Balter 2006).

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::placement::Placement;
use crate::{Failure, Result};

/// The generator sleeps until this long before a request is due, and spins for the rest: timers are coarse. Where they are
/// not, it spins for less, because it is in the way meanwhile: at 20,000 requests per second for 120 us it keeps a core
/// for itself and is late by 130 us (p99) when somebody else takes that; for 20 us, by 8.
const SPIN: Duration = Duration::from_micros(120);
const PUNCTUAL_SPIN: Duration = Duration::from_micros(20);
/// A generator that is later than this share of the response time has measured itself.
const MOST_LAG: f64 = 0.10;
/// Of what was offered so much must have been answered in time.
const LEAST_ACHIEVED: f64 = 0.98;
/// What takes longer is recorded as this.
const LONGEST: Duration = Duration::from_secs(60);
/// Requests of one run at most.
const MOST_REQUESTS: f64 = 200_000.0;

/// Requests at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// Requests per second on average; the gaps are those of a Poisson process.
    pub per_second: f64,
    /// For how long.
    pub lasts: Duration,
    /// Of the schedule.
    pub seed: u64,
}

/// Nanoseconds at quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of the requests took at most this.
    pub p50_ns: u64,
    /// Nine of ten.
    pub p90_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// 999 of 1,000.
    pub p999_ns: u64,
}

impl Quantiles {
    /// Of a histogram of nanoseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |share| histogram.value_at_quantile(share);
        Self { p50_ns: at(0.5), p90_ns: at(0.9), p99_ns: at(0.99), p999_ns: at(0.999) }
    }
}

/// What became of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// Requests per second that were due, until the last of them was.
    pub offered_per_second: f64,
    /// Answers per second until the last answer.
    pub achieved_per_second: f64,
    /// From the moment a request was sent.
    pub service: Quantiles,
    /// From the moment it was due: what a user waits.
    pub response: Quantiles,
    /// How late the generator sent it.
    pub lag_p99_ns: u64,
    /// Why these numbers are void, if they are.
    pub void: Option<String>,
}

/// Offers requests from a thread of its own, which runs where the servers do; each becomes a task.
///
/// A store that sheds load, or does not answer in time, makes the run void.
///
/// # Errors
/// If a request fails in another way, such as by a wrong value.
pub async fn open_loop<F>(
    offer: Offer,
    placement: &Placement,
    request: impl Fn(u64) -> F + Send + 'static,
) -> Result<OpenLoop>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let schedule = schedule(offer);
    let lasts = schedule.last().copied().unwrap_or_default();
    let seen = Arc::new(Mutex::new(Seen::new()?));
    let runtime = Handle::current();
    let (tell, told) = tokio::sync::oneshot::channel();
    let generator = {
        let (seen, placement) = (Arc::clone(&seen), placement.clone());
        move || {
            let spin = if placement.generator()? { PUNCTUAL_SPIN } else { SPIN };
            let start = Instant::now();
            let mut tasks = Vec::with_capacity(schedule.len());
            for (index, after) in (0..).zip(schedule) {
                let due = start + after;
                wait_until(due, spin);
                let sent = Instant::now();
                let (future, seen) = (request(index), Arc::clone(&seen));
                tasks.push(runtime.spawn(async move {
                    future.await?;
                    let now = Instant::now();
                    seen.lock().unwrap_or_else(PoisonError::into_inner).record(due, sent, now);
                    Ok::<(), Failure>(())
                }));
            }
            Ok::<_, Failure>((start, tasks))
        }
    };
    std::thread::Builder::new().name("generator".to_owned()).spawn(move || {
        // Nobody waits for it any more, if it is not taken.
        let _ = tell.send(generator());
    })?;
    let (start, tasks) = told.await.map_err(|_| "the thread that sends requests panicked")??;
    let requests = tasks.len() as u64;
    for task in tasks {
        match task.await? {
            Err(error) if !is_too_much(&error) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(seen.conclude(start, lasts, requests))
}

/// Whether a store says that it has too much to do.
fn is_too_much(error: &Failure) -> bool {
    let kind = error.downcast_ref::<hallway::Error>().map(hallway::Error::kind);
    matches!(kind, Some(hallway::ErrorKind::Overloaded | hallway::ErrorKind::Unavailable))
}

/// When each request is due, from the start on.
fn schedule(offer: Offer) -> Vec<Duration> {
    let requests = (offer.per_second * offer.lasts.as_secs_f64()).clamp(1.0, MOST_REQUESTS) as usize;
    let mut random = StdRng::seed_from_u64(offer.seed);
    let mut due = Duration::ZERO;
    let next = || {
        due += gap(&mut random, offer.per_second);
        due
    };
    std::iter::repeat_with(next).take(requests).collect()
}

/// Times until the next request of a Poisson process.
fn gap(random: &mut StdRng, per_second: f64) -> Duration {
    let draw: f64 = random.random();
    Duration::from_secs_f64(-(1.0 - draw).ln() / per_second)
}

fn wait_until(due: Instant, spin: Duration) {
    let early = due.saturating_duration_since(Instant::now());
    if early > spin {
        std::thread::sleep(early - spin);
    }
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

/// What has been answered so far. A blocking lock guards it: nothing awaits while holding it.
struct Seen {
    service: Histogram<u64>,
    response: Histogram<u64>,
    lag: Histogram<u64>,
    last: Option<Instant>,
}

impl Seen {
    fn new() -> Result<Self> {
        // Bounded from the start: one that grows by itself does not grow while it saturates.
        let empty = || Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3);
        Ok(Self { service: empty()?, response: empty()?, lag: empty()?, last: None })
    }

    fn record(&mut self, due: Instant, sent: Instant, now: Instant) {
        let nanos = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
        self.service.saturating_record(nanos(sent, now));
        self.response.saturating_record(nanos(due, now));
        self.lag.saturating_record(nanos(due, sent));
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
    }

    /// The outcome of a schedule whose last request was due `lasts` after the start. Its own rate counts: a Poisson
    /// schedule lasts longer or shorter than planned, which is nobody's fault.
    fn conclude(&self, start: Instant, lasts: Duration, requests: u64) -> OpenLoop {
        let per_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
        let (answers, shed) = (self.response.len(), requests - self.response.len());
        let offered = per_second(requests, lasts);
        let achieved = per_second(answers, self.last.map_or(lasts, |last| last.duration_since(start).max(lasts)));
        let (response, lag_p99_ns) = (Quantiles::of(&self.response), self.lag.value_at_quantile(0.99));
        let void = if shed > 0 {
            Some(format!("{shed} of {requests} requests were shed"))
        } else if lag_p99_ns as f64 > MOST_LAG * response.p99_ns as f64 {
            Some("the generator was late by more than a tenth of the response time".to_owned())
        } else if achieved < LEAST_ACHIEVED * offered {
            Some("less than 98 % of what was offered was answered in time".to_owned())
        } else {
            None
        };
        OpenLoop {
            offered_per_second: offered,
            achieved_per_second: achieved,
            service: Quantiles::of(&self.service),
            response,
            lag_p99_ns,
            void,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the schedule asks for, without a clock.
    #[test]
    fn gaps_are_those_of_a_poisson_process() {
        let mut random = StdRng::seed_from_u64(7);
        let gaps: Vec<f64> = (0..100_000).map(|_| gap(&mut random, 1_000.0).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 0.001).abs() < 0.000_02, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "an exponential gap deviates by its mean");
    }

    /// What becomes of a schedule if each answer takes so long; times are said, not taken.
    fn answered(offer: Offer, answers: impl Fn(usize) -> Option<Duration>) -> OpenLoop {
        let (start, schedule) = (Instant::now(), schedule(offer));
        let mut seen = Seen::new().unwrap();
        for (index, after) in schedule.iter().enumerate() {
            let due = start + *after;
            answers(index).into_iter().for_each(|took| seen.record(due, due, due + took));
        }
        seen.conclude(start, schedule[schedule.len() - 1], schedule.len() as u64)
    }

    #[test]
    fn who_answers_everything_at_once_is_valid_whatever_the_schedule() {
        for per_second in [300.0, 1_000.0, 3_000.0] {
            for seed in 0..100 {
                let offer = Offer { per_second, lasts: Duration::from_secs(1), seed };
                let outcome = answered(offer, |_| Some(Duration::from_micros(100)));
                assert_eq!(outcome.void, None, "{outcome:?}");
                assert!((outcome.offered_per_second / per_second - 1.0).abs() < 0.25, "{outcome:?}");
            }
        }
    }

    #[test]
    fn who_falls_behind_or_sheds_is_void_and_only_answers_are_counted() {
        let offer = Offer { per_second: 1_000.0, lasts: Duration::from_secs(1), seed: 1 };
        // Each answer takes longer than the one before: a queue grows.
        let behind = answered(offer, |index| Some(Duration::from_micros(50 * index as u64)));
        assert!(behind.void.as_deref().unwrap().contains("98 %"), "{behind:?}");
        let shedding = answered(offer, |index| (index % 4 != 0).then_some(Duration::from_micros(100)));
        assert_eq!(shedding.void.as_deref(), Some("250 of 1000 requests were shed"));
        assert!(shedding.achieved_per_second <= 0.75 * shedding.offered_per_second, "{shedding:?}");
    }

    /// Whether a request waits is decided by what stands before it, not by the speed of this machine.
    #[tokio::test(flavor = "multi_thread")]
    async fn time_counts_from_when_a_request_was_due() {
        const STANDS_STILL: Duration = Duration::from_millis(100);
        let gate = Arc::new(tokio::sync::RwLock::new(()));
        let closed = Arc::new(Mutex::new(Some(Arc::clone(&gate).write_owned().await)));
        let offer = Offer { per_second: 2_000.0, lasts: Duration::from_millis(50), seed: 1 };
        let outcome = open_loop(offer, &Placement::Shared, move |index| {
            let (gate, closed) = (Arc::clone(&gate), Arc::clone(&closed));
            async move {
                // The last one to be due opens the gate, later.
                if index == 99 {
                    tokio::time::sleep(STANDS_STILL).await;
                    drop(closed.lock().unwrap().take());
                }
                let _open = gate.read().await;
                Ok(())
            }
        })
        .await
        .unwrap();
        assert!(outcome.response.p50_ns >= STANDS_STILL.as_nanos() as u64, "{outcome:?}");
        assert!(outcome.response.p50_ns >= outcome.service.p50_ns, "{outcome:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_sheds_load_voids_the_run_and_no_more() {
        let offer = Offer { per_second: 5_000.0, lasts: Duration::from_millis(20), seed: 1 };
        let outcome = open_loop(offer, &Placement::Shared, |index| async move {
            if index == 50 {
                Err(hallway::Error::new(hallway::ErrorKind::Overloaded, "too much").into())
            } else {
                Ok(())
            }
        });
        assert_eq!(outcome.await.unwrap().void.as_deref(), Some("1 of 100 requests were shed"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_failure_voids_the_run() {
        let offer = Offer { per_second: 5_000.0, lasts: Duration::from_millis(20), seed: 1 };
        let outcome = open_loop(offer, &Placement::Shared, |index| async move {
            if index == 50 { Err("lost".into()) } else { Ok(()) }
        })
        .await;
        assert_eq!(outcome.unwrap_err().to_string(), "lost");
    }
}
