//! What criterion has written. Its files are private to it but for critcmp, which reads the same ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::PointId;
use crate::Result;

/// What a round is called as a baseline.
pub(super) fn baseline(round: u32) -> String {
    format!("r{round:02}")
}

/// Every point by its rounds, nanoseconds per iteration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    points: BTreeMap<PointId, BTreeMap<u32, Cost>>,
}

/// What a point cost in a round.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    /// Of the samples.
    median: f64,
    /// All time over all iterations.
    mean: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

impl Measured {
    /// Reads the tree below `home`. What another program put there is left alone.
    ///
    /// # Errors
    /// If a file of a round is damaged; the message names it.
    pub fn read(home: &Path) -> Result<Self> {
        let mut measured = Self::default();
        for (folder, round) in rounds(home)? {
            measured.read_round(&folder, round)?;
        }
        Ok(measured)
    }

    fn read_round(&mut self, folder: &Path, round: u32) -> Result<()> {
        let benchmark: Benchmark = json(&folder.join("benchmark.json"))?;
        let sample: Sample = json(&folder.join("sample.json"))?;
        let (Some(series), Some(x)) = (benchmark.function_id, benchmark.value_str) else { return Ok(()) };
        let mut costs: Vec<f64> =
            sample.times.iter().zip(&sample.iters).map(|(time, iterations)| time / iterations).collect();
        costs.sort_by(f64::total_cmp);
        let mean = sample.times.iter().sum::<f64>() / sample.iters.iter().sum::<f64>();
        let is_cost = |nanos: f64| nanos.is_finite() && nanos > 0.0;
        match middle(&costs) {
            Some(median) if is_cost(median) && is_cost(mean) => {
                self.keep(PointId { group: benchmark.group_id, series, x }, round, Cost { median, mean });
                Ok(())
            }
            _ => Err(format!("{}: a sample without numbers; remove the folder and measure it again", folder.display())
                .into()),
        }
    }

    /// These points as if every iteration of each took so much longer; no other ones, because of those it is not known.
    #[must_use]
    pub fn slower(&self, by: &BTreeMap<PointId, Duration>) -> Self {
        let shifted = |(id, rounds): (&PointId, &BTreeMap<u32, Cost>)| {
            let longer = by.get(id)?.as_nanos() as f64;
            let shift = |(round, cost): (&u32, &Cost)| {
                (*round, Cost { median: cost.median + longer, mean: cost.mean + longer })
            };
            Some((id.clone(), rounds.iter().map(shift).collect()))
        };
        Self { points: self.points.iter().filter_map(shifted).collect() }
    }

    /// Adds one round of a point in which every iteration took the same.
    pub fn insert(&mut self, id: PointId, round: u32, nanos: f64) {
        self.keep(id, round, Cost { median: nanos, mean: nanos });
    }

    fn keep(&mut self, id: PointId, round: u32, cost: Cost) {
        self.points.entry(id).or_default().insert(round, cost);
    }

    /// Those points alone that have every round up to this one, and no round beyond it: what is compared belongs to the
    /// same rounds.
    #[must_use]
    pub fn complete(&self, rounds: u32) -> Self {
        let of = |all: &BTreeMap<u32, Cost>| {
            let asked: BTreeMap<u32, Cost> = all.range(1..=rounds).map(|(round, cost)| (*round, *cost)).collect();
            (asked.len() == rounds as usize).then_some(asked)
        };
        Self { points: self.points.iter().filter_map(|(id, all)| Some((id.clone(), of(all)?))).collect() }
    }

    /// Whether this round of the point is there.
    #[must_use]
    pub fn has(&self, id: &PointId, round: u32) -> bool {
        self.points.get(id).is_some_and(|rounds| rounds.contains_key(&round))
    }

    /// The medians of the rounds, first round first; nothing if it was not measured.
    #[must_use]
    pub fn rounds(&self, id: &PointId) -> Vec<f64> {
        self.points.get(id).map(|rounds| rounds.values().map(|cost| cost.median).collect()).unwrap_or_default()
    }

