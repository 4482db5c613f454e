//! The names of built-in streams on the command line.

use hallway_study::trace::Preset;

/// A built-in request stream.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum PresetArg {
    /// Database objects of a web shop on a busy day
    #[default]
    OrmBusy,
    /// Product pages of a web shop in December
    Web12,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::OrmBusy => Self::OrmBusy,
            PresetArg::Web12 => Self::Web12,
        }
    }
}
