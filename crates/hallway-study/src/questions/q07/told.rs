//! What is said of a stream over more and more instances.

use super::counts::{Counts, LOCAL, SHARED, Shares, TTL};
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::report::{Figure, Table};
use crate::trace::SplitShares;

/// So many times the load of a database behind a shared tier are worth a sentence.
const TIMES: f64 = 2.0;

/// From how many instances on local caches alone cost the database much more than a shared tier does.
pub(super) fn loads(counts: &Counts) -> String {
    let label = &counts.label;
    let share = |shares: &SplitShares| Unit::Share.text(shares.loads());
    let times = |shares: &Shares| shares.alone.loads() / shares.both.loads();
    match counts.shares.iter().position(|shares| times(shares) > TIMES) {
        Some(at) => {
            let shares = &counts.shares[at];
            let from = match at.checked_sub(1) {
                Some(before) => format!("beyond {}", instances(counts.shares[before].instances)),
                None => "whatever the number of instances".to_owned(),
            };
            format!(
                "{label}: {from} local caches of {LOCAL} entries alone send the database more than {TIMES} times what a shared tier of {SHARED} entries does ({} of the reads against {} with {}).",
                share(&shares.alone),
                share(&shares.both),
                instances(shares.instances)
            )
        }
        None => {
            let most = counts.shares.iter().max_by(|a, b| times(a).total_cmp(&times(b)));
            let (most, at) = most.map_or((1.0, 1), |shares| (times(shares), shares.instances));
            format!(
                "{label}: local caches of {LOCAL} entries alone send the database at most {} times what a shared tier of {SHARED} entries does (with {}).",
                Unit::Ratio.text(most),
                instances(at)
            )
        }
    }
}

pub(super) fn of_the_database(name: &str, counts: &Counts) -> Figure {
    let series = |label: &str, of: fn(&Shares) -> SplitShares| Series {
        label: label.to_owned(),
        points: counts
            .shares
            .iter()
            .map(|shares| Spot { x: shares.instances as f64, y: of(shares).loads(), interval: None, label: None })
            .collect(),
        style: Style::Computed,
    };
    Figure {
        name: format!("q7-{name}"),
        caption: format!(
            "{}: what reaches the database. More instances starve local caches; a shared tier makes their number indifferent to the database. The TTL is {TTL} requests.",
            counts.label
        ),
        chart: Chart::Lines(Lines {
            title: format!("Reads that reach the database, {}", counts.label),
            x: Axis { label: "instances".to_owned(), unit: Unit::Count, scale: Scale::Log },
            y: Axis { label: "of all reads".to_owned(), unit: Unit::Share, scale: Scale::Linear },
            series: vec![
                series("local, TTL", |shares| shares.alone_ttl),
                series("local", |shares| shares.alone),
                series("local+shared", |shares| shares.both),
            ],
            marks: Vec::new(),
        }),
    }
}

pub(super) fn table(counts: &Counts) -> Table {
    let share = |ratio: f64| format!("{ratio:.3}");
    let row = |shares: &Shares| {
        vec![
            shares.instances.to_string(),
            share(shares.both.local()),
            share(shares.both.shared_behind().unwrap_or(0.0)),
            share(shares.both.loads()),
            share(shares.alone.loads()),
            share(shares.both_ttl.loads()),
            share(shares.alone_ttl.loads()),
        ]
    };
    Table {
        caption: format!(
            "{}, shares of the reads; each instance with {LOCAL} entries, the shared tier with {SHARED}",
            counts.label
        ),
        columns: [
            "instances",
            "local hits",
            "shared hits of the rest",
            "database",
            "database without shared",
            "database, TTL",
            "database without shared, TTL",
        ]
        .map(str::to_owned)
        .into(),
        rows: counts.shares.iter().map(row).collect(),
    }
}

/// `1 instance`, `2 instances`.
fn instances(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}
