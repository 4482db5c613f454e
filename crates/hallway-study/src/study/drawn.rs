//! Medians of drawn rounds, of which composed quantities get their intervals.

/// The middle of the rounds that were drawn, by their numbers; of an even number of them the upper middle.
///
/// NaN if there are none. For [`Found::statistic`](super::Found::statistic).
pub(crate) fn drawn_median(rounds: &[f64], drawn: &[usize]) -> f64 {
    let mut values: Vec<f64> = drawn.iter().filter_map(|round| rounds.get(*round)).copied().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many rounds all of these have.
pub(crate) fn common_rounds(parts: &[&[f64]]) -> usize {
    parts.iter().map(|rounds| rounds.len()).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_counts_as_often_as_it_was_drawn() {
        let rounds = [1.0, 2.0, 3.0, 4.0, 90.0];
        assert_eq!(drawn_median(&rounds, &[0, 1, 2, 3, 4]), 3.0);
        assert_eq!(drawn_median(&rounds, &[4, 4, 4, 0, 1]), 90.0);
        assert!(drawn_median(&[], &[]).is_nan());
        assert_eq!(common_rounds(&[&rounds, &rounds[..2]]), 2);
        assert_eq!(common_rounds(&[]), 0);
    }
}
