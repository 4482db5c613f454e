//! `crossover.json` in types. Units are in the names; what is not known is `null`, never 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chart::Chart;

/// The schema of this version; changes only add to it.
pub const SCHEMA: &str = "crossover/1";

/// What a study found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// How thorough it was.
    pub mode: StudyMode,
    /// When it began, RFC 3339.
    pub started: String,
    /// Seed of all that was drawn: the order of points, resamples, traces.
    pub seed: u64,
    /// How often each point was measured.
    pub rounds: u32,
    /// Where it was measured.
    pub env: Environment,
    /// The backend that was slower than it is, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slower: Option<Slower>,
    /// Why its numbers are to be read with care, if they are.
    pub warnings: Vec<String>,
    /// The questions, in their order.
    pub answers: Vec<Answer>,
    /// Every pair of curves that was judged.
    pub crossovers: Vec<Crossover>,
    /// What single operations cost.
    pub primitives: Vec<Primitive>,
    /// What single operations put on the wire.
    pub wire: Vec<WireProfile>,
    /// Costs as straight lines, where a model says that they are.
    pub fits: Vec<Fit>,
    /// What the formulas predict against what was measured end to end.
    pub validation: Vec<Validation>,
    /// What was not measured, and why.
    pub not_measured: Vec<NotMeasured>,
}

/// A backend each call of which took longer than by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slower {
    /// Which.
    pub backend: String,
    /// By how many microseconds.
    pub delay_us: f64,
    /// Whether that was added to what was measured of the backend as it is; else it was measured so.
    pub computed: bool,
}

/// How thorough a study was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyMode {
    /// About half an hour.
    Full,
    /// Under two minutes.
    Quick,
}

/// Where numbers were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Model of the processor.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Frequency governor, where the system tells.
    pub governor: Option<String>,
    /// Kernel.
    pub kernel: String,
    /// Version of hallway.
    pub hallway: String,
    /// Revision of the sources, if it was measured in a checkout.
    pub git: Option<String>,
    /// Compiler and profile that this was built with, if the build told.
    #[serde(default)]
    pub toolchain: Option<String>,
    /// Load average before the first and after the last measurement, where the system tells.
    pub load: [Option<f64>; 2],
    /// Share of processor time that the host gave to others.
    pub steal: Option<f64>,
    /// Whether client and servers share cores: `shared`, or `pinned` and where.
    pub placement: String,
    /// File system of SQLite's file.
    pub filesystem: Option<String>,
    /// The largest difference that one backend measured twice showed, as a share: 0.03 is 3 %.
    pub noise_floor: Option<f64>,
    /// The stores with the settings that were read back from them.
    pub servers: Vec<Server>,
}

/// A store that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// `redis`, `postgres`, `sqlite`, `moka`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether this study started it, found it or was given it.
    pub origin: String,
    /// Settings that decide what an operation costs.
    pub settings: BTreeMap<String, String>,
}

/// What a study says to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `Q1` to `Q18`.
    pub id: String,
    /// The question.
    pub question: String,
    /// Whether it could be answered.
    pub status: Status,
    /// Sentences generated from the measurement, the most important first.
    pub rules: Vec<String>,
    /// Pictures, the most important first.
    pub figures: Vec<Figure>,
    /// Numbers.
    pub tables: Vec<Table>,
    /// How it was measured, in a line.
    pub method: String,
    /// What a reader might take it for and should not.
    pub caveats: Vec<String>,
}

/// Whether a question could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With everything it asks for.
    Answered,
    /// Not at all; [`Report::not_measured`] says why.
    NotMeasured,
    /// Without some backend.
    Partly,
}

/// A picture with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// File name without its ending, such as `q1-get`.
    pub name: String,
    /// What to see in it.
    pub caption: String,
    /// What is drawn.
    pub chart: Chart,
}

/// Numbers in rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Heads.
    pub columns: Vec<String>,
    /// Cells, already written for people, with units.
    pub rows: Vec<Vec<String>>,
}

