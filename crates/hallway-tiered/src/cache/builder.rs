//! From settings to a cache.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Codec, Error, Json, Namespace, Result, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Cache;
use super::core::{Core, Form};
use super::options::Options;
use crate::engine::{Engine, Lease};
use crate::settings::{NamespaceOptions, Rules, micros};
use crate::table::{Authority, Plan};
use crate::{Mode, OnSharedDown};

/// Settings of a [`Cache`], from [`TieredStore::cache`](crate::TieredStore::cache).
///
/// ```
/// # use std::time::Duration;
/// # fn main() -> hallway_core::Result<()> {
/// use hallway_moka::MokaStore;
/// use hallway_tiered::{Cache, TieredStore};
///
/// let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
/// let prices: Cache<u64> = tiers
///     .cache("shop:price")
///     .ttl(Duration::from_secs(600))
///     .stale_while_revalidate(Duration::from_secs(60))
///     .stale_if_error(Duration::from_secs(86_400))
///     .early_refresh(1.0)
///     .build()?;
/// # let _ = prices;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct CacheBuilder<C = Json> {
    engine: Arc<Engine>,
    namespace: String,
    floor: Mode,
    mode: Option<Mode>,
    ttl: Option<Ttl>,
    local_ttl: Option<Duration>,
    degraded_ttl: Option<Duration>,
    on_shared_down: Option<OnSharedDown>,
    options: Options,
    codec: PhantomData<fn() -> C>,
}

impl CacheBuilder {
    pub(crate) fn new(engine: Arc<Engine>, namespace: &str, floor: Mode) -> Self {
        Self {
            engine,
            namespace: namespace.to_owned(),
            floor,
            mode: None,
            ttl: None,
            local_ttl: None,
            degraded_ttl: None,
            on_shared_down: None,
            options: Options::default(),
            codec: PhantomData,
        }
    }
}

impl<C: Codec> CacheBuilder<C> {
    /// How long a value is good for; `Forever` is refused. Default: 1 h.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// How long a copy in this process may answer before it is compared with the shared tier. Default: 60 s; 5 s where
    /// another process may write and no link tells of it; the whole TTL where no other process can.
    pub fn local_ttl(mut self, ttl: Duration) -> Self {
        self.local_ttl = Some(ttl);
        self
    }

    /// How long it is remembered that a loader found nothing; 0 does not remember it. Default: 30 s.
    pub fn not_found_ttl(mut self, ttl: Duration) -> Self {
        self.options.not_found_ttl = ttl;
        self
    }

    /// By which share a TTL may be longer or shorter, so that values stored together do not expire together; 0 to 0.5.
    /// Default: 0.1.
    pub fn jitter(mut self, share: f64) -> Self {
        self.options.jitter = share;
        self
    }

    /// How long past its TTL a value answers while one caller's loader refreshes it in the background. Default: 0.
    pub fn stale_while_revalidate(mut self, overtime: Duration) -> Self {
        self.options.revalidate = overtime;
        self
    }

    /// How long past its TTL a value answers when the loader fails. Never after it was invalidated. Default: 0.
    pub fn stale_if_error(mut self, overtime: Duration) -> Self {
        self.options.if_error = overtime;
        self
    }

