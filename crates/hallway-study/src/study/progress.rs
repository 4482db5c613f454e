//! How far a study is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Result;

/// Told how far a study is. Work is counted in the seconds that it is expected to take.
pub trait Progress: fmt::Debug + Send + Sync {
    /// So much work there is in all. Told again when there is more of it.
    fn begin(&self, seconds: f64);
    /// So much of it is done; this comes next.
    fn at(&self, seconds: f64, next: &str);
    /// Something a person should know now.
    fn say(&self, text: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _seconds: f64) {}
    fn at(&self, _seconds: f64, _next: &str) {}
    fn say(&self, _text: &str) {}
}

/// Tells a study to stop: it ends the point or the run that it is at, and clears up.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Tells it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
    }
}

/// The study was told to stop; the next one with the same plan goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; the same command goes on where it stopped")
    }
}

impl std::error::Error for Interrupted {}
