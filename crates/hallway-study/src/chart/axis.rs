//! Where a number stands along a side of a picture, and which numbers are written there.

use crate::chart::{Axis, Scale, Unit};

/// One side of a picture.
#[derive(Debug, Clone)]
pub(super) struct Ruler {
    scale: Scale,
    unit: Unit,
    /// The ends, in the spacing of the scale.
    ends: [f64; 2],
    /// Where the ends are drawn.
    room: [f64; 2],
}

/// A number that is written beside its line, or a line alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    /// Empty for a line alone.
    pub(super) label: String,
}

/// How the ends of a side follow from what is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// The outermost values.
    Exact,
    /// A little beyond them, and from 0 where that is near.
    Upwards,
    /// A little beyond them.
    Sideways,
}

impl Ruler {
    /// A side that holds these values; those that its scale does not know are left out.
    pub(super) fn new(axis: &Axis, values: impl IntoIterator<Item = f64>, ends: Ends) -> Self {
        let mapped = values.into_iter().filter_map(|value| spaced(axis.scale, value));
        let [mut low, mut high] =
            mapped.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], at| [low.min(at), high.max(at)]);
        if low > high {
            [low, high] = [0.0, 1.0];
        }
        let linear = axis.scale == Scale::Linear;
        if low == high {
            let half = if linear && low != 0.0 { low.abs() / 2.0 } else { 1.0 };
            [low, high] = [low - half, high + half];
        }
        let span = high - low;
        let (lowest, highest) = (low, high);
        match ends {
            Ends::Exact => {}
            Ends::Upwards => {
                (low, high) = (low - span * 0.07, high + span * 0.07);
                if linear && lowest >= 0.0 && lowest < 0.6 * highest {
                    low = 0.0;
                }
            }
            Ends::Sideways => (low, high) = (low - span * 0.025, high + span * 0.025),
        }
        if linear {
            // What cannot be below 0 or above a whole is not shown as if it could.
            if lowest >= 0.0 {
                low = low.max(0.0);
            }
            if axis.unit == Unit::Share && highest <= 1.0 {
                high = high.min(1.0);
            }
        }
        Self { scale: axis.scale, unit: axis.unit, ends: [low, high], room: [0.0, 1.0] }
    }

    /// Drawn from here to there.
    pub(super) fn within(mut self, from: f64, to: f64) -> Self {
        self.room = [from, to];
        self
    }

    /// Where this value is drawn, if the scale knows it; beyond the ends too.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        spaced(self.scale, value).map(|at| self.place(at))
    }

    /// Where this value is drawn, or the end beyond which it is.
    pub(super) fn at_most(&self, value: f64) -> f64 {
        let at = match spaced(self.scale, value) {
            Some(at) => at.clamp(self.ends[0], self.ends[1]),
            None if value == f64::INFINITY => self.ends[1],
            None => self.ends[0],
        };
        self.place(at)
    }

    fn place(&self, at: f64) -> f64 {
        let share = (at - self.ends[0]) / (self.ends[1] - self.ends[0]);
        self.room[0] + share * (self.room[1] - self.room[0])
    }

    /// About so many numbers, at round places, with lines alone between powers of ten.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let ends = self.ends.map(|end| if self.scale == Scale::Log { end.exp() } else { end });
        let (numbers, lines) = match self.scale {
            Scale::Linear => (even(ends, wanted, self.unit), Vec::new()),
            Scale::Log => spread(ends, wanted, self.unit),
        };
        let tick = |value: f64, label: String| self.at(value).map(|at| Tick { at, label });
        let numbers = numbers.into_iter().filter_map(|value| tick(value, self.unit.text(value)));
        numbers.chain(lines.into_iter().filter_map(|value| tick(value, String::new()))).collect()
    }
}

/// The value in the spacing of the scale.
pub(super) fn spaced(scale: Scale, value: f64) -> Option<f64> {
    match scale {
        Scale::Linear => Some(value).filter(|value| value.is_finite()),
        Scale::Log => Some(value).filter(|value| value.is_finite() && *value > 0.0).map(f64::ln),
    }
}

/// The value at a place in the spacing of the scale.
pub(super) fn value(scale: Scale, at: f64) -> f64 {
    if scale == Scale::Log { at.exp() } else { at }
}

/// Multiples of a round step.
fn even([low, high]: [f64; 2], wanted: usize, unit: Unit) -> Vec<f64> {
    let rough = (high - low) / wanted.max(1) as f64;
    let step = if unit == Unit::Bytes && rough >= 1.0 {
        2_f64.powf(rough.log2().ceil())
    } else {
        let size = 10_f64.powf(rough.log10().floor());
        [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|times| times * size)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(10.0 * size)
    };
    let [first, last] = [(low / step - 1e-9).ceil(), (high / step + 1e-9).floor()];
    (0..=(last - first).max(0.0) as usize)
        .map(|count| (first + count as f64) * step)
        .filter(|_| last >= first)
        .collect()
}

