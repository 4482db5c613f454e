//! What would change the choice: each input is moved, alone, until it does.

use serde::Serialize;

use super::architecture::Architecture;
use super::choose::choose;
use super::costs::{Costs, Operation};
use super::load::is_capacity_said;
use super::model::of_database;
use super::units::{bytes, count, percent, time};
use super::workload::{Database, Workload};

/// Steps from the present value to the end of a range, evenly in logarithms.
const STEPS: i32 = 24;

/// A flip point is known when its two sides are this close, as a ratio.
const CLOSE: f64 = 1.01;

/// A quantity that is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and `unit` the unit")]
pub enum Lever {
    DatabaseCapacity,
    DatabaseRead,
    DatabaseWrite,
    Instances,
    Keys,
    Memory,
    P99Target,
    Reads,
    RedisRtt,
    StaleShare,
    Stale,
    ValueSize,
    Writes,
}

/// Which way it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Towards less.
    Down,
    /// Towards more.
    Up,
}

/// A point at which the choice changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    /// What is moved.
    pub lever: Lever,
    /// Which way.
    pub side: Side,
    /// The unit of the three numbers below.
    pub unit: &'static str,
    /// Where it is now.
    pub now: f64,
    /// The last value at which the choice was seen to hold.
    pub holds_at: f64,
    /// The first value at which it was seen to be another, a hundredth further.
    pub changes_at: f64,
    /// The choice there; `null` if nothing fits any more.
    pub to: Option<Architecture>,
    /// The same in words: `holds while instances <= 3; then L2 Redis + SQL`.
    pub text: String,
}

impl Lever {
    const ALL: [Self; 13] = [
        Self::DatabaseCapacity,
        Self::DatabaseRead,
        Self::DatabaseWrite,
        Self::Instances,
        Self::Keys,
        Self::Memory,
        Self::P99Target,
        Self::Reads,
        Self::RedisRtt,
        Self::StaleShare,
        Self::Stale,
        Self::ValueSize,
        Self::Writes,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::DatabaseCapacity => "database capacity",
            Self::DatabaseRead => "database read",
            Self::DatabaseWrite => "database write",
            Self::Instances => "instances",
            Self::Keys => "keys",
            Self::Memory => "memory per instance",
            Self::P99Target => "p99 target",
            Self::Reads => "reads",
            Self::RedisRtt => "round trip to Redis",
            Self::StaleShare => "stale share",
            Self::Stale => "staleness tolerance",
            Self::ValueSize => "value size",
            Self::Writes => "writes",
        }
    }

    /// The unit of its numbers.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DatabaseCapacity | Self::Reads | Self::Writes => "per_s",
            Self::DatabaseRead | Self::DatabaseWrite | Self::P99Target | Self::RedisRtt => "us",
            Self::Instances | Self::Keys => "count",
            Self::Memory | Self::ValueSize => "bytes",
            Self::StaleShare => "share",
            Self::Stale => "ms",
        }
    }

    fn write(self, value: f64) -> String {
        match self.unit() {
            "per_s" => format!("{}/s", count(value)),
            "us" => time(value),
            "bytes" => bytes(value),
            "share" => percent(value),
            "ms" => time(value * 1e3),
            _ => count(value),
        }
    }

    /// The values that are looked at.
    fn range(self) -> [f64; 2] {
        match self {
            Self::DatabaseCapacity => [10.0, 1e6],
            Self::DatabaseRead | Self::DatabaseWrite => [1.0, 1e7],
            Self::Instances => [1.0, 256.0],
            Self::Keys => [10.0, 1e9],
            Self::Memory => [65_536.0, 1e12],
            Self::P99Target => [1.0, 1e7],
            Self::Reads | Self::Writes => [0.01, 1e6],
            Self::RedisRtt => [1.0, 1e5],
            Self::StaleShare => [1e-5, 1.0],
            Self::Stale => [1.0, 8.64e7],
            Self::ValueSize => [1.0, 1_048_576.0],
        }
    }

    /// Whether none of it is a value too, below the range.
    fn may_be_zero(self) -> bool {
        matches!(self, Self::Writes | Self::Stale)
    }

    /// Its present value, if it has one.
    pub fn of(self, workload: &Workload, costs: &Costs) -> Option<f64> {
        let cost = |operation| costs.total(operation, workload.bytes.value).value;
        let [database_get, database_set] = of_database(workload, costs);
        Some(match self {
            // What SQLite can take follows from what its requests take, unless somebody said it.
            Self::DatabaseCapacity if workload.database() == Database::Sqlite && !is_capacity_said(workload) => {
                return None;
            }
            Self::DatabaseCapacity => workload.database_capacity_per_s.value,
            Self::DatabaseRead => cost(database_get),
            Self::DatabaseWrite => cost(database_set),
            Self::Instances => f64::from(workload.instances),
            Self::Keys => workload.keys.value,
            Self::Memory => workload.memory_bytes.value,
            Self::P99Target => workload.p99_target_us?,
            Self::Reads => workload.reads_per_s,
            Self::RedisRtt => costs.redis_rtt_us.value,
            Self::StaleShare => workload.stale_share.value,
            Self::Stale => workload.stale_ms,
            Self::ValueSize => workload.bytes.value,
            Self::Writes => workload.writes_per_s,
        })
    }

    /// The same question with another value.
    pub fn set(self, workload: &Workload, costs: &Costs, value: f64) -> (Workload, Costs) {
        let (mut workload, mut costs) = (workload.clone(), costs.clone());
        let [database_get, database_set] = of_database(&workload, &costs);
        match self {
            Self::DatabaseCapacity => {
                workload.database_capacity_per_s = workload.database_capacity_per_s.with_value(value);
            }
            Self::DatabaseRead => costs = costs.with_said(Operation::DatabaseGet, database_get, value),
            Self::DatabaseWrite => costs = costs.with_said(Operation::DatabaseSet, database_set, value),
            Self::Instances => workload.instances = value.round().max(1.0) as u32,
            Self::Keys => workload.keys = workload.keys.with_value(value),
            Self::Memory => workload.memory_bytes = workload.memory_bytes.with_value(value),
            Self::P99Target => workload.p99_target_us = Some(value),
            Self::Reads => workload.reads_per_s = value,
            Self::RedisRtt => costs.redis_rtt_us = costs.redis_rtt_us.with_value(value),
            Self::StaleShare => workload.stale_share = workload.stale_share.with_value(value),
            Self::Stale => workload.stale_ms = value,
            Self::ValueSize => workload.bytes = workload.bytes.with_value(value),
            Self::Writes => workload.writes_per_s = value,
        }
        (workload, costs)
    }

    /// The values to look at on one side, the nearest first.
    fn steps(self, now: f64, side: Side) -> Vec<f64> {
        let [low, high] = self.range();
        let end = if side == Side::Up { high } else { low };
        let from = now.max(low);
        let mut steps = Vec::new();
        if now < low && side == Side::Up {
            steps.push(low);
        }
        if (side == Side::Up && from < end) || (side == Side::Down && from > end) {
            let ratio = (end / from).powf(1.0 / f64::from(STEPS));
            steps.extend((1..=STEPS).map(|step| from * ratio.powi(step)));
        }
        if side == Side::Down && self.may_be_zero() && now > 0.0 {
            steps.push(0.0);
        }
        if self == Self::Instances {
            steps.iter_mut().for_each(|step| *step = step.round());
            steps.dedup();
            steps.retain(|step| *step != now);
        }
        steps
    }

    /// A value between two, `None` if they are as close as need be.
    fn between(self, near: f64, far: f64) -> Option<f64> {
        let (low, high) = (near.min(far), near.max(far));
        if self == Self::Instances {
            let middle = f64::midpoint(low, high).floor();
            return (middle > low).then_some(middle);
        }
        (low > 0.0 && high / low > CLOSE).then(|| (low * high).sqrt())
    }

    /// How far it was moved.
    fn distance(self, flip: &Flip) -> f64 {
        /// From nothing to the least there is, or back, is as far as a factor of ten.
        const NOTHING: f64 = 10.0;
        let least = self.range()[0];
        let at = |value: f64| if value == 0.0 { least / NOTHING } else { value.max(least) };
        (at(flip.changes_at) / at(flip.now)).ln().abs()
    }
}

