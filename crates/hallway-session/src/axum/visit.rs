//! Who is asking.

use std::fmt;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use hallway_core::{Codec, ErrorKind, Json};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::devices::Listed;
use crate::handle::Handle;
use crate::id::SessionId;
use crate::load::{Incompatible, Loaded};
use crate::new::NewSession;
use crate::session::Session;

use super::refusal::{MissingLayer, Refusal};
use super::slot::{CookieChange, Known, Slot};

/// The visitor of this request: his session, if he has one, and what he may do about it.
///
/// Taking it as an argument loads the session, which begins its idle timeout anew. Several handlers and layers of one
/// request that take it see the same session, loaded once.
///
/// If the store does not answer, there is no [`session`](Self::session), and [`is_unavailable`](Self::is_unavailable) says
/// why: show what a visitor without login may see. Until the request is over, nothing that would change a session is tried.
pub struct Visit<S, C = Json> {
    slot: Arc<Slot<S, C>>,
    known: Known<S>,
}

impl<S, C> Visit<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// The session.
    #[must_use]
    pub fn session(&self) -> Option<&Session<S>> {
        match &self.known {
            Known::Live(session) => Some(session),
            _ => None,
        }
    }

    /// The data of the session.
    #[must_use]
    pub fn data(&self) -> Option<&S> {
        self.session().map(Session::data)
    }

    /// Whether the store did not answer, so that nobody knows who the visitor is.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.known, Known::Unavailable)
    }

    /// Whether there is a session that another version of the application wrote. It counts as none; a login replaces it.
    #[must_use]
    pub fn is_incompatible(&self) -> bool {
        matches!(self.known, Known::Incompatible { .. })
    }

    /// Begins a session under a new id. A session that the visitor had goes over into it, and its id is dead; so an id that
    /// somebody else gave him before is worth nothing after.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response; then the cookie is as it was.
    pub async fn login(&mut self, new: impl Into<NewSession<S>>) -> Result<(), Refusal> {
        let new = new.into();
        let sessions = self.slot.sessions.clone();
        let begun = match (&self.known, self.id()) {
            (Known::Unavailable, _) => return Err(Refusal::unavailable()),
            (Known::Live(_) | Known::Incompatible { .. }, Some(old)) => sessions.begin_in_place(&old, new).await?,
            _ => sessions.begin(new).await?,
        };
        self.become_known(begun);
        Ok(())
    }

    /// Gives the session a new id, wherever what the visitor may do changes. `false` if he has none any more.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response.
    pub async fn rotate(&mut self) -> Result<bool, Refusal> {
        let Some(id) = self.live()? else { return Ok(false) };
        let sessions = self.slot.sessions.clone();
        let Some(id) = sessions.rotate(&id).await? else { return Ok(self.is_over()) };
        // The old id is dead, so the visitor needs the new one, whatever comes of the next step.
        self.hold(id.clone());
        match sessions.peek(&id).await {
            Ok(Loaded::Live(session)) => self.know(Known::Live(Arc::new(session))),
            Ok(Loaded::Incompatible(other)) => self.know(incompatible(&other)),
            Ok(Loaded::Gone) => return Ok(self.is_over()),
            Err(error) => {
                tracing::debug!(%error, "a session that was just rotated could not be loaded");
                self.know(Known::Unavailable);
            }
        }
        Ok(true)
    }

    /// Changes the data, by compare-and-set: `change` may run several times and has no other effect. `false` if the visitor
    /// has no session any more.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response.
    pub async fn update(&mut self, change: impl FnMut(&mut S) + Send) -> Result<bool, Refusal> {
        let Some(id) = self.live()? else { return Ok(false) };
        match self.slot.sessions.update(&id, change).await? {
            Some(session) => {
                self.know(Known::Live(Arc::new(session)));
                Ok(true)
            }
            None => Ok(self.is_over()),
        }
    }

    /// Ends the session and takes the cookie away. `false` if there was none.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response: the visitor is still logged in, and is told so.
    pub async fn logout(&mut self) -> Result<bool, Refusal> {
        if self.is_unavailable() {
            return Err(Refusal::unavailable());
        }
        let Some(id) = self.id() else { return Ok(false) };
        let ended = self.slot.sessions.delete(&id).await?;
        self.slot.state().cookie = CookieChange::Remove;
        self.is_over();
        Ok(ended)
    }

    /// Ends all sessions of the visitor, on all his devices; says how many. Without a subject it is a [`logout`](Self::logout).
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response: some of the sessions may still be alive.
    pub async fn logout_everywhere(&mut self) -> Result<u64, Refusal> {
        if self.is_unavailable() {
            return Err(Refusal::unavailable());
        }
        let subject = self.subject();
        // This one first: whatever becomes of the others, it is over.
        let own = u64::from(self.logout().await?);
        match subject {
            Some(subject) => match self.slot.sessions.delete_all(&subject).await {
                Ok(others) => Ok(own + others),
                // Not "nothing was done" any more.
                Err(error) => Err(error.with_kind(ErrorKind::Indeterminate).into()),
            },
            None => Ok(own),
        }
    }

    /// The visitor's sessions, oldest first. Without a subject there are none.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response.
    pub async fn devices(&self) -> Result<Vec<Listed>, Refusal> {
        if self.is_unavailable() {
            return Err(Refusal::unavailable());
        }
        match self.subject() {
            Some(subject) => Ok(self.slot.sessions.list(&subject).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Ends one of the visitor's sessions, and nobody else's; says whether it was his and alive.
    ///
    /// # Errors
    /// A [`Refusal`] to return as the response.
    pub async fn logout_device(&mut self, handle: &Handle) -> Result<bool, Refusal> {
        if self.is_unavailable() {
            return Err(Refusal::unavailable());
        }
        if self.session().is_some_and(|session| session.handle() == handle) {
            return self.logout().await;
        }
        match self.subject() {
            Some(subject) => Ok(self.slot.sessions.delete_listed(&subject, handle).await?),
            None => Ok(false),
        }
    }

    fn subject(&self) -> Option<String> {
        match &self.known {
            Known::Live(session) => session.subject().map(str::to_owned),
            Known::Incompatible { subject } => subject.clone(),
            Known::Nobody | Known::Unavailable => None,
        }
    }

    fn id(&self) -> Option<SessionId> {
        self.slot.state().id.clone()
    }

    /// The id of a live session; `None` if there is none.
    fn live(&self) -> Result<Option<SessionId>, Refusal> {
        match self.known {
            Known::Live(_) => Ok(self.id()),
            Known::Unavailable => Err(Refusal::unavailable()),
            Known::Incompatible { .. } | Known::Nobody => Ok(None),
        }
    }

    fn know(&mut self, known: Known<S>) {
        self.slot.state().known = Some(known.clone());
        self.known = known;
    }

    fn become_known(&mut self, (id, session): (SessionId, Session<S>)) {
        self.hold(id);
        self.know(Known::Live(Arc::new(session)));
    }

    /// Gives the visitor an id with the response.
    fn hold(&self, id: SessionId) {
        let mut state = self.slot.state();
        state.cookie = CookieChange::Set(id.clone());
        state.id = Some(id);
    }

    /// The visitor has no session any more. Always `false`, to answer with.
    fn is_over(&mut self) -> bool {
        self.slot.state().id = None;
        self.know(Known::Nobody);
        false
    }
}

fn incompatible<S>(other: &Incompatible<S>) -> Known<S> {
    Known::Incompatible { subject: other.subject().map(str::to_owned) }
}

impl<S, C, A> FromRequestParts<A> for Visit<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
    A: Sync,
{
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &A) -> Result<Self, Self::Rejection> {
        let slot = Arc::clone(parts.extensions.get::<Arc<Slot<S, C>>>().ok_or(MissingLayer)?);
        let (id, known) = {
            let mut state = slot.state();
            state.is_asked = true;
            (state.id.clone(), state.known.clone())
        };
        let mut visit = Self { slot, known: Known::Nobody };
        let known = match (known, id) {
            (Some(known), _) => known,
            (None, None) => Known::Nobody,
            (None, Some(id)) => match visit.slot.sessions.load(&id).await {
                Ok(Loaded::Live(session)) => Known::Live(Arc::new(session)),
                Ok(Loaded::Incompatible(other)) => incompatible(&other),
                Ok(Loaded::Gone) => {
                    visit.is_over();
                    Known::Nobody
                }
                Err(error) => {
                    // One line for each visitor during an outage would fill the disk; the store says it once.
                    tracing::debug!(%error, "a session could not be loaded; its visitor counts as logged out for this request");
                    debug_assert_ne!(error.kind(), ErrorKind::InvalidInput);
                    Known::Unavailable
                }
            },
        };
        visit.know(known);
        Ok(visit)
    }
}

impl<S, C> fmt::Debug for Visit<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.known {
            Known::Incompatible { .. } => "Visit(incompatible)",
            Known::Live(_) => "Visit(live)",
            Known::Nobody => "Visit(nobody)",
            Known::Unavailable => "Visit(unavailable)",
        })
    }
}
