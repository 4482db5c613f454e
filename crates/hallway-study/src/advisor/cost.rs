//! What one operation of one store costs, by the size of the value.

use super::fact::{Basis, Fact};

/// The cost of an operation at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostPoint {
    /// Bytes of the value.
    pub bytes: f64,
    /// Microseconds, the median.
    pub us: f64,
    /// The lower end of its interval.
    pub low_us: f64,
    /// The upper end.
    pub high_us: f64,
}

/// The cost of an operation by the size of the value, and how far its slow calls are from the usual ones.
///
/// Medians stand for means: what was measured is the median, and what is composed are sums of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    points: Vec<CostPoint>,
    /// The 99th percentile as a multiple of the median, at least 1.
    pub tail: f64,
    /// Whether [`tail`](Self::tail) was measured.
    pub is_tail_known: bool,
    /// Round trips that are not in the figure and are added to it.
    pub round_trips: f64,
    /// Whether it is only known that it takes so long at least.
    pub is_least: bool,
    /// Where the figure comes from.
    pub basis: Basis,
    /// More about that.
    pub note: String,
}

impl Cost {
    /// A cost that was measured at these sizes. `None` without a point, or with one that is not positive and finite.
    pub fn new(mut points: Vec<CostPoint>, basis: Basis, note: impl Into<String>) -> Option<Self> {
        let sound = |point: &CostPoint| {
            let numbers = [point.bytes, point.us, point.low_us, point.high_us];
            numbers.iter().all(|number| number.is_finite() && *number > 0.0)
                && point.low_us <= point.us
                && point.us <= point.high_us
        };
        if points.is_empty() || !points.iter().all(sound) {
            return None;
        }
        points.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
        points.dedup_by(|next, kept| next.bytes == kept.bytes);
        Some(Self {
            points,
            tail: 1.0,
            is_tail_known: false,
            round_trips: 0.0,
            is_least: false,
            basis,
            note: note.into(),
        })
    }

    /// One figure for values of any size. `None` if it is not positive and finite.
    pub fn flat(us: f64, basis: Basis, note: impl Into<String>) -> Option<Self> {
        Self::new(vec![CostPoint { bytes: 1.0, us, low_us: us, high_us: us }], basis, note)
    }

    /// Sets the 99th percentile as a multiple of the median. Default: 1, not known.
    #[must_use]
    pub fn with_tail(mut self, tail: f64, is_known: bool) -> Self {
        (self.tail, self.is_tail_known) = (if tail.is_finite() { tail.max(1.0) } else { 1.0 }, is_known);
        self
    }

    /// Sets how many round trips come on top. Default: 0.
    #[must_use]
    pub fn with_round_trips(mut self, round_trips: f64) -> Self {
        self.round_trips = round_trips;
        self
    }

    /// Says that it takes so long at least, as of a ping in the place of a read. Default: it takes as long as said.
    #[must_use]
    pub fn as_least(mut self) -> Self {
        self.is_least = true;
        self
    }

    /// The largest size that it is known for, bytes; infinite for what was said of values of any size.
    pub fn known_to(&self) -> f64 {
        match self.points.last() {
            Some(largest) if self.basis != Basis::Given => largest.bytes,
            _ => f64::INFINITY,
        }
    }

    /// The cost for values of `bytes`, microseconds: a straight line in logarithms between the sizes that were
    /// measured, and the nearest of them outside.
    pub fn at(&self, bytes: f64) -> Fact {
        let above = self.points.partition_point(|point| point.bytes < bytes);
        let (a, b) = match (above.checked_sub(1).map(|at| self.points[at]), self.points.get(above).copied()) {
            (Some(a), Some(b)) => (a, b),
            (Some(only), None) | (None, Some(only)) => (only, only),
            // There is at least one point.
            (None, None) => unreachable!("a cost has a point"),
        };
        let t = if a.bytes == b.bytes { 0.0 } else { (bytes / a.bytes).ln() / (b.bytes / a.bytes).ln() };
        let between = |from: f64, to: f64| from * (to / from).powf(t);
        Fact {
            value: between(a.us, b.us),
            low: between(a.low_us, b.low_us),
            high: between(a.high_us, b.high_us),
            basis: self.basis,
            note: self.note.clone(),
        }
    }
}
