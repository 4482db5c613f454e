//! What is drawn, as data, and drawing it: charts are part of a report's JSON, so that they can be drawn again from it.

mod axis;
mod canvas;
mod choices;
mod contour;
mod heat;
mod labels;
mod lines;
mod marks;
mod svg;
mod theme;
mod unit;

use serde::{Deserialize, Serialize};

pub(crate) use self::svg::inline;
pub use self::svg::svg;
pub(crate) use self::theme::STYLE;

/// A picture of measured or computed values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chart {
    /// The best of several options at each cell of two axes.
    ChoiceMap(ChoiceMap),
    /// A quantity at each cell of two axes, with the border where a decision changes.
    HeatMap(HeatMap),
    /// Curves or points over one axis.
    Lines(Lines),
}

/// Curves over one axis, or single points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// What is shown.
    pub title: String,
    /// Left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The curves.
    pub series: Vec<Series>,
    /// Where curves cross, or what a reader is to notice on the x axis.
    pub marks: Vec<Mark>,
}

/// One direction of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What it counts, without the unit.
    pub label: String,
    /// How its numbers are written.
    pub unit: Unit,
    /// How they are spaced.
    pub scale: Scale,
}

/// How numbers of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 64 B, 4 KiB, 1 MiB.
    Bytes,
    /// 12, 1.2 k, 3 M.
    Count,
    /// Given in microseconds, written as 250 ns, 1.2 us, 3 ms, 2 s.
    Micros,
    /// Given in nanoseconds, written like [`Unit::Micros`].
    Nanos,
    /// 0.93.
    Ratio,
    /// 1.2 k/s.
    PerSecond,
    /// Given in seconds, written like [`Unit::Micros`].
    Seconds,
    /// Given as 0 to 1, written as 93 %.
    Share,
}

/// How the numbers of an axis are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; values at or below zero are left out.
    Log,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name, written beside it.
    pub label: String,
    /// Its points by x.
    pub points: Vec<Spot>,
    /// How it is drawn.
    pub style: Style,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Computed: a dashed line without markers.
    Computed,
    /// Single points, each with its own meaning.
    Dots,
    /// Measured: a line with markers and intervals.
    Measured,
}

/// A point of a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spot {
    /// Where.
    pub x: f64,
    /// How much.
    pub y: f64,
    /// The interval of `y`, if it was measured.
    pub interval: Option<[f64; 2]>,
    /// A name of this point alone.
    pub label: Option<String>,
}

/// A place on the x axis that means something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Within this the two sides are equal.
    pub tie_band: Option<[f64; 2]>,
    /// What it is.
    pub label: String,
    /// Who wins to the left, if anybody.
    pub left: Option<String>,
    /// Who wins to the right, if anybody.
    pub right: Option<String>,
}

/// A quantity over two axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeatMap {
    /// What is shown.
    pub title: String,
    /// Left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The middle of each column.
    pub xs: Vec<f64>,
    /// The middle of each row, lowest first.
    pub ys: Vec<f64>,
    /// `cells[row][column]`; where [`HeatMap::border`] divides, such as the ratio of two costs. `None` is not known.
    pub cells: Vec<Vec<Option<f64>>>,
    /// The value at which the decision changes.
    pub border: f64,
    /// What cells below the border mean.
    pub below: String,
    /// What cells above the border mean.
    pub above: String,
    /// The border as a curve, if a formula gives it.
    pub curve: Vec<Spot>,
}

/// Which of several options is best over two axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceMap {
    /// What is shown.
    pub title: String,
    /// Left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The middle of each column.
    pub xs: Vec<f64>,
    /// The middle of each row, lowest first.
    pub ys: Vec<f64>,
    /// `cells[row][column]`, each a place in [`ChoiceMap::options`]. `None` is that nothing fits.
    pub cells: Vec<Vec<Option<usize>>>,
    /// The options, at most 26, by the letters that stand in their cells.
    pub options: Vec<String>,
}
