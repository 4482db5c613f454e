//! The beginning of a session.

use bytes::Bytes;
use hallway_core::{Codec, Error, ErrorKind, Key, Result, SetOptions, SetOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::after;
use crate::handle::Handle;
use crate::id::SessionId;
use crate::index::Index;
use crate::new::NewSession;
use crate::record::Record;
use crate::session::{Seen, Session};
use crate::sessions::{Inner, Sessions};

/// The longest subject in bytes.
const MAX_SUBJECT: usize = 1_024;

/// The longest label in bytes.
const MAX_LABEL: usize = 256;

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Begins a session and gives the id that its visitor is to hold.
    ///
    /// One with a subject is answered when it stands in the list of its subject's sessions, so that
    /// [`delete_all`](Self::delete_all) will find it. Where the subject has as many as allowed, the oldest ends.
    ///
    /// # Errors
    /// As for [`Sessions`]. After an error there is no session, or none that anybody can find.
    pub async fn create(&self, new: impl Into<NewSession<S>>) -> Result<SessionId> {
        self.begin(new.into()).await.map(|(id, _)| id)
    }

    /// As [`create`](Self::create), and gives the session too.
    pub(crate) async fn begin(&self, new: NewSession<S>) -> Result<(SessionId, Session<S>)> {
        let inner = &*self.inner;
        let NewSession { data, subject, label } = new;
        let begun = async { inner.create(C::NAME, self.encode(&data)?, subject, label).await };
        let (id, seen) = inner.told("create", begun).await?;
        Ok((id.clone(), Session { handle: inner.places.handle(&id), data, seen }))
    }
}

impl Inner {
    async fn create(
        &self,
        codec: &str,
        payload: Bytes,
        subject: Option<String>,
        label: Option<String>,
    ) -> Result<(SessionId, Seen)> {
        let subject = subject.map(checked_subject).transpose()?;
        let now = self.now().await?;
        let record = Record {
            codec: codec.to_owned(),
            revision: 0,
            made: now.earliest,
            ends: after(now.earliest, self.settings.absolute),
            subject: subject.map(Into::into),
            label: label.map(|label| shortened(&label).into()),
            payload,
        };
        // Only an absolute timeout shorter than the way to the store is over so soon.
        let begun = self.place(record, None).await?.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "the store took longer to answer than a session may live at most")
        })?;
        self.counters.created.one();
        Ok(begun)
    }

    /// Writes a record under a new id and into the list of its subject; `None` if its absolute timeout has come. After an
    /// error nothing is left of it, or nothing that anybody can find.
    pub(crate) async fn place(&self, record: Record, replaces: Option<&Handle>) -> Result<Option<(SessionId, Seen)>> {
        let id = SessionId::from_random(&self.random)?;
        let handle = self.places.handle(&id);
        let bytes = record.write(&handle, &self.sealer)?;
        let key = self.places.record(&handle)?;
        let Some(ttl) = self.ttl(&record, self.now().await?) else { return Ok(None) };
        match self.store.set(&key, bytes.clone(), SetOptions::new(ttl).if_absent()).await {
            Ok(SetOutcome::Written) => {}
            // 2^-256: more likely something is wrong with the random source, and that must not be papered over.
            Ok(SetOutcome::ConditionNotMet) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "a new session id is taken: the random source repeats itself",
                )
                .with_retryable(false));
            }
            Err(error) => {
                self.clean_up(&key, &error).await;
                return Err(error);
            }
        }
        if let Some(subject) = &record.subject
            && let Err(error) = Index::new(self, subject)?.add(&handle, replaces).await
        {
            // `delete_all` could not find it.
            self.clean_up(&key, &error).await;
            return Err(error);
        }
        Ok(Some((id, Seen { record, bytes, remaining: ttl })))
    }

    /// Removes a record whose id nobody was told.
    async fn clean_up(&self, key: &Key, why: &Error) {
        if let Err(error) = self.store.delete(key).await {
            tracing::debug!(%error, %why, "a session that was not to be could not be removed; it ends by its idle timeout");
        }
    }
}

/// A subject that can be kept.
pub(crate) fn checked_subject(subject: String) -> Result<String> {
    if subject.is_empty() || subject.len() > MAX_SUBJECT {
        return Err(Error::invalid_input(format!(
            "a subject has 1 to {MAX_SUBJECT} bytes; leave it out for a session of nobody"
        )));
    }
    Ok(subject)
}

/// A label is for people: what does not fit is cut off, between characters.
pub(crate) fn shortened(label: &str) -> &str {
    &label[..label.floor_char_boundary(MAX_LABEL)]
}
