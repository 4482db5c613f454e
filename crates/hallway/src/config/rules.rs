//! What a [`Config`] says about its tiers: the promises of `[tiers]` and `[namespaces]`.

use std::time::Duration;

use hallway_core::Result;
use hallway_tiered::{Mode, NamespaceOptions, OnSharedDown, TieredBuilder, TieredStore};

use super::{Config, Stores};

/// What is promised, before there are tiers to promise it with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Promises {
    pub(super) single_instance: bool,
    pub(super) bound: Option<Duration>,
    pub(super) shared_deadline: Option<Duration>,
    /// Set by the program; what the file and the environment say goes on top.
    pub(super) base: NamespaceOptions,
    pub(super) defaults: Overrides,
    pub(super) namespaces: Vec<(String, Rules)>,
}

/// What one namespace is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rules {
    /// As in `[tiers]`, but for what is said here.
    Inherited(Overrides),
    /// Everything, as the program said it.
    Whole(NamespaceOptions),
}

/// What a table of the file says; the rest is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    pub(super) mode: Option<Mode>,
    pub(super) copy_ttl: Option<Duration>,
    pub(super) local_ttl: Option<Duration>,
    pub(super) degraded_ttl: Option<Duration>,
    pub(super) on_shared_down: Option<OnSharedDown>,
    pub(super) strict: bool,
}

impl Overrides {
    fn over(&self, base: NamespaceOptions) -> NamespaceOptions {
        let mut options = if self.strict { base.strict() } else { base };
        if let Some(mode) = self.mode {
            options = options.with_mode(mode);
        }
        if let Some(ttl) = self.copy_ttl {
            options = options.with_copy_ttl(ttl);
        }
        if let Some(ttl) = self.local_ttl {
            options = options.with_local_ttl(ttl);
        }
        if let Some(ttl) = self.degraded_ttl {
            options = options.with_degraded_ttl(ttl);
        }
        if let Some(policy) = self.on_shared_down {
            options = options.with_on_shared_down(policy);
        }
        options
    }
}

impl Promises {
    fn build(&self, stores: Stores) -> Result<TieredStore> {
        let Stores { local, shared, consistent } = stores;
        let defaults = self.defaults.over(self.base.clone());
        let mut builder = TieredBuilder::from_parts(local, shared, consistent).defaults(defaults.clone());
        if self.single_instance {
            builder = builder.single_instance();
        }
        if let Some(bound) = self.bound {
            builder = builder.bound(bound);
        }
        if let Some(deadline) = self.shared_deadline {
            builder = builder.shared_deadline(deadline);
        }
        for (segments, rules) in &self.namespaces {
            let options = match rules {
                Rules::Inherited(overrides) => overrides.over(defaults.clone()),
                Rules::Whole(options) => options.clone(),
            };
            builder = builder.namespace(segments, options);
        }
        builder.build()
    }
}

/// With feature `tiered`.
#[cfg_attr(hallway_docs, doc(cfg(feature = "tiered")))]
impl Config {
    /// Opens the stores that are configured and puts them together as tiers. It needs no server: a tier that is down is
    /// connected in the background, and until then the others do without it.
    ///
    /// ```
    /// # #[cfg(feature = "moka")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> hallway::Result<()> {
    /// let tiers = hallway::Config::default().with_local("moka:?max=64MiB").open().await?;
    /// assert!(tiers.health().is_ready());
    /// # Ok(()) }
    /// # #[cfg(not(feature = "moka"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// - As for [`open_stores`](Self::open_stores).
    /// - `InvalidConfig` for a mode that these tiers cannot keep, a store that cannot be the tier it was given as, or a
    ///   setting out of range.
    pub async fn open(&self) -> Result<TieredStore> {
        self.build(self.open_stores().await?)
    }

