//! Quantities as people write them: a number and its unit.

use std::str::FromStr;

use serde::Deserialize;

/// Requests per second, from `2000/s`, `1.5k/s`, `90/min` or `10/h`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate(pub f64);

/// A share between 0 and 1, from `1%` or `0.01`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share(pub f64);

/// Bytes, from `400`, `400B`, `64MiB` or `1.5kB`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub f64);

/// Microseconds, from `300us`, `1.1ms`, `2s`, `5min`, `1h` or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "a rate is a number with a unit, such as 2000/s, 1.5k/s or 90/min";
        let (amount, per) = text.trim().split_once('/').ok_or_else(|| FORM.to_owned())?;
        let seconds = match per.trim() {
            "s" | "sec" | "second" => 1.0,
            "min" | "minute" => 60.0,
            "h" | "hour" => 3_600.0,
            _ => return Err(FORM.to_owned()),
        };
        quantity(amount, &[("", 1.0), ("k", 1e3), ("M", 1e6)], FORM).map(|amount| Self(amount / seconds))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "a share is 0% to 100%, such as 1% or 0.01";
        let share = quantity(text, &[("", 1.0), ("%", 0.01)], FORM)?;
        if share <= 1.0 { Ok(Self(share)) } else { Err(FORM.to_owned()) }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, f64); 8] = [
            ("", 1.0),
            ("B", 1.0),
            ("kB", 1e3),
            ("MB", 1e6),
            ("GB", 1e9),
            ("KiB", 1_024.0),
            ("MiB", 1_048_576.0),
            ("GiB", 1_073_741_824.0),
        ];
        quantity(text, &UNITS, "a size is bytes or has a unit, such as 400, 4KiB or 64MiB").map(Self)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, f64); 8] = [
            ("ns", 1e-3),
            ("us", 1.0),
            ("µs", 1.0),
            ("ms", 1e3),
            ("s", 1e6),
            ("min", 6e7),
            ("h", 3.6e9),
            ("d", 8.64e10),
        ];
        if text.trim() == "0" {
            return Ok(Self(0.0));
        }
        quantity(text, &UNITS, "a duration has a unit, such as 300us, 1.1ms, 2s or 5min; or 0").map(Self)
    }
}

/// Reads a number of at least zero and its unit.
fn quantity(text: &str, units: &[(&str, f64)], form: &str) -> Result<f64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().map_err(|_| form.to_owned())?;
    let factor = units.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(|| form.to_owned())?.1;
    if number.is_finite() { Ok(number * factor) } else { Err(form.to_owned()) }
}

macro_rules! try_from_string {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}
try_from_string!(Rate, Share, Size, Span);

/// `0.061 us`, `1.1 ms`, `2 s`: microseconds for people.
pub(super) fn time(us: f64) -> String {
    match us {
        0.0 => "0".to_owned(),
        us if us < 1.0 => format!("{} ns", digits(us * 1e3)),
        us if us < 1e3 => format!("{} us", digits(us)),
        us if us < 1e6 => format!("{} ms", digits(us / 1e3)),
        us if us < 3.6e9 => format!("{} s", digits(us / 1e6)),
        us => format!("{} h", digits(us / 3.6e9)),
    }
}

/// A number with thousands set apart where it is large, and with three digits that say something.
pub(super) fn count(number: f64) -> String {
    if number < 1e3 {
        return digits(number);
    }
    let plain = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share as per cent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

/// Bytes with a binary unit.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1_024.0 => format!("{} B", digits(b)),
        b if b < 1_048_576.0 => format!("{} KiB", digits(b / 1_024.0)),
        b if b < 1_073_741_824.0 => format!("{} MiB", digits(b / 1_048_576.0)),
        b => format!("{} GiB", digits(b / 1_073_741_824.0)),
    }
}

/// Three digits that say something, without zeros at the end.
pub(super) fn digits(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let places = (2 - number.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        assert_eq!("2000/s".parse(), Ok(Rate(2_000.0)));
        assert_eq!("1.5k/s".parse(), Ok(Rate(1_500.0)));
        assert_eq!("90/min".parse(), Ok(Rate(1.5)));
        assert_eq!("1%".parse(), Ok(Share(0.01)));
        assert_eq!("0.25".parse(), Ok(Share(0.25)));
        assert_eq!("400".parse(), Ok(Size(400.0)));
        assert_eq!("64MiB".parse(), Ok(Size(67_108_864.0)));
        assert_eq!("1.1ms".parse(), Ok(Span(1_100.0)));
        assert_eq!("300us".parse(), Ok(Span(300.0)));
        assert_eq!("0".parse(), Ok(Span(0.0)));
    }

    #[test]
    fn what_has_none_is_refused_with_the_form() {
        for (error, form) in [
            ("2000".parse::<Rate>().unwrap_err(), "2000/s"),
            ("-1/s".parse::<Rate>().unwrap_err(), "2000/s"),
            ("101%".parse::<Share>().unwrap_err(), "0% to 100%"),
            ("5 stones".parse::<Size>().unwrap_err(), "64MiB"),
            ("5".parse::<Span>().unwrap_err(), "1.1ms"),
            ("".parse::<Span>().unwrap_err(), "1.1ms"),
        ] {
            assert!(error.contains(form), "{error}");
        }
    }

    #[test]
    fn numbers_are_written_with_three_digits() {
        assert_eq!(time(1_100.0), "1.1 ms");
        assert_eq!(time(0.061_23), "61.2 ns");
        assert_eq!(time(2e6), "2 s");
        assert_eq!(count(76_349.0), "76,349");
        assert_eq!(count(0.5), "0.5");
        assert_eq!(percent(0.004), "0.4 %");
        assert_eq!(bytes(67_108_864.0), "64 MiB");
        assert_eq!(digits(100.0), "100");
    }
}
