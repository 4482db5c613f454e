//! Where a curve of differences changes its sign, and where it stays within a tie.

/// A change of sign of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    /// Where, on the spaced axis.
    pub(super) at: f64,
    /// Whether it falls there: positive to the left, negative to the right.
    pub(super) falls: bool,
}

/// The changes of sign between points that differ from 0 by more than `beyond`, interpolated along straight lines.
///
/// With `beyond` 0 every change counts. Otherwise what happens within the band is no change by itself; where a change
/// goes through it by several, the middle of the first and the last is taken.
pub(super) fn changes(us: &[f64], ds: &[f64], beyond: f64) -> Vec<Change> {
    let mut found = Vec::new();
    let mut last: Option<usize> = None;
    for (point, d) in ds.iter().enumerate().filter(|(_, d)| d.abs() > beyond) {
        if let Some(before) = last
            && (ds[before] > 0.0) != (*d > 0.0)
        {
            found.push(Change { at: zero(&us[before..=point], &ds[before..=point]), falls: *d < 0.0 });
        }
        last = Some(point);
    }
    found
}

/// The middle of the zeros of a curve whose ends differ in sign.
fn zero(us: &[f64], ds: &[f64]) -> f64 {
    let mut zeros: Option<[f64; 2]> = None;
    for i in 1..us.len() {
        let (d, next) = (ds[i - 1], ds[i]);
        let at = match () {
            () if next == 0.0 => us[i],
            () if d * next < 0.0 => us[i - 1] + (us[i] - us[i - 1]) * d / (d - next),
            () => continue,
        };
        zeros = Some([zeros.map_or(at, |found| found[0]), at]);
    }
    zeros.map_or(f64::NAN, |[first, last]| f64::midpoint(first, last))
}

/// Where a curve of straight lines stays within `tie` of 0.
pub(super) fn ties(us: &[f64], ds: &[f64], tie: f64) -> Vec<[f64; 2]> {
    let mut found: Vec<[f64; 2]> = Vec::new();
    for i in 1..us.len() {
        let (u, width, d, rise) = (us[i - 1], us[i] - us[i - 1], ds[i - 1], ds[i] - ds[i - 1]);
        let [from, to] = if rise == 0.0 {
            if d.abs() <= tie { [0.0, 1.0] } else { [0.0, 0.0] }
        } else {
            let ends = [(-tie - d) / rise, (tie - d) / rise].map(|share| share.clamp(0.0, 1.0));
            if rise > 0.0 { ends } else { [ends[1], ends[0]] }
        };
        if from >= to {
            continue;
        }
        let band = [u + width * from, if to == 1.0 { us[i] } else { u + width * to }];
        match found.last_mut() {
            Some(last) if from == 0.0 && last[1] == u => last[1] = band[1],
            _ => found.push(band),
        }
    }
    found
}

/// The tie around a change; of no width if the curve is too steep to have one.
pub(super) fn tie_around(ties: &[[f64; 2]], at: f64) -> [f64; 2] {
    let distance = |band: &[f64; 2]| (band[0] - at).max(at - band[1]).max(0.0);
    let nearest = ties.iter().min_by(|one, other| distance(one).total_cmp(&distance(other)));
    nearest.map_or([at, at], |band| [band[0].min(at), band[1].max(at)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 4.0];

    fn at(ds: &[f64], beyond: f64) -> Vec<f64> {
        changes(&US, ds, beyond).iter().map(|change| change.at).collect()
    }

    #[test]
    fn a_change_lies_between_its_neighbours() {
        assert_eq!(at(&[3.0, 2.0, 1.0, -3.0, -4.0], 0.0), [2.25]);
        assert!(changes(&US, &[3.0, 2.0, 1.0, -3.0, -4.0], 0.0)[0].falls);
        assert_eq!(at(&[-1.0, 1.0, -1.0, -1.0, 1.0], 0.0), [0.5, 1.5, 3.5]);
        assert_eq!(at(&[1.0; 5], 0.0), [0.0; 0]);
    }

    #[test]
    fn touching_zero_is_no_change_and_crossing_on_a_point_is_one() {
        assert_eq!(at(&[1.0, 0.0, 1.0, 1.0, 1.0], 0.0), [0.0; 0]);
        assert_eq!(at(&[1.0, 0.0, -1.0, -1.0, -1.0], 0.0), [1.0]);
        assert_eq!(at(&[1.0, 0.0, 0.0, -1.0, -1.0], 0.0), [1.5]);
        assert_eq!(at(&[0.0; 5], 0.0), [0.0; 0]);
    }

    #[test]
    fn what_happens_within_the_band_is_one_change_or_none() {
        assert_eq!(at(&[2.0, 0.1, -0.1, 0.1, 2.0], 0.5), [0.0; 0]);
        assert_eq!(at(&[2.0, 0.1, -0.1, 0.1, -2.0], 0.0).len(), 3);
        let through = at(&[2.0, 0.1, -0.1, 0.1, -2.0], 0.5);
        assert!(through.len() == 1 && through[0] > 2.0 && through[0] < 3.0, "{through:?}");
    }

    #[test]
    fn ties_join_over_points_and_end_where_the_curve_leaves() {
        assert_eq!(ties(&US, &[2.0, 0.0, 0.5, 1.0, 3.0], 1.0), [[0.5, 3.0]]);
        assert_eq!(ties(&US, &[2.0, 0.0, 2.0, 0.0, 2.0], 1.0), [[0.5, 1.5], [2.5, 3.5]]);
        assert_eq!(ties(&US, &[2.0, -2.0, -2.0, -2.0, -2.0], 1.0), [[0.25, 0.75]]);
        assert_eq!(ties(&US, &[0.3; 5], 1.0), [[0.0, 4.0]]);
        assert_eq!(ties(&US, &[2.0; 5], 1.0), [[0.0; 2]; 0]);
    }

    #[test]
    fn the_tie_around_a_change_is_the_one_that_holds_it() {
        let bands = [[0.5, 1.5], [2.5, 3.5]];
        assert_eq!(tie_around(&bands, 3.0), [2.5, 3.5]);
        assert_eq!(tie_around(&[], 3.0), [3.0, 3.0]);
    }
}
