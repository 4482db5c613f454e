//! What is said of staleness: sentences, a table against the formulas, and the frontier.

use super::TOLERANCE;
use super::plan::{Cell, Way};
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::formulas::{hit_ratio_with_ttl, longest_ttl, stale_share_by_bus, stale_share_by_ttl};
use crate::lab::Backend;
use crate::report::{Figure, Table};
use crate::study::{Found, Hits};

/// The paces, slowest first.
fn paces(cells: &[Cell]) -> Vec<f64> {
    let mut paces: Vec<f64> = cells.iter().map(|cell| cell.pace).collect();
    paces.sort_by(f64::total_cmp);
    paces.dedup();
    paces
}

/// `Stale hits of at most 1 % need a TTL of at most 40 ms at 0.5 writes/s ..`.
pub(super) fn needed(cells: &[Cell]) -> Option<String> {
    let ttls: Vec<String> = paces(cells)
        .iter()
        .map(|pace| format!("{} at {pace} writes/s", Unit::Seconds.text(longest_ttl(*pace, TOLERANCE))))
        .collect();
    let bus: Vec<&Cell> = cells.iter().filter(|cell| cell.way == Way::Bus).collect();
    let sum = |of: fn(&Cell) -> u64| bus.iter().map(|cell| of(cell)).sum::<u64>() as f64;
    let told = if sum(|cell| cell.hits) > 0.0 {
        format!(
            ", or the bus, which left {} of its hits stale and hit {}",
            Unit::Share.text(sum(|cell| cell.stale_hits) / sum(|cell| cell.hits)),
            Unit::Share.text(sum(|cell| cell.hits) / sum(|cell| cell.reads))
        )
    } else {
        String::new()
    };
    (!ttls.is_empty()).then(|| {
        format!(
            "Stale hits of at most {} need a TTL of at most {} of a key (F5){told}.",
            Unit::Share.text(TOLERANCE),
            ttls.join(", ")
        )
    })
}

/// Where a TTL leaves most stale.
pub(super) fn worst(cells: &[Cell]) -> Option<String> {
    let of_ttl = cells.iter().filter(|cell| matches!(cell.way, Way::Ttl { .. }) && cell.hits > 0);
    let worst = of_ttl.max_by(|a, b| a.stale_share_of_hits().total_cmp(&b.stale_share_of_hits()))?;
    let Way::Ttl { ttl_s } = worst.way else { return None };
    Some(format!(
        "With a TTL of {} at {} writes/s, {} of the hits were stale, the oldest by {}: a TTL bounds the age, not the share.",
        Unit::Seconds.text(ttl_s),
        worst.pace,
        Unit::Share.text(worst.stale_share_of_hits()),
        Unit::Seconds.text(worst.age_most_s)
    ))
}

/// How far the formula is from what was seen.
pub(super) fn agreement(cells: &[Cell]) -> Option<String> {
    let missed = cells.iter().filter(|cell| cell.hits > 0).filter_map(|cell| match cell.way {
        Way::Ttl { ttl_s } => Some((cell.stale_share_of_hits() - stale_share_by_ttl(cell.writes_per_s, ttl_s)).abs()),
        _ => None,
    });
    let missed: Vec<f64> = missed.collect();
    let most = missed.iter().copied().reduce(f64::max)?;
    Some(format!(
        "The stale share by a TTL is known beforehand: 1 - (1 - exp(-mT)) / (mT) was off by at most {:.1} points in {} pairs of a TTL and a write rate (F4).",
        most * 100.0,
        missed.len()
    ))
}

/// What the formulas say of hits and of stale hits.
fn formulas(found: &Found<'_>, cell: &Cell) -> Option<(f64, f64)> {
    let (reads, writes) = (cell.reads_per_s, cell.writes_per_s);
    match cell.way {
        Way::Ttl { ttl_s } => Some((hit_ratio_with_ttl(reads, 0.0, ttl_s), stale_share_by_ttl(writes, ttl_s))),
        Way::Bus => {
            // An invalidation comes about as late as one answer of Redis.
            let delay = found.get(Backend::RedisTcp)?.median / 1e9;
            // A copy comes with the second read after a write (F3 twice); another reader may have been the first.
            let hits = hit_ratio_with_ttl(reads, writes, f64::INFINITY).powi(2);
            Some((hits, stale_share_by_bus(writes, delay)))
        }
        Way::Database | Way::Shared => None,
    }
}

pub(super) fn table(found: &Found<'_>, cells: &[Cell]) -> Table {
    let none = || "none".to_owned();
    let rows = cells.iter().map(|cell| {
        let said = formulas(found, cell);
        let has_hits = matches!(cell.way, Way::Bus | Way::Ttl { .. });
        vec![
            cell.way.text(found),
            format!("{}/s", cell.pace),
            if has_hits { format!("{:.3}", cell.hit_ratio()) } else { none() },
            said.map_or_else(none, |(hits, _)| format!("{hits:.3}")),
            if has_hits { format!("{:.4}", cell.stale_share_of_hits()) } else { none() },
            said.map_or_else(none, |(_, stale)| format!("{stale:.4}")),
            format!("{:.4}", cell.stale_share()),
            Unit::Seconds.text(cell.age_p99_s),
            Unit::Seconds.text(cell.age_most_s),
        ]
    });
    Table {
        caption: "Hits and stale answers, measured and by F3 (twice with a bus, where an instance keeps what it reads for the second time), F4 and F6; an age is how long before the read the first write that it missed was acknowledged"
            .to_owned(),
        columns: [
            "way", "writes of a key", "hits", "hits by formula", "stale of the hits", "by formula", "stale of all answers", "age p99",
            "oldest",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
    }
}

/// Mean cost over stale answers, one dot for each way, at the middle pace.
pub(super) fn frontier(found: &Found<'_>, cells: &[Cell]) -> Option<Figure> {
    let paces = paces(cells);
    let pace = *paces.get(paces.len() / 2)?;
    let chain = found.chain(found.database())?;
    let dots: Vec<Series> = cells
        .iter()
        .filter(|cell| cell.pace == pace)
        .filter_map(|cell| {
            let hits = match cell.way {
                Way::Bus => Hits { local: Some(cell.hit_ratio()), shared: Some(cell.shared) },
                Way::Database => Hits::default(),
                Way::Shared => Hits { local: None, shared: Some(cell.shared) },
                Way::Ttl { .. } => Hits { local: Some(cell.hit_ratio()), shared: None },
            };
            let cost = found.composed(&chain, |chain, drawn| chain.read(hits, drawn))?;
            let label = cell.way.text(found);
            let dot = Spot {
                x: cell.stale_share(),
                y: cost.median,
                interval: Some(cost.interval()),
                label: Some(label.clone()),
            };
            Some(Series { label, points: vec![dot], style: Style::Dots })
        })
        .collect();
    (!dots.is_empty()).then(|| Figure {
        name: "q9-frontier".to_owned(),
        caption: format!(
            "What freshness costs at {pace} writes/s of a key: further left is fresher, lower is faster. Hits and staleness as measured, the mean composed of the measured parts of tiers (F1)."
        ),
        chart: Chart::Lines(Lines {
            title: "Latency and staleness".to_owned(),
            x: Axis { label: "stale answers".to_owned(), unit: Unit::Share, scale: Scale::Linear },
            y: Axis { label: "mean of a read".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            series: dots,
            marks: Vec::new(),
        }),
    })
}
