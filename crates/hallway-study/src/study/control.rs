//! The controls of a study, as curves.

use crate::Result;
use crate::chart::Scale;
use crate::lab::{CONTROL_GROUP, CONTROL_SERIES};
use crate::rounds::Measured;
use crate::statistics::{Curves, noise_floor};

/// What one backend measured twice differs by at most, as a logarithm.
pub(super) fn noise(measured: &Measured) -> Result<Option<f64>> {
    Ok(control(measured, CONTROL_SERIES[1])?.map(|curves| noise_floor(&curves)))
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
