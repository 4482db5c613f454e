//! The list of a subject's sessions.
//!
//! One entry of the store for each subject, replaced by compare-and-set. Its rule: a session is in the list before anybody
//! is told its id, and leaves it after its record is gone. So whoever ends all that he finds in the list, and then finds
//! the list as it was, has ended every session whose id was given away before. What the list names and the store no longer
//! has, is left over from a session that ended by itself; it goes when the list is next changed and full.

use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Codec, DeleteIf, Error, Json, Key, Result, SetOptions};
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use crate::handle::Handle;
use crate::sessions::Inner;
use crate::turns::ATTEMPTS;

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
    subject: &'a str,
}

/// A list as it was read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Oldest first.
    pub(crate) handles: Vec<Handle>,
    /// What to compare with when it is replaced; `None` if there is none.
    seen: Option<Bytes>,
    /// How long it would live without being replaced.
    remaining: Duration,
}

impl<'a> Index<'a> {
    pub(crate) fn new(inner: &'a Inner, subject: &'a str) -> Result<Self> {
        Ok(Self { inner, key: inner.places.index(subject)?, subject })
    }

    /// Waits for a turn to change the list.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.inner.turn(self.key.as_bytes()).await
    }

    /// Which sessions there may be. In the place of a damaged list they are looked for among all sessions, which takes
    /// time, and is logged.
    pub(crate) async fn read(&self) -> Result<Listing> {
        let Some(entry) = self.inner.store.get_entry(&self.key).await? else { return Ok(Listing::default()) };
        let remaining = entry.remaining.duration().unwrap_or_default();
        let handles = match parsed(&entry.value) {
            Some(handles) => handles,
            None => {
                self.inner.counters.damaged.one();
                tracing::error!(
                    namespace = self.inner.places.namespace().as_str(),
                    "the list of a subject's sessions is not what was written; they are looked for one by one"
                );
                self.inner.sessions_of(self.subject).await?
            }
        };
        Ok(Listing { handles, seen: Some(entry.value), remaining })
    }

    /// Enters a session. A full list first loses what is no longer there, then the oldest sessions, which end.
    ///
    /// `replaces` is a session that is about to end, so the new one takes its place. Then none of the others ends: two
    /// rotations of one session at once would each take the other's for one too many.
    pub(crate) async fn add(&self, handle: &Handle, replaces: Option<&Handle>) -> Result<()> {
        let most = self.inner.settings.per_subject - 1;
        let _turn = self.turn().await;
        for attempt in 0..ATTEMPTS {
            let mut listing = self.read().await?;
            // Its record is there already, so a search has found it.
            listing.handles.retain(|kept| kept != handle);
            if listing.handles.len() > most {
                self.prune(&mut listing.handles).await?;
            }
            let surplus = listing.handles.len().saturating_sub(most);
            if surplus > 0 && replaces.is_none() {
                // Before they leave the list, or one that could not be ended would be in none.
                let ended = self.end(&listing.handles[..surplus]).await?;
                self.inner.counters.evicted.add(ended);
                listing.handles.drain(..surplus);
            }
            listing.handles.push(handle.clone());
            if self.write(&listing).await? {
                return Ok(());
            }
            self.inner.step_back(attempt).await;
        }
        Err(self.inner.contended())
    }

    /// Takes out sessions whose records are gone. Failing to is no error: what is left over is harmless.
    pub(crate) async fn forget(&self, gone: &[Handle]) {
        let _turn = self.turn().await;
        for attempt in 0..ATTEMPTS {
            let tried = async {
                let mut listing = self.read().await?;
                let before = listing.handles.len();
                listing.handles.retain(|handle| !gone.contains(handle));
                if listing.handles.len() == before { Ok(true) } else { self.write(&listing).await }
            };
            match tried.await {
                Ok(true) => return,
                Ok(false) => self.inner.step_back(attempt).await,
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
        // No session in it lives longer than this from now: not those made now, and not those made when the absolute
        // timeout was longer.
        let opts = SetOptions::new(self.inner.settings.absolute.max(listing.remaining));
        let opts = match &listing.seen {
            Some(seen) => opts.if_equals(seen.clone()),
            None => opts.if_absent(),
        };
        Ok(store.set(&self.key, bytes, opts).await?.is_written())
    }

    pub(crate) fn keys(&self, handles: &[Handle]) -> Result<Vec<Key>> {
        handles.iter().map(|handle| self.inner.places.record(handle)).collect()
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

/// What a list says, if it is one.
fn parsed(bytes: &[u8]) -> Option<Vec<Handle>> {
    let stored: Stored = Json::decode(bytes).ok()?;
    if stored.version != VERSION {
        return None;
    }
    stored.sessions.iter().map(|text| Handle::parse(text).ok()).collect()
}
