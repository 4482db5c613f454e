//! Changing what a session holds, never bringing it back.

use bytes::Bytes;
use hallway_core::{Codec, Result, SetOptions, SetOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::SessionId;
use crate::load::Loaded;
use crate::record::{Record, other_shape};
use crate::session::{Seen, Session};
use crate::sessions::{Inner, Sessions};
use crate::turns::ATTEMPTS;

/// What became of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Saved {
    /// Nothing was written: another request has changed the session since it was loaded. Load it again.
    Conflict,
    /// Nothing was written: the session is over.
    Gone,
    /// The store has the new data, and the idle timeout begins anew.
    Written,
}

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Writes the data of a session over what was loaded, if nobody has changed it meanwhile.
    ///
    /// # Errors
    /// As for [`Sessions`]. After `Indeterminate` load the session again to see whether it was written.
    pub async fn save(&self, session: &mut Session<S>) -> Result<Saved> {
        let inner = &*self.inner;
        inner.told("save", self.try_save(session)).await
    }

    /// As [`save`](Self::save); where another request came first, `merge` makes one of its own data and theirs, as often as
    /// needed. It has no other effect.
    ///
    /// # Errors
    /// As for [`save`](Self::save); `Conflict` if others came first 20 times, `Corrupt` if what they wrote is no `S`.
    pub async fn save_or_merge<F>(&self, session: &mut Session<S>, mut merge: F) -> Result<Saved>
    where
        F: FnMut(&S, S) -> S + Send,
    {
        let inner = &*self.inner;
        let merged = async {
            let _turn = inner.turn(session.handle().bytes()).await;
            for attempt in 0..ATTEMPTS {
                match self.try_save(session).await? {
                    Saved::Conflict => {}
                    done => return Ok(done),
                }
                inner.step_back(attempt).await;
                let Some(theirs) = self.current(session.handle()).await? else { return Ok(Saved::Gone) };
                let Session { handle, data, seen } = theirs;
                *session = Session { handle, data: merge(&session.data, data), seen };
            }
            Err(inner.contended())
        };
        inner.told("save", merged).await
    }

    /// Loads a session, changes its data and saves them, again from the start when another request comes between: so
    /// `change` may run several times and has no other effect. `None` if the session is over.
    ///
    /// # Errors
    /// As for [`save_or_merge`](Self::save_or_merge).
    pub async fn update<F>(&self, id: &SessionId, mut change: F) -> Result<Option<Session<S>>>
    where
        F: FnMut(&mut S) + Send,
    {
        let inner = &*self.inner;
        let handle = inner.places.handle(id);
        let updated = async {
            let _turn = inner.turn(handle.bytes()).await;
            for attempt in 0..ATTEMPTS {
                let Some(mut session) = self.current(&handle).await? else { return Ok(None) };
                change(&mut session.data);
                match self.try_save(&mut session).await? {
                    Saved::Written => return Ok(Some(session)),
                    Saved::Gone => return Ok(None),
                    Saved::Conflict => inner.step_back(attempt).await,
                }
            }
            Err(inner.contended())
        };
        inner.told("update", updated).await
    }

    async fn try_save(&self, session: &mut Session<S>) -> Result<Saved> {
        let payload = self.encode(&session.data)?;
        let (saved, seen) = self.inner.replace(&session.handle, &session.seen, C::NAME, payload).await?;
        if let Some(seen) = seen {
            session.seen = seen;
        }
        Ok(saved)
    }

    /// The session as it is now.
    pub(crate) async fn current(&self, handle: &crate::Handle) -> Result<Option<Session<S>>> {
        match self.opened(handle.clone(), self.inner.find(handle).await?)? {
            Loaded::Live(session) => Ok(Some(session)),
            Loaded::Gone => Ok(None),
            Loaded::Incompatible(_) => Err(other_shape()),
        }
    }
}

impl Inner {
    /// Puts data in the place of what was seen.
    pub(crate) async fn replace(
        &self,
        handle: &crate::Handle,
        seen: &Seen,
        codec: &str,
        payload: Bytes,
    ) -> Result<(Saved, Option<Seen>)> {
        let record = Record {
            codec: codec.to_owned(),
            revision: seen.record.revision.saturating_add(1),
            payload,
            ..seen.record.clone()
        };
        let bytes = record.write(handle, &self.sealer)?;
        let Some(ttl) = self.ttl(&record, self.now().await?) else {
            self.counters.gone.one();
            return Ok((Saved::Gone, None));
        };
        let key = self.places.record(handle)?;
        let opts = SetOptions::new(ttl).if_equals(seen.bytes.clone());
        if self.store.set(&key, bytes.clone(), opts).await? == SetOutcome::Written {
            self.counters.saved.one();
            return Ok((Saved::Written, Some(Seen { record, bytes, remaining: ttl })));
        }
        if self.store.get(&key).await?.is_some() {
            self.counters.conflicts.one();
            return Ok((Saved::Conflict, None));
        }
        self.counters.gone.one();
        Ok((Saved::Gone, None))
    }
}
