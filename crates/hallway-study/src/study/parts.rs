//! What the parts of a read or a write through tiers cost, for questions that compose the whole from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{CopyView, Key, KvStore, SetOptions, TieredStore, Ttl};

use super::BYTES;
use crate::Result;
use crate::lab::{Backend, Lab, Tiers};
use crate::load::Workload;
use crate::load::contenders::TTL;
use crate::rounds::{Cell, Point};

/// Group of reads and writes through tiers, by part; the axis is the size of a value.
pub const TIERS: &str = "P/tiers";

/// Keys that are gone through where criterion measures, and beside a replay, which has less time.
const KEYS: usize = 1_000;
const KEYS_BESIDE: usize = 200;
/// Room of a local tier in which next to nothing is found again.
const NARROW: u64 = 1;
/// Of reads that are to be misses, so many may be none.
const MOST_HITS: f64 = 0.05;

/// A read or a write through tiers that ends in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A read that misses the local tier over SQLite and leaves a copy there.
    LocalFill,
    /// A read that the local tier answers.
    LocalHit,
    /// A write through a local tier over SQLite.
    LocalWrite,
    /// A read that finds nothing in Redis, asks the database and leaves a copy in Redis.
    SharedFill,
    /// A read that Redis answers with a copy.
    SharedHit,
    /// A write to the database that makes the copy in Redis unusable.
    SharedWrite,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::LocalFill, Self::LocalHit, Self::LocalWrite, Self::SharedFill, Self::SharedHit, Self::SharedWrite];

    /// As it stands in ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalFill => "local-fill",
            Self::LocalHit => "local-hit",
            Self::LocalWrite => "local-write",
            Self::SharedFill => "shared-fill",
            Self::SharedHit => "shared-hit",
            Self::SharedWrite => "shared-write",
        }
    }

    /// Calls of Redis and of the database in each: a miss looks, takes the lease and fills.
    fn calls(self) -> [f64; 2] {
        match self {
            Self::LocalHit => [0.0, 0.0],
            Self::LocalFill | Self::LocalWrite => [0.0, 1.0],
            Self::SharedHit => [1.0, 0.0],
            Self::SharedFill => [3.0, 1.0],
            Self::SharedWrite => [2.0, 1.0],
        }
    }

    fn is_shared(self) -> bool {
        matches!(self, Self::SharedFill | Self::SharedHit | Self::SharedWrite)
    }
}

/// Tiers with keys that their database holds.
#[derive(Debug)]
struct Course {
    tiers: TieredStore,
    /// Redis itself, where there is one.
    shared: Option<Arc<dyn KvStore>>,
    keys: Vec<Key>,
    /// Where Redis keeps their copies.
    copies: Vec<Key>,
    workload: Workload,
    version: AtomicU64,
    at: AtomicU64,
}

/// The points of all parts that there are: those of Redis only with one.
///
/// # Errors
/// If a backend does not work.
pub async fn points(lab: &Lab) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for part in Part::ALL.into_iter().filter(|part| !part.is_shared() || lab.has(Backend::RedisTcp)) {
        let cell = part.cell(lab, KEYS).await?;
        points.push(Point::new(TIERS, part.name(), BYTES as f64, cell));
    }
    Ok(points)
}

/// Some parts, measured beside something else: what the machine does meanwhile hits both alike.
#[derive(Debug)]
pub struct Beside {
    /// With iterations so far, and the time they took.
    cells: Vec<(Part, Cell, u64, Duration)>,
}

impl Beside {
    /// These parts.
    ///
    /// # Errors
    /// If a backend is missing or does not work.
    pub async fn open(lab: &Lab, parts: &[Part]) -> Result<Self> {
        let mut cells = Vec::new();
        for part in parts {
            cells.push((*part, part.cell(lab, KEYS_BESIDE).await?, 0, Duration::ZERO));
        }
        Ok(Self { cells })
    }

    /// Measures each of them for a moment.
    ///
    /// # Errors
    /// As those of the tiers.
    pub async fn measure(&mut self) -> Result<()> {
        for (part, cell, iterations, took) in &mut self.cells {
            let more = part.moment();
            *took += cell.run(more).await?;
            *iterations += more;
        }
        Ok(())
    }

    /// Mean nanoseconds of a part, 0 if it was not measured.
    #[must_use]
    pub fn mean(&self, part: Part) -> f64 {
        let found = self.cells.iter().find(|(known, ..)| *known == part);
        found.map_or(0.0, |(_, _, iterations, took)| took.as_nanos() as f64 / (*iterations).max(1) as f64)
    }
}

