//! Everything that can be set, in one place, with its defaults.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Clock, Error, Namespace, Result, SystemClock};

use crate::observe::{Label, Labels};
use crate::table::{Plan, TierSet};
use crate::{Mode, OnSharedDown};

/// What a namespace is promised and how long its copies live.
///
/// ```
/// use std::time::Duration;
/// use hallway_tiered::{Mode, NamespaceOptions, OnSharedDown};
///
/// let prices = NamespaceOptions::new().with_local_ttl(Duration::from_secs(10));
/// let stock = NamespaceOptions::new().with_mode(Mode::Shared).strict();
/// # let _ = (prices, stock);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceOptions {
    pub(crate) mode: Option<Mode>,
    pub(crate) ttl: Duration,
    pub(crate) local_ttl: Option<Duration>,
    pub(crate) degraded_ttl: Duration,
    pub(crate) on_shared_down: OnSharedDown,
}

impl Default for NamespaceOptions {
    fn default() -> Self {
        Self {
            mode: None,
            ttl: Duration::from_secs(3_600),
            local_ttl: None,
            degraded_ttl: Duration::from_secs(5),
            on_shared_down: OnSharedDown::Proceed,
        }
    }
}

impl NamespaceOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What readers are promised. Default: `Shared` where there is a shared or a consistent tier, else `Local`.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The longest life of a copy in the shared tier, whatever the entry's own: the bound when two faults come together.
    /// Default: 1 h.
    #[must_use]
    pub fn with_copy_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The longest life of a local copy. Default: 60 s, or 5 s where no link tells of changes elsewhere.
    #[must_use]
    pub fn with_local_ttl(mut self, ttl: Duration) -> Self {
        self.local_ttl = Some(ttl);
        self
    }

    /// How old a local copy may be while the shared tier is down; zero asks the authority at once. Default: 5 s.
    #[must_use]
    pub fn with_degraded_ttl(mut self, ttl: Duration) -> Self {
        self.degraded_ttl = ttl;
        self
    }

    /// What a write does when the shared tier cannot be told. Default: [`OnSharedDown::Proceed`].
    #[must_use]
    pub fn with_on_shared_down(mut self, policy: OnSharedDown) -> Self {
        self.on_shared_down = policy;
        self
    }

    /// The bound holds under every single fault: writes are refused while the shared tier cannot be told
    /// ([`OnSharedDown::Fail`]), and no copy answers while it is down.
    #[must_use]
    pub fn strict(self) -> Self {
        self.with_on_shared_down(OnSharedDown::Fail).with_degraded_ttl(Duration::ZERO)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let zero = |name: &str| Error::invalid_config(format!("`{name}` must be longer than 0"));
        if self.ttl.is_zero() {
            return Err(zero("copy_ttl"));
        }
        if self.ttl > hallway_core::MAX_TTL {
            return Err(Error::invalid_config("`copy_ttl` is at most 10 years"));
        }
        if self.local_ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(zero("local_ttl"));
        }
        Ok(())
    }
}

/// A namespace as it was configured, with its plan.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) plan: Plan,
    /// For calls that may only be answered by the truth.
    pub(crate) options: NamespaceOptions,
    /// [`NamespaceOptions::local_ttl`] with its default, in microseconds.
    pub(crate) local_ttl: u64,
    /// In microseconds.
    pub(crate) degraded_ttl: u64,
    /// What it is called in metrics.
    pub(crate) label: Label,
}

/// The settings of a store.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) tiers: TierSet,
    pub(crate) single_instance: bool,
    /// H.
    pub(crate) bound: Duration,
    /// How long a call to the shared tier may take.
    pub(crate) shared_deadline: Duration,
    /// How long a marker stands if its writer dies.
    pub(crate) marker: Duration,
    /// How long a lease on a copy of the consistent tier stands if its holder dies.
    pub(crate) lease: Duration,
    /// How long after a lost reply a write may still commit: the server's own limits.
    pub(crate) settle: Duration,
    /// How many stamps there are.
    pub(crate) stamps: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Option<u64>,
    pub(crate) others: Arc<Rules>,
    pub(crate) namespaces: HashMap<Namespace, Arc<Rules>>,
    pub(crate) labels: Labels,
}

/// The smallest and the largest H.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(30);

impl Settings {
    pub(crate) fn new(tiers: TierSet, single_instance: bool, others: &NamespaceOptions) -> Result<Self> {
        Ok(Self {
            tiers,
            single_instance,
            bound: Duration::from_secs(1),
            shared_deadline: Duration::from_millis(250),
            marker: Duration::from_secs(10),
            lease: Duration::from_secs(3),
            settle: Duration::from_secs(10),
            stamps: 65_536,
            clock: Arc::new(SystemClock),
            seed: None,
            others: rules(tiers, single_instance, others, Labels::others())?,
            namespaces: HashMap::new(),
            labels: Labels::default(),
        })
    }

    pub(crate) fn add(&mut self, namespace: Namespace, options: &NamespaceOptions) -> Result<()> {
        let rules = rules(self.tiers, self.single_instance, options, self.labels.of(namespace.as_str()))
            .map_err(|error| error.with_namespace(&namespace))?;
        self.namespaces.insert(namespace, rules);
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !BOUNDS.contains(&self.bound) {
            return Err(Error::invalid_config("`bound` is 100 ms to 30 s"));
        }
        if !(16..=1 << 20).contains(&self.stamps) {
            return Err(Error::invalid_config("`stamps` is 16 to 1,048,576"));
        }
        if self.shared_deadline.is_zero() {
            return Err(Error::invalid_config("`shared_deadline` must be longer than 0"));
        }
        Ok(())
    }

    /// Markers, and the stamps of writes of unknown outcome, stand longer than a write can still commit.
    pub(crate) fn outlive(&mut self, write_limit: Duration) {
        const MARGIN: Duration = Duration::from_secs(2);
        self.marker = self.marker.max(write_limit + MARGIN);
        self.settle = self.settle.max(write_limit + MARGIN);
    }

    /// The rules of the namespace itself or of the nearest one around it.
    #[inline]
    pub(crate) fn rules(&self, namespace: &str) -> &Arc<Rules> {
        if self.namespaces.is_empty() { &self.others } else { self.nearest(namespace) }
    }

    fn nearest(&self, namespace: &str) -> &Arc<Rules> {
        let mut rest = namespace;
        loop {
            // By text, so that a lookup makes no namespace.
            if let Some(rules) = self.namespaces.get(rest) {
                return rules;
            }
            match rest.rfind(':') {
                Some(end) => rest = &rest[..end],
                None => return &self.others,
            }
        }
    }
}

fn rules(tiers: TierSet, single_instance: bool, options: &NamespaceOptions, label: Label) -> Result<Arc<Rules>> {
    options.check()?;
    let plan = tiers.plan(options.mode.unwrap_or_else(|| tiers.default_mode()), single_instance)?;
    let linked = tiers.shared;
    let local_ttl = options.local_ttl.unwrap_or(Duration::from_secs(if linked { 60 } else { 5 }));
    Ok(Arc::new(Rules {
        plan,
        local_ttl: micros(local_ttl),
        degraded_ttl: micros(options.degraded_ttl),
        options: options.clone(),
        label,
    }))
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
