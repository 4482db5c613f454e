//! What a request and its response share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::SessionId;
use crate::session::Session;
use crate::sessions::Sessions;

use super::cookie::Presented;

/// One for each request, in its extensions.
pub(super) struct Slot<S, C> {
    pub(super) sessions: Sessions<S, C>,
    state: Mutex<State<S>>,
}

pub(super) struct State<S> {
    /// Who the visitor says he is, or has become during this request.
    pub(super) id: Option<SessionId>,
    /// What the store said of that; `None` until somebody asks.
    pub(super) known: Option<Known<S>>,
    pub(super) cookie: CookieChange,
    /// Whether a handler wants to know the visitor, so that the response may be his alone.
    pub(super) is_asked: bool,
}

/// What is known of the visitor.
pub(super) enum Known<S> {
    /// He has a session that another version of the application wrote.
    Incompatible {
        subject: Option<String>,
    },
    Live(Arc<Session<S>>),
    /// He has no session.
    Nobody,
    /// The store did not answer.
    Unavailable,
}

/// What the response does with the cookie.
pub(super) enum CookieChange {
    Keep,
    Remove,
    Set(SessionId),
}

impl<S, C> Slot<S, C> {
    pub(super) fn new(sessions: Sessions<S, C>, presented: Presented) -> Self {
        let (id, known) = match presented {
            Presented::Bogus | Presented::Nothing => (None, Some(Known::Nobody)),
            Presented::Id(id) => (Some(id), None),
        };
        Self { sessions, state: Mutex::new(State { id, known, cookie: CookieChange::Keep, is_asked: false }) }
    }

    /// Held for a moment, never while something is awaited.
    pub(super) fn state(&self) -> MutexGuard<'_, State<S>> {
        // Its parts are valid at every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for Known<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Incompatible { subject } => Self::Incompatible { subject: subject.clone() },
            Self::Live(session) => Self::Live(Arc::clone(session)),
            Self::Nobody => Self::Nobody,
            Self::Unavailable => Self::Unavailable,
        }
    }
}