impl Part {
    async fn cell(self, lab: &Lab, keys: usize) -> Result<Cell> {
        let backend = if self.is_shared() { lab.database() } else { Backend::Sqlite };
        let course = Arc::new(Course::open(lab, self, backend, keys).await?);
        let cell = Cell::new(move |iterations| {
            let course = Arc::clone(&course);
            async move { tokio::spawn(async move { course.run(self, iterations).await }).await? }
        });
        let [shared, database] = self.calls();
        let cell = lab.injected(Backend::RedisTcp, cell, shared);
        Ok(lab.injected(backend, cell, database))
    }

    /// Iterations that take a few milliseconds.
    fn moment(self) -> u64 {
        match self {
            Self::LocalHit => 500,
            Self::LocalFill => 50,
            Self::SharedFill | Self::SharedHit => 15,
            Self::LocalWrite | Self::SharedWrite => 5,
        }
    }
}

impl Course {
    async fn open(lab: &Lab, part: Part, backend: Backend, keys: usize) -> Result<Self> {
        let database = lab.store(backend).await?;
        let workload = Workload::new(keys, BYTES, 4);
        let keys = lab.seeded(&database, &workload).await?;
        let copies = keys.iter().map(|key| key.within(&CopyView::namespace())).collect::<hallway::Result<Vec<_>>>()?;
        let local_entries = match part {
            Part::LocalFill => Some(NARROW),
            Part::LocalHit | Part::LocalWrite => Some(keys.len() as u64 * 4),
            _ => None,
        };
        let tiers = lab.tiers(Tiers { local_entries, local_ttl: None, shared: part.is_shared() }, &database).await?;
        let shared = match part.is_shared() {
            true => Some(lab.store(Backend::RedisTcp).await?),
            false => None,
        };
        let (version, at) = (AtomicU64::new(0), AtomicU64::new(0));
        let course = Self { tiers, shared, keys, copies, workload, version, at };
        // What is to be a hit is there, and statements are prepared.
        for index in 0..course.keys.len() {
            course.read(index).await?;
        }
        Ok(course)
    }

    async fn run(&self, part: Part, iterations: u64) -> Result<Duration> {
        let before = self.tiers.stats();
        let took = match part {
            Part::LocalWrite | Part::SharedWrite => self.writes(iterations).await?,
            Part::SharedFill => self.fills(iterations).await?,
            Part::LocalFill | Part::LocalHit | Part::SharedHit => self.reads(iterations).await?,
        };
        let stats = self.tiers.stats();
        let (local, shared) = (stats.local_hits - before.local_hits, stats.shared_hits - before.shared_hits);
        let odd = match part {
            Part::LocalHit => iterations - local.min(iterations),
            Part::SharedHit => iterations - shared.min(iterations),
            Part::LocalFill | Part::SharedFill => local + shared,
            Part::LocalWrite | Part::SharedWrite => 0,
        };
        if odd as f64 > 1.0 + MOST_HITS * iterations as f64 {
            return Err(format!("{odd} of {iterations} reads did not end as a {} does", part.name()).into());
        }
        Ok(took)
    }

    async fn reads(&self, iterations: u64) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..iterations {
            self.read(self.next()).await?;
        }
        Ok(start.elapsed())
    }

    async fn writes(&self, iterations: u64) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..iterations {
            let (index, version) = (self.next(), self.version.fetch_add(1, Ordering::Relaxed));
            let value = self.workload.value(index, version).clone();
            self.tiers.set(&self.keys[index], value, SetOptions::new(Ttl::After(TTL))).await?;
        }
        Ok(start.elapsed())
    }

    /// Reads of keys whose copies were taken out of Redis before; that is not timed.
    async fn fills(&self, iterations: u64) -> Result<Duration> {
        let shared = self.shared.as_ref().ok_or("a copy is filled where there is Redis")?;
        let mut took = Duration::ZERO;
        let mut left = iterations;
        while left > 0 {
            let now = left.min(self.keys.len() as u64);
            let first = self.at.load(Ordering::Relaxed) as usize;
            let next = (first..first + now as usize).map(|at| &self.copies[at % self.copies.len()]);
            shared.delete_many(&next.cloned().collect::<Vec<_>>()).await?;
            took += self.reads(now).await?;
            left -= now;
        }
        Ok(took)
    }

    async fn read(&self, index: usize) -> Result<()> {
        self.workload.check(index, self.tiers.get(&self.keys[index]).await?.as_deref())
    }

    /// One key after the other, so that a narrow tier has forgotten each when its turn comes again.
    fn next(&self) -> usize {
        self.at.fetch_add(1, Ordering::Relaxed) as usize % self.keys.len()
    }
}
