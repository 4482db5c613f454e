//! What distance adds to an operation.

/// The cost of an operation over a network, nanoseconds (F11): `t(RTT) = t0 + k RTT + bytes / bandwidth`.
///
/// `base_ns` is the cost on loopback, `round_trips` the whole number of waits for the other side, `bytes` what the
/// operation sends and receives. An infinite `bytes_per_second` leaves the last term out.
pub fn cost_over_network(base_ns: f64, round_trips: f64, rtt_ns: f64, bytes: f64, bytes_per_second: f64) -> f64 {
    let transfer = if bytes == 0.0 { 0.0 } else { bytes * 1e9 / bytes_per_second };
    base_ns + round_trips * rtt_ns + transfer
}

/// The round trip at which two operations cost the same, in the unit of the costs (F11 for both sides).
///
/// Each side is `(cost on loopback, round trips)`. `None` if the lines are parallel or meet at a negative round trip:
/// then one side is cheaper at every distance.
pub fn equal_round_trip(a: (f64, f64), b: (f64, f64)) -> Option<f64> {
    let at = (a.0 - b.0) / (b.1 - a.1);
    (at.is_finite() && at >= 0.0).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distance_and_bytes_add_up() {
        assert_eq!(cost_over_network(60_000.0, 1.0, 500_000.0, 0.0, 0.0), 560_000.0);
        assert_eq!(cost_over_network(0.0, 0.0, 500_000.0, 125.0, 125e6), 1_000.0);
        assert_eq!(cost_over_network(1.0, 0.0, 9.0, 4096.0, f64::INFINITY), 1.0);
    }

    #[test]
    fn parallel_lines_and_lines_that_met_before_loopback_have_no_equal_point() {
        assert_eq!(equal_round_trip((5.0, 1.0), (3.0, 1.0)), None);
        assert_eq!(equal_round_trip((3.0, 1.0), (3.0, 1.0)), None);
        assert_eq!(equal_round_trip((5.0, 1.0), (3.0, 0.0)), None);
        assert_eq!(equal_round_trip((3.0, 1.0), (143.0, 0.0)), Some(140.0));
    }

    proptest! {
        #[test]
        fn at_the_equal_round_trip_both_cost_the_same(a in 0.0..1e6, b in 0.0..1e6, ka in 0u32..20, kb in 0u32..20) {
            let (ka, kb) = (f64::from(ka), f64::from(kb));
            if let Some(rtt) = equal_round_trip((a, ka), (b, kb)) {
                let cost = |base, k| cost_over_network(base, k, rtt, 0.0, 1.0);
                prop_assert!((cost(a, ka) - cost(b, kb)).abs() < 1e-6);
            } else {
                prop_assert!(ka == kb || (a > b) == (ka > kb));
            }
        }
    }
}
