//! The mean cost of a read through tiers, composed from its parts as they were measured in each round.

use super::parts::{Part, TIERS};
use super::{BYTES, Found, GET, SET, drawn_median};
use crate::formulas::{CachingTier, mean_of_requests, tiered_mean};
use crate::lab::Backend;
use crate::statistics::Estimate;

/// How often the tiers answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hits {
    /// Share of the reads that the local tier answers; `None` for no such tier.
    pub local: Option<f64>,
    /// Share of what the local tier does not answer that the shared one does; `None` for no such tier.
    pub shared: Option<f64>,
}

/// The parts of a chain of tiers, each by rounds, nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    local: Vec<f64>,
    local_fill: Vec<f64>,
    shared: Vec<f64>,
    shared_fill: Vec<f64>,
    database: Vec<f64>,
    write: Vec<f64>,
    local_write: Vec<f64>,
    shared_write: Vec<f64>,
    rounds: usize,
}

impl Chain {
    /// What one look at the shared tier costs, a fill of it, and a read of the database, in these rounds (F1).
    #[must_use]
    pub fn shared_parts(&self, drawn: &[usize]) -> [f64; 3] {
        [drawn_median(&self.shared, drawn), drawn_median(&self.shared_fill, drawn), drawn_median(&self.database, drawn)]
    }

    /// How many rounds all parts have.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Whether the parts of a shared tier were measured.
    #[must_use]
    pub fn has_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// The mean cost of a read in these rounds (F1).
    #[must_use]
    pub fn read(&self, hits: Hits, drawn: &[usize]) -> f64 {
        let mut tiers = Vec::with_capacity(2);
        if let Some(hit_ratio) = hits.local {
            let (read, fill) = (drawn_median(&self.local, drawn), drawn_median(&self.local_fill, drawn));
            tiers.push(CachingTier { hit_ratio, read, fill });
        }
        if let Some(hit_ratio) = hits.shared {
            let (read, fill) = (drawn_median(&self.shared, drawn), drawn_median(&self.shared_fill, drawn));
            tiers.push(CachingTier { hit_ratio, read, fill });
        }
        tiered_mean(&tiers, drawn_median(&self.database, drawn))
    }

    /// The mean cost of a request of which so many write, in these rounds.
    #[must_use]
    pub fn request(&self, hits: Hits, write_share: f64, drawn: &[usize]) -> f64 {
        let write = match (hits.shared, hits.local) {
            (Some(_), _) => &self.shared_write,
            (None, Some(_)) => &self.local_write,
            (None, None) => &self.write,
        };
        mean_of_requests(1.0 - write_share, self.read(hits, drawn), drawn_median(write, drawn))
    }
}

impl Found<'_> {
    /// The parts of tiers over a database; `None` if they were not measured, or that database was not.
    #[must_use]
    pub fn chain(&self, database: Backend) -> Option<Chain> {
        let part = |part: Part| self.means(TIERS, part.name(), BYTES as f64);
        let local = part(Part::LocalHit);
        let sqlite = self.primitive_means(GET, Backend::Sqlite);
        let reads = self.primitive_means(GET, database);
        let write = self.primitive_means(SET, database);
        // Redis stands before the database of the study; before another it would be measured anew.
        let with_shared = database == self.database();
        let shared = |of: Part| if with_shared { part(of) } else { Vec::new() };
        let (looks, filling, shared_write) =
            (shared(Part::SharedHit), shared(Part::SharedFill), shared(Part::SharedWrite));
        let all = [&local, &sqlite, &reads, &write];
        let rounds =
            all.into_iter().chain([&looks].into_iter().filter(|looks| !looks.is_empty())).map(Vec::len).min()?;
        if rounds == 0 {
            return None;
        }
        let over = |whole: &[f64], less: [&[f64]; 2]| -> Vec<f64> {
            let rounds = whole.iter().zip(less[0]).zip(less[1]);
            rounds.map(|((whole, one), other)| (whole - one - other).max(0.0)).collect()
        };
        // What a write through a local tier adds is the same over any database.
        let of_local: Vec<f64> = part(Part::LocalWrite);
        let local_write = if database == Backend::Sqlite { of_local } else { write.clone() };
        Some(Chain {
            local_fill: over(&part(Part::LocalFill), [&local, &sqlite]),
            shared_fill: over(&filling, [&looks, &reads]),
            local,
            shared: looks,
            database: reads,
            write,
            local_write,
            shared_write,
            rounds,
        })
    }

    /// A composed cost with its interval; `None` if there are too few rounds.
    #[must_use]
    pub fn composed(&self, chain: &Chain, of: impl Fn(&Chain, &[usize]) -> f64) -> Option<Estimate> {
        self.statistic(chain.rounds(), |drawn| of(chain, drawn))
    }
}
