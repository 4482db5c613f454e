//! How a sentence speaks of an axis.

use crate::chart::Unit;

/// What goes before and after a number: the round trip is longer than `140 us`; there are more than `8` tasks.
pub(super) struct AxisWords {
    unit: Unit,
    condition: String,
    noun: &'static str,
}

impl AxisWords {
    /// The words for an axis by its name; one that is not known is spoken of by its name without the unit.
    pub(super) fn of(axis: &str) -> Self {
        let unit = Unit::of_name(axis);
        let (condition, noun) = match axis {
            "batch" => ("a call has more than", " keys"),
            "hit_ratio" => ("the hit ratio is above", ""),
            "instances" => ("there are more than", " instances"),
            "local_entries" => ("the local tier holds more than", " entries"),
            "reads_per_write" => ("there are more than", " reads per write"),
            "rtt_us" => ("the round trip is longer than", ""),
            "tasks" => ("there are more than", " tasks at once"),
            "value_bytes" => ("values are larger than", ""),
            other => return Self { unit, condition: unknown(other, unit), noun: "" },
        };
        Self { unit, condition: condition.to_owned(), noun }
    }

    /// `the round trip is longer than 140 us [110 us, 180 us]`.
    pub(super) fn above(&self, x: f64, ci: [f64; 2]) -> String {
        format!("{} {}{} {}", self.condition, self.text(x), self.noun, self.interval(ci))
    }

    /// `from 1 to 64 tasks at once`.
    pub(super) fn range(&self, [from, to]: [f64; 2]) -> String {
        format!("from {} to {}{}", self.text(from), self.text(to), self.noun)
    }

    /// `140 us`.
    pub(super) fn text(&self, x: f64) -> String {
        self.unit.text(x)
    }

    /// `[110 us, 180 us]`.
    pub(super) fn interval(&self, [low, high]: [f64; 2]) -> String {
        format!("[{}, {}]", self.text(low), self.text(high))
    }
}

fn unknown(axis: &str, unit: Unit) -> String {
    let (ends, relation): (&[&str], &str) = match unit {
        Unit::Bytes => (&["_bytes"], "is larger than"),
        Unit::Micros | Unit::Nanos | Unit::Seconds => (&["_us", "_ns", "_s"], "is longer than"),
        Unit::PerSecond => (&["_per_s"], "is above"),
        Unit::Count | Unit::Ratio | Unit::Share => (&[], "is above"),
    };
    let bare = ends.iter().find_map(|end| axis.strip_suffix(end)).unwrap_or(axis);
    format!("the {} {relation}", bare.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_has_its_words() {
        let cases = [
            ("value_bytes", 65_536.0, "values are larger than 64 KiB [64 KiB, 64 KiB]"),
            ("rtt_us", 1_400.0, "the round trip is longer than 1.4 ms [1.4 ms, 1.4 ms]"),
            ("hit_ratio", 0.56, "the hit ratio is above 0.56 [0.56, 0.56]"),
            ("tasks", 8.0, "there are more than 8 tasks at once [8, 8]"),
            ("batch", 16.0, "a call has more than 16 keys [16, 16]"),
            ("write_share", 0.2, "the write share is above 20 % [20 %, 20 %]"),
            ("database_read_us", 250.0, "the database read is longer than 250 us [250 us, 250 us]"),
            ("write_rate_per_s", 40.0, "the write rate is above 40/s [40/s, 40/s]"),
        ];
        for (axis, x, words) in cases {
            assert_eq!(AxisWords::of(axis).above(x, [x, x]), words);
        }
        assert_eq!(AxisWords::of("tasks").range([1.0, 64.0]), "from 1 to 64 tasks at once");
        assert_eq!(AxisWords::of("value_bytes").range([64.0, 262_144.0]), "from 64 B to 256 KiB");
    }
}
