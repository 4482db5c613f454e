//! Q6: how large the tier in the process must be.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::streams::{self, Stream};
use crate::Result;
use crate::chart::Unit;
use crate::lab::Lab;
use crate::report::{Figure, Table};
use crate::study::{BYTES, Depth, Findings, Found, Question, Run};
use crate::trace::{CapacityPoint, CurveBuilder, CurvePlan, Gain, OnWrite, capacities, points_chart};

/// Shares of all that caching can gain, which sentences are about.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// What a stream makes of capacities.
#[derive(Debug, Serialize, Deserialize)]
struct Capacities {
    label: String,
    note: Option<String>,
    generated: bool,
    requests: u64,
    reads: u64,
    keys: u64,
    /// Hit ratio of a cache that forgets nothing.
    most: f64,
    entry_bytes: f64,
    points: Vec<CapacityPoint>,
    /// By [`SHARES`], with LRU.
    gains: Vec<Gain>,
    doubts: Vec<String>,
}

#[derive(Debug)]
pub(super) struct LocalCapacity;

#[async_trait]
impl Question for LocalCapacity {
    fn id(&self) -> &'static str {
        "Q6"
    }

    fn asks(&self) -> &'static str {
        "How large must the tier in the process be?"
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        streams::names(lab.traces().len()).map(|name| Run::new(name, depth.pick(1.0, 15.0))).collect()
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        let stream = streams::open(lab, name, depth.seed, depth.pick(100_000, 1_000_000))?;
        // Minutes of counting on a worker would keep tasks waiting.
        let capacities = tokio::task::spawn_blocking(move || worked_out(&stream, depth)).await?;
        Ok(serde_json::to_value(capacities)?)
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "exact: LRU at every capacity from reuse distances, moka by putting the requests through the crate itself, and a policy that knows the future as the bound; no timing",
        );
        let mut table = Table {
            caption: format!(
                "Hit ratios by capacity; an entry is the key, a value of {BYTES} bytes and 200 bytes beside"
            ),
            columns: ["stream", "entries", "memory", "LRU", "moka", "no policy above"].map(str::to_owned).into(),
            rows: Vec::new(),
        };
        for name in found.runs(self.id()) {
            let Some(capacities) = found.run::<Capacities>(self.id(), &name)? else { continue };
            findings.answer.rules.push(needs(&capacities));
            findings.answer.rules.extend(policies(&capacities));
            let gain = capacities.gains.iter().find(|gain| gain.share == 0.9);
            findings.answer.figures.push(Figure {
                name: format!("q6-{name}"),
                caption: format!(
                    "{}: {} requests for {} keys. Between the curves of LRU and of the policy that knows the future lies all that a better policy could gain.",
                    capacities.label, capacities.requests, capacities.keys
                ),
                chart: points_chart(
                    &format!("Hit ratio by capacity, {}", capacities.label),
                    &capacities.points,
                    gain.map_or(0, |gain| gain.entries),
                ),
            });
            let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "n/a".to_owned(), |ratio| format!("{ratio:.3}"));
            for point in &capacities.points {
                table.rows.push(vec![
                    capacities.label.clone(),
                    point.entries.to_string(),
                    Unit::Bytes.text(point.bytes as f64),
                    ratio(Some(point.lru)),
                    ratio(point.moka),
                    ratio(point.clairvoyant),
                ]);
            }
            findings.answer.caveats.extend(capacities.note);
            findings
                .answer
                .caveats
                .extend(capacities.doubts.iter().map(|doubt| format!("{}: {doubt}", capacities.label)));
        }
        findings.answer.tables.push(table);
        findings.answer.caveats.push(
            "A request-scoped identity map above the cache takes the nearest repetitions away; a key log is to be taken below it (--trace).".to_owned(),
        );
        Ok(findings)
    }
}

