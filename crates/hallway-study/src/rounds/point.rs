//! What is measured: one series of one group at one place of its axis.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::{Lane, Plan};

/// Which point: the name under which criterion keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointId {
    /// What is compared: `Q1/get`.
    pub group: String,
    /// One of the sides: `moka-typed`.
    pub series: String,
    /// The place on the axis, as a number in text.
    pub x: String,
}

impl PointId {
    /// A point of a series.
    #[must_use]
    pub fn new(group: impl Into<String>, series: impl Into<String>, x: f64) -> Self {
        Self { group: group.into(), series: series.into(), x: x.to_string() }
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.group, self.series, self.x)
    }
}

type Run = dyn Fn(u64) -> Pin<Box<dyn Future<Output = Result<Duration>> + Send>> + Send + Sync;

type Verify = dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync;

/// What is timed: does its work so many times and says how long that took.
#[derive(Clone)]
pub struct Cell {
    run: Arc<Run>,
    verify: Option<Arc<Verify>>,
    supposed: Duration,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").finish_non_exhaustive()
    }
}

impl Cell {
    /// Work that times itself.
    pub fn new<F>(run: impl Fn(u64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Duration>> + Send + 'static,
    {
        Self { run: Arc::new(move |iterations| Box::pin(run(iterations))), verify: None, supposed: Duration::ZERO }
    }

    /// The same work over a store that this looks at after the last round.
    #[must_use]
    pub fn verified<F>(self, verify: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self { verify: Some(Arc::new(move || Box::pin(verify()))), ..self }
    }

    /// The same work over the store of another cell.
    #[must_use]
    pub fn verified_as(self, other: &Self) -> Self {
        Self { verify: other.verify.clone(), ..self }
    }

    /// The same work, of which each iteration would take so much longer if a backend did, beside what was supposed
    /// before. Nothing is added to what is measured; see [`Measured::slower`](super::Measured::slower).
    #[must_use]
    pub fn supposing(self, longer: Duration) -> Self {
        Self { supposed: self.supposed + longer, ..self }
    }

    /// How much longer each iteration would take.
    #[must_use]
    pub fn supposed(&self) -> Duration {
        self.supposed
    }

    /// A lane that runs a plan; its number of iterations is criterion's to choose.
    #[must_use]
    pub fn of_lane(lane: Arc<Lane>, plan: Plan) -> Self {
        let of_verify = Arc::clone(&lane);
        let cell = Self::new(move |iterations| {
            let lane = Arc::clone(&lane);
            async move { Ok(lane.run(Plan { iterations, ..plan }).await?.elapsed) }
        });
        cell.verified(move || {
            let lane = Arc::clone(&of_verify);
            async move { lane.verify_last().await }
        })
    }

    /// Does the work.
    ///
    /// # Errors
    /// If any of it failed or any value read was wrong.
    pub async fn run(&self, iterations: u64) -> Result<Duration> {
        (self.run)(iterations).await
    }

    /// Looks whether the store still holds what was last written to it, every key of it. Never timed; to be called after
    /// the last round, while nothing is measured. A cell that knows of no store has nothing to say.
    ///
    /// # Errors
    /// If a value is missing, wrong, or not the last one: what was measured there is void.
    pub async fn verify(&self) -> Result<()> {
        match &self.verify {
            Some(verify) => verify().await,
            None => Ok(()),
        }
    }

    /// The same work reported as longer by this share of its own time: a difference that a study has to find. Exactly that
    /// share, because nothing is done for longer: what was in the way of extra work would be a difference as well.
    #[must_use]
    pub fn slowed(&self, share: f64) -> Self {
        let cell = self.clone();
        Self::new(move |iterations| {
            let cell = cell.clone();
            async move { Ok(cell.run(iterations).await?.mul_f64(1.0 + share)) }
        })
        .verified_as(self)
        .supposing(self.supposed.mul_f64(1.0 + share))
    }

    /// The same work with so much time added to each iteration.
    #[must_use]
    pub fn delayed(&self, by: Duration) -> Self {
        let cell = self.clone();
        Self::new(move |iterations| {
            let cell = cell.clone();
            async move { Ok(cell.run(iterations).await? + spin(by.mul_f64(iterations as f64))) }
        })
        .verified_as(self)
        .supposing(self.supposed)
    }
}

/// Keeps the processor busy, because a timer is too coarse, and says for how long.
fn spin(time: Duration) -> Duration {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
    start.elapsed()
}

/// A point that can be measured.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its name.
    pub id: PointId,
    /// What is timed.
    pub cell: Cell,
}

impl Point {
    /// A point of a series.
    pub fn new(group: impl Into<String>, series: impl Into<String>, x: f64, cell: Cell) -> Self {
        Self { id: PointId::new(group, series, x), cell }
    }
}
