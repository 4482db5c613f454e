//! `Sessions`: the handle, and what all its verbs share.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Codec, Error, ErrorKind, Json, KvStore, Namespace, Result, Timestamp, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::MutexGuard;

use crate::builder::Settings;
use crate::clock::{Now, StoreClock};
use crate::handle::{Handle, Places};
use crate::id::SessionId;
use crate::random::Random;
use crate::recent::Recent;
use crate::record::Record;
use crate::seal::Sealer;
use crate::session::Seen;
use crate::stats::{Counters, SessionStats};
use crate::turns::{self, ATTEMPTS, Turns};

/// Sessions with data of type `S`, in one store that all instances share.
///
/// A session begins with [`create`](Self::create) and is found by its id alone. It ends when nobody has loaded it for the
/// idle timeout, at the absolute timeout, or by [`delete`](Self::delete) and [`delete_all`](Self::delete_all); after that
/// no call of anybody brings it back. [`rotate`](Self::rotate) gives it a new id, at login above all.
///
/// # Errors
/// By kind: `Unavailable` when the store does not answer, and nothing was written; `Indeterminate` when a write may have
/// happened; `Conflict` when other requests kept coming between; `InvalidInput` and `TooLarge` for data and subjects that
/// cannot be kept. That a session is over is never an error but an answer.
///
/// # Cancel safety
/// A dropped call has an unknown outcome. One that was making a session may leave a record whose id nobody knows, until its
/// idle timeout.
///
/// # Consistency
/// Every call goes to the one store that has the sessions, and none is answered from a copy: what one instance has written,
/// each later call on any instance sees.
///
/// # Cloning
/// A clone is another handle to the same sessions, with the same counters.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> hallway_core::Result<()> {
/// use hallway_session::{NewSession, Sessions, SessionsExt};
/// # let store = hallway_testkit::PlainStore::new();
///
/// let sessions: Sessions<String> = store.sessions("session").idle(Duration::from_secs(30 * 60)).build()?;
/// let id = sessions.create(NewSession::new("dark mode".to_owned()).subject("user 42")).await?;
///
/// let session = sessions.load(&id).await?.live().expect("it was made just now");
/// assert_eq!((session.data().as_str(), session.subject()), ("dark mode", Some("user 42")));
///
/// sessions.delete_all("user 42").await?;
/// assert!(sessions.load(&id).await?.live().is_none());
/// # Ok(())
/// # }
/// ```
pub struct Sessions<S, C = Json> {
    pub(crate) inner: Arc<Inner>,
    typed: PhantomData<fn() -> (S, C)>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn KvStore>,
    pub(crate) places: Places,
    pub(crate) settings: Settings,
    pub(crate) sealer: Sealer,
    pub(crate) random: Random,
    pub(crate) clock: StoreClock,
    pub(crate) recent: Recent,
    pub(crate) turns: Turns,
    pub(crate) counters: Counters,
}