/// Numbers and lines alone on a logarithmic side.
fn spread(ends: [f64; 2], wanted: usize, unit: Unit) -> (Vec<f64>, Vec<f64>) {
    let inside = |value: &f64| *value >= ends[0] * (1.0 - 1e-9) && *value <= ends[1] * (1.0 + 1e-9);
    let powers = |base: f64, step: i32| -> Vec<f64> {
        let [first, last] = ends.map(|end| end.log(base) / f64::from(step));
        let (first, last) = ((first - 1e-9).ceil() as i32, (last + 1e-9).floor() as i32);
        (first..=last).map(|power| base.powi(power * step)).collect()
    };
    if unit == Unit::Bytes && ends[0] >= 1.0 && ends[1] / ends[0] >= 4.0 {
        let numbers = (1..).map(|step| powers(2.0, step)).find(|numbers| numbers.len() <= wanted.max(2));
        return (numbers.unwrap_or_default(), Vec::new());
    }
    let decades = powers(10.0, 1);
    let steps = |times: &[f64]| -> Vec<f64> {
        let around = powers(10.0, 1).first().map_or(10_f64.powf(ends[0].log10().floor()), |first| first / 10.0);
        let count = (ends[1] / around).log10().ceil().max(1.0) as i32;
        let all = (0..=count).flat_map(|power| times.iter().map(move |times| times * around * 10_f64.powi(power)));
        all.filter(inside).collect()
    };
    if decades.len() >= 4 {
        let numbers = (1..).map(|step| powers(10.0, step)).find(|numbers| numbers.len() <= wanted.max(2));
        let lines = if decades.len() <= 6 { steps(&[2.0, 5.0]) } else { Vec::new() };
        return (numbers.unwrap_or_default(), lines);
    }
    for times in [&[1.0, 2.0, 3.0, 5.0, 7.0][..], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]] {
        let numbers = steps(times);
        if (3..=wanted.max(3)).contains(&numbers.len()) {
            return (numbers, steps(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]));
        }
    }
    // Less than a few steps apart: evenly spaced numbers are as good.
    let numbers = even(ends, wanted, unit).into_iter().filter(|value| *value > 0.0).collect();
    (numbers, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, unit: Unit, values: [f64; 2], ends: Ends) -> Vec<String> {
        let axis = Axis { label: String::new(), unit, scale };
        let ticks = Ruler::new(&axis, values, ends).within(0.0, 100.0).ticks(6);
        assert!(ticks.iter().all(|tick| (-0.01..=100.01).contains(&tick.at)), "{ticks:?}");
        ticks.into_iter().map(|tick| tick.label).filter(|label| !label.is_empty()).collect()
    }

    #[test]
    fn numbers_stand_at_round_places() {
        for (scale, unit, values, ends, wanted) in [
            (Scale::Log, Unit::Bytes, [64.0, 262_144.0], Ends::Sideways, "64 B, 512 B, 4 KiB, 32 KiB, 256 KiB"),
            (Scale::Log, Unit::Nanos, [30.0, 5e6], Ends::Upwards, "100 ns, 1 us, 10 us, 100 us, 1 ms, 10 ms"),
            (Scale::Log, Unit::Micros, [50.0, 20_000.0], Ends::Exact, "100 us, 300 us, 1 ms, 3 ms, 10 ms"),
            (Scale::Log, Unit::Count, [1.0, 16.0], Ends::Sideways, "1, 2, 3, 5, 7, 10"),
            (Scale::Log, Unit::Ratio, [0.9, 1.1], Ends::Exact, "0.9, 0.95, 1, 1.05, 1.1"),
            (Scale::Linear, Unit::Micros, [0.0, 5_000.0], Ends::Sideways, "0, 1 ms, 2 ms, 3 ms, 4 ms, 5 ms"),
            (Scale::Linear, Unit::Share, [0.2, 0.99], Ends::Upwards, "0 %, 20 %, 40 %, 60 %, 80 %, 100 %"),
            (Scale::Linear, Unit::Count, [7.0, 7.0], Ends::Exact, "4, 6, 8, 10"),
        ] {
            assert_eq!(labels(scale, unit, values, ends).join(", "), wanted, "{values:?} {unit:?}");
        }
    }

    #[test]
    fn what_a_logarithm_does_not_know_is_left_out() {
        let axis = Axis { label: String::new(), unit: Unit::Count, scale: Scale::Log };
        let ruler = Ruler::new(&axis, [0.0, -1.0, f64::NAN, 1.0, 100.0], Ends::Exact).within(0.0, 100.0);
        assert_eq!((ruler.at(0.0), ruler.at(f64::NAN)), (None, None));
        assert!((ruler.at(10.0).unwrap() - 50.0).abs() < 1e-9);
        assert_eq!([ruler.at_most(0.0), ruler.at_most(1e9), ruler.at_most(f64::INFINITY)], [0.0, 100.0, 100.0]);
    }

    #[test]
    fn nothing_to_draw_still_has_a_side() {
        for scale in [Scale::Linear, Scale::Log] {
            let axis = Axis { label: String::new(), unit: Unit::Count, scale };
            let ruler = Ruler::new(&axis, [], Ends::Upwards).within(0.0, 100.0);
            assert!(ruler.at(1.0).is_some_and(f64::is_finite), "{scale:?}");
            assert!(!ruler.ticks(5).is_empty(), "{scale:?}");
        }
    }
}
