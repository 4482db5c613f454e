//! From stores to tiers.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Clock, Error, KvStore, Namespace, Result};

use crate::engine::Engine;
use crate::settings::{NamespaceOptions, Settings};
use crate::{TierSet, TieredStore};

/// Stages: which tiers there are. Each can be given once, so a second local tier does not compile.
///
/// ```
/// # fn main() -> hallway_core::Result<()> {
/// use hallway_moka::MokaStore;
/// use hallway_tiered::{NamespaceOptions, TieredStore};
///
/// let tiers = TieredStore::builder()
///     .local(MokaStore::builder().build()?)
///     .single_instance()
///     .namespace("user:profile", NamespaceOptions::new())
///     .build()?;
/// # let _ = tiers;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # fn main() -> hallway_core::Result<()> {
/// use hallway_moka::MokaStore;
/// use hallway_tiered::TieredStore;
///
/// let twice = TieredStore::builder().local(MokaStore::builder().build()?).local(MokaStore::builder().build()?);
/// # Ok(())
/// # }
/// ```
#[must_use]
#[derive(Debug)]
pub struct TieredBuilder<L = NoTier, S = NoTier, C = NoTier> {
    local: L,
    shared: S,
    consistent: C,
    options: Options,
}

/// A tier that was not given.
#[derive(Debug, Clone, Copy)]
pub struct NoTier;

/// A tier that was given.
#[derive(Debug, Clone)]
pub struct Tier(Arc<dyn KvStore>);

/// A tier that may have been given: known only at run time.
pub type AnyTier = Option<Arc<dyn KvStore>>;

/// Given or not.
pub trait MaybeTier: sealed::Sealed {
    #[doc(hidden)]
    fn into_store(self) -> Option<Arc<dyn KvStore>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoTier {}
    impl Sealed for super::Tier {}
    impl Sealed for Option<std::sync::Arc<dyn hallway_core::KvStore>> {}
}

impl MaybeTier for NoTier {
    fn into_store(self) -> Option<Arc<dyn KvStore>> {
        None
    }
}

impl MaybeTier for Tier {
    fn into_store(self) -> Option<Arc<dyn KvStore>> {
        Some(self.0)
    }
}

impl MaybeTier for AnyTier {
    fn into_store(self) -> Option<Arc<dyn KvStore>> {
        self
    }
}

#[derive(Debug, Default)]
struct Options {
    single_instance: bool,
    others: NamespaceOptions,
    namespaces: Vec<(String, NamespaceOptions)>,
    bound: Option<Duration>,
    shared_deadline: Option<Duration>,
    stamps: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
}

impl TieredBuilder {
    pub(crate) fn new() -> Self {
        Self { local: NoTier, shared: NoTier, consistent: NoTier, options: Options::default() }
    }

    /// Starts from tiers that may or may not be there, as a configuration gives them.
    pub fn from_parts(
        local: AnyTier,
        shared: AnyTier,
        consistent: AnyTier,
    ) -> TieredBuilder<AnyTier, AnyTier, AnyTier> {
        TieredBuilder { local, shared, consistent, options: Options::default() }
    }
}

impl<S, C> TieredBuilder<NoTier, S, C> {
    /// The tier in this process, such as a `MokaStore`.
    pub fn local(self, store: impl KvStore) -> TieredBuilder<Tier, S, C> {
        let Self { shared, consistent, options, .. } = self;
        TieredBuilder { local: Tier(Arc::new(store)), shared, consistent, options }
    }
}

impl<L, C> TieredBuilder<L, NoTier, C> {
    /// The tier that all instances share, such as a `RedisStore`.
    pub fn shared(self, store: impl KvStore) -> TieredBuilder<L, Tier, C> {
        let Self { local, consistent, options, .. } = self;
        TieredBuilder { local, shared: Tier(Arc::new(store)), consistent, options }
    }
}

