//! Where the requests come from.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::preset::{Preset, StackModel};
use super::trace::Trace;
use crate::failure::Failure;

/// What to replay.
#[derive(Debug)]
pub(crate) enum Origin {
    Preset(Preset, u64),
    Trace(PathBuf),
}

impl Origin {
    /// How many requests there are, if that is known without replaying them.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Preset(..) => None,
            Self::Trace(path) => path.is_file().then(|| Trace::length(path)).flatten(),
        }
    }

    /// Whether what is read is gone, as from a pipe or a terminal. What is not there, or a folder, is not meant:
    /// opening it will say what is wrong.
    pub(crate) fn is_pipe(&self) -> bool {
        match self {
            Self::Preset(..) => false,
            Self::Trace(path) => path.metadata().is_ok_and(|about| !about.is_file() && !about.is_dir()),
        }
    }
}

/// The requests of an [`Origin`], from the first.
#[derive(Debug)]
pub(crate) enum Source {
    Preset(Box<StackModel>),
    Trace(Trace, PathBuf),
}

impl Source {
    pub(crate) fn open(origin: &Origin) -> Result<Self, Failure> {
        match origin {
            Origin::Preset(preset, seed) => Ok(Self::Preset(Box::new(StackModel::new(*preset, *seed)))),
            Origin::Trace(path) => match Trace::open(path) {
                Ok(trace) => Ok(Self::Trace(trace, path.clone())),
                Err(error) => Err(Failure::local(format!("cannot read the trace {}", path.display()), error)),
            },
        }
    }

    /// Reads the next key into `key`; `false` at the end. Presets have no end.
    pub(crate) fn next_key(&mut self, key: &mut String) -> Result<bool, Failure> {
        match self {
            Self::Preset(model) => {
                key.clear();
                // Writing to a string cannot fail.
                let _ = write!(key, "{}", model.next_key());
                Ok(true)
            }
            Self::Trace(trace, path) => trace
                .next_key(key)
                .map_err(|error| Failure::local(format!("cannot go on with the trace {}", path.display()), error)),
        }
    }
}
