//! The end of sessions.

use hallway_core::{Codec, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::create::checked_subject;
use crate::handle::Handle;
use crate::id::SessionId;
use crate::index::Index;
use crate::record::Record;
use crate::sessions::{Inner, Sessions};
use crate::turns::ATTEMPTS;

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Ends a session: logout. Says whether it was alive. Every later load, on every instance, finds it gone.
    ///
    /// # Errors
    /// As for [`Sessions`]; the session may then still be alive. It does no harm to call it again.
    pub async fn delete(&self, id: &SessionId) -> Result<bool> {
        let inner = &*self.inner;
        inner.told("delete", inner.end(&inner.places.handle(id))).await
    }

    /// Ends all sessions of a subject: log out everywhere. Says how many were alive.
    ///
    /// Every session whose id was given away before the call is over when it returns. One that begins meanwhile may end or
    /// stay.
    ///
    /// # Errors
    /// As for [`Sessions`]; some may then still be alive. `Conflict` if sessions kept beginning. Call it again.
    pub async fn delete_all(&self, subject: &str) -> Result<u64> {
        let inner = &*self.inner;
        inner.told("delete_all", inner.end_all(subject, None)).await
    }

    /// As [`delete_all`](Self::delete_all), but for the session of this id.
    ///
    /// # Errors
    /// As for [`delete_all`](Self::delete_all).
    pub async fn delete_others(&self, subject: &str, keep: &SessionId) -> Result<u64> {
        let inner = &*self.inner;
        let keep = inner.places.handle(keep);
        inner.told("delete_others", inner.end_all(subject, Some(&keep))).await
    }
}

impl Inner {
    pub(crate) async fn end(&self, handle: &Handle) -> Result<bool> {
        let Some(bytes) = self.store.take(&self.places.record(handle)?).await? else { return Ok(false) };
        self.counters.deleted.one();
        // One that cannot be read is not in any list that could be found.
        if let Ok(record) = Record::read(&bytes, handle, &self.sealer)
            && let Some(subject) = &record.subject
        {
            Index::new(self, subject)?.forget(std::slice::from_ref(handle)).await;
        }
        Ok(true)
    }

    async fn end_all(&self, subject: &str, keep: Option<&Handle>) -> Result<u64> {
        let subject = checked_subject(subject.to_owned())?;
        let index = Index::new(self, &subject)?;
        let mut ended = 0;
        let _turn = index.turn().await;
        for attempt in 0..ATTEMPTS {
            let mut listing = index.read().await?;
            let (kept, doomed): (Vec<_>, Vec<_>) = listing.handles.drain(..).partition(|handle| keep == Some(handle));
            if doomed.is_empty() {
                return Ok(ended);
            }
            // Records first: a process that dies here leaves the list, and the next call finds the rest in it.
            let gone = index.end(&doomed).await?;
            self.counters.deleted.add(gone);
            ended += gone;
            listing.handles = kept;
            // Nobody has entered one meanwhile: then there is none that was not ended.
            if index.write(&listing).await? {
                return Ok(ended);
            }
            self.step_back(attempt).await;
        }
        Err(self.contended())
    }
}
