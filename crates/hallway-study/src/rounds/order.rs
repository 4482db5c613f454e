//! In which order a round measures its points.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::Point;

/// The points of a round: shuffled by seed and round, but those that are compared with each other (same group, same
/// place) stay side by side, and go the other way round in every second round.
///
/// The order of two neighbours alone has been seen to make a quarter of a difference.
#[must_use]
pub fn shuffled(points: &[Point], seed: u64, round: u32) -> Vec<&Point> {
    let mut clusters: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        let together = |cluster: &&mut Vec<&Point>| {
            cluster.first().is_some_and(|first| first.id.group == point.id.group && first.id.x == point.id.x)
        };
        match clusters.iter_mut().find(together) {
            Some(cluster) => cluster.push(point),
            None => clusters.push(vec![point]),
        }
    }
    // Two rounds after each other have the same order within a cluster but for its direction: each order has its mirror
    // image. Drawn before the clusters are shuffled, which both rounds do in a way of their own.
    let mut of_pair = StdRng::seed_from_u64(seed ^ u64::from(round.div_ceil(2)).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    for cluster in &mut clusters {
        let by = of_pair.random_range(0..cluster.len());
        cluster.rotate_left(by);
        if round.is_multiple_of(2) {
            cluster.reverse();
        }
    }
    let mut random = StdRng::seed_from_u64(seed ^ u64::from(round).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    clusters.shuffle(&mut random);
    clusters.concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Cell;
    use super::*;

    fn points() -> Vec<Point> {
        let mut points = Vec::new();
        for series in ["a", "b"] {
            for x in 1..=20 {
                points.push(Point::new("Q1/get", series, f64::from(x), Cell::new(|_| async { Ok(Duration::ZERO) })));
            }
        }
        points
    }

    #[test]
    fn pairs_are_neighbours_in_an_order_of_each_round() {
        let points = points();
        let orders: Vec<Vec<String>> = (1..=8)
            .map(|round| {
                let order = shuffled(&points, 42, round);
                assert_eq!(order.len(), points.len());
                for pair in order.chunks(2) {
                    assert_eq!(pair[0].id.x, pair[1].id.x);
                    assert_ne!(pair[0].id.series, pair[1].id.series);
                }
                order.iter().map(|point| point.id.to_string()).collect()
            })
            .collect();
        for (index, order) in orders.iter().enumerate() {
            assert!(orders[index + 1..].iter().all(|other| other != order));
        }
        let place = |order: &[String], id: &str| order.iter().position(|one| one == id);
        for pair in orders.chunks(2) {
            for x in 1..=20 {
                let is_first =
                    |order: &[String]| place(order, &format!("Q1/get/a/{x}")) < place(order, &format!("Q1/get/b/{x}"));
                assert_ne!(is_first(&pair[0]), is_first(&pair[1]), "each goes first once in two rounds");
            }
        }
    }

    #[test]
    fn a_seed_fixes_the_order() {
        let points = points();
        let ids = |seed| shuffled(&points, seed, 3).iter().map(|point| point.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }
}
