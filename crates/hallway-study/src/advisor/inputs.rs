//! A workload as people write it: flags or a TOML file, with units, and nothing that must be known guessed.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::costs::{Costs, Operation};
use super::curve::HitCurve;
use super::fact::{Basis, Fact};
use super::refusal::{Missing, Refusal};
use super::units::{Rate, Share, Size, Span, time};
use super::workload::{Loss, Purpose, Service, Workload};

/// What was said of a workload. As TOML the names are those of the fields, with `-` for `_`; what has a unit is text.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the field of `Workload` with its name")]
#[non_exhaustive]
pub struct Inputs {
    pub purpose: Option<Purpose>,
    pub instances: Option<u32>,
    pub reads: Option<Rate>,
    pub writes: Option<Rate>,
    pub ycsb: Option<Ycsb>,
    pub stale: Option<Span>,
    pub stale_share: Option<Share>,
    pub loss: Option<Loss>,
    pub bytes: Option<Size>,
    pub keys: Option<Keys>,
    pub memory: Option<Size>,
    pub redis_memory: Option<Size>,
    pub db_read: Option<Span>,
    pub db_write: Option<Span>,
    pub db_capacity: Option<Rate>,
    pub redis_rtt: Option<Span>,
    pub redis_capacity: Option<Rate>,
    pub p99: Option<Span>,
    pub idle: Option<Span>,
    pub has: Option<Vec<Service>>,
}

const KEYS: &str = "keys are a number of at least 1, such as 50000 or 2M, or the file of a key log";

/// How many keys there are, or a log of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub enum Keys {
    /// So many.
    Count(f64),
    /// A log of keys as they were asked for.
    Log(PathBuf),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Whole(i64),
    Broken(f64),
    Text(String),
}

impl TryFrom<NumberOrText> for Keys {
    type Error = String;

    fn try_from(said: NumberOrText) -> Result<Self, String> {
        match said {
            NumberOrText::Whole(number) if number >= 1 => Ok(Self::Count(number as f64)),
            NumberOrText::Broken(number) if number >= 1.0 && number.is_finite() => Ok(Self::Count(number)),
            NumberOrText::Whole(_) | NumberOrText::Broken(_) => Err(KEYS.to_owned()),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

impl FromStr for Keys {
    type Err = String;

    /// A number, also with `k` or `M` at its end, is a number of keys; anything else is a file.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(KEYS.to_owned());
        }
        let (number, factor) = match text.as_bytes().last() {
            Some(b'k') => (&text[..text.len() - 1], 1e3),
            Some(b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let digits = number.replace('_', "");
        match digits.parse::<f64>() {
            Ok(number) if digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') => Ok(Self::Count(number * factor)),
            _ => Ok(Self::Log(text.into())),
        }
    }
}

/// A standard mix of reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Ycsb {
    /// One write for each read: a session store.
    A,
    /// 19 reads for each write.
    B,
    /// Reads alone.
    C,
    /// 19 reads for each write, of what was written last.
    D,
    /// Every second request reads and writes back.
    F,
}

impl FromStr for Ycsb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "A" => Ok(Self::A),
            "B" => Ok(Self::B),
            "C" => Ok(Self::C),
            "D" => Ok(Self::D),
            "F" => Ok(Self::F),
            "E" => {
                Err("YCSB E scans ranges, which is a question for the database itself; A, B, C, D and F are about keys"
                    .to_owned())
            }
            _ => Err("a YCSB mix is A, B, C, D or F".to_owned()),
        }
    }
}

impl Ycsb {
    fn writes_per_read(self) -> f64 {
        match self {
            Self::A => 1.0,
            Self::B | Self::D => 1.0 / 19.0,
            Self::C => 0.0,
            // Half of the requests read, half read and write.
            Self::F => 0.5,
        }
    }
}

macro_rules! first_of {
    ($first:expr, $second:expr; $($field:ident)*) => {
        Inputs { $($field: $first.$field.or($second.$field)),* }
    };
}

impl Inputs {
    /// What is said here, and for the rest what `other` says.
    #[must_use]
    pub fn or(self, mut other: Self) -> Self {
        // Either says how much is written, and then the other's word on it is not asked for.
        if self.writes.is_some() || self.ycsb.is_some() {
            (other.writes, other.ycsb) = (None, None);
        }
        first_of!(self, other; purpose instances reads writes ycsb stale stale_share loss bytes keys memory redis_memory
            db_read db_write db_capacity redis_rtt redis_capacity p99 idle has)
    }

