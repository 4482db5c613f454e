//! The coherence engine: stamps, leases, markers, heartbeat (`docs/coherence.md`).
//!
//! One engine serves a [`TieredStore`](crate::TieredStore) and all caches made from it. What decides whether a copy may
//! answer is here; where reads and writes go is decided by plans; input and output happen in [`link`], [`reads`] and
//! [`writes`].

mod behind;
mod debts;
mod generations;
mod hits;
mod holds;
mod link;
mod outbox;
mod presence;
mod promotion;
mod reads;
mod sink;
mod strays;
mod waiters;
mod writes;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use hallway_core::{Clock, Key, KvStore, LinkOptions, LocalTier, MAX_KEY_BYTES, Namespace, Result, SharedLink};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::behind::Behind;
pub(crate) use self::debts::Debts;
pub(crate) use self::generations::{Generation, Generations};
pub(crate) use self::hits::{Guard, Lease, Noted};
pub(crate) use self::holds::Hold;
use self::holds::Holds;
pub(crate) use self::link::LinkHealth;
use self::presence::Presence;
pub(crate) use self::promotion::Promotion;
use self::promotion::Promotions;
pub(crate) use self::reads::{Glance, Look, Patience, Peek};
use self::sink::Sink;
pub(crate) use self::strays::Strays;
pub(crate) use self::waiters::Waiters;
pub(crate) use self::writes::{Ending, Outcome, Writing};
use crate::breaker::Breaker;
use crate::cache::Fronts;
use crate::front::Front;
use crate::random::Random;
use crate::settings::Settings;
use crate::stamps::Stamps;
use crate::stats::{CacheHits, Counters};
use crate::store::RawCopy;

/// Hot copies in the front of the store, and the largest of them in bytes: each thread holds 16 MiB at most beyond the local
/// tier.
const FRONT_PLACES: usize = 4_096;
const FRONT_LARGEST: usize = 4 << 10;

/// Before the keys of copies in the shared tier.
pub(crate) const COPY: &str = "copy";

/// What a store and its caches share.
pub(crate) struct Engine {
    pub(crate) local: Option<Arc<dyn KvStore>>,
    pub(crate) shared: Option<Arc<dyn KvStore>>,
    pub(crate) consistent: Option<Arc<dyn KvStore>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) cache_hits: CacheHits,
    pub(crate) random: Random,
    pub(crate) breaker: Breaker,
    pub(crate) generations: Generations,
    pub(crate) debts: Debts,
    strays: Strays,
    pub(crate) fronts: Fronts,
    /// Hot copies of the store's own keys, before the local tier.
    pub(crate) front: Option<Front<Arc<RawCopy>>>,
    stamps: Stamps,
    hasher: foldhash::fast::FixedState,
    waiters: Waiters,
    promotions: Promotions,
    holds: Holds,
    behind: Behind,
    copies: Namespace,
    link: OnceLock<Arc<dyn SharedLink>>,
    /// Itself, for tasks that must not keep it alive.
    me: OnceLock<Weak<Engine>>,
    /// [`LinkHealth`], read on every local hit.
    health: AtomicU8,
    link_state: AtomicU8,
    /// H in microseconds.
    bound_micros: u64,
    /// Microseconds that the oldest row of the outbox had waited when it was last looked at.
    pub(crate) outbox_lag: AtomicU64,
    /// Whether the consistent tier answers.
    presence: Presence,
    closing: AtomicBool,
    /// Wakes whoever repairs: the link is back, or something is owed.
    pub(crate) wake: Arc<Notify>,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

impl Engine {
    pub(crate) fn new(
        local: Option<Arc<dyn KvStore>>,
        shared: Option<Arc<dyn KvStore>>,
        consistent: Option<Arc<dyn KvStore>>,
        settings: Settings,
    ) -> Result<Arc<Self>> {
        let clock = settings.clock.clone();
        let random = Random::new(settings.seed);
        let engine = Arc::new(Self {
            clock,
            counters: Counters::default(),
            cache_hits: CacheHits::default(),
            breaker: Breaker::new(random.clone()),
            generations: Generations::default(),
            debts: Debts::default(),
            strays: Strays::default(),
            fronts: Fronts::default(),
            front: local.as_ref().map(|_| Front::new(FRONT_PLACES, FRONT_LARGEST, random.id())),
            stamps: Stamps::new(settings.stamps),
            // Another one for each engine: nobody outside can choose keys that share a stamp.
            hasher: foldhash::fast::FixedState::with_seed(random.id()),
            waiters: Waiters::default(),
            promotions: Promotions::new(random.id()),
            holds: Holds::default(),
            behind: Behind::default(),
            copies: Namespace::new(COPY)?,
            link: OnceLock::new(),
            me: OnceLock::new(),
            health: AtomicU8::new(LinkHealth::Down as u8),
            link_state: AtomicU8::new(LinkHealth::Down as u8),
            bound_micros: crate::settings::micros(settings.bound),
            outbox_lag: AtomicU64::new(0),
            presence: Presence::default(),
            closing: AtomicBool::new(false),
            wake: Arc::new(Notify::new()),
            tasks: std::sync::Mutex::default(),
            random,
            local,
            shared,
            consistent,
            settings,
        });
        // Set once, here.
        let _ = engine.me.set(Arc::downgrade(&engine));
        if let Some(tier) = engine.shared.as_ref().and_then(|shared| shared.as_shared()) {
            let sink = Sink::new(Arc::downgrade(&engine));
            let link = tier.link(LinkOptions {
                sink: Arc::new(sink),
                heartbeat: engine.settings.bound / 4,
                clock: engine.clock.clone(),
            });
            // Set once, just above.
            let _ = engine.link.set(link);
        }
        engine.start();
        Ok(engine)
    }

