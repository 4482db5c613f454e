//! A new id for a session, at login above all.

use std::fmt;
use std::sync::Arc;

use hallway_core::{Codec, DeleteIf, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::after;
use crate::create::{checked_subject, shortened};
use crate::handle::Handle;
use crate::id::SessionId;
use crate::index::Index;
use crate::new::NewSession;
use crate::record::{Record, other_shape};
use crate::session::{Seen, Session};
use crate::sessions::{Inner, Sessions};
use crate::turns::ATTEMPTS;

/// What a session is to be under its new id.
#[derive(Clone)]
#[non_exhaustive]
pub struct Draft<S> {
    /// The application's data.
    pub data: S,
    /// Whose it is. Another subject than before is a new login, for which the absolute timeout begins anew.
    pub subject: Option<String>,
    /// What lists call it.
    pub label: Option<String>,
}

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Gives a session a new id; the old one is dead. Of any number of concurrent rotations one wins, and the others, like
    /// one of a session that is over, are `None`. The absolute timeout stays, the idle one begins anew.
    ///
    /// # Errors
    /// As for [`Sessions`]. After `Indeterminate` the old id may be dead: send the visitor to the login.
    pub async fn rotate(&self, id: &SessionId) -> Result<Option<SessionId>> {
        let inner = &*self.inner;
        let old = inner.places.handle(id);
        let rotated = inner.rotate(&old, Clocks::AsSubject, |record| Ok(record.clone()));
        Ok(inner.told("rotate", rotated).await?.map(|(id, _)| id))
    }

    /// As [`rotate`](Self::rotate), and changes what the session holds and whose it is: for login, and wherever privileges
    /// change. `change` may run several times and has no other effect.
    ///
    /// # Errors
    /// As for [`rotate`](Self::rotate); `Corrupt` if the data are no `S`.
    pub async fn rotate_with<F>(&self, id: &SessionId, mut change: F) -> Result<Option<SessionId>>
    where
        F: FnMut(&mut Draft<S>) + Send,
    {
        let inner = &*self.inner;
        let change = |record: &Record| {
            let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
            if record.codec != C::NAME {
                return Err(other_shape());
            }
            let data = C::decode(&record.payload).map_err(|_| other_shape())?;
            let mut draft = Draft { data, subject: text(&record.subject), label: text(&record.label) };
            change(&mut draft);
            Ok(Record {
                codec: C::NAME.to_owned(),
                subject: draft.subject.map(checked_subject).transpose()?.map(Into::into),
                label: draft.label.map(|label| shortened(&label).into()),
                payload: C::encode(&draft.data)?,
                ..record.clone()
            })
        };
        let old = inner.places.handle(id);
        Ok(inner.told("rotate", inner.rotate(&old, Clocks::AsSubject, change)).await?.map(|(id, _)| id))
    }

    /// Begins a session in the place of the one that the visitor came with, if any: a login. What that one held is left
    /// behind, its id is dead, and both timeouts begin anew.
    ///
    /// # Errors
    /// As for [`rotate`](Self::rotate).
    pub async fn login(&self, old: Option<&SessionId>, new: impl Into<NewSession<S>>) -> Result<SessionId> {
        let new = new.into();
        match old {
            Some(old) => self.begin_in_place(old, new).await.map(|(id, _)| id),
            None => self.create(new).await,
        }
    }

    /// As [`login`](Self::login), and gives the session too.
    pub(crate) async fn begin_in_place(&self, old: &SessionId, new: NewSession<S>) -> Result<(SessionId, Session<S>)> {
        let inner = &*self.inner;
        let payload = self.encode(&new.data)?;
        let subject: Option<Arc<str>> = new.subject.clone().map(checked_subject).transpose()?.map(Into::into);
        let label: Option<Arc<str>> = new.label.as_deref().map(|label| shortened(label).into());
        let change = |record: &Record| {
            Ok(Record {
                codec: C::NAME.to_owned(),
                subject: subject.clone(),
                label: label.clone(),
                payload: payload.clone(),
                ..record.clone()
            })
        };
        let old = inner.places.handle(old);
        match inner.told("rotate", inner.rotate(&old, Clocks::Anew, change)).await? {
            Some((id, seen)) => Ok((id.clone(), Session { handle: inner.places.handle(&id), data: new.data, seen })),
            None => self.begin(new).await,
        }
    }
}

/// When the absolute timeout begins anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clocks {
    /// Whatever changes: it is a login.
    Anew,
    /// When the subject is another one than before.
    AsSubject,
}

impl Inner {
    /// The order of the steps is what keeps a session dead:
    /// 1. the new record is written, under an id that nobody knows yet;
    /// 2. it enters the list of its subject, beside the old one;
    /// 3. the old record is removed if it is still what was read: whoever does that has won;
    /// 4. the old one leaves the list.
    ///
    /// A logout before 3 takes the old record away, so 3 fails and the new one is removed. A logout everywhere between 1 and
    /// 2 removes the old record, and fails 3 too; one after 2 finds the new one in the list. A save before 3 changes the
    /// record, and the rotation begins again with what was saved.
    async fn rotate<F>(&self, old: &Handle, clocks: Clocks, mut change: F) -> Result<Option<(SessionId, Seen)>>
    where
        F: FnMut(&Record) -> Result<Record> + Send,
    {
        for attempt in 0..ATTEMPTS {
            let Some(seen) = self.find(old).await? else { return Ok(None) };
            let mut record = change(&seen.record)?;
            record.revision = 0;
            let same = record.subject == seen.record.subject;
            if !same || clocks != Clocks::AsSubject {
                let now = self.now().await?;
                record.made = now.earliest;
                record.ends = after(now.earliest, self.settings.absolute);
            }
            let Some((id, new)) = self.place(record, same.then_some(old)).await? else { return Ok(self.none()) };
            if self.retire(old, &seen, &id, &new).await? {
                self.counters.rotated.one();
                return Ok(Some((id, new)));
            }
            self.step_back(attempt).await;
        }
        Err(self.contended())
    }

    /// Removes the old record if it is what was seen; else, or if that cannot be known, the new one.
    async fn retire(&self, old: &Handle, seen: &Seen, id: &SessionId, new: &Seen) -> Result<bool> {
        let won = self.store.delete_if(&self.places.record(old)?, DeleteIf::Equals(seen.bytes.clone())).await;
        if let Ok(true) = won {
            if let Some(subject) = &seen.record.subject {
                Index::new(self, subject)?.forget(std::slice::from_ref(old)).await;
            }
            return Ok(true);
        }
        let handle = self.places.handle(id);
        let key = self.places.record(&handle)?;
        // As it was written: nobody else knows the id, but a logout everywhere may have been faster.
        if let Err(error) = self.store.delete_if(&key, DeleteIf::Equals(new.bytes.clone())).await {
            tracing::debug!(%error, "a session that was not to be could not be removed; it ends by its idle timeout");
        } else if let Some(subject) = &new.record.subject {
            Index::new(self, subject)?.forget(&[handle]).await;
        }
        won
    }
}

/// Shows neither data nor subject.
impl<S> fmt::Debug for Draft<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("has_subject", &self.subject.is_some()).finish_non_exhaustive()
    }
}
