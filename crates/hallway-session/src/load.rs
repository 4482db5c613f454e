//! Finding a session, and keeping it alive by that.

use std::fmt;
use std::time::Duration;

use hallway_core::{Codec, ErrorKind, Result, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::handle::Handle;
use crate::id::SessionId;
use crate::session::{Seen, Session};
use crate::sessions::{Inner, Sessions};

/// What became of an id.
#[derive(Debug)]
#[must_use]
pub enum Loaded<S> {
    /// There is no such session: it never was, it is over, or its record was damaged, which is logged.
    Gone,
    /// There is one, but its data are not an `S`: another version of the application wrote them.
    Incompatible(Incompatible<S>),
    /// Here it is.
    Live(Session<S>),
}

impl<S> Loaded<S> {
    /// The session, if it is one that this version of the application understands. One that it does not counts as none; it
    /// stays in the store, so the visitor is logged in again once he meets the version that wrote it.
    #[must_use]
    pub fn live(self) -> Option<Session<S>> {
        match self {
            Self::Live(session) => Some(session),
            Self::Gone | Self::Incompatible(_) => None,
        }
    }
}

/// A live session whose data have another shape.
pub struct Incompatible<S> {
    handle: Handle,
    seen: Seen,
    typed: std::marker::PhantomData<fn() -> S>,
}

impl<S> Incompatible<S> {
    /// Whose session it is.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.seen.record.subject.as_deref()
    }

    /// The name of the codec that wrote the data.
    #[must_use]
    pub fn codec(&self) -> &str {
        &self.seen.record.codec
    }

    /// The data as they are stored.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.seen.record.payload
    }

    /// Goes on with other data in their place, such as `S::default()` or what could be made of the old ones. Nothing changes
    /// in the store until [`save`](Sessions::save).
    #[must_use]
    pub fn replace(self, data: S) -> Session<S> {
        Session { handle: self.handle, data, seen: self.seen }
    }
}

/// Shows no data.
impl<S> fmt::Debug for Incompatible<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incompatible")
            .field("handle", &self.handle)
            .field("codec", &self.seen.record.codec)
            .field("bytes", &self.seen.record.payload.len())
            .finish_non_exhaustive()
    }
}

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Finds a session and begins its idle timeout anew.
    ///
    /// The store is told of that only when the session would gain more than 60 seconds, or 5 % of the idle timeout if that is
    /// less; the value is not written again. If the store could not be told, the session is answered all the same, and the
    /// next load tries again.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer: nothing is known about the session, which is not the same as
    /// [`Loaded::Gone`]. Treat the visitor as logged out for this request, and write nothing.
    pub async fn load(&self, id: &SessionId) -> Result<Loaded<S>> {
        let handle = self.inner.places.handle(id);
        let inner = &*self.inner;
        inner.told("load", async { self.opened(handle.clone(), inner.find_and_slide(&handle).await?) }).await
    }

    /// Finds a session and leaves its timeout alone.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub async fn peek(&self, id: &SessionId) -> Result<Loaded<S>> {
        let handle = self.inner.places.handle(id);
        let inner = &*self.inner;
        inner.told("peek", async { self.opened(handle.clone(), inner.find(&handle).await?) }).await
    }

    /// Begins the idle timeout of a session anew, as [`load`](Self::load) does; says whether it is alive.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub async fn touch(&self, id: &SessionId) -> Result<bool> {
        let handle = self.inner.places.handle(id);
        let inner = &*self.inner;
        inner.told("touch", async { Ok(inner.find_and_slide(&handle).await?.is_some()) }).await
    }

    pub(crate) fn opened(&self, handle: Handle, seen: Option<Seen>) -> Result<Loaded<S>> {
        let Some(seen) = seen else { return Ok(Loaded::Gone) };
        let data = match seen.record.codec == C::NAME {
            true => C::decode(&seen.record.payload),
            false => Err(crate::record::damaged()),
        };
        match data {
            Ok(data) => {
                self.inner.counters.loaded.one();
                Ok(Loaded::Live(Session { handle, data, seen }))
            }
            Err(error) if error.kind() == ErrorKind::TooLarge => Err(error),
            Err(_) => {
                self.inner.counters.incompatible.one();
                Ok(Loaded::Incompatible(Incompatible { handle, seen, typed: std::marker::PhantomData }))
            }
        }
    }
}

impl Inner {
    pub(crate) async fn find_and_slide(&self, handle: &Handle) -> Result<Option<Seen>> {
        let (here, due) = (self.clock.here(), self.recent.due(handle));
        if here < due { self.find_recent(handle, here, due).await } else { self.find_and_prolong(handle, here).await }
    }

    /// A session that need not be prolonged: a plain read will do.
    async fn find_recent(&self, handle: &Handle, here: u64, due: u64) -> Result<Option<Seen>> {
        let now = self.now().await?;
        let Some(bytes) = self.store.get(&self.places.record(handle)?).await? else { return Ok(self.none()) };
        Ok(self.judged(handle, bytes, now, |record| {
            // What is left when it is due, and the time until then.
            let left = self.settings.idle - self.settings.slack() + Duration::from_millis(due - here);
            left.min(record.ends.saturating_since(now.latest))
        }))
    }

    async fn find_and_prolong(&self, handle: &Handle, here: u64) -> Result<Option<Seen>> {
        let Some(seen) = self.find(handle).await? else { return Ok(None) };
        let Some(ttl) = self.ttl(&seen.record, self.now().await?) else { return Ok(self.none()) };
        let slack = self.settings.slack();
        let gain = ttl.saturating_sub(seen.remaining);
        if gain <= slack {
            self.recent.note(handle, here + (slack - gain).as_millis() as u64);
            return Ok(Some(seen));
        }
        // Before it is sent: the timeout begins anew when it arrives.
        let here = self.clock.here();
        match self.store.touch(&self.places.record(handle)?, Ttl::After(ttl)).await {
            Ok(true) => {
                self.counters.touched.one();
                self.recent.note(handle, here + slack.as_millis() as u64);
                Ok(Some(seen))
            }
            // It ended since it was read.
            Ok(false) => Ok(self.none()),
            Err(error) => {
                self.counters.untouched.one();
                tracing::debug!(%error, "a session's idle timeout did not begin anew; the next load tries again");
                Ok(Some(seen))
            }
        }
    }
}
