//! How sessions are set up.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Clock, Codec, Error, Json, KvStore, MAX_TTL, Result, SystemClock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::StoreClock;
use crate::handle::Places;
use crate::home::home;
use crate::random::Random;
use crate::recent::Recent;
use crate::seal::Sealer;
use crate::sessions::{Inner, Sessions};
use crate::stats::Counters;
use crate::turns::Turns;

/// What OWASP's session guide calls for, for most applications.
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);

/// A visitor waits for his session, so it may take longer than a cache, but not for long.
const DEADLINE: Duration = Duration::from_secs(1);

const PER_SUBJECT: usize = 32;

/// As many handles as fit into the smallest default cap of a value, with room to spare.
const MOST_PER_SUBJECT: usize = 1_000;

/// Sessions in any store: `tiers.sessions("session")`.
pub trait SessionsExt: KvStore + Clone {
    /// Sessions below a namespace of this store.
    ///
    /// Of tiers it is the shared one that has them, else the consistent one, else the local one; no copy of them is kept
    /// anywhere. [`durable`](SessionsBuilder::durable) selects the consistent one.
    fn sessions(&self, namespace: &str) -> SessionsBuilder {
        SessionsBuilder::new(Arc::new(self.clone()), namespace)
    }
}

impl<K: KvStore + Clone> SessionsExt for K {}

/// What is set for all sessions of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) idle: Duration,
    pub(crate) absolute: Duration,
    pub(crate) per_subject: usize,
    /// Of each step of a call.
    pub(crate) deadline: Duration,
}

impl Settings {
    /// A load prolongs the life of a session by at least this, or leaves it: so a reader costs at most one write in this
    /// time, and a session ends at most this much too early.
    pub(crate) fn slack(&self) -> Duration {
        (self.idle / 20).min(Duration::from_secs(60))
    }
}

/// Puts [`Sessions`] together.
#[derive(Debug)]
#[must_use = "call `build`"]
pub struct SessionsBuilder {
    store: Arc<dyn KvStore>,
    namespace: String,
    settings: Settings,
    durable: bool,
    sealer: Sealer,
    random: Random,
    clock: Arc<dyn Clock>,
}

impl SessionsBuilder {
    pub(crate) fn new(store: Arc<dyn KvStore>, namespace: &str) -> Self {
        Self {
            store,
            namespace: namespace.to_owned(),
            settings: Settings { idle: IDLE, absolute: ABSOLUTE, per_subject: PER_SUBJECT, deadline: DEADLINE },
            durable: false,
            sealer: Sealer::default(),
            random: Random::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// How long a session lives that nobody loads. Default: 30 minutes.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.settings.idle = idle;
        self
    }

    /// How long a session lives whatever happens. Default: 12 hours.
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.settings.absolute = absolute;
        self
    }

    /// How many sessions a subject may have; one more ends the oldest. 1 to 1,000. Default: 32.
    pub fn per_subject(mut self, most: usize) -> Self {
        self.settings.per_subject = most;
        self
    }

    /// Keeps the sessions in the tier that survives a restart of the servers: SQL. Default: the shared tier.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// How long the store may take for each step of a call. Default: 1 second.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Seals the records, so that nobody reads or makes them up who can read or write the store. Default: records are
    /// readable, and protected against accidents only.
    #[cfg(feature = "aead")]
    pub fn sealed_by(mut self, keys: crate::SealingKeys) -> Self {
        self.sealer = Sealer::with(keys);
        self
    }

    /// Takes random bytes from elsewhere. For tests: a session whose id can be guessed belongs to whoever guesses it.
    #[doc(hidden)]
    pub fn random(mut self, fill: impl Fn(&mut [u8]) -> Result<()> + Send + Sync + 'static) -> Self {
        self.random = Random::from_fn(fill);
        self
    }

    /// Measures with another clock what passes between two looks at the store's. For tests.
    #[doc(hidden)]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the sessions. `S` is what the application keeps in one, written as JSON: a person can read it in the store, and
    /// fields may be added later.
    ///
    /// # Errors
    /// `InvalidConfig` for timeouts that are zero, more than ten years or the wrong way round, for a limit out of range, and
    /// for a store that cannot do what sessions need; `InvalidInput` for the namespace.
    pub fn build<S>(self) -> Result<Sessions<S>>
    where
        S: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.build_as::<S, Json>()
    }

    /// As [`build`](Self::build), in another codec.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_as<S, C>(self) -> Result<Sessions<S, C>>
    where
        S: Serialize + DeserializeOwned + Send + Sync + 'static,
        C: Codec,
    {
        if C::NAME.is_empty() || C::NAME.len() > 32 || !C::NAME.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid_config("the name of a session's codec has 1 to 32 characters without spaces"));
        }
        Ok(Sessions::from_inner(self.inner()?))
    }

    /// What all verbs share, checked.
    pub(crate) fn inner(self) -> Result<Inner> {
        self.check()?;
        Ok(Inner {
            store: home(&self.store, self.durable)?.with_deadline(self.settings.deadline),
            places: Places::new(&self.namespace)?,
            settings: self.settings,
            sealer: self.sealer,
            random: self.random,
            clock: StoreClock::new(self.clock),
            recent: Recent::new(),
            turns: Turns::new(),
            counters: Counters::default(),
        })
    }

    fn check(&self) -> Result<()> {
        let Settings { idle, absolute, per_subject, .. } = self.settings;
        // Below this the slack of 5 % is no longer whole milliseconds.
        if idle < Duration::from_millis(20) || idle > absolute || absolute > MAX_TTL {
            return Err(Error::invalid_config(format!(
                "sessions need 20 ms <= idle <= absolute <= 10 years, not idle {idle:?} and absolute {absolute:?}"
            )));
        }
        if !(1..=MOST_PER_SUBJECT).contains(&per_subject) {
            return Err(Error::invalid_config(format!("per_subject is 1 to {MOST_PER_SUBJECT}, not {per_subject}")));
        }
        if self.settings.deadline.is_zero() {
            return Err(Error::invalid_config("a deadline of zero lets no session be read"));
        }
        Ok(())
    }
}
