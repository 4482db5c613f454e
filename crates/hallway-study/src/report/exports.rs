//! A report for the programs of others.

use serde::Serialize;

use crate::Result;
use crate::chart::Unit;
use crate::report::{Primitive, Report};

/// One number, as github-action-benchmark reads it with its tool `customSmallerIsBetter`.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

/// What operations cost and put on the wire, as github-action-benchmark reads it with `customSmallerIsBetter`: less of
/// each is better. Crossing points are not in it, since they have no better side; `cargo hallway compare OLD NEW` says
/// which of them moved.
///
/// # Errors
/// If a number is not finite.
pub fn github_action_benchmark(report: &Report) -> Result<String> {
    let times = report.primitives.iter().map(|primitive| {
        let [low, high] = primitive.ci95;
        Entry {
            name: name(primitive),
            unit: "ns",
            value: primitive.median_ns,
            // At least two figures after the sign, else that program does not take it for a number.
            range: Some(format!("± {:.1}", (high - low) / 2.0)),
            extra: format!("median of {} rounds, 95 % in {low:.1} to {high:.1} ns", report.rounds),
        }
    });
    let wire = report.wire.iter().flat_map(|wire| {
        let entry = |what: &str, unit, value: u64| Entry {
            name: format!("{}/{}/batch {}/{what}", wire.op, wire.backend, wire.batch),
            unit,
            value: value as f64,
            range: None,
            extra: "counted, the same in every run".into(),
        };
        let [to, from] = wire.wire_bytes;
        [entry("round trips", "round trips", wire.round_trips), entry("bytes on the wire", "B", to + from)]
    });
    let entries: Vec<_> = times.chain(wire).collect();
    if let Some(entry) = entries.iter().find(|entry| !entry.value.is_finite()) {
        return Err(format!("`{}` is not a finite number, which no export can hold", entry.name).into());
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(&entries)?))
}

/// Everything that tells it from others.
fn name(primitive: &Primitive) -> String {
    let Primitive { backend, op, bytes, tasks, batch, rtt_us, .. } = primitive;
    let mut name = format!("{op}/{backend}/{}", Unit::Bytes.text(*bytes as f64));
    for (word, count) in [("tasks", tasks), ("batch", batch)] {
        if *count != 1 {
            name = format!("{name}/{word} {count}");
        }
    }
    if *rtt_us > 0.0 { format!("{name}/rtt {}", Unit::Micros.text(*rtt_us)) } else { name }
}
