//! The border of a heat map by marching squares (Lorensen and Cline 1987, in two dimensions).

/// A piece of the border.
pub(super) type Piece = [[f64; 2]; 2];

/// Where `cells` pass through 0, between the places `xs` and `ys`; squares with an unknown corner have no border.
pub(super) fn border(xs: &[f64], ys: &[f64], cells: &[Vec<Option<f64>>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (row, y) in ys.windows(2).enumerate() {
        for (column, x) in xs.windows(2).enumerate() {
            let corner = |up: usize, right: usize| cells.get(row + up)?.get(column + right).copied()?;
            if let (Some(a), Some(b), Some(c), Some(d)) = (corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)) {
                square([x[0], x[1]], [y[0], y[1]], [a, b, c, d], &mut pieces);
            }
        }
    }
    pieces
}

/// Corners counter-clockwise from the lower left.
fn square([left, right]: [f64; 2], [low, high]: [f64; 2], corners: [f64; 4], pieces: &mut Vec<Piece>) {
    let places = [[left, low], [right, low], [right, high], [left, high]];
    let mut crossings = Vec::with_capacity(4);
    for at in 0..4 {
        let next = (at + 1) % 4;
        let (here, there) = (corners[at], corners[next]);
        // 0 counts as above, so that a border through a corner is met once.
        if (here < 0.0) != (there < 0.0) {
            let share = here / (here - there);
            let along = |axis: usize| places[at][axis] + share * (places[next][axis] - places[at][axis]);
            crossings.push([along(0), along(1)]);
        }
    }
    match crossings[..] {
        [from, to] => pieces.push([from, to]),
        [bottom, right, top, left] => {
            // A saddle: the middle decides which corners belong together.
            let middle = corners.iter().sum::<f64>() < 0.0;
            if middle == (corners[0] < 0.0) {
                pieces.extend([[bottom, right], [top, left]]);
            } else {
                pieces.extend([[left, bottom], [right, top]]);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[&[f64]]) -> Vec<Vec<Option<f64>>> {
        rows.iter().map(|row| row.iter().copied().map(Some).collect()).collect()
    }

    #[test]
    fn a_plane_has_a_straight_border() {
        let xs = [0.0, 1.0, 2.0, 3.0];
        let plane = cells(&[&[-1.5, -0.5, 0.5, 1.5], &[-1.5, -0.5, 0.5, 1.5], &[-1.5, -0.5, 0.5, 1.5]]);
        let pieces = border(&xs, &[0.0, 1.0, 2.0], &plane);
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().flatten().all(|[x, _]| (x - 1.5).abs() < 1e-9), "{pieces:?}");
    }

    #[test]
    fn what_is_unknown_or_on_one_side_has_none() {
        let mut one = cells(&[&[1.0, 2.0], &[3.0, 0.0]]);
        assert_eq!(border(&[0.0, 1.0], &[0.0, 1.0], &one), [] as [Piece; 0]);
        one[0][0] = Some(-1.0);
        assert_eq!(border(&[0.0, 1.0], &[0.0, 1.0], &one).len(), 1);
        one[1][1] = None;
        assert_eq!(border(&[0.0, 1.0], &[0.0, 1.0], &one), [] as [Piece; 0]);
    }

    #[test]
    fn a_saddle_is_cut_by_its_middle() {
        let saddle = |middle: f64| cells(&[&[-1.0 - middle, 1.0], &[1.0, -1.0]]);
        for pieces in [border(&[0.0, 1.0], &[0.0, 1.0], &saddle(0.5)), border(&[0.0, 1.0], &[0.0, 1.0], &saddle(-0.5))]
        {
            assert_eq!(pieces.len(), 2, "{pieces:?}");
        }
        // With a low middle the low corners are joined: the high corner at the lower right is cut off.
        let low = border(&[0.0, 1.0], &[0.0, 1.0], &saddle(0.5));
        assert!(low[0].iter().all(|[x, y]| *x > 0.4 && *y < 0.6), "{low:?}");
    }
}
