//! What the program `controls` finds: whether a study here says `equal` of one backend measured twice, and finds one that
//! is slower.

use hallway_study::report::{StudyMode, Verdict};
use serde::{Deserialize, Serialize};

use crate::machine::Origin;

/// Some studies, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// Where, when and how.
    #[serde(flatten)]
    pub origin: Origin,
    /// As which study they measured.
    pub mode: StudyMode,
    /// How many rounds each had.
    pub rounds: u32,
    /// Which cores they and their servers ran on.
    pub placement: String,
    /// What was measured.
    pub backends: Vec<String>,
    /// By which share of its own time one backend was told as slower: exactly that, because nothing is done for longer.
    pub slower_by: f64,
    /// One by one.
    pub studies: Vec<Control>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// By which share one backend measured twice differed.
    pub noise: f64,
    /// What was said of one backend measured twice.
    pub same: Verdict,
    /// What was said of the backend and the one that was told as slower.
    pub slower: Verdict,
    /// Whether the one that was not was said to win.
    pub found: bool,
    /// How many times as long the slower one took over all points, 95 % interval.
    pub times: [f64; 2],
}

impl Controls {
    /// In how many studies one backend measured twice was said to be equal.
    #[must_use]
    pub fn equal(&self) -> usize {
        self.studies.iter().filter(|one| one.same == Verdict::Equal).count()
    }

    /// In how many the slower one was found by the verdict, at every point.
    #[must_use]
    pub fn found(&self) -> usize {
        self.studies.iter().filter(|one| one.found).count()
    }

    /// In how many it was found over all points, by which a study warns that it sees no small differences.
    #[must_use]
    pub fn found_on_the_whole(&self) -> usize {
        self.studies.iter().filter(|one| one.times[0] > 1.0).count()
    }
}