/// Where two curves cross, or that they do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crossover {
    /// Unique in a report and stable between reports: `Q2/get/sqlite/redis-tcp`.
    pub id: String,
    /// The question it belongs to.
    pub question: String,
    /// What is compared, such as `median_ns`.
    pub metric: String,
    /// One side.
    pub a: String,
    /// The other.
    pub b: String,
    /// The axis with its unit: `value_bytes`, `rtt_us`, `hit_ratio`.
    pub axis: String,
    /// Where it was measured.
    pub range: [f64; 2],
    /// What was found.
    pub verdict: Verdict,
    /// The crossing points: one for `crossover`, several for `multiple`, else none.
    pub points: Vec<CrossingPoint>,
    /// Share of the resamples with exactly one crossing.
    pub p_cross: Option<f64>,
    /// For `no_crossover`: who wins wherever it was measured.
    #[serde(default)]
    pub winner: Option<String>,
    /// Least and most that the winner is better by, as a ratio, where there is one winner.
    pub factor: Option<[f64; 2]>,
    /// For `inconclusive`: beyond which end at least 95 % of the resamples cross.
    pub beyond: Option<String>,
    /// For `inconclusive`: the part of the axis that lies beyond that end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<[f64; 2]>,
    /// How it was found: `paired-loglog-bootstrap`, `ratio-bootstrap`, `formula`.
    pub method: String,
    /// The same by a physical model.
    pub cross_check: Option<CrossCheck>,
    /// The sentence.
    pub rule: String,
    /// The picture that shows it.
    pub plot: Option<String>,
}

/// What was found about two curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They cross once.
    Crossover,
    /// Within the tie band everywhere.
    Equal,
    /// Too noisy to say.
    Inconclusive,
    /// They cross more than once.
    Multiple,
    /// One side wins wherever it was measured.
    NoCrossover,
}

/// Where two curves cross.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossingPoint {
    /// On the axis.
    pub x: f64,
    /// Its 95 % interval.
    pub ci95: [f64; 2],
    /// Within this the difference is below the tie.
    pub tie_band: [f64; 2],
    /// Who wins below.
    pub left: String,
    /// Who wins above.
    pub right: String,
}

/// A crossing point by a physical model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossCheck {
    /// `fieller`.
    pub method: String,
    /// The crossing of the two fitted lines; `null` if no crossing is supportable.
    pub x: Option<f64>,
    /// Its 95 % interval; `null` if it is unbounded.
    pub ci95: Option<[f64; 2]>,
}

/// What one operation costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Primitive {
    /// The store and the way it is used: `moka-typed`, `redis-tcp`, `postgres-unlogged`.
    pub backend: String,
    /// What is done: `get`, `set`, `get_many`.
    pub op: String,
    /// Bytes of a value.
    pub bytes: u64,
    /// Tasks at once.
    pub tasks: u32,
    /// Keys per call.
    pub batch: u32,
    /// Added to a round trip, microseconds.
    pub rtt_us: f64,
    /// Median over rounds of the medians of the rounds.
    pub median_ns: f64,
    /// Its 95 % interval.
    pub ci95: [f64; 2],
}

/// What one operation puts on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WireProfile {
    /// As in [`Primitive::backend`].
    pub backend: String,
    /// What is done.
    pub op: String,
    /// Keys per call.
    pub batch: u32,
    /// Waits for the other side.
    pub round_trips: u64,
    /// Bytes to the server and from it.
    pub wire_bytes: [u64; 2],
}

/// A cost as a straight line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// As in [`Primitive::backend`].
    pub backend: String,
    /// What is done.
    pub op: String,
    /// At zero.
    pub a_ns: f64,
    /// For each byte of a value.
    pub ns_per_byte: Option<f64>,
    /// Round trips, measured as the slope over a longer wire.
    pub k_rtt: Option<f64>,
}

/// What the formulas predict against what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// What was run.
    pub scenario: String,
    /// Mean per request by the formulas.
    pub predicted_ns: f64,
    /// Mean per request as measured.
    pub measured_ns: f64,
    /// Predicted over measured.
    pub ratio: f64,
    /// Which formulas.
    pub formulas: String,
}

/// What was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotMeasured {
    /// A backend, a question or a part of it.
    pub what: String,
    /// Why, with the remedy.
    pub why: String,
}
