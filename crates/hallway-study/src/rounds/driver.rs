//! One point in one round, by criterion.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use tokio::runtime::Handle;

use super::quiet::Quiet;
use super::{Point, tree};
use crate::{Failure, Result};

/// How long criterion stays with a point in a round.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Before it counts.
    pub warm_up: Duration,
    /// While it counts.
    pub measurement: Duration,
}

/// Samples of a point in a round: the fewest that criterion takes, because rounds are what tells the spread.
const SAMPLES: usize = 10;
/// criterion's own resamples; its intervals are of one round and nobody uses them.
const RESAMPLES: usize = 1_000;

/// Measures points and keeps them as criterion does.
#[derive(Debug)]
pub struct Driver {
    home: PathBuf,
    log: Option<File>,
    runtime: Handle,
    times: Times,
}

impl Driver {
    /// Keeps what it measures below `home`, which `critcmp` and criterion itself can read. What criterion prints goes
    /// to a file there if it is to be `quiet`.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(home: &Path, runtime: Handle, times: Times, quiet: bool) -> Result<Self> {
        std::fs::create_dir_all(home).map_err(|error| format!("cannot make the folder {}: {error}", home.display()))?;
        let log = match quiet {
            true => Some(OpenOptions::new().create(true).append(true).open(home.join("criterion.log"))?),
            false => None,
        };
        Ok(Self { home: home.to_owned(), log, runtime, times })
    }

    /// Measures a point as part of a round; 1 is the first. Must not be called on a worker of the runtime.
    ///
    /// # Errors
    /// What the point failed with, or if criterion's files cannot be written.
    pub fn measure(&self, point: &Point, round: u32) -> Result<()> {
        let failure: RefCell<Option<Failure>> = RefCell::new(None);
        let quiet = self.log.as_ref().map(Quiet::begin).transpose()?;
        // One for each point: it refuses to see the same name twice, and the next round has the same.
        let mut criterion = Criterion::default()
            .output_directory(&self.home)
            .without_plots()
            .save_baseline(tree::baseline(round))
            .sample_size(SAMPLES)
            .nresamples(RESAMPLES)
            .warm_up_time(self.times.warm_up)
            .measurement_time(self.times.measurement);
        let mut group = criterion.benchmark_group(&point.id.group);
        // critcmp does not read what has no slope.
        group.sampling_mode(SamplingMode::Linear);
        group.bench_function(BenchmarkId::new(&point.id.series, &point.id.x), |bencher| {
            bencher.iter_custom(|iterations| {
                let failed = failure.borrow().is_some();
                // After a failure the rest is only to let criterion come to its end.
                let outcome =
                    if failed { Ok(Duration::ZERO) } else { self.runtime.block_on(point.cell.run(iterations)) };
                let took = outcome.unwrap_or_else(|error| {
                    *failure.borrow_mut() = Some(error);
                    Duration::ZERO
                });
                // criterion cannot do with nothing at all.
                if failed || took.is_zero() { self.times.measurement } else { took }
            });
        });
        group.finish();
        drop(quiet);
        match failure.into_inner() {
            Some(error) => {
                tree::forget(&self.home, &point.id, round)?;
                Err(format!("{}: {error}", point.id).into())
            }
            None if !tree::is_kept(&self.home, &point.id, round) => {
                Err(format!("{}: criterion could not keep it below {}; is there room?", point.id, self.home.display())
                    .into())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::{Cell, Measured};
    use super::*;

    const SHORT: Times = Times { warm_up: Duration::from_millis(1), measurement: Duration::from_millis(1) };

    /// Time is said, not taken, so that what comes back can be compared.
    fn point(series: &str, nanos: &Arc<AtomicU64>) -> Point {
        let nanos = Arc::clone(nanos);
        Point::new(
            "Q0/get",
            series,
            64.0,
            Cell::new(move |iterations| {
                let took = Duration::from_secs_f64(nanos.load(Ordering::Relaxed) as f64 * iterations as f64 / 1e9);
                async move { Ok(took) }
            }),
        )
    }

    #[test]
    fn rounds_are_baselines_of_one_benchmark_and_come_back() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let home = tempfile::TempDir::new().unwrap();
        let driver = Driver::new(home.path(), runtime.handle().clone(), SHORT, false).unwrap();
        let nanos = Arc::new(AtomicU64::new(0));
        let points = [point("a", &nanos), point("b", &nanos)];
        for round in 1..=3 {
            for (index, point) in points.iter().enumerate() {
                nanos.store(100 * u64::from(round) + index as u64, Ordering::Relaxed);
                driver.measure(point, round).unwrap();
            }
        }
        let measured = Measured::read(home.path()).unwrap();
        assert_eq!(measured.rounds(&points[0].id), [100.0, 200.0, 300.0]);
        assert_eq!(measured.rounds(&points[1].id), [101.0, 201.0, 301.0]);
        assert!(measured.has(&points[1].id, 3) && !measured.has(&points[1].id, 4));
        assert!(home.path().join("Q0_get/a/64/r03/estimates.json").is_file(), "as critcmp looks for it");
    }

    #[test]
    fn what_failed_is_an_error_and_leaves_no_numbers() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let home = tempfile::TempDir::new().unwrap();
        let driver = Driver::new(home.path(), runtime.handle().clone(), SHORT, false).unwrap();
        let point = Point::new("Q0/get", "a", 1.0, Cell::new(|_| async { Err("the key is missing".into()) }));
        let error = driver.measure(&point, 1).unwrap_err().to_string();
        assert_eq!(error, "Q0/get/a/1: the key is missing");
        assert!(!Measured::read(home.path()).unwrap().has(&point.id, 1));
    }
}
