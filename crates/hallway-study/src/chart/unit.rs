//! Numbers as people write them.

use crate::chart::Unit;

const KIBI: f64 = 1_024.0;

impl Unit {
    /// The number with its unit, to three significant digits: `4 KiB`, `1.2 ms`, `93 %`; `n/a` where it is not finite.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        if !value.is_finite() {
            return "n/a".into();
        }
        match self {
            Self::Bytes => scaled(value, KIBI, &[" B", " KiB", " MiB", " GiB", " TiB"]),
            // What is counted and has four figures is written with all of them: 4096 is not 4.1 k.
            Self::Count if value.fract() == 0.0 && value.abs() < 1e4 && value % 100.0 != 0.0 => format!("{value:.0}"),
            Self::Count => scaled(value, 1e3, &["", " k", " M", " G"]),
            Self::Micros => time(value * 1e3),
            Self::Nanos => time(value),
            Self::PerSecond => scaled(value, 1e3, &["/s", " k/s", " M/s", " G/s"]),
            Self::Ratio => digits(value),
            Self::Seconds => time(value * 1e9),
            Self::Share => format!("{} %", digits(value * 100.0)),
        }
    }
}

impl Unit {
    /// The unit that a name ends with: `value_bytes`, `rtt_us`, `median_ns`, `ttl_s`, `hit_ratio`, `stale_share`,
    /// `reads_per_s`; else a count.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let ends = [
            ("bytes", Self::Bytes),
            ("ns", Self::Nanos),
            ("us", Self::Micros),
            ("per_s", Self::PerSecond),
            ("s", Self::Seconds),
            ("ratio", Self::Ratio),
            ("share", Self::Share),
        ];
        let is_end = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
        ends.into_iter().find(|(end, _)| is_end(end)).map_or(Self::Count, |(_, unit)| unit)
    }
}

/// Below a nanosecond too: a cost per byte may be.
fn time(nanos: f64) -> String {
    if nanos == 0.0 {
        return "0".into();
    }
    scaled(nanos, 1e3, &[" ns", " us", " ms", " s"])
}

/// In the largest unit of the list of which there is at least one.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut at = 0;
    // Rounded before it is compared, so that 999.9 does not become `1000`.
    while at + 1 < units.len() && significant(value).abs() >= step {
        value /= step;
        at += 1;
    }
    format!("{}{}", digits(value), units[at])
}

/// To three significant digits; whole numbers below 10,000 stay as they are.
fn significant(value: f64) -> f64 {
    if value == 0.0 || (value.fract() == 0.0 && value.abs() < 1e4) {
        return value;
    }
    let unit = 10_f64.powf(value.abs().log10().floor() - 2.0);
    (value / unit).round() * unit
}

/// To three significant digits, without zeros at the end.
pub(crate) fn digits(value: f64) -> String {
    let value = significant(value);
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs().log10().floor();
    if !(-6.0..15.0).contains(&size) {
        return format!("{value:.2e}");
    }
    let places = (2.0 - size).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_in_the_name() {
        for (name, unit) in [
            ("value_bytes", Unit::Bytes),
            ("rtt_us", Unit::Micros),
            ("median_ns", Unit::Nanos),
            ("ttl_s", Unit::Seconds),
            ("reads_per_s", Unit::PerSecond),
            ("hit_ratio", Unit::Ratio),
            ("stale_share", Unit::Share),
            ("instances", Unit::Count),
            ("reads", Unit::Count),
        ] {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
    }

    #[test]
    fn numbers_are_written_in_the_unit_that_fits() {
        for (unit, value, wanted) in [
            (Unit::Bytes, 64.0, "64 B"),
            (Unit::Bytes, 4_096.0, "4 KiB"),
            (Unit::Bytes, 1_048_576.0, "1 MiB"),
            (Unit::Bytes, 23_300.0, "22.8 KiB"),
            (Unit::Count, 12.0, "12"),
            (Unit::Count, 1_234.5, "1.23 k"),
            (Unit::Count, 4_096.0, "4096"),
            (Unit::Count, 3_000.0, "3 k"),
            (Unit::Count, 3e6, "3 M"),
            (Unit::Count, 0.0, "0"),
            (Unit::Micros, 0.25, "250 ns"),
            (Unit::Micros, 1.2, "1.2 us"),
            (Unit::Micros, 3_000.0, "3 ms"),
            (Unit::Micros, 999.96, "1 ms"),
            (Unit::Nanos, 61_234.0, "61.2 us"),
            (Unit::Nanos, 0.41, "0.41 ns"),
            (Unit::Seconds, 2.0, "2 s"),
            (Unit::Seconds, 0.05, "50 ms"),
            (Unit::PerSecond, 1_200.0, "1.2 k/s"),
            (Unit::PerSecond, 10.0, "10/s"),
            (Unit::Ratio, 0.93, "0.93"),
            (Unit::Ratio, 18.24, "18.2"),
            (Unit::Ratio, -1.5, "-1.5"),
            (Unit::Ratio, 1_530.0, "1530"),
            (Unit::Share, 0.93, "93 %"),
            (Unit::Share, 0.004, "0.4 %"),
            (Unit::Share, 1.0, "100 %"),
            (Unit::Share, f64::NAN, "n/a"),
            (Unit::Nanos, f64::INFINITY, "n/a"),
        ] {
            assert_eq!(unit.text(value), wanted, "{value} {unit:?}");
        }
    }
}