    /// Puts stores together as tiers with the promises of this configuration, such as an `SqlStore` on a pool of your own
    /// in the place of one that [`open_stores`](Self::open_stores) has opened. The URLs are left aside.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn build(&self, stores: Stores) -> Result<TieredStore> {
        self.promises.build(stores)
    }

    /// Sets H, the age of a local copy that the shared tier has not contradicted. Default: 1 s; 100 ms to 30 s.
    #[must_use]
    pub fn with_bound(mut self, bound: Duration) -> Self {
        self.promises.bound = Some(bound);
        self
    }

    /// Sets how long the shared tier may take before the store does without. Default: 250 ms.
    #[must_use]
    pub fn with_shared_deadline(mut self, deadline: Duration) -> Self {
        self.promises.shared_deadline = Some(deadline);
        self
    }

    /// Says that there is one instance, so that a local tier alone may call itself shared. Default: there may be more.
    #[must_use]
    pub fn with_single_instance(mut self) -> Self {
        self.promises.single_instance = true;
        self
    }

    /// Sets what namespaces without settings of their own are promised, and what others inherit. It takes the place of
    /// all that was said so far but for `bound`, `shared_deadline` and `single_instance`. Default:
    /// [`NamespaceOptions::new`].
    #[must_use]
    pub fn with_defaults(mut self, options: NamespaceOptions) -> Self {
        (self.promises.base, self.promises.defaults) = (options, Overrides::default());
        self
    }

    /// Sets what a namespace, and all below it, is promised. Default: as [`with_defaults`](Self::with_defaults) says.
    #[must_use]
    pub fn with_namespace(mut self, segments: impl Into<String>, options: NamespaceOptions) -> Self {
        let segments = segments.into();
        self.promises.namespaces.retain(|(known, _)| *known != segments);
        self.promises.namespaces.push((segments, Rules::Whole(options)));
        self
    }
}

#[cfg(all(test, feature = "moka", feature = "sqlite"))]
mod tests {
    use hallway_core::{ErrorKind, Namespace};
    use hallway_tiered::TierHealth;

    use super::*;

    const STORES: &str = "[stores]\nlocal = 'moka:?max=1MiB'\nconsistent = 'sqlite::memory:'\n";

    async fn bounds(config: &Config, namespaces: &[&str]) -> Vec<String> {
        let tiers = config.open().await.expect("good settings");
        let bound = |name: &&str| tiers.bound_of(&Namespace::new(name).expect("a name")).to_string();
        namespaces.iter().map(bound).collect()
    }

    #[tokio::test]
    async fn a_namespace_inherits_what_it_does_not_say() {
        let text = "[tiers]\nlocal_ttl = '7s'\n[namespaces.'user:profile']\nmode = 'consistent'\n\
                    [namespaces.price]\ncopy_ttl = '1m'\n[namespaces.stock]\nlocal_ttl = '2s'\n";
        let config = Config::from_toml_str(&format!("{STORES}{text}")).unwrap();
        let found = bounds(&config, &["other", "user:profile", "user:profile:deep", "price", "stock"]).await;
        for (bound, words) in
            found.iter().zip(["shared: at most 7s", "consistent: at most 0s", "consistent", "7s", "2s"])
        {
            assert!(bound.contains(words), "{found:?}");
        }
    }

    #[tokio::test]
    async fn the_program_has_the_last_word() {
        let config =
            Config::from_toml_str(&format!("{STORES}[tiers]\nlocal_ttl = '7s'\nmode = 'consistent'\n")).unwrap();
        let nine = NamespaceOptions::new().with_local_ttl(Duration::from_secs(9));
        let config = config.with_defaults(nine).with_namespace("a", NamespaceOptions::new().with_mode(Mode::Local));
        let found = bounds(&config, &["a", "b"]).await;
        assert!(found[0].starts_with("local") && found[1].contains("shared: at most 9s"), "{found:?}");
    }

    #[tokio::test]
    async fn a_mode_that_the_tiers_cannot_keep_is_refused_when_opened() {
        let alone = Config::default().with_local("moka:?max=1MiB");
        let shared = alone.clone().with_defaults(NamespaceOptions::new().with_mode(Mode::Shared));
        let error = shared.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("HALLWAY_SINGLE_INSTANCE"), "{error}");
        shared.with_single_instance().open().await.unwrap();
        let error = alone.with_bound(Duration::from_secs(60)).open().await.unwrap_err();
        assert!(error.to_string().contains("`bound`"), "{error}");
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn a_tier_that_is_down_keeps_nothing_from_opening() {
        // Nobody listens there.
        let config = Config::default().with_local("moka:?max=1MiB").with_consistent("postgres://u@127.0.0.1:1/db");
        let tiers = config.open().await.unwrap();
        assert_eq!(tiers.health().local, TierHealth::Ready);
    }
}
