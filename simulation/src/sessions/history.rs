//! What was seen.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use hallway_session::{Handle, SessionId};
use serde::{Deserialize, Serialize};

/// What the sessions hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Data {
    /// The same from login to logout, whatever the id.
    pub(super) lineage: u64,
    pub(super) owner: u64,
    /// How often it was changed.
    pub(super) count: u64,
}

/// An id that was given away.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) id: SessionId,
    pub(super) handle: Handle,
    pub(super) lineage: u64,
    pub(super) owner: u64,
}

/// What became of a call. `None` in the answers stands for an error: it may have happened.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Create {
        given: Option<usize>,
    },
    Load {
        id: usize,
        seen: Option<Option<Data>>,
    },
    Touch {
        id: usize,
        alive: Option<bool>,
    },
    /// `update`, or `load` and `save`: one more in the count.
    Change {
        id: usize,
        done: Option<Changed>,
        seen: Option<Data>,
    },
    /// `changes` says whether it counts as a change too.
    Rotate {
        id: usize,
        given: Option<Option<usize>>,
        changes: bool,
    },
    /// A session in the place of another.
    Login {
        old: usize,
        given: Option<usize>,
    },
    Delete {
        id: usize,
        ended: Option<bool>,
    },
    /// Of the subject, but for the session of `keep`.
    DeleteAll {
        owner: u64,
        keep: Option<usize>,
        ended: bool,
    },
    List {
        owner: u64,
        seen: Option<Vec<Handle>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// Another came first, and nothing was written.
    Lost,
    Gone,
    Yes,
}

/// A call with the moments of its beginning and its end. Moments are counted, not measured: of two that do not overlap the
/// order is known.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) call: Call,
}

/// What all actors write into.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    moment: AtomicU64,
    given: Mutex<Vec<Given>>,
    events: Mutex<Vec<Event>>,
}

/// One run.
#[derive(Debug)]
pub(super) struct History {
    pub(super) seed: u64,
    pub(super) given: Vec<Given>,
    pub(super) events: Vec<Event>,
    /// Whether a subject could have so many sessions that the oldest is ended.
    pub(super) evicts: bool,
    /// Whether replies were lost and calls refused.
    pub(super) is_faulty: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls.
    pub calls: u64,
    /// Calls that found a live session.
    pub live: u64,
    /// Calls that found none.
    pub gone: u64,
    /// Calls of unknown outcome.
    pub unknown: u64,
    /// Ids given by rotations.
    pub rotated: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.live += other.live;
        self.gone += other.gone;
        self.unknown += other.unknown;
        self.rotated += other.rotated;
    }
}

impl Recorder {
    /// A moment after all that have ended and before all that begin later.
    pub(super) fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn note(&self, begun: u64, call: Call) {
        let event = Event { begun, ended: self.moment(), call };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Makes an id known to all actors; says its number.
    pub(super) fn give(&self, given: Given) -> usize {
        let mut all = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(given);
        all.len() - 1
    }

    pub(super) fn count(&self) -> usize {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn given(&self, number: usize) -> Given {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)[number].clone()
    }

    pub(super) fn finish(&self, seed: u64, evicts: bool, is_faulty: bool) -> History {
        let mut events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        events.sort_by_key(|event| event.begun);
        let given = std::mem::take(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner));
        History { seed, given, events, evicts, is_faulty }
    }
}