impl<S, C> Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), typed: PhantomData }
    }

    /// What has been counted since it was built.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.inner.counters.snapshot()
    }

    /// Where the sessions lie.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        self.inner.places.namespace()
    }

    /// What a session of this id is called where its id must not be seen. Computed, not looked up.
    #[must_use]
    pub fn handle(&self, id: &SessionId) -> Handle {
        self.inner.places.handle(id)
    }

    /// How long a session lives after it was last loaded. It may end earlier by 60 seconds, or by 5 % if that is less.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.inner.settings.idle
    }

    /// How long a session lives at most.
    #[must_use]
    pub fn absolute(&self) -> Duration {
        self.inner.settings.absolute
    }

    /// The store's time: what [`Listed::made`] and [`Listed::ends`] are to be compared with, never the date here.
    ///
    /// The store is asked once a minute, and in between the time goes on by a clock here that no change of the date moves. It
    /// is ahead by as long as the store's last answer took to arrive, at most.
    ///
    /// # Errors
    /// As for [`Sessions`], of a call that only reads: `Unavailable` when the store does not answer.
    ///
    /// # Cancel safety
    /// It changes nothing and can be dropped at any time.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> hallway_core::Result<()> {
    /// # use hallway_session::{NewSession, Sessions, SessionsExt};
    /// # let sessions: Sessions<String> = hallway_testkit::PlainStore::new().sessions("session").build()?;
    /// sessions.create(NewSession::new("dark mode".to_owned()).subject("user 42")).await?;
    ///
    /// let now = sessions.now().await?;
    /// for device in sessions.list("user 42").await? {
    ///     let (since, left) = (now.saturating_since(device.made), device.ends.saturating_since(now));
    ///     assert!(since < left, "logged in just now");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Listed::made`]: crate::Listed::made
    /// [`Listed::ends`]: crate::Listed::ends
    pub async fn now(&self) -> Result<Timestamp> {
        self.inner.told("now", async { Ok(self.inner.now().await?.latest) }).await
    }

    pub(crate) fn encode(&self, data: &S) -> Result<Bytes> {
        C::encode(data).map_err(|error| error.at(C::NAME, "encode"))
    }
}

impl Inner {
    /// What lies under a handle, if that is a live session.
    pub(crate) async fn find(&self, handle: &Handle) -> Result<Option<Seen>> {
        let now = self.now().await?;
        let Some(entry) = self.store.get_entry(&self.places.record(handle)?).await? else { return Ok(self.none()) };
        let remaining = entry.remaining.duration().unwrap_or(self.settings.idle);
        Ok(self.judged(handle, entry.value, now, |_| remaining))
    }

    /// The session of these bytes, if they are one and it is not over.
    pub(crate) fn judged(
        &self,
        handle: &Handle,
        bytes: Bytes,
        now: Now,
        remaining: impl FnOnce(&Record) -> Duration,
    ) -> Option<Seen> {
        let record = match Record::read(&bytes, handle, &self.sealer) {
            Ok(record) => record,
            Err(error) => {
                self.counters.damaged.one();
                tracing::error!(
                    namespace = self.places.namespace().as_str(),
                    %error,
                    "a session record is not what was written: it was damaged, moved, or sealed by a key that is not known"
                );
                return None;
            }
        };
        // The TTL in the store says so too, unless whoever set it was held up before it arrived.
        if now.earliest >= record.ends {
            return self.none();
        }
        let remaining = remaining(&record);
        Some(Seen { record, bytes, remaining })
    }

    /// No session, counted.
    pub(crate) fn none<T>(&self) -> Option<T> {
        self.counters.gone.one();
        None
    }

    pub(crate) async fn now(&self) -> Result<Now> {
        self.clock.now(&*self.store).await
    }

    /// How long a record may live from now: until its idle timeout, but no longer than its absolute one. `None` if that has
    /// come.
    pub(crate) fn ttl(&self, record: &Record, now: Now) -> Option<Duration> {
        let left = record.ends.saturating_since(now.latest).min(self.settings.idle);
        Ttl::After(left).whole_millis().ok().map(|_| left)
    }

    /// Waits for a turn to change `what`.
    pub(crate) async fn turn(&self, what: &[u8]) -> Option<MutexGuard<'_, ()>> {
        self.turns.take(what, self.settings.deadline).await
    }

    /// Lets others get done before the next try.
    pub(crate) async fn step_back(&self, attempt: usize) {
        turns::pause(&self.random, attempt).await;
    }

    pub(crate) fn contended(&self) -> Error {
        Error::new(ErrorKind::Conflict, format!("other requests came between {ATTEMPTS} times"))
    }
}

impl<S, C> Clone for Sessions<S, C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), typed: PhantomData }
    }
}

impl<S, C> fmt::Debug for Sessions<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("namespace", self.inner.places.namespace())
            .field("settings", &self.inner.settings)
            .field("store", &self.inner.store)
            .finish()
    }
}
