//! How far a study is.

use std::fmt;

/// Told how far a study is. Work is counted in the seconds that it is expected to take.
pub trait Progress: fmt::Debug + Send + Sync {
    /// So much work is ahead.
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
