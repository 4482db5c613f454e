//! The store of tower-sessions, whatever its version.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hallway_core::{Error, ErrorKind, Key, KvStore, MAX_TTL, Namespace, Result, SetIf, SetOptions};

use super::builder::TowerStoreBuilder;
use super::payload::{self, CODEC, Data};
use crate::clock::after;
use crate::handle::Handle;
use crate::record::{Record, damaged};
use crate::session::Seen;
use crate::sessions::Inner;
use crate::stats::SessionStats;
use crate::turns::ATTEMPTS;

/// A `SessionStore` for tower-sessions over any [`KvStore`].
///
/// Of tiers it is the shared one that has the sessions, else the consistent one, else the local one; no copy of them is
/// kept anywhere, so a logout is seen by every later request on every instance. The store knows a session by a hash of its
/// id. A record is readable unless it is [sealed](TowerStoreBuilder::sealed_by), and bound to its key.
///
/// | call | what it does |
/// |---|---|
/// | `create` | writes where nothing is; gives the record another id, from the operating system, if its own is taken |
/// | `save` | replaces a session that is there; one that is over stays so, and the call fails |
/// | `load` | `None` for what is unknown, over or damaged; with [`slide`](TowerStoreBuilder::slide) begins the idle timeout anew |
/// | `delete` | ends the session; fine if there is none |
/// | `delete_expired` | nothing: stores of hallway expire by themselves |
///
/// A date that has passed is an end: `save` deletes, and `create` writes nothing. How long a session may live is computed
/// from its date when the call is made, and the store counts it on its own clock; more than ten years are ten.
///
/// # Errors
/// `Error::Backend` if the store did not answer, never `None`: the middleware answers 500, and cookie and record stay as
/// they are. Also when a session that is saved is over: it was deleted or has expired since it was loaded, and what was
/// to be saved is lost. `Error::Encode` for data that cannot be kept: too large, or nested more than 100 deep.
///
/// # Cancel safety
/// A dropped call has an unknown outcome and no other effect.
///
/// # Consistency
/// As tower-sessions has it, the last save wins: of two requests that change a session at once, one loses its change. And
/// `Session::cycle_id` makes a new session whether or not the old one was still there, so a logout that comes between is
/// lost. [`Sessions`](crate::Sessions) has compare-and-set and a rotation with one winner.
///
/// # Cloning
/// A clone is another handle to the same sessions, with the same counters.
///
/// # Examples
/// ```
/// # fn main() -> hallway_core::Result<()> {
/// use std::time::Duration;
/// use hallway_session::tower::TowerStore;
/// # let store = hallway_testkit::PlainStore::new();
///
/// let sessions = TowerStore::builder(store, "session").slide(Duration::from_secs(30 * 60)).build()?;
/// // let layer = SessionManagerLayer::new(sessions).with_expiry(Expiry::OnSessionEnd);
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TowerStore {
    inner: Arc<Inner>,
    slide: Option<Duration>,
}

/// A session as it was found.
pub(super) struct Found {
    pub(super) data: Data,
    pub(super) expires: SystemTime,
}

impl TowerStore {
    /// Sessions below a namespace of a store, with all defaults.
    ///
    /// # Errors
    /// As for [`TowerStoreBuilder::build`].
    pub fn new(store: impl KvStore + Clone, namespace: &str) -> Result<Self> {
        Self::builder(store, namespace).build()
    }

    /// The same with options.
    pub fn builder(store: impl KvStore + Clone, namespace: &str) -> TowerStoreBuilder {
        TowerStoreBuilder::new(Arc::new(store), namespace)
    }

    pub(super) fn from_inner(inner: Inner, slide: Option<Duration>) -> Self {
        Self { inner: Arc::new(inner), slide }
    }

