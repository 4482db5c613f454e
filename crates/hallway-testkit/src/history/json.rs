//! Histories as JSON, for other checkers.

use serde::{Deserialize, Serialize};

use super::{History, Operation};

/// The version of the shape that [`History::to_json`] writes.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    operations: &'a [Operation],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    format: u32,
    operations: Vec<Operation>,
}

impl History {
    /// The history as JSON:
    ///
    /// ```
    /// # use hallway_testkit::history::{History, Input, Operation, Output};
    /// # let operations = vec![
    /// #     Operation::new(0, "a", 10, 25, Input::CompareAndSet { expected: None, new: 7 }, Output::Applied(true)).with_ttl(1_000),
    /// #     Operation::new(1, "a", 30, 31, Input::Read, Output::Value(Some(7))).cached(),
    /// #     Operation::unknown(0, "n", 40, Input::Increment(2)),
    /// # ];
    /// # let history = History { operations };
    /// let text = r#"{"format":1,"operations":[
    ///   {"process":0,"key":"a","call":10,"ret":25,"input":{"compare_and_set":{"expected":null,"new":7}},"output":{"applied":true},"ttl":1000},
    ///   {"process":1,"key":"a","call":30,"ret":31,"input":"read","output":{"value":7},"cached":true},
    ///   {"process":0,"key":"n","call":40,"ret":null,"input":{"increment":2},"output":"unknown"}
    /// ]}"#;
    /// assert_eq!(History::from_json(text).unwrap(), history);
    /// assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
    /// ```
    ///
    /// - `call`, `ret`, `ttl`: microseconds; `ret` is `null` where the outcome is unknown.
    /// - `input`: `"read"`, `"take"`, `"delete"`, `{"write":v}`, `{"set_if_absent":v}`, `{"set_if_present":v}`,
    ///   `{"increment":by}`, `{"compare_and_set":{"expected":v or null,"new":v}}`.
    /// - `output`: `"done"`, `"unknown"`, `{"applied":bool}`, `{"value":v or null}`.
    /// - `cached` is left out where false, `ttl` where there is none.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Written { format: FORMAT, operations: &self.operations })
            .expect("numbers, flags and strings can always be written")
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// Text that is not of this shape, or of another [`FORMAT`].
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let read: Read = serde_json::from_str(text)?;
        if read.format != FORMAT {
            let message = format!("a history of format {} cannot be read, only of {FORMAT}", read.format);
            return Err(serde::de::Error::custom(message));
        }
        Ok(Self { operations: read.operations })
    }
}
