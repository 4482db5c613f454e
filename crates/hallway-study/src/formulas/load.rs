//! How much work reaches the authority: loads of one key at once, and writes of sliding sessions.

use super::product;

/// The loads of one key that run at once while it is missing and nothing joins them (F14, Little's law): `l t3`.
///
/// `reads` of the key per second, `load` seconds. Single flight pays where it is above 1.
pub fn duplicate_loads(reads: f64, load: f64) -> f64 {
    product(reads, load)
}

/// The share of requests that write when a sliding session is touched only after `touch_after` of its TTL (F15).
///
/// `1 / (1 + l f T)`: `requests` of the session per second, `ttl` seconds, `touch_after` from 0 (every request writes)
/// to 1.
pub fn touch_write_share(requests: f64, ttl: f64, touch_after: f64) -> f64 {
    1.0 / (1.0 + product(product(requests, touch_after), ttl))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn the_figures_of_the_design() {
        assert!((touch_write_share(0.1, 1800.0, 0.5) - 0.011).abs() < 5e-5);
        assert_eq!(duplicate_loads(200.0, 0.01), 2.0);
    }

    #[test]
    fn limits() {
        assert_eq!(touch_write_share(0.1, 1800.0, 0.0), 1.0);
        assert_eq!(touch_write_share(0.0, f64::INFINITY, 0.5), 1.0);
        assert_eq!(touch_write_share(0.1, f64::INFINITY, 0.5), 0.0);
        assert_eq!(duplicate_loads(0.0, f64::INFINITY), 0.0);
    }

    #[test]
    fn a_simulated_session_writes_as_often() {
        let (requests, ttl, touch_after) = (0.05, 600.0, 0.5);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(15);
        let (mut now, mut touched, mut writes) = (0.0_f64, 0.0_f64, 0_u32);
        for _ in 0..200_000 {
            now -= (1.0 - rng.random::<f64>()).ln() / requests;
            if now - touched >= touch_after * ttl {
                (touched, writes) = (now, writes + 1);
            }
        }
        let share = f64::from(writes) / 200_000.0;
        assert!((share - touch_write_share(requests, ttl, touch_after)).abs() < 0.002, "{share}");
    }

    proptest! {
        #[test]
        fn touching_later_writes_less(requests in 0.0..1e3, ttl in 0.0..1e6, f in 0.0..0.9f64) {
            let (early, late) = (touch_write_share(requests, ttl, f), touch_write_share(requests, ttl, f + 0.1));
            prop_assert!(late <= early && early <= 1.0 && late >= 0.0);
        }
    }
}
