//! Numbers as people read them.

pub(crate) fn rounded(number: f64, places: f64) -> f64 {
    (number * places).round() / places
}

pub(crate) fn latency(micros: f64) -> String {
    match micros {
        us if us < 10.0 => format!("{us:.2} us"),
        us if us < 1_000.0 => format!("{us:.0} us"),
        us => format!("{:.2} ms", us / 1e3),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(|s| &**s)
        );
        assert_eq!(["0.42 us", "53 us", "1.50 ms"], [0.42, 53.0, 1_500.0].map(latency).each_ref().map(|s| &**s));
    }
}