impl<L, S> TieredBuilder<L, S, NoTier> {
    /// The tier that is the truth, such as a `SqlStore`.
    pub fn consistent(self, store: impl KvStore) -> TieredBuilder<L, S, Tier> {
        let Self { local, shared, options, .. } = self;
        TieredBuilder { local, shared, consistent: Tier(Arc::new(store)), options }
    }
}

impl<L: MaybeTier, S: MaybeTier, C: MaybeTier> TieredBuilder<L, S, C> {
    /// There is one instance, so a local tier alone may call itself shared.
    pub fn single_instance(mut self) -> Self {
        self.options.single_instance = true;
        self
    }

    /// What namespaces without settings of their own are promised. Default: [`NamespaceOptions::new`].
    pub fn defaults(mut self, options: NamespaceOptions) -> Self {
        self.options.others = options;
        self
    }

    /// What a namespace, and all below it, is promised.
    pub fn namespace(mut self, segments: &str, options: NamespaceOptions) -> Self {
        self.options.namespaces.push((segments.to_owned(), options));
        self
    }

    /// H: how old a local copy may be that the shared tier has not contradicted; 100 ms to 30 s. Default: 1 s.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.options.bound = Some(bound);
        self
    }

    /// How long a call to the shared tier may take before the store does without. Default: 250 ms.
    pub fn shared_deadline(mut self, deadline: Duration) -> Self {
        self.options.shared_deadline = Some(deadline);
        self
    }

    /// How many stamps there are: with W invalidations a second a copy of age T is lost in vain with probability
    /// 1 - e^(-WT/N). 16 to 2^20. Default: 65,536 (512 KiB).
    pub fn stamps(mut self, stamps: usize) -> Self {
        self.options.stamps = Some(stamps);
        self
    }

    /// The clock of local copies. Default: [`SystemClock`](hallway_core::SystemClock). It must be that of the local tier.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.options.clock = Some(clock);
        self
    }

    /// Draws tokens and jitter from a seed: the same run twice, for simulations. Never in production.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Opens the tiers. Nothing is connected: that happens in the background and inside the first call.
    ///
    /// # Errors
    /// `InvalidConfig`: no tier at all, a mode that the tiers cannot keep, a store that cannot be the tier it was given as,
    /// or a setting out of range. It says which.
    pub fn build(self) -> Result<TieredStore> {
        let Self { local, shared, consistent, options } = self;
        let (local, shared, consistent) = (local.into_store(), shared.into_store(), consistent.into_store());
        let tiers = TierSet::new(local.is_some(), shared.is_some(), consistent.is_some());
        let mut settings = Settings::new(tiers, options.single_instance, &options.others)?;
        for (segments, namespace) in &options.namespaces {
            settings.add(Namespace::new(segments)?, namespace)?;
        }
        settings.bound = options.bound.unwrap_or(settings.bound);
        settings.shared_deadline = options.shared_deadline.unwrap_or(settings.shared_deadline);
        settings.stamps = options.stamps.unwrap_or(settings.stamps);
        settings.seed = options.seed;
        let local_clock = local.as_ref().and_then(|local| local.as_local()).map(|local| local.clock());
        if let Some(clock) = options.clock.or(local_clock) {
            settings.clock = clock;
        }
        let limit = consistent.as_ref().and_then(|store| store.as_authority()).and_then(|tier| tier.write_limit());
        if let Some(limit) = limit {
            settings.outlive(limit);
        }
        settings.check()?;
        let alone = !tiers.shared && !tiers.consistent;
        if !alone && local.as_ref().is_some_and(|local| local.as_local().is_none()) {
            return Err(Error::invalid_config(
                "this store cannot be a local tier: it keeps no decoded copies (`KvStore::as_local`); use a `MokaStore`",
            ));
        }
        let copies = tiers.local || tiers.consistent;
        if copies && shared.as_ref().is_some_and(|shared| shared.as_shared().is_none()) {
            return Err(Error::invalid_config(
                "this store cannot be a shared tier: it has no leases and no invalidations (`KvStore::as_shared`); use a \
                 `RedisStore`",
            ));
        }
        Ok(TieredStore::from_engine(Engine::new(local, shared, consistent, settings)?))
    }
}