    /// What has been counted since it was built. What no verb of tower-sessions does stays 0.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.inner.counters.snapshot()
    }

    /// Where the sessions lie.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        self.inner.places.namespace()
    }

    /// Writes a session where none is, under another id if need be.
    pub(super) async fn create(&self, id: &mut [u8; 16], data: &Data, expires: SystemTime) -> Result<()> {
        let made = async {
            let Some(plan) = self.plan(expires) else { return Ok(()) };
            for _ in 0..ATTEMPTS {
                if self.write(id, data, &plan, SetIf::Absent).await? {
                    self.inner.counters.created.one();
                    return Ok(());
                }
                // 2^-128 by chance, and whoever has the session must not notice.
                tracing::warn!(namespace = self.namespace().as_str(), "a new session id was taken; trying another");
                self.inner.random.fill(id)?;
            }
            Err(Error::new(ErrorKind::Unavailable, "new session ids are taken: the random source repeats itself")
                .with_retryable(false))
        };
        self.inner.told("create", made).await
    }

    /// Replaces a session; says whether there was one.
    pub(super) async fn save(&self, id: &[u8; 16], data: &Data, expires: SystemTime) -> Result<bool> {
        let saved = async {
            let Some(plan) = self.plan(expires) else {
                self.end(id).await?;
                return Ok(true);
            };
            let written = self.write(id, data, &plan, SetIf::Present).await?;
            let counters = &self.inner.counters;
            if written {
                counters.saved.one()
            } else {
                counters.gone.one()
            }
            Ok(written)
        };
        self.inner.told("save", saved).await
    }

    pub(super) async fn load(&self, id: &[u8; 16]) -> Result<Option<Found>> {
        let handle = self.handle(id);
        let found = async {
            let seen = match self.slide {
                Some(_) => self.inner.find_and_slide(&handle).await?,
                None => self.find(&handle).await?,
            };
            let Some(seen) = seen else { return Ok(None) };
            let read = match seen.record.codec == CODEC {
                true => payload::decode(&seen.record.payload),
                false => Err(damaged()),
            };
            match read {
                Ok((data, expires)) => {
                    self.inner.counters.loaded.one();
                    let expires = match (expires, self.slide) {
                        (Some(expires), _) => expires,
                        // This long from now, or from the next load.
                        (None, Some(idle)) => SystemTime::now() + idle,
                        // Saved where sessions slide, and here they do not: the store knows.
                        (None, None) => match self.inner.find(&handle).await? {
                            Some(seen) => SystemTime::now() + seen.remaining,
                            None => return Ok(None),
                        },
                    };
                    Ok(Some(Found { data, expires }))
                }
                Err(error) => {
                    self.inner.counters.damaged.one();
                    tracing::error!(
                        namespace = self.namespace().as_str(),
                        %error,
                        "a record is whole but holds no session of tower-sessions; its visitor has none"
                    );
                    Ok(None)
                }
            }
        };
        self.inner.told("load", found).await
    }

    pub(super) async fn delete(&self, id: &[u8; 16]) -> Result<()> {
        self.inner.told("delete", self.end(id)).await
    }

    /// What lies under a handle. A plain read: nobody asks what is left, and servers answer many of them at once.
    async fn find(&self, handle: &Handle) -> Result<Option<Seen>> {
        let now = self.inner.now().await?;
        let Some(bytes) = self.inner.store.get(&self.inner.places.record(handle)?).await? else {
            return Ok(self.inner.none());
        };
        Ok(self.inner.judged(handle, bytes, now, |record| record.ends.saturating_since(now.latest)))
    }

    async fn end(&self, id: &[u8; 16]) -> Result<()> {
        if self.inner.store.delete(&self.key(id)?).await? {
            self.inner.counters.deleted.one();
        }
        Ok(())
    }

    async fn write(&self, id: &[u8; 16], data: &Data, plan: &Plan, condition: SetIf) -> Result<bool> {
        let now = self.inner.now().await?;
        let handle = self.handle(id);
        let record = Record {
            codec: CODEC.to_owned(),
            revision: 0,
            made: now.earliest,
            ends: after(now.latest, plan.lasts),
            subject: None,
            label: None,
            payload: payload::encode(data, plan.expires)?,
        };
        let bytes = record.write(&handle, &self.inner.sealer)?;
        let mut opts = SetOptions::new(plan.ttl);
        opts.condition = condition;
        Ok(self.inner.store.set(&self.inner.places.record(&handle)?, bytes, opts).await?.is_written())
    }

    /// By the clock that made the date: that of this process.
    fn plan(&self, expires: SystemTime) -> Option<Plan> {
        Plan::new(expires, SystemTime::now(), self.slide)
    }

    fn handle(&self, id: &[u8; 16]) -> Handle {
        Handle::of_tower(self.namespace(), id)
    }

    fn key(&self, id: &[u8; 16]) -> Result<Key> {
        self.inner.places.record(&self.handle(id))
    }
}

