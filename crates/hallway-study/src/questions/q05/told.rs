//! What is said of a shared tier behind a local one, in sentences and in rows.

use super::reuse::Reuse;
use super::{BOTH, LOCAL, SHARED, locals};
use crate::chart::Unit;
use crate::formulas::break_even_hit_ratio;
use crate::report::{Crossover, Table, Verdict};
use crate::study::{Chain, Found, Hits};

/// What an operator does with it.
pub(super) fn told(found: &Found<'_>, chain: &Chain, reuse: &Reuse, crossover: &Crossover) -> String {
    let count = |entries: f64| Unit::Count.text(entries.round());
    let label = &reuse.label;
    match (crossover.verdict, crossover.points.as_slice(), crossover.winner.as_deref()) {
        (Verdict::Crossover, [point], _) if point.left == BOTH => format!(
            "{label}: with a local tier of at least {} entries [{}, {}] a shared tier of {SHARED} entries no longer lowers the mean of a read; it still protects the database after a restart.",
            count(point.x),
            count(point.ci95[0]),
            count(point.ci95[1])
        ),
        (Verdict::NoCrossover, _, Some(winner)) => {
            let breaks = break_even(found, chain)
                .map_or_else(String::new, |text| format!(", and must answer {text} of it to pay (F1)"));
            let said = if winner == BOTH { "lowers" } else { "does not lower" };
            format!(
                "{label}: a shared tier of {SHARED} entries {said} the mean of a read behind local tiers of 64 to 65536 entries; behind {LOCAL} entries it answers {} of what they miss{breaks}.",
                Unit::Share.text(reuse.warm.behind(LOCAL, SHARED))
            )
        }
        _ => crossover.rule.clone(),
    }
}

/// The hit ratio above which a shared tier pays, with its interval.
fn break_even(found: &Found<'_>, chain: &Chain) -> Option<String> {
    let estimate = found.composed(chain, |chain, drawn| {
        let [shared, fill, database] = chain.shared_parts(drawn);
        break_even_hit_ratio(shared, fill, database)
    })?;
    let share = |ratio| Unit::Share.text(ratio);
    Some(format!("{} [{}, {}]", share(estimate.median), share(estimate.low), share(estimate.high)))
}

/// What the database sees after a restart, which an empty local tier makes dear.
pub(super) fn restart(reuse: &Reuse) -> String {
    format!(
        "{}: after a restart with an empty local tier of {LOCAL} entries the database answers {} of the first {} reads by itself, and {} behind a shared tier that is full.",
        reuse.label,
        Unit::Share.text(1.0 - reuse.cold.at(LOCAL)),
        Unit::Count.text(reuse.cold.reads as f64),
        Unit::Share.text(1.0 - reuse.warm.at(SHARED))
    )
}

pub(super) fn rows(found: &Found<'_>, chain: &Chain, reuse: &Reuse, table: &mut Table) {
    let cost = |hits: Hits| {
        let cost = found.composed(chain, |chain, drawn| chain.read(hits, drawn));
        cost.map_or_else(
            || "n/a".to_owned(),
            |cost| {
                let text = |nanos| Unit::Nanos.text(nanos);
                format!("{} [{}, {}]", text(cost.median), text(cost.low), text(cost.high))
            },
        )
    };
    let pays = break_even(found, chain).unwrap_or_else(|| "n/a".to_owned());
    for local in locals().into_iter().step_by(2) {
        let (hits, behind) = (reuse.warm.at(local), reuse.warm.behind(local, SHARED));
        table.rows.push(vec![
            reuse.label.clone(),
            local.to_string(),
            format!("{hits:.3}"),
            format!("{behind:.3}"),
            pays.clone(),
            cost(Hits { local: Some(hits), shared: None }),
            cost(Hits { local: Some(hits), shared: Some(behind) }),
            Unit::Share.text(1.0 - hits),
            Unit::Share.text((1.0 - hits) * (1.0 - behind)),
        ]);
    }
}