/// Every point at which one input alone changes the choice, the nearest first.
pub(super) fn flips(workload: &Workload, costs: &Costs, chosen: Architecture) -> Vec<Flip> {
    let mut flips: Vec<Flip> = Lever::ALL
        .into_iter()
        .flat_map(|lever| [(lever, Side::Down), (lever, Side::Up)])
        .filter_map(|(lever, side)| flip(workload, costs, chosen, lever, side))
        .collect();
    flips.sort_by(|a, b| a.lever.distance(a).total_cmp(&b.lever.distance(b)));
    flips
}

fn flip(workload: &Workload, costs: &Costs, chosen: Architecture, lever: Lever, side: Side) -> Option<Flip> {
    let choice_at = |value: f64| {
        let (workload, costs) = lever.set(workload, costs, value);
        if workload.check().is_err() { Some(chosen) } else { choose(&workload, &costs) }
    };
    let now = lever.of(workload, costs)?;
    let (mut near, mut far) = (now, None);
    for step in lever.steps(now, side) {
        if choice_at(step) != Some(chosen) {
            far = Some(step);
            break;
        }
        near = step;
    }
    let mut far = far?;
    while let Some(middle) = lever.between(near, far) {
        if choice_at(middle) == Some(chosen) { near = middle } else { far = middle }
    }
    let to = choice_at(far);
    let then = to.map_or("nothing fits".to_owned(), |to| {
        let (workload, _) = lever.set(workload, costs, far);
        to.name(&workload)
    });
    let sign = match side {
        Side::Down => ">=",
        Side::Up => "<=",
    };
    let text = format!("holds while {} {sign} {}; then {then}", lever.name(), lever.write(near));
    Some(Flip { lever, side, unit: lever.unit(), now, holds_at: near, changes_at: far, to, text })
}