fn worked_out(stream: &Stream, depth: Depth) -> Capacities {
    let mut builder = CurveBuilder::new(OnWrite::default());
    stream.log.iter().for_each(|request| builder.push(request));
    let plan = |entries| CurvePlan {
        entries,
        moka: true,
        clairvoyant: true,
        key_bytes: stream.key_bytes,
        value_bytes: Some(BYTES as f64),
    };
    let keys = stream.log.iter().map(|request| u64::from(request.key) + 1).max().unwrap_or(0);
    let every: usize = depth.pick(2, 1);
    let entries = capacities(keys).into_iter().step_by(every).collect();
    let curve = builder.finish(&plan(entries), &mut |_, _| {});
    Capacities {
        label: stream.label.clone(),
        note: stream.note.clone(),
        generated: stream.generated,
        requests: curve.requests,
        reads: curve.reads,
        keys: curve.keys,
        most: curve.most,
        entry_bytes: curve.entry_bytes,
        gains: SHARES.iter().map(|share| curve.gain(*share)).collect(),
        doubts: curve.doubts(),
        points: curve.points,
    }
}

/// `orm-busy: 90 % of the gain at 1,500 entries (700 KiB) ..`.
fn needs(capacities: &Capacities) -> String {
    let places: Vec<_> = capacities
        .gains
        .iter()
        .map(|gain| {
            let (share, bytes) = (Unit::Share.text(gain.share), Unit::Bytes.text(gain.bytes as f64));
            format!("{share} of it at {} entries ({bytes})", gain.entries)
        })
        .collect();
    format!(
        "{}: a cache that forgets nothing hits {}; LRU has {}.",
        capacities.label,
        Unit::Share.text(capacities.most),
        places.join(", ")
    )
}

/// What policies make of the capacity at which LRU has nearly all.
fn policies(capacities: &Capacities) -> Option<String> {
    let enough = capacities.gains.iter().find(|gain| gain.share == 0.9)?.entries;
    let near = capacities.points.iter().min_by_key(|point| point.entries.abs_diff(enough))?;
    let (moka, bound) = (near.moka?, near.clairvoyant?);
    let share = |ratio| Unit::Share.text(ratio);
    // moka goes by frequencies too, which a generated stream has not: the table says it, no sentence.
    let moka = if capacities.generated { String::new() } else { format!("moka hits {}, ", share(moka)) };
    Some(format!(
        "{}: with {} entries {moka}LRU hits {}, and no policy more than {}.",
        capacities.label,
        near.entries,
        share(near.lru),
        share(bound)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Backend;
    use crate::report::{Status, StudyMode};
    use crate::study::Sample;
    use crate::trace::{Preset, Request};

    fn stream(keys: impl Iterator<Item = u32>) -> Stream {
        Stream {
            label: "made".to_owned(),
            generated: false,
            log: keys.map(Request::read).collect(),
            key_bytes: 4.0,
            note: None,
        }
    }

    #[test]
    fn what_is_needed_is_counted_exactly() {
        // Three keys in turn: two entries never hit, three always after the first time.
        let found = worked_out(&stream((0..300).map(|at| at % 3)), Depth { mode: StudyMode::Full, seed: 1 });
        assert_eq!((found.requests, found.keys, found.most), (300, 3, 0.99));
        assert!(found.gains.iter().all(|gain| (gain.entries, gain.bytes) == (3, 3 * 460)), "{found:?}");
        assert_eq!(
            needs(&found),
            "made: a cache that forgets nothing hits 99 %; LRU has 50 % of it at 3 entries (1.35 KiB), 90 % of it at 3 \
             entries (1.35 KiB), 99 % of it at 3 entries (1.35 KiB)."
        );
    }

    #[test]
    fn the_answer_has_a_curve_and_a_sentence_for_each_stream() {
        let depth = Depth { mode: StudyMode::Quick, seed: 42 };
        let capacities = worked_out(&streams::generated(Preset::Web12, 42, 5_000), depth);
        let mut made = Sample::of(&[Backend::Sqlite]);
        made.run("Q6", "web12", serde_json::to_value(&capacities).unwrap());
        let findings = LocalCapacity.answer(&made.found()).unwrap();
        assert_eq!(findings.answer.figures.len(), 1);
        assert_eq!(findings.answer.rules.len(), 2, "{:?}", findings.answer.rules);
        assert_eq!(findings.answer.tables[0].rows.len(), capacities.points.len());
        assert_eq!(findings.answer.status, Status::Answered);
    }
}
