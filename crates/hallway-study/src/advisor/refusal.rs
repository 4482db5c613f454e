//! Why there is no advice.

use std::fmt;

use serde::Serialize;

use super::advice::Elimination;

/// Why there is no advice, and what would help.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A number makes no sense.
    Invalid(String),
    /// Something must be said that must not be guessed.
    Missing(Vec<Missing>),
    /// Everything was ruled out.
    NothingFits(Vec<Elimination>),
}

/// What must be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What it is.
    pub what: &'static str,
    /// How to say it.
    pub how: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => f.write_str(reason),
            Self::Missing(missing) => {
                f.write_str("this must be known and not guessed:")?;
                missing.iter().try_for_each(|Missing { what, how }| write!(f, "\n  {what}: {how}"))
            }
            Self::NothingFits(eliminated) => {
                f.write_str("nothing fits; loosen one of these:")?;
                eliminated.iter().try_for_each(|out| write!(f, "\n  {}: {}", out.name, out.reason))
            }
        }
    }
}

impl std::error::Error for Refusal {}