    pub(crate) fn link(&self) -> Option<&Arc<dyn SharedLink>> {
        self.link.get()
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(crate) fn local_tier(&self) -> Option<&dyn LocalTier> {
        self.local.as_ref()?.as_local()
    }

    /// Under which key a copy stands in the shared tier.
    ///
    /// # Errors
    /// `InvalidInput` if `copy:` makes the key longer than 512 bytes.
    pub(crate) fn copy_key(&self, key: &Key) -> Result<Key> {
        key.within(&self.copies)
    }

    /// As [`copy_key`](Self::copy_key), without making it.
    ///
    /// # Errors
    /// As [`copy_key`](Self::copy_key).
    pub(crate) fn check_copy_key(&self, key: &Key) -> Result<()> {
        if key.as_bytes().len() + COPY.len() < MAX_KEY_BYTES { Ok(()) } else { self.copy_key(key).map(drop) }
    }

    /// Whether a copy that is looked for in the shared tier is worth a place in this process. While there is room it is; what
    /// has to push something out for it has to come twice, and to be of use: as a rule what comes once leaves again before
    /// it comes back, and moka's bookkeeping for that costs as much as reading it from the shared tier.
    pub(crate) fn promotes(&self, key: &Key) -> Promotion {
        use std::hash::BuildHasher;
        match self.local_tier() {
            None => Promotion::No,
            Some(local) if !local.is_full() => Promotion::Yes,
            Some(_) => self.promotions.decide(self.hasher.hash_one(key.as_bytes())),
        }
    }

    /// A copy is kept on trial.
    pub(crate) fn promotion_tried(&self) {
        self.promotions.tried();
    }

    /// A copy on trial has answered for the first time.
    pub(crate) fn promotion_paid(&self) {
        self.promotions.paid();
    }

    fn start(self: &Arc<Self>) {
        if tokio::runtime::Handle::try_current().is_ok() {
            if self.link().is_some() {
                self.spawn(repair(Arc::downgrade(self), Arc::clone(&self.wake)));
            }
            if self.consistent.is_some() {
                self.spawn(presence::watch(Arc::downgrade(self)));
            }
        }
    }

    /// Whether the consistent tier gives no answers, as far as anybody has asked.
    pub(crate) fn is_truth_away(&self) -> bool {
        self.presence.is_away()
    }

    /// A task that ends with the engine.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends the background work once all copies are written and nothing is owed any more, or at the deadline. Says whether
    /// nothing is owed.
    pub(crate) async fn shutdown(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let done = tokio::time::timeout_at(deadline, async {
            while !self.settle_debts().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let settled = done.await.is_ok();
        if !self.all_written(deadline).await {
            tracing::debug!("copies of what was loaded last are not written; others will load it");
        }
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        settled
    }

    /// Pays what is owed to the shared tier. Says whether nothing is left.
    async fn settle_debts(&self) -> bool {
        let drained = self.drain_outbox().await;
        let paid = self.pay_debts().await;
        drained && paid
    }
}

/// Repairs in the background, while the engine lives: the outbox of any instance, and what this process itself owes or has
/// left behind.
async fn repair(engine: Weak<Engine>, wake: Arc<Notify>) {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        let pause = {
            let Some(engine) = engine.upgrade() else { return };
            if engine.is_closing() {
                return;
            }
            if engine.health() == LinkHealth::Up {
                engine.settle_debts().await;
            }
            let next = engine.clear_strays().await;
            // Not all instances at the same time.
            let pause = PAUSE.mul_f64(engine.random.range(0.7..1.0));
            match next {
                Some(next) if engine.health() != LinkHealth::Down => pause.min(next.duration_since(Instant::now())),
                _ => pause,
            }
        };
        // The engine is not held while waiting, or it would never end.
        let _ = tokio::time::timeout(pause, wake.notified()).await;
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("local", &self.local)
            .field("shared", &self.shared)
            .field("consistent", &self.consistent)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
