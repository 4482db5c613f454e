//! The list of a subject's sessions.
//!
//! One entry of the store for each subject, replaced by compare-and-set. Its rule: a session is in the list before anybody
//! is told its id, and leaves it after its record is gone. So whoever ends all that he finds in the list, and then finds
//! the list as it was, has ended every session whose id was given away before. What the list names and the store no longer
//! has, is left over from a session that ended by itself; it goes when the list is next changed and full.

use bytes::Bytes;
use hallway_core::{Codec, DeleteIf, Error, Json, Key, Result, SetOptions};
use serde::{Deserialize, Serialize};

use crate::handle::Handle;
use crate::sessions::{ATTEMPTS, Inner};

/// As stored, oldest first.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    sessions: Vec<String>,
}

const VERSION: u32 = 1;

/// One subject's list.
pub(crate) struct Index<'a> {
    inner: &'a Inner,
    key: Key,
}

/// A list as it was read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Oldest first.
    pub(crate) handles: Vec<Handle>,
    /// What to compare with when it is replaced; `None` if there is none.
    seen: Option<Bytes>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(inner: &'a Inner, subject: &str) -> Result<Self> {
        Ok(Self { inner, key: inner.places.index(subject)? })
    }

    /// Which sessions there may be.
    ///
    /// # Errors
    /// `Corrupt` if the list is damaged: then nobody can say which sessions the subject has.
    pub(crate) async fn read(&self) -> Result<Listing> {
        let Some(bytes) = self.inner.store.get(&self.key).await? else { return Ok(Listing::default()) };
        let stored: Stored = Json::decode(&bytes)?;
        if stored.version != VERSION {
            return Err(
                crate::record::damaged().with_context("the list of a subject's sessions is of an unknown version")
            );
        }
        let handles = stored.sessions.iter().map(|text| Handle::parse(text).map_err(|_| crate::record::damaged()));
        Ok(Listing { handles: handles.collect::<Result<_>>()?, seen: Some(bytes) })
    }

    /// Enters a session. A full list first loses what is no longer there, then the oldest sessions, which end. `replaces`
    /// is a session that is about to end, so it takes no place.
    pub(crate) async fn add(&self, handle: &Handle, replaces: Option<&Handle>) -> Result<()> {
        let most = self.inner.settings.per_subject - 1;
        for _ in 0..ATTEMPTS {
            let mut listing = self.read_or_replace().await?;
            let leaving = |kept: &&Handle| replaces != Some(*kept);
            if listing.handles.iter().filter(leaving).count() > most {
                self.prune(&mut listing.handles).await?;
            }
            let surplus = listing.handles.iter().filter(leaving).count().saturating_sub(most);
            if surplus > 0 {
                let oldest: Vec<Handle> = listing.handles.iter().filter(leaving).take(surplus).cloned().collect();
                // Before they leave the list, or one that could not be ended would be in none.
                let ended = self.end(&oldest).await?;
                self.inner.counters.evicted.add(ended);
                listing.handles.retain(|kept| !oldest.contains(kept));
            }
            listing.handles.push(handle.clone());
            if self.write(&listing).await? {
                return Ok(());
            }
        }
        Err(self.inner.contended())
    }

    /// Takes out sessions whose records are gone. Failing to is no error: what is left over is harmless.
    pub(crate) async fn forget(&self, gone: &[Handle]) {
        for _ in 0..ATTEMPTS {
            let tried = async {
                let mut listing = self.read().await?;
                let before = listing.handles.len();
                listing.handles.retain(|handle| !gone.contains(handle));
                if listing.handles.len() == before { Ok(true) } else { self.write(&listing).await }
            };
            match tried.await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "a session that is over could not be taken out of its subject's list");
                    return;
                }
            }
        }
    }

    /// Ends these sessions; says how many there were.
    pub(crate) async fn end(&self, handles: &[Handle]) -> Result<u64> {
        self.inner.store.delete_many(&self.keys(handles)?).await
    }

    /// Replaces the list, or removes it when it is empty, unless somebody else has changed it.
    pub(crate) async fn write(&self, listing: &Listing) -> Result<bool> {
        let store = &self.inner.store;
        if listing.handles.is_empty() {
            return match &listing.seen {
                None => Ok(true),
                Some(seen) => store.delete_if(&self.key, DeleteIf::Equals(seen.clone())).await,
            };
        }
        let sessions = listing.handles.iter().map(Handle::text).collect();
        let bytes = Json::encode(&Stored { version: VERSION, sessions })?;
        // No session in it lives longer than this from now.
        let opts = SetOptions::new(self.inner.settings.absolute);
        let opts = match &listing.seen {
            Some(seen) => opts.if_equals(seen.clone()),
            None => opts.if_absent(),
        };
        Ok(store.set(&self.key, bytes, opts).await?.is_written())
    }

    pub(crate) fn keys(&self, handles: &[Handle]) -> Result<Vec<Key>> {
        handles.iter().map(|handle| self.inner.places.record(handle)).collect()
    }

    /// Reads the list to change it. A damaged one is begun anew, or the subject could never log in again.
    async fn read_or_replace(&self) -> Result<Listing> {
        match self.read().await {
            Err(error) if error.kind() == hallway_core::ErrorKind::Corrupt => {
                self.inner.counters.damaged.one();
                tracing::error!(
                    namespace = self.inner.places.namespace().as_str(),
                    %error,
                    "the list of a subject's sessions was damaged; it begins anew, and the sessions so far are in no list"
                );
                Ok(Listing { handles: Vec::new(), seen: self.inner.store.get(&self.key).await? })
            }
            answer => answer,
        }
    }

    /// Drops what the store no longer has.
    async fn prune(&self, handles: &mut Vec<Handle>) -> Result<()> {
        let alive = self.inner.store.get_many(&self.keys(handles)?).await?;
        if alive.len() != handles.len() {
            return Err(Error::new(hallway_core::ErrorKind::Corrupt, "a batch came back with another length"));
        }
        let mut alive = alive.into_iter().map(|value| value.is_some());
        handles.retain(|_| alive.next().unwrap_or(true));
        Ok(())
    }
}
