//! What the study computes instead of measuring: break-even points, hit ratios, stale shares and composed costs.
//!
//! Every function is pure and names its formula by the id of the design's table (F1 to F17). The units:
//! - **rates** are per second, and one key's unless said otherwise; **times** are seconds, infinity allowed where a TTL
//!   may be forever;
//! - **costs** are finite, not negative, and in one unit, such as nanoseconds: the answer comes in the same unit;
//! - **shares** and **hit ratios** lie between 0 and 1.
//!
//! Limits are exact: no writes, no reads, an endless TTL and a hit ratio of 1 give the value the formula tends to,
//! never a NaN. Reads and writes of a key are taken to arrive independently of each other (Poisson arrivals) wherever a
//! rate is asked for.

mod break_even;
mod bus;
mod composition;
mod freshness;
mod instances;
mod load;
mod mixture;
mod network;
mod scaling;

pub use self::break_even::{break_even_hit_ratio, break_even_hit_ratio_with_writes};
pub use self::bus::{BusCosts, LocalGain, local_pays_over_shared, most_writes_per_read};
pub use self::composition::{CachingTier, cache_aside_mean, mean_of_requests, tiered_mean};
pub use self::freshness::{
    hit_ratio_with_ttl, hit_ratio_within_stale_share, longest_ttl, stale_share_by_bus, stale_share_by_ttl,
};
pub use self::instances::{conditional_hit_ratio, hit_ratio_of_instances, hit_ratio_with_write_share};
pub use self::load::{duplicate_loads, touch_write_share};
pub use self::mixture::{Latencies, Part, quantile_of_mixture};
pub use self::network::{cost_over_network, equal_round_trip};
pub use self::scaling::{LEAST_LOADS, Load, Usl, little_gap};

/// `x / (1 + x)`, with its limit 1 at infinity.
fn saturating(x: f64) -> f64 {
    if x.is_infinite() { 1.0 } else { x / (1.0 + x) }
}

/// `a * b`, where none of something endless is none.
fn product(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_gives_a_nan() {
        let ends = [0.0, 1e-300, 1e-9, 1.0, 1e9, 1e300, f64::INFINITY];
        for a in ends {
            for b in ends {
                for c in ends {
                    let share = a.min(1.0);
                    for value in [
                        hit_ratio_with_ttl(a, b, c),
                        stale_share_by_ttl(b, c),
                        longest_ttl(b, share),
                        hit_ratio_within_stale_share(b, share),
                        stale_share_by_bus(b, c),
                        hit_ratio_of_instances(b, c, 3),
                        duplicate_loads(b, c),
                        touch_write_share(b, c, share),
                    ] {
                        assert!(value >= 0.0, "{value} of {a}, {b}, {c}");
                    }
                }
            }
        }
    }
}
