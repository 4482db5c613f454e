//! A session as it was loaded.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::Timestamp;

use crate::handle::Handle;
use crate::record::Record;

/// A session as the store had it: its data to read and change, and what [`save`](crate::Sessions::save) needs to notice
/// that another request has changed it meanwhile.
///
/// Changing the data changes nothing in the store.
#[derive(Clone)]
pub struct Session<S> {
    pub(crate) handle: Handle,
    pub(crate) data: S,
    pub(crate) seen: Seen,
}

/// What the store holds.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) record: Record,
    pub(crate) bytes: Bytes,
    pub(crate) remaining: Duration,
}

impl<S> Session<S> {
    /// What the application keeps in it.
    #[must_use]
    pub fn data(&self) -> &S {
        &self.data
    }

    /// The same to change.
    pub fn data_mut(&mut self) -> &mut S {
        &mut self.data
    }

    /// The data alone.
    #[must_use]
    pub fn into_data(self) -> S {
        self.data
    }

    /// Whose it is.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.seen.record.subject.as_deref()
    }

    /// What it is called in a list of its subject's sessions.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.seen.record.label.as_deref()
    }

    /// What to call it where its id must not be seen.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// When it began, by the store's clock.
    #[must_use]
    pub fn made(&self) -> Timestamp {
        self.seen.record.made
    }

    /// When it ends whatever happens: the absolute timeout, by the store's clock.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.seen.record.ends
    }

    /// How long it would have lived without this load and any other: the rest of the idle timeout.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.seen.remaining
    }
}

/// Shows neither data nor subject.
impl<S> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("handle", &self.handle)
            .field("revision", &self.seen.record.revision)
            .field("remaining", &self.seen.remaining)
            .finish_non_exhaustive()
    }
}
