//! Where random bytes come from.

use std::fmt;
use std::sync::Arc;

use hallway_core::{Error, ErrorKind, Result};

type Fill = dyn Fn(&mut [u8]) -> Result<()> + Send + Sync;

/// The operating system, unless a test put something else in its place.
#[derive(Clone)]
pub(crate) struct Random(Arc<Fill>);

impl Random {
    pub(crate) fn from_fn(fill: impl Fn(&mut [u8]) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        (self.0)(bytes)
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::from_fn(|bytes| {
            getrandom::fill(bytes).map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the operating system gives no random bytes")
                    .at("sessions", "random")
                    .with_source(error)
            })
        })
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