impl fmt::Debug for TowerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerStore")
            .field("namespace", self.namespace())
            .field("slide", &self.slide)
            .field("store", &self.inner.store)
            .finish()
    }
}

/// How long a session is to live.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// As nobody loads it.
    ttl: Duration,
    /// Whatever happens.
    lasts: Duration,
    /// The date that the application is told again; none if it moves.
    expires: Option<SystemTime>,
}

impl Plan {
    /// `None` if the date has come.
    fn new(expires: SystemTime, now: SystemTime, slide: Option<Duration>) -> Option<Self> {
        let span = expires.duration_since(now).ok().filter(|span| !span.is_zero())?.min(MAX_TTL);
        let Some(idle) = slide else { return Some(Self { ttl: span, lasts: span, expires: Some(expires) }) };
        let tolerance = (idle / 20).min(Duration::from_secs(1));
        if span <= idle && span >= idle - tolerance {
            return Some(Self { ttl: idle, lasts: MAX_TTL, expires: None });
        }
        Some(Self { ttl: span.min(idle), lasts: span, expires: Some(expires) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Life, life at most and whether there is a date, for a session saved this far ahead.
    fn check(span: Duration, slide: Option<Duration>, expected: Option<(Duration, Duration, bool)>) {
        let now = SystemTime::UNIX_EPOCH + MINUTE * 1_000_000;
        let plan = Plan::new(now + span, now, slide);
        assert_eq!(plan.map(|plan| (plan.ttl, plan.lasts, plan.expires.is_some())), expected, "{span:?} {slide:?}");
    }

    #[test]
    fn a_session_lives_until_its_date() {
        check(MINUTE, None, Some((MINUTE, MINUTE, true)));
        check(MAX_TTL * 5, None, Some((MAX_TTL, MAX_TTL, true)));
        check(Duration::from_nanos(1), None, Some((Duration::from_nanos(1), Duration::from_nanos(1), true)));
        check(Duration::ZERO, None, None);
        let now = SystemTime::UNIX_EPOCH + MINUTE;
        assert_eq!(Plan::new(now - Duration::from_nanos(1), now, None), None);
    }

    #[test]
    fn one_saved_for_the_idle_timeout_slides_and_others_end_at_their_date() {
        let idle = MINUTE * 30;
        let second = Duration::from_secs(1);
        check(idle, Some(idle), Some((idle, MAX_TTL, false)));
        check(idle - second, Some(idle), Some((idle, MAX_TTL, false)));
        check(idle - second * 2, Some(idle), Some((idle - second * 2, idle - second * 2, true)));
        check(idle + second, Some(idle), Some((idle, idle + second, true)));
        check(idle * 700, Some(idle), Some((idle, idle * 700, true)));
        // A short one is not given a whole second.
        let short = Duration::from_millis(100);
        check(
            Duration::from_millis(94),
            Some(short),
            Some((Duration::from_millis(94), Duration::from_millis(94), true)),
        );
    }
}
