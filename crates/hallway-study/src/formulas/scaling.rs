//! Where throughput stops growing with load: the universal scalability law, and Little's law as its check.

use crate::Result;

/// The fewest loads that a fit of [`Usl`] accepts: it has three unknowns, and needs to show where it does not hold.
pub const LEAST_LOADS: usize = 6;

/// The throughput that was measured at one load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Tasks at once.
    pub tasks: f64,
    /// Operations per second.
    pub throughput: f64,
}

/// How throughput grows with load (F17): `X(n) = n X1 / (1 + a (n - 1) + b n (n - 1))`.
///
/// Gunther's universal scalability law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Operations per second of one task, `X1`.
    pub one: f64,
    /// Share of the work that cannot run at once, `a`.
    pub contention: f64,
    /// What each pair of tasks costs the other, `b`.
    pub coherency: f64,
}

impl Usl {
    /// The law that comes nearest to the loads, by relative distance.
    ///
    /// `n / X` is linear in `1, n - 1, n (n - 1)`, so it is found by least squares, with contention and coherency held
    /// at 0 where the loads would have them negative.
    ///
    /// # Errors
    /// Fewer than [`LEAST_LOADS`] different loads, or one that is not positive and finite.
    pub fn fit(loads: &[Load]) -> Result<Self> {
        let mut tasks: Vec<f64> = loads.iter().map(|load| load.tasks).collect();
        tasks.sort_by(f64::total_cmp);
        tasks.dedup();
        if tasks.len() < LEAST_LOADS {
            let have = tasks.len();
            return Err(format!("a scaling law needs {LEAST_LOADS} different loads, got {have}: measure more").into());
        }
        let is_positive = |x: f64| x > 0.0 && x.is_finite();
        if let Some(bad) = loads.iter().find(|load| !is_positive(load.tasks) || !is_positive(load.throughput)) {
            return Err(format!("a load must be positive and finite, got {bad:?}").into());
        }
        // With a bound on a coefficient, the least squares lie at the free solution or on one of the bounds.
        let candidates = [[true, true], [true, false], [false, true], [false, false]].map(|free| least(loads, free));
        let best = candidates.into_iter().flatten().min_by(|a, b| a.misses(loads).total_cmp(&b.misses(loads)));
        best.ok_or_else(|| "no scaling law fits these loads: repeat the measurement".into())
    }

    /// Operations per second with `tasks` at once.
    pub fn throughput(&self, tasks: f64) -> f64 {
        tasks * self.one / (1.0 + self.contention * (tasks - 1.0) + self.coherency * tasks * (tasks - 1.0))
    }

    /// The tasks at which throughput is highest: `sqrt((1 - a) / b)`, at least 1; `None` if it never falls.
    pub fn peak(&self) -> Option<f64> {
        (self.coherency > 0.0).then(|| ((1.0 - self.contention).max(0.0) / self.coherency).sqrt().max(1.0))
    }

    fn misses(&self, loads: &[Load]) -> f64 {
        loads.iter().map(|load| (load.throughput / self.throughput(load.tasks) - 1.0).powi(2)).sum()
    }
}

/// Least squares over the terms that are free; `None` if a coefficient came out negative or nothing determines it.
fn least(loads: &[Load], free: [bool; 2]) -> Option<Usl> {
    let mut normal = [[0.0; 4]; 3];
    for load in loads {
        let n = load.tasks;
        let terms = [1.0, if free[0] { n - 1.0 } else { 0.0 }, if free[1] { n * (n - 1.0) } else { 0.0 }];
        let scale = load.throughput / n;
        let row = terms.map(|term| term * scale);
        for i in 0..3 {
            for j in 0..3 {
                normal[i][j] += row[i] * row[j];
            }
            normal[i][3] += row[i];
        }
    }
    for (i, is_free) in [(1, free[0]), (2, free[1])] {
        if !is_free {
            normal[i][i] = 1.0;
        }
    }
    let [c, ca, cb] = solve(normal)?;
    (c > 0.0 && ca >= 0.0 && cb >= 0.0).then(|| Usl { one: 1.0 / c, contention: ca / c, coherency: cb / c })
}

/// Three linear equations, by elimination with pivots.
fn solve(mut m: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|a, b| m[*a][column].abs().total_cmp(&m[*b][column].abs()))?;
        m.swap(column, pivot);
        let by = m[column];
        if by[column] == 0.0 {
            return None;
        }
        for row in (0..3).filter(|row| *row != column) {
            let factor = m[row][column] / by[column];
            (0..4).for_each(|i| m[row][i] -= factor * by[i]);
        }
    }
    Some([m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]])
}

/// How far a closed loop is from Little's law, as a share of its tasks: `X latency / n - 1`.
///
/// `latency` is the mean in seconds. Beyond 0.05 either way, time is spent outside the operation, or the two figures
/// are not of one run.
pub fn little_gap(throughput: f64, latency: f64, tasks: f64) -> f64 {
    throughput * latency / tasks - 1.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loads(law: Usl) -> Vec<Load> {
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(|tasks| Load { tasks, throughput: law.throughput(tasks) }).to_vec()
    }

    #[test]
    fn the_peak_is_where_throughput_is_highest() {
        let law = Usl { one: 1_000.0, contention: 0.05, coherency: 0.002 };
        let peak = law.peak().unwrap();
        assert!(law.throughput(peak) > law.throughput(peak * 1.01));
        assert!(law.throughput(peak) > law.throughput(peak * 0.99));
        assert_eq!(Usl { coherency: 0.0, ..law }.peak(), None);
        assert_eq!(Usl { contention: 1.5, ..law }.peak(), Some(1.0));
    }

    #[test]
    fn loads_that_scale_better_than_linearly_hold_both_terms_at_zero() {
        let points: Vec<Load> =
            (1..=8).map(|n| Load { tasks: f64::from(n), throughput: 100.0 * f64::from(n).powf(1.2) }).collect();
        let law = Usl::fit(&points).unwrap();
        assert_eq!((law.contention, law.coherency), (0.0, 0.0));
        assert!(law.one > 100.0);
    }

    #[test]
    fn few_or_broken_loads_are_refused_with_the_remedy() {
        let mut points = loads(Usl { one: 1.0, contention: 0.1, coherency: 0.1 });
        let error = Usl::fit(&points[..5]).unwrap_err().to_string();
        assert!(error.contains("6 different loads, got 5"), "{error}");
        points[3].throughput = 0.0;
        assert!(Usl::fit(&points).unwrap_err().to_string().contains("positive"));
    }

    #[test]
    fn a_closed_loop_without_think_time_obeys_little() {
        assert!(little_gap(1_000.0, 0.008, 8.0).abs() < 1e-12);
        assert!(little_gap(900.0, 0.008, 8.0) < -0.05);
    }

    proptest! {
        #[test]
        fn a_fit_finds_the_law_again(one in 1.0..1e6, contention in 0.0..0.5f64, coherency in 0.0..0.05f64) {
            let law = Usl { one, contention, coherency };
            let found = Usl::fit(&loads(law)).unwrap();
            prop_assert!((found.one / one - 1.0).abs() < 1e-6);
            prop_assert!((found.contention - contention).abs() < 1e-6);
            prop_assert!((found.coherency - coherency).abs() < 1e-6);
        }
    }
}