    /// The workload, with assumptions in the place of what need not be known. `log` is the curve of a key log.
    ///
    /// # Errors
    /// - [`Refusal::Missing`] naming all that must be known: purpose, instances, reads, writes or a mix, and the staleness
    ///   tolerance unless the purpose is sessions.
    /// - [`Refusal::Invalid`] for contradictions and numbers out of range.
    pub fn workload(&self, log: Option<HitCurve>) -> Result<Workload, Refusal> {
        if self.writes.is_some() && self.ycsb.is_some() {
            return Err(Refusal::Invalid(
                "writes and a YCSB mix both say how much is written; leave one out".to_owned(),
            ));
        }
        let writes_per_s = match (self.writes, self.ycsb, self.reads) {
            (Some(Rate(writes)), ..) => Some(writes),
            (None, Some(mix), Some(Rate(reads))) => Some(reads * mix.writes_per_read()),
            // What is missing then are the reads alone.
            (None, Some(_), None) => Some(0.0),
            (None, None, _) => None,
        };
        let (Some(purpose), Some(instances), Some(reads), Some(writes_per_s), Some(stale)) =
            (self.purpose, self.instances, self.reads, writes_per_s, self.tolerance())
        else {
            return Err(Refusal::Missing(self.missing()));
        };
        self.check_times()?;
        let given = |said: Option<f64>, otherwise: Fact| said.map_or(otherwise, Fact::given);
        let assumed_loss = match purpose {
            Purpose::Cache => Loss::All,
            Purpose::Session => Loss::Seconds,
            Purpose::State => Loss::None,
        };
        let other_curve = log.is_none().then(HitCurve::web12);
        let curve = log.unwrap_or_else(HitCurve::orm_busy);
        let keys = match self.keys {
            Some(Keys::Count(keys)) => Fact::given(keys),
            _ if curve.basis == Basis::KeyLog => Fact::exact(curve.keys, Basis::KeyLog, curve.note.clone()),
            _ => Fact::assumed(curve.keys, "as many as the trace has; --keys says better"),
        };
        let workload = Workload {
            purpose,
            instances,
            reads_per_s: reads.0,
            writes_per_s,
            stale_ms: stale.0 / 1e3,
            stale_share: given(self.stale_share.map(|s| s.0), Fact::assumed(0.01, "one in a hundred; --stale-share")),
            loss: self.loss.unwrap_or(assumed_loss),
            loss_basis: if self.loss.is_some() { Basis::Given } else { Basis::Assumed },
            bytes: given(self.bytes.map(|b| b.0), Fact::assumed(256.0, "the median of published caches; --bytes")),
            keys,
            memory_bytes: given(self.memory.map(|m| m.0), Fact::assumed(67_108_864.0, "64 MiB; --memory")),
            redis_memory_bytes: self.redis_memory.map(|m| Fact::given(m.0)),
            database_capacity_per_s: given(self.db_capacity.map(|r| r.0), Fact::assumed(10_000.0, "--db-capacity")),
            redis_capacity_per_s: given(self.redis_capacity.map(|r| r.0), Fact::assumed(100_000.0, "--redis-capacity")),
            p99_target_us: self.p99.map(|p99| p99.0),
            idle_s: given(self.idle.map(|idle| idle.0 / 1e6), Fact::assumed(1_800.0, "30 minutes; --idle")),
            running: self.has.iter().flatten().copied().collect(),
            curve,
            other_curve,
        };
        workload.check()?;
        Ok(workload)
    }

    /// How old an answer may be. Sessions are read where they live, so nobody need say it of them.
    fn tolerance(&self) -> Option<Span> {
        self.stale.or((self.purpose == Some(Purpose::Session)).then_some(Span(0.0)))
    }

    /// Times that become costs: what is no latency of anything is a slip of the unit.
    fn check_times(&self) -> Result<(), Refusal> {
        const LONGEST_US: f64 = 60e6;
        for (name, said, least) in [
            ("a read of the database (--db-read)", self.db_read, 0.1),
            ("a write of the database (--db-write)", self.db_write, 0.1),
            ("a round trip to Redis (--redis-rtt)", self.redis_rtt, 0.0),
            ("the target for p99 (--p99)", self.p99, 0.1),
        ] {
            if let Some(Span(us)) = said
                && !(least..=LONGEST_US).contains(&us)
            {
                let (least, longest, us) = (time(least), time(LONGEST_US), time(us));
                return Err(Refusal::Invalid(format!("{name} must lie between {least} and {longest}, and is {us}")));
            }
        }
        Ok(())
    }

    /// The costs with what was said of them in the place of what was measured or assumed. How far slow calls are from
    /// usual ones stays as it was known.
    #[must_use]
    pub fn costs(&self, mut costs: Costs) -> Costs {
        for (said, operation) in [(self.db_read, Operation::DatabaseGet), (self.db_write, Operation::DatabaseSet)] {
            if let Some(Span(us)) = said {
                costs = costs.with_said(operation, operation, us);
            }
        }
        if let Some(Span(us)) = self.redis_rtt {
            costs.redis_rtt_us = Fact::given(us);
        }
        costs
    }

    fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut need = |is_said: bool, what, how| {
            if !is_said {
                missing.push(Missing { what, how });
            }
        };
        need(self.purpose.is_some(), "what the state is for", "--purpose cache, session or state");
        need(self.instances.is_some(), "how many processes share it", "--instances 4");
        need(self.reads.is_some(), "how often it is read, over all instances", "--reads 2000/s");
        need(
            self.writes.is_some() || self.ycsb.is_some(),
            "how often it is written",
            "--writes 40/s, or a mix such as --ycsb B",
        );
        need(self.tolerance().is_some(), "how old an answer may be", "--stale 2s, or --stale 0 if every read counts");
        missing
    }
}
