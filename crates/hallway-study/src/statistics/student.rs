//! Quantiles of Student's t distribution.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// The quantile `p` of Student's t with `degrees` of freedom, for `p` from 0.5 up to 1.
///
/// Exact for whole degrees: the finite series of Abramowitz and Stegun 26.7.3 and 26.7.4, inverted by bisection.
/// Infinity at `p = 1` or without a degree of freedom.
pub fn student_t(p: f64, degrees: usize) -> f64 {
    if degrees == 0 || p >= 1.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..64 {
        let angle = f64::midpoint(low, high);
        if within(angle, degrees) < 2.0 * p - 1.0 { low = angle } else { high = angle }
    }
    (degrees as f64).sqrt() * f64::midpoint(low, high).tan()
}

/// The probability that `|T|` is at most `sqrt(degrees) tan(angle)`.
fn within(angle: f64, degrees: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let mut term = if is_odd { cos } else { 1.0 };
    let mut sum = if degrees == 1 { 0.0 } else { term };
    let mut power = if is_odd { 3 } else { 2 };
    while power + 2 <= degrees {
        term *= cos * cos * (power - 1) as f64 / power as f64;
        sum += term;
        power += 2;
    }
    if is_odd { FRAC_2_PI * (angle + sin * sum) } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table() {
        let table = [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (6, 2.447),
            (7, 2.365),
            (10, 2.228),
            (11, 2.201),
            (19, 2.093),
            (20, 2.086),
            (30, 2.042),
            (120, 1.980),
        ];
        for (degrees, t) in table {
            assert!((student_t(0.975, degrees) - t).abs() < 6e-4, "{degrees}: {}", student_t(0.975, degrees));
        }
        for (degrees, t) in [(1, 6.314), (4, 2.132), (11, 1.796), (29, 1.699)] {
            assert!((student_t(0.95, degrees) - t).abs() < 6e-4, "{degrees}: {}", student_t(0.95, degrees));
        }
    }

    #[test]
    fn ends() {
        assert!(student_t(0.5, 7).abs() < 1e-9);
        assert_eq!(student_t(1.0, 7), f64::INFINITY);
        assert_eq!(student_t(0.975, 0), f64::INFINITY);
    }
}
