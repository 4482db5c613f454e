//! What criterion has written. Its files are private to it but for critcmp, which reads the same ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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
    points: BTreeMap<PointId, BTreeMap<u32, f64>>,
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
        let Some(median) = middle(&costs).filter(|median| median.is_finite() && *median > 0.0) else {
            return Err(format!(
                "{}: a sample without numbers; remove the folder and measure it again",
                folder.display()
            )
            .into());
        };
        self.insert(PointId { group: benchmark.group_id, series, x }, round, median);
        Ok(())
    }

    /// Adds one round of a point.
    pub fn insert(&mut self, id: PointId, round: u32, nanos: f64) {
        self.points.entry(id).or_default().insert(round, nanos);
    }

    /// Whether this round of the point is there.
    #[must_use]
    pub fn has(&self, id: &PointId, round: u32) -> bool {
        self.points.get(id).is_some_and(|rounds| rounds.contains_key(&round))
    }

    /// The medians of the rounds, first round first; nothing if it was not measured.
    #[must_use]
    pub fn rounds(&self, id: &PointId) -> Vec<f64> {
        self.points.get(id).map(|rounds| rounds.values().copied().collect()).unwrap_or_default()
    }

    /// The places of a series, lowest first, with their rounds.
    #[must_use]
    pub fn curve(&self, group: &str, series: &str) -> Vec<(f64, Vec<f64>)> {
        let mine = self.points.iter().filter(|(id, _)| id.group == group && id.series == series);
        let mut curve: Vec<(f64, Vec<f64>)> =
            mine.filter_map(|(id, rounds)| Some((id.x.parse().ok()?, rounds.values().copied().collect()))).collect();
        curve.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        curve
    }

    /// Every point that was measured.
    pub fn ids(&self) -> impl Iterator<Item = &PointId> {
        self.points.keys()
    }
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
    fn curves_are_in_the_order_of_numbers() {
        let mut measured = Measured::default();
        for x in [1_024.0, 64.0, 256.0] {
            measured.insert(PointId::new("Q1/get", "moka", x), 1, x);
        }
        let xs: Vec<f64> = measured.curve("Q1/get", "moka").into_iter().map(|(x, _)| x).collect();
        assert_eq!(xs, [64.0, 256.0, 1_024.0]);
    }
}
