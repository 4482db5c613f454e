//! The sessions of one subject, to show him.

use std::fmt;
use std::time::Duration;

use hallway_core::{Codec, Result, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::create::checked_subject;
use crate::handle::Handle;
use crate::index::Index;
use crate::record::Record;
use crate::sessions::Sessions;

/// One of a subject's sessions.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// What to call it, in a form for example. Compare with [`Session::handle`](crate::Session::handle) to find the one that asks.
    pub handle: Handle,
    /// What the application called it.
    pub label: Option<String>,
    /// When it began.
    pub made: Timestamp,
    /// When it ends whatever happens.
    pub ends: Timestamp,
    /// How long ago it was last loaded, as far as the store was told: up to 60 seconds, or 5 % of the idle timeout if that is
    /// less, more than in truth. When less than the idle timeout is left until [`ends`](Self::ends), nothing is told any
    /// more, and this goes on growing.
    pub idle_for: Duration,
}

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// The live sessions of a subject, oldest first: "my devices".
    ///
    /// # Errors
    /// As for [`Sessions`].
    pub async fn list(&self, subject: &str) -> Result<Vec<Listed>> {
        let inner = &*self.inner;
        let listed = async {
            let subject = checked_subject(subject.to_owned())?;
            let index = Index::new(inner, &subject)?;
            let handles = index.read().await?.handles;
            let entries = inner.store.get_entries(&index.keys(&handles)?).await?;
            let now = inner.now().await?;
            let mut listed = Vec::with_capacity(handles.len());
            for (handle, entry) in handles.into_iter().zip(entries) {
                let Some(entry) = entry else { continue };
                let Ok(record) = Record::read(&entry.value, &handle, &inner.sealer) else { continue };
                if record.subject.as_deref() != Some(&subject) || now.earliest >= record.ends {
                    continue;
                }
                // What it was given when it was last heard of: less than the idle timeout near the end.
                let left = entry.remaining.duration().unwrap_or(inner.settings.idle);
                listed.push(Listed {
                    label: record.label.as_deref().map(str::to_owned),
                    made: record.made,
                    ends: record.ends,
                    idle_for: inner.settings.idle.saturating_sub(left),
                    handle,
                });
            }
            Ok(listed)
        };
        inner.told("list", listed).await
    }

    /// Ends the session of a handle if it is the subject's; says whether it was. For "log out this device": the handle comes
    /// back in a form, and nobody can end what is not his.
    ///
    /// # Errors
    /// As for [`delete`](Self::delete).
    pub async fn delete_listed(&self, subject: &str, handle: &Handle) -> Result<bool> {
        let inner = &*self.inner;
        let ended = async {
            match inner.find(handle).await? {
                Some(seen) if seen.record.subject.as_deref() == Some(subject) => inner.end(handle).await,
                _ => Ok(false),
            }
        };
        inner.told("delete_listed", ended).await
    }
}

/// Shows no label: people write what they like into it.
impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed")
            .field("handle", &self.handle)
            .field("made", &self.made)
            .field("ends", &self.ends)
            .field("idle_for", &self.idle_for)
            .finish_non_exhaustive()
    }
}
