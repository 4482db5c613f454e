//! Where the requests come from.

use std::fmt::Write as _;
use std::path::PathBuf;

use hallway_study::trace::{Preset, Reader, StackModel};

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
            Self::Trace(path) => path.is_file().then(|| Reader::length(path, None)).flatten(),
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
    Trace(Reader, PathBuf),
}

impl Source {
    pub(crate) fn open(origin: &Origin) -> Result<Self, Failure> {
        match origin {
            Origin::Preset(preset, seed) => Ok(Self::Preset(Box::new(StackModel::new(*preset, *seed)))),
            Origin::Trace(path) => match Reader::open(path, None) {
                Ok(reader) if reader.format().tells_operations() => Err(Failure::usage(format!(
                    "{} holds writes too, and a replay is of reads; `hallway curve` takes it as it is, and a file with a key on each line can be replayed",
                    path.display()
                ))),
                Ok(reader) => Ok(Self::Trace(reader, path.clone())),
                Err(error) => Err(Failure::local(format!("cannot read the trace {}", path.display()), error)),
            },
        }
    }

    /// Reads the next key into `key`; `false` at the end. Presets have no end.
    pub(crate) fn next_key(&mut self, key: &mut String) -> Result<bool, Failure> {
        key.clear();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Preset(model) => write!(key, "{}", model.next_key()),
            Self::Trace(reader, path) => {
                let failed = |error| Failure::local(format!("cannot go on with the trace {}", path.display()), error);
                let Some(access) = reader.next_access().map_err(failed)? else { return Ok(false) };
                write!(key, "{}", access.key)
            }
        };
        Ok(true)
    }
}
