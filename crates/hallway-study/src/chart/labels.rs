//! Where labels stand so that none covers another.

/// A rectangle: left, top, right, bottom.
pub(super) type Area = [f64; 4];

/// The middles of labels of these heights, as near to where they are wanted as is possible without overlap, between two
/// ends. Where all together are higher than the room, they share it evenly.
pub(super) fn stack(wanted: &[f64], heights: &[f64], [top, bottom]: [f64; 2]) -> Vec<f64> {
    let total: f64 = heights.iter().sum();
    let squeeze = if total > bottom - top { (bottom - top) / total } else { 1.0 };
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]).then(a.cmp(b)));
    // Neighbours that would touch become one group, which stands where it moves its members least: on average.
    let mut groups: Vec<Group> = Vec::new();
    for at in order {
        let height = heights[at] * squeeze;
        let mut group = Group { members: vec![at], height, tops: wanted[at] - height / 2.0 };
        while let Some(last) = groups.pop_if(|last| last.top(top, bottom) + last.height > group.top(top, bottom)) {
            group = last.followed_by(group);
        }
        groups.push(group);
    }
    let mut middles = vec![0.0; wanted.len()];
    for group in &groups {
        let mut at = group.top(top, bottom);
        for member in &group.members {
            let height = heights[*member] * squeeze;
            middles[*member] = at + height / 2.0;
            at += height;
        }
    }
    middles
}

#[derive(Debug)]
struct Group {
    members: Vec<usize>,
    height: f64,
    /// Sum over the members of where each wants the top of the group to be.
    tops: f64,
}

impl Group {
    fn top(&self, top: f64, bottom: f64) -> f64 {
        (self.tops / self.members.len() as f64).min(bottom - self.height).max(top)
    }

    fn followed_by(self, next: Self) -> Self {
        let tops = self.tops + next.tops - self.height * next.members.len() as f64;
        let members = self.members.into_iter().chain(next.members).collect();
        Self { members, height: self.height + next.height, tops }
    }
}

/// A place for a label of this size beside a point: the first that is free and inside, else the one that covers least.
pub(super) fn beside(point: [f64; 2], size: [f64; 2], gap: f64, taken: &[Area], inside: Area) -> Area {
    let ([x, y], [width, height]) = (point, size);
    let (right, left, middle) = (x + gap, x - gap - width, x - width / 2.0);
    let (above, below, level) = (y - gap - height, y + gap, y - height / 2.0);
    let corners = [
        [right, level],
        [left, level],
        [middle, above],
        [middle, below],
        [right, above],
        [right, below],
        [left, above],
        [left, below],
    ];
    let places = corners.map(|[x, y]| [x, y, x + width, y + height]);
    let cost = |place: &Area| -> f64 {
        let over: f64 = taken.iter().map(|other| common(place, other)).sum();
        over + 3.0 * (width * height - common(place, &inside))
    };
    let mut best = (cost(&places[0]), places[0]);
    for place in &places[1..] {
        let cost = cost(place);
        if cost + 1e-6 < best.0 {
            best = (cost, *place);
        }
    }
    best.1
}

/// How much two rectangles have in common.
pub(super) fn common(one: &Area, two: &Area) -> f64 {
    let width = one[2].min(two[2]) - one[0].max(two[0]);
    let height = one[3].min(two[3]) - one[1].max(two[1]);
    if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_that_do_not_touch_stay() {
        assert_eq!(stack(&[10.0, 50.0], &[10.0, 10.0], [0.0, 100.0]), [10.0, 50.0]);
        assert_eq!(stack(&[50.0, 50.0], &[10.0, 10.0], [0.0, 100.0]), [45.0, 55.0]);
        assert_eq!(stack(&[0.0, 0.0], &[10.0, 20.0], [0.0, 100.0]), [5.0, 20.0]);
        assert_eq!(stack(&[], &[], [0.0, 100.0]), [] as [f64; 0]);
    }

    #[test]
    fn a_label_goes_where_nothing_is() {
        let inside = [0.0, 0.0, 100.0, 100.0];
        assert_eq!(beside([50.0, 50.0], [20.0, 10.0], 5.0, &[], inside), [55.0, 45.0, 75.0, 55.0]);
        let left = beside([50.0, 50.0], [20.0, 10.0], 5.0, &[[56.0, 40.0, 80.0, 60.0]], inside);
        assert_eq!(left, [25.0, 45.0, 45.0, 55.0]);
        let at_the_edge = beside([98.0, 50.0], [20.0, 10.0], 5.0, &[], inside);
        assert_eq!(common(&at_the_edge, &inside), 200.0);
    }

    proptest! {
        #[test]
        fn labels_never_overlap_and_stay_inside(wanted in prop::collection::vec(-50.0..250.0_f64, 0..12)) {
            let heights: Vec<f64> = wanted.iter().map(|at| if *at > 100.0 { 24.0 } else { 12.0 }).collect();
            let middles = stack(&wanted, &heights, [0.0, 200.0]);
            let squeeze = (200.0 / heights.iter().sum::<f64>()).min(1.0);
            let mut spans: Vec<_> = middles.iter().zip(&heights)
                .map(|(middle, height)| [middle - height * squeeze / 2.0, middle + height * squeeze / 2.0]).collect();
            spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
            prop_assert!(spans.iter().all(|span| span[0] > -1e-6 && span[1] < 200.0 + 1e-6), "{spans:?}");
            prop_assert!(spans.windows(2).all(|pair| pair[0][1] <= pair[1][0] + 1e-6), "{spans:?}");
        }
    }
}
