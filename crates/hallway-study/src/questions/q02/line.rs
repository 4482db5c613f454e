//! What Redis costs over its round trip, a line for each round.

use super::{PING, REDIS, SQLITE};
use crate::Result;
use crate::chart::Scale;
use crate::statistics::{Curves, Estimate, LEAST_ROUNDS, Line, theil_sen};
use crate::study::{Found, drawn_median};

/// What a call costs at least, nanoseconds: over no wire at all a line may end a little below nothing.
const LEAST_NANOS: f64 = 1_000.0;

/// Rounds of one group, `[place][round]`, nanoseconds.
#[derive(Debug)]
pub(super) struct Wire {
    pings: Vec<Vec<f64>>,
    redis: Vec<Vec<f64>>,
    sqlite: Vec<Vec<f64>>,
    rounds: usize,
}

/// What the rounds say that can be used.
#[derive(Debug)]
pub(super) struct Lines {
    redis: Vec<Line>,
    sqlite: Vec<f64>,
}

impl Wire {
    /// What was measured at places that all three series have; `None` if there are not two of them.
    pub(super) fn measured(found: &Found<'_>, group: &str) -> Option<Self> {
        let [pings, redis, sqlite] = [PING, REDIS, SQLITE]
            .map(|series| found.curve(group, series).into_iter().map(|(_, rounds)| rounds).collect::<Vec<_>>());
        let places = pings.len();
        let rounds = pings.iter().chain(&redis).chain(&sqlite).map(Vec::len).min()?;
        (places >= 2 && redis.len() == places && sqlite.len() == places).then_some(Self {
            pings,
            redis,
            sqlite,
            rounds,
        })
    }

    /// The median PING of each place, microseconds.
    pub(super) fn places(&self) -> Vec<f64> {
        self.pings.iter().map(|rounds| middle(rounds) / 1_000.0).collect()
    }

    /// One line for each round, through its own PINGs: `t = t0 + k RTT` (F11).
    ///
    /// A disturbed round may have any line; the middle of all rounds does not follow it.
    ///
    /// # Errors
    /// If a longer PING made nothing slower, or there are too few rounds; the text says so.
    pub(super) fn lines(&self) -> std::result::Result<Lines, String> {
        let (mut redis, mut sqlite) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            let at = |costs: &[Vec<f64>]| costs.iter().map(|rounds| rounds[round]).collect::<Vec<f64>>();
            let spots: Vec<(f64, f64)> = at(&self.pings).into_iter().zip(at(&self.redis)).collect();
            // A round without two different PINGs has no line.
            if let Ok(line) = theil_sen(&spots) {
                redis.push(line);
                sqlite.push(middle(&at(&self.sqlite)));
            }
        }
        let lines = Lines { redis, sqlite };
        if lines.redis.len() < LEAST_ROUNDS || lines.middle().slope <= 0.0 {
            return Err(format!(
                "the PINGs of {} rounds tell no wire from a longer one; measure at least {LEAST_ROUNDS} rounds on a quieter machine",
                self.rounds
            ));
        }
        Ok(lines)
    }
}

impl Lines {
    /// SQLite, which knows no distance, and Redis at these round trips in microseconds, in each round.
    ///
    /// # Errors
    /// If the grid is none.
    pub(super) fn curves(&self, grid: &[f64]) -> Result<Curves> {
        let sqlite = self.sqlite.iter().map(|cost| vec![*cost; grid.len()]).collect();
        let redis = self.redis.iter().map(|line| grid.iter().map(|rtt| at(line, *rtt)).collect()).collect();
        Curves::new(Scale::Linear, grid.to_vec(), sqlite, redis)
    }

    /// The middle of the lines.
    pub(super) fn middle(&self) -> Line {
        let of = |part: fn(&Line) -> f64| middle(&self.redis.iter().map(part).collect::<Vec<_>>());
        Line { at_zero: of(|line| line.at_zero), slope: of(|line| line.slope) }
    }

    /// Redis at a round trip in microseconds, the middle of the rounds.
    pub(super) fn redis_at(&self, rtt: f64) -> f64 {
        middle(&self.redis.iter().map(|line| at(line, rtt)).collect::<Vec<_>>())
    }

    /// SQLite, with its interval.
    pub(super) fn sqlite(&self, found: &Found<'_>) -> Option<Estimate> {
        found.statistic(self.sqlite.len(), |drawn| drawn_median(&self.sqlite, drawn))
    }
}

fn at(line: &Line, rtt_us: f64) -> f64 {
    (line.at_zero + line.slope * rtt_us * 1_000.0).max(LEAST_NANOS)
}

fn middle(values: &[f64]) -> f64 {
    drawn_median(values, &(0..values.len()).collect::<Vec<_>>())
}