    /// How long after a failed load a stale value answers before the loader is tried again. Default: 1 s.
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.options.retry_after = pause;
        self
    }

    /// Refreshes a value in the background before its TTL ends, the likelier the nearer the end: with probability
    /// e^(-t/(beta*d)) on each read, t being the time left and d what loading it took. 1 is the usual choice, 0 switches
    /// it off. Default: 0.
    pub fn early_refresh(mut self, beta: f64) -> Self {
        self.options.beta = beta;
        self
    }

    /// How long a caller waits for a loader if there is a stale value to answer with; the load goes on. Default: as long
    /// as it takes.
    pub fn soft_timeout(mut self, timeout: Duration) -> Self {
        self.options.soft_timeout = Some(timeout);
        self
    }

    /// How long a loader may take before it is dropped: `Unavailable`. Default: 5 s.
    pub fn hard_timeout(mut self, timeout: Duration) -> Self {
        self.options.hard_timeout = timeout;
        self
    }

    /// How long other processes leave a load to this one if it dies, up to 5 s; while it lives the lease is prolonged. It is
    /// to be longer than this process may stand still. Default: 2 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How long a caller waits for the load of another process before he loads for himself, without keeping the value.
    /// Default: the longest that a load may queue and take, and a lease: 8 s. So however many processes wait, one loads, also
    /// where the first one dies.
    pub fn wait_max(mut self, wait: Duration) -> Self {
        self.options.wait_max = Some(wait);
        self
    }

    /// How many keys may be being loaded in this process at a time; beyond it `Overloaded`. Default: 10,000.
    pub fn max_in_flight(mut self, keys: usize) -> Self {
        self.options.max_in_flight = keys;
        self
    }

    /// How many loaders may run in this process at a time; the others queue. Default: 64.
    pub fn max_loads(mut self, loads: usize) -> Self {
        self.options.max_loads = loads;
        self
    }

    /// How long a load may queue before it is `Overloaded`. Default: 1 s.
    pub fn queue_max(mut self, wait: Duration) -> Self {
        self.options.queue_max = wait;
        self
    }

    /// How many refreshes may go on in the background at a time; others are left to later reads. Default: 64.
    pub fn max_refreshes(mut self, refreshes: usize) -> Self {
        self.options.max_refreshes = refreshes;
        self
    }

    /// How many of the hottest values, up to 4 KiB each, every thread keeps before the local tier, where a hit costs a third
    /// of one there. They are kept alive beside its bound, most of them by several threads, in twice as many threads as the
    /// machine runs at a time at most, but at least 8; a value that was replaced may stay alive there, unused, until its
    /// thread needs the place. 0 keeps none; caches of one namespace and type share what the first of them asked for.
    /// Default: 4,096.
    pub fn front(mut self, places: usize) -> Self {
        self.options.front = places;
        self
    }

    /// How long a caller of [`Cache::write`] waits for his write before its outcome is `Indeterminate`. Default: 30 s.
    pub fn write_deadline(mut self, deadline: Duration) -> Self {
        self.options.write_deadline = deadline;
        self
    }

    /// How long a write through the cache may still happen after its error was returned, at most: what your database does
    /// with a statement whose connection was lost. Copies stay away for so long after a write of unknown outcome.
    /// Default: 10 s.
    pub fn settle(mut self, longest: Duration) -> Self {
        self.options.settle = longest;
        self
    }

    /// Reads fail with the error of the shared tier where it gives no answer, instead of falling back to the loader. For
    /// loaders that could not bear the load.
    pub fn fail_fast(mut self) -> Self {
        self.options.fail_fast = true;
        self
    }

    /// Callers of [`Cache::get_or_load`] wait until what they loaded is in the shared tier, or cannot be written there. By
    /// default they have it as soon as the loader has, and up to 64 copies of all caches over one
    /// [`TieredStore`](crate::TieredStore) are written after that: whoever asks this cache for one of them meanwhile is
    /// answered or waits for it, and another process may find it a round trip later. For programs that end right after a
    /// load without [`TieredStore::shutdown`](crate::TieredStore::shutdown), which waits for them; and for those that drive
    /// their runtime only while they wait for a call (`block_on`), where a copy would be written during the next one.
    pub fn wait_for_fills(mut self) -> Self {
        self.options.wait_for_fills = true;
        self
    }

    /// What readers are promised. A cache can be [`Mode::Local`] or [`Mode::Shared`]. Default: that of its namespace, else
    /// `Shared` where there is a shared or a consistent tier, else `Local`.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// What a write does when the shared tier cannot be told. Default: that of the namespace, else
    /// [`OnSharedDown::Proceed`].
    pub fn on_shared_down(mut self, policy: OnSharedDown) -> Self {
        self.on_shared_down = Some(policy);
        self
    }

    /// How old a local copy may be while the shared tier is down; zero loads at once. Default: that of the namespace, else
    /// 5 s.
    pub fn degraded_ttl(mut self, ttl: Duration) -> Self {
        self.degraded_ttl = Some(ttl);
        self
    }

    /// The bound holds under every single fault, as by [`NamespaceOptions::strict`].
    pub fn strict(self) -> Self {
        self.on_shared_down(OnSharedDown::Fail).degraded_ttl(Duration::ZERO)
    }

    /// How values are written in the shared tier. Default: [`Json`], so that a person can read them.
    pub fn codec<D: Codec>(self) -> CacheBuilder<D> {
        let Self { engine, namespace, floor, mode, ttl, local_ttl, degraded_ttl, on_shared_down, options, codec: _ } =
            self;
        CacheBuilder {
            engine,
            namespace,
            floor,
            mode,
            ttl,
            local_ttl,
            degraded_ttl,
            on_shared_down,
            options,
            codec: PhantomData,
        }
    }

    /// A cache of values of type `V`.
    ///
    /// # Errors
    /// `InvalidConfig` naming the setting: one out of range, a mode that the tiers cannot keep or that is weaker than what
    /// the namespace was promised, or [`Mode::Consistent`], which no copy can keep.
    pub fn build<V>(self) -> Result<Cache<V>>
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let namespace = Namespace::new(&self.namespace)?;
        let form = Form {
            name: C::NAME,
            encode: |value: &V, with: &mut dyn FnMut(&[u8])| C::encode_with(value, |encoded| with(encoded)),
            decode: C::decode::<V>,
        };
        self.core(&namespace, form).map(Cache::from_core).map_err(|error| error.with_namespace(&namespace))
    }

    fn core<V: Send + Sync + 'static>(mut self, namespace: &Namespace, form: Form<V>) -> Result<Arc<Core<V>>> {
        let rules = self.engine.settings.rules(namespace.as_str());
        let told = !Arc::ptr_eq(rules, &self.engine.settings.others);
        let defaults = rules.options.clone();
        let mode = self.mode_of(&defaults, told)?;
        let tiers = self.engine.settings.tiers;
        let plan = plan(mode, tiers, self.engine.settings.single_instance)?;
        self.options.ttl = match self.ttl {
            None => defaults.ttl,
            Some(Ttl::After(ttl)) => ttl,
            Some(Ttl::Forever) => {
                return Err(Error::invalid_config(
                    "`ttl`: a cache keeps nothing for ever; say how long a value may be outdated, up to 10 years",
                ));
            }
        };
        self.options.check()?;
        if plan.shared_copies && self.engine.link().is_none() {
            return Err(Error::invalid_config(
                "this store cannot hold the copies of a cache: it has no leases and no invalidations \
                 (`KvStore::as_shared`); use a `RedisStore`",
            ));
        }
        if plan.local_copies && self.engine.local_tier().is_none() {
            return Err(Error::invalid_config(
                "this store cannot hold the copies of a cache: it keeps no decoded copies (`KvStore::as_local`); use a \
                 `MokaStore`",
            ));
        }
        let lease = match (plan.shared_copies, plan.authority) {
            (true, _) => Lease::Link,
            (false, Authority::Local) => Lease::Alone,
            (false, _) => Lease::Timed,
        };
        let local_ttl = self.local_ttl.or(defaults.local_ttl).unwrap_or(match lease {
            Lease::Alone => Duration::MAX,
            Lease::Link => Duration::from_secs(60),
            Lease::Timed => Duration::from_secs(5),
        });
        if local_ttl.is_zero() {
            return Err(Error::invalid_config("`local_ttl` must be longer than 0"));
        }
        let degraded_ttl = self.degraded_ttl.unwrap_or(defaults.degraded_ttl);
        let on_shared_down = self.on_shared_down.unwrap_or(defaults.on_shared_down);
        let options = NamespaceOptions {
            mode: Some(mode),
            ttl: self.options.hard_ttl(),
            local_ttl: Some(local_ttl),
            degraded_ttl,
            on_shared_down,
        };
        let label = self.engine.settings.labels.of(namespace.as_str());
        let rules = Rules { plan, options, local_ttl: micros(local_ttl), degraded_ttl: micros(degraded_ttl), label };
        Core::new(self.engine, namespace.clone(), rules, self.options, lease, form)
    }

    /// The mode chosen here, or that of the namespace; never weaker than what somebody was promised.
    fn mode_of(&self, defaults: &NamespaceOptions, told: bool) -> Result<Mode> {
        let promised = if told { defaults.mode } else { None }.unwrap_or(Mode::Local).max(self.floor);
        let usual = defaults.mode.unwrap_or_else(|| self.engine.settings.tiers.default_mode());
        let mode = self.mode.unwrap_or_else(|| usual.max(self.floor));
        if mode == Mode::Consistent || promised == Mode::Consistent {
            return Err(Error::invalid_config(
                "`mode`: a cache answers with copies, so it cannot be `consistent`; read the store itself \
                 (`TieredStore::get`) for the truth, or let the cache be `shared` (`.mode(Mode::Shared)` under another \
                 namespace)",
            ));
        }
        if mode < promised {
            return Err(Error::invalid_config(format!(
                "`mode`: the namespace is promised `{promised}`; a cache may not weaken that to `{mode}`"
            )));
        }
        Ok(mode)
    }
}

/// Where a cache keeps its copies. Its authority is the loader; the plan only says who else may change things.
fn plan(mode: Mode, tiers: crate::TierSet, single_instance: bool) -> Result<Plan> {
    let plan = tiers.plan(mode, single_instance)?;
    let shared_copies = mode == Mode::Shared && tiers.shared;
    if !tiers.local && !shared_copies {
        return Err(Error::invalid_config(
            "a cache needs a local or a shared tier to keep its copies in; its values come from its loader",
        ));
    }
    // With a shared tier alone the loader is still the truth.
    let authority = if plan.authority == Authority::Local { Authority::Local } else { Authority::Consistent };
    Ok(Plan { mode, authority, local_copies: tiers.local, shared_copies })
}

impl<C> std::fmt::Debug for CacheBuilder<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheBuilder").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
