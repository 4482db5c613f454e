//! The controls of a study, as curves.

use crate::Result;
use crate::chart::Scale;
use crate::lab::{Backend, CONTROL_BACKENDS, CONTROL_GROUP, CONTROL_SERIES};
use crate::rounds::Measured;
use crate::statistics::{Curves, noise_floor};

/// What one backend measured twice differs by, as logarithms.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Noise {
    /// The largest of them, if there are controls.
    pub(super) overall: Option<f64>,
    /// By the kind of backend: `moka`, `redis`.
    by_kind: Vec<(&'static str, f64)>,
}

impl Noise {
    /// Of the controls of these backends.
    pub(super) fn of(measured: &Measured, backends: &[Backend]) -> Result<Self> {
        let Some(curves) = control(measured, CONTROL_SERIES[1])? else { return Ok(Self::default()) };
        let present = CONTROL_BACKENDS.into_iter().filter(|backend| backends.contains(backend));
        let by_kind = present.enumerate().map(|(place, backend)| {
            let differences = curves.a().iter().zip(curves.b()).map(|(a, b)| (a[place] / b[place]).ln());
            let mut differences: Vec<f64> = differences.collect();
            differences.sort_by(f64::total_cmp);
            (kind(backend.name()), differences[differences.len() / 2].abs())
        });
        Ok(Self { overall: Some(noise_floor(&curves)), by_kind: by_kind.collect() })
    }

    /// What two series have to differ by more than: the noise of their own backends, so that a backend which is noisy
    /// here does not hide what two others differ by. That of all, where a name does not tell whose a series is.
    pub(super) fn between(&self, a: &str, b: &str) -> f64 {
        let of = |series: &str| self.by_kind.iter().find(|(known, _)| *known == kind(series)).map(|(_, noise)| *noise);
        match (of(a), of(b)) {
            (Some(a), Some(b)) => a.max(b),
            _ => self.overall.unwrap_or(0.0),
        }
    }
}

/// `redis` of `redis-tcp`.
fn kind(series: &str) -> &str {
    series.split('-').next().unwrap_or(series)
}

/// A backend against a control of itself, at the places of all backends.
pub(super) fn control(measured: &Measured, other: &str) -> Result<Option<Curves>> {
    let a = measured.curve(CONTROL_GROUP, CONTROL_SERIES[0]);
    let b = measured.curve(CONTROL_GROUP, other);
    if a.len() < 2 || a.len() != b.len() {
        return Ok(None);
    }
    let rounds = a.iter().chain(&b).map(|(_, rounds)| rounds.len()).min().unwrap_or(0);
    let by_round = |curve: &[(f64, Vec<f64>)]| {
        (0..rounds).map(|round| curve.iter().map(|(_, all)| all[round]).collect()).collect()
    };
    let xs = a.iter().map(|(x, _)| *x).collect();
    Curves::new(Scale::Linear, xs, by_round(&a), by_round(&b)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::PointId;

    #[test]
    fn a_pair_is_judged_by_the_noise_of_its_own_backends() {
        let mut measured = Measured::default();
        for round in 1..=5 {
            for (x, again) in [(1.0, 1.02), (2.0, 1.7), (3.0, 1.05)] {
                measured.insert(PointId::new(CONTROL_GROUP, CONTROL_SERIES[0], x), round, 100.0 * f64::from(round));
                let again = 100.0 * f64::from(round) * again;
                measured.insert(PointId::new(CONTROL_GROUP, CONTROL_SERIES[1], x), round, again);
            }
        }
        let backends = [Backend::MokaBytes, Backend::MokaTyped, Backend::RedisTcp, Backend::Sqlite];
        let noise = Noise::of(&measured, &backends).unwrap();
        let is = |a: &str, b: &str, share: f64| {
            let floor = noise.between(a, b).exp();
            assert!((floor - share).abs() < 1e-9, "{a}, {b}: {floor} instead of {share}");
        };
        is("moka-typed", "moka-bytes", 1.02);
        is("moka-typed", "redis-unix", 1.05);
        is("sqlite", "redis-tcp", 1.7);
        is("local-copies", "moka-bytes", 1.7);
        assert_eq!(Noise::of(&Measured::default(), &backends).unwrap().between("moka-typed", "sqlite"), 0.0);
    }
}