    /// The means of the rounds, first round first: what costs of many operations are composed of. A write that waits for
    /// the disk now and then has a mean far above its median.
    #[must_use]
    pub fn means(&self, id: &PointId) -> Vec<f64> {
        self.points.get(id).map(|rounds| rounds.values().map(|cost| cost.mean).collect()).unwrap_or_default()
    }

    /// The places of a series, lowest first, with their rounds.
    #[must_use]
    pub fn curve(&self, group: &str, series: &str) -> Vec<(f64, Vec<f64>)> {
        let mine = self.points.iter().filter(|(id, _)| id.group == group && id.series == series);
        let mut curve: Vec<(f64, Vec<f64>)> = mine
            .filter_map(|(id, rounds)| Some((id.x.parse().ok()?, rounds.values().map(|cost| cost.median).collect())))
            .collect();
        curve.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        curve
    }

    /// Every point that was measured.
    pub fn ids(&self) -> impl Iterator<Item = &PointId> {
        self.points.keys()
    }
}

/// Removes rounds that criterion was killed in the middle of writing, so that they are measured again.
///
/// # Errors
/// If one cannot be removed.
pub fn sweep(home: &Path) -> Result<()> {
    if !home.is_dir() {
        return Ok(());
    }
    for (folder, round) in rounds(home)? {
        if Measured::default().read_round(&folder, round).is_err() {
            fs::remove_dir_all(&folder).map_err(|error| format!("cannot remove {}: {error}", folder.display()))?;
        }
    }
    Ok(())
}

/// Whether a round of a point can be read back. criterion logs it when it cannot write, and goes on.
pub(super) fn is_kept(home: &Path, id: &PointId, round: u32) -> bool {
    let safe = |name: &str| name.replace(['?', '"', '/', '\\', '*', '<', '>', ':', '|', '^'], "_");
    let folder = home.join(safe(&id.group)).join(safe(&id.series)).join(safe(&id.x)).join(baseline(round));
    let mut kept = Measured::default();
    kept.read_round(&folder, round).is_ok() && kept.has(id, round)
}

/// Removes one round of a point.
pub(super) fn forget(home: &Path, id: &PointId, round: u32) -> Result<()> {
    for (folder, number) in rounds(home)? {
        if number == round {
            let benchmark: Benchmark = json(&folder.join("benchmark.json"))?;
            if benchmark.group_id == id.group
                && benchmark.function_id.as_deref() == Some(&id.series)
                && benchmark.value_str.as_deref() == Some(&id.x)
            {
                fs::remove_dir_all(&folder).map_err(|error| format!("cannot remove {}: {error}", folder.display()))?;
            }
        }
    }
    Ok(())
}

/// The folders of rounds with their numbers; criterion has others, such as `new`.
fn rounds(home: &Path) -> Result<Vec<(PathBuf, u32)>> {
    let mut rounds = Vec::new();
    for group in folders(home)? {
        for series in folders(&group)? {
            for value in folders(&series)? {
                for round in folders(&value)? {
                    let name = round.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('r'));
                    if let Some(number) = name.and_then(|number| number.parse().ok()) {
                        rounds.push((round, number));
                    }
                }
            }
        }
    }
    Ok(rounds)
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    match sorted.len() % 2 {
        1 => Some(upper),
        _ => Some((sorted.get(sorted.len() / 2 - 1)? + upper) / 2.0),
    }
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(of).map_err(|error| format!("cannot read {}: {error}", of.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&text)
        .map_err(|error| format!("{} is no file of criterion 0.8: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_criterion_wrote_is_read() {
        let home = tempfile::TempDir::new().unwrap();
        let round = home.path().join("Q1_get/moka/64/r01");
        fs::create_dir_all(&round).unwrap();
        fs::write(
            round.join("benchmark.json"),
            r#"{"group_id":"Q1/get","function_id":"moka","value_str":"64","throughput":null,"full_id":"Q1/get/moka/64"}"#,
        )
        .unwrap();
        let sample = round.join("sample.json");
        fs::write(
            &sample,
            r#"{"sampling_mode":"Linear","iters":[1.0,2.0,4.0,8.0],"times":[100.0,180.0,480.0,8000.0]}"#,
        )
        .unwrap();
        let measured = Measured::read(home.path()).unwrap();
        assert_eq!(measured.curve("Q1/get", "moka"), [(64.0, vec![110.0])]);

        fs::write(&sample, r#"{"iters":[1.0],"times":"#).unwrap();
        let error = Measured::read(home.path()).unwrap_err().to_string();
        assert!(error.contains("sample.json is no file of criterion"), "{error}");
        fs::write(&sample, r#"{"iters":[],"times":[]}"#).unwrap();
        assert!(Measured::read(home.path()).unwrap_err().to_string().contains("without numbers"));
    }

    #[test]
    fn a_point_without_all_rounds_is_left_out() {
        let mut measured = Measured::default();
        for round in 1..=6 {
            measured.insert(PointId::new("Q1/get", "moka", 64.0), round, f64::from(round));
        }
        for round in [1, 2, 4] {
            measured.insert(PointId::new("Q1/get", "redis", 64.0), round, 1.0);
        }
        let complete = measured.complete(5);
        assert_eq!(complete.rounds(&PointId::new("Q1/get", "moka", 64.0)), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(complete.curve("Q1/get", "redis").is_empty());
    }

    #[test]
    fn what_would_take_longer_does_in_every_round() {
        let [redis, moka] = ["redis", "moka"].map(|series| PointId::new("Q1/get", series, 64.0));
        let mut measured = Measured::default();
        for round in 1..=2 {
            measured.insert(redis.clone(), round, 1_000.0);
            measured.insert(moka.clone(), round, 10.0);
        }
        let unknown = PointId::new("Q1/get", "redis", 128.0);
        measured.insert(unknown.clone(), 1, 1_000.0);
        let delays = [(redis.clone(), Duration::from_micros(200)), (moka.clone(), Duration::ZERO)];
        let slower = measured.slower(&delays.into());
        assert_eq!(slower.rounds(&redis), [201_000.0; 2]);
        assert_eq!(slower.means(&redis), [201_000.0; 2]);
        assert_eq!(slower.rounds(&moka), [10.0; 2]);
        assert!(slower.rounds(&unknown).is_empty(), "a point between two that were shifted would be a crossing");
    }

    #[test]
    fn a_round_cut_short_is_swept_away_and_no_other() {
        let home = tempfile::TempDir::new().unwrap();
        let round = |number: u32| home.path().join("Q1_get/moka/64").join(baseline(number));
        for number in [1, 2] {
            fs::create_dir_all(round(number)).unwrap();
            fs::write(round(number).join("sample.json"), r#"{"iters":[1.0],"times":[1.0]}"#).unwrap();
        }
        let benchmark = r#"{"group_id":"Q1/get","function_id":"moka","value_str":"64"}"#;
        fs::write(round(1).join("benchmark.json"), benchmark).unwrap();
        Measured::read(home.path()).unwrap_err();
        sweep(home.path()).unwrap();
        assert!(Measured::read(home.path()).unwrap().has(&PointId::new("Q1/get", "moka", 64.0), 1));
        assert!(!round(2).exists());
        sweep(&home.path().join("nothing")).unwrap();
    }

    #[test]
    fn curves_are_in_the_order_of_numbers() {
        let mut measured = Measured::default();
        for x in [1_024.0, 64.0, 256.0] {
            measured.insert(PointId::new("Q1/get", "moka", x), 1, x);
        }
        let xs: Vec<f64> = measured.curve("Q1/get", "moka").into_iter().map(|(x, _)| x).collect();
        assert_eq!(xs, [64.0, 256.0, 1_024.0]);
    }
}
