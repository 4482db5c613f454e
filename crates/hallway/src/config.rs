//! Which stores a deployment uses, read from its environment and from `hallway.toml`.

mod env;
mod file;
#[cfg(feature = "tiered")]
mod rules;
#[cfg(feature = "tiered")]
mod tables;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hallway_core::{Error, KvStore, Result, StoreUrl};

/// The stores of a deployment, one for each tier it has, and what readers of them are promised.
///
/// ```toml
/// # hallway.toml
/// [stores]
/// local = "moka:?max=64MiB"
/// shared = "redis://cache.internal/0"
/// consistent = "postgres://db.internal/app"
///
/// # With feature `tiered`. Everything may be left out; durations have a unit.
/// [tiers]
/// mode = "shared"               # local, shared or consistent
/// bound = "1s"                  # H: 100ms to 30s
/// on_shared_down = "proceed"    # or fail
/// degraded_ttl = "5s"           # how old a local copy may be while the shared tier is down
/// local_ttl = "60s"             # the longest life of a local copy
/// copy_ttl = "1h"               # the longest life of a copy in the shared tier
/// shared_deadline = "250ms"     # how long the shared tier may take before the store does without
/// single_instance = false       # true: a local tier alone may call itself shared
///
/// [namespaces."user:profile"]   # what is not said here is as in [tiers]
/// mode = "consistent"
///
/// [namespaces."stock"]
/// strict = true                 # on_shared_down = "fail" and degraded_ttl = "0s"
/// ```
///
/// The environment takes the place of what the file says: `HALLWAY_LOCAL`, `HALLWAY_SHARED` and `HALLWAY_CONSISTENT` of
/// the URLs, `HALLWAY_BOUND`, `HALLWAY_ON_SHARED_DOWN` and `HALLWAY_SINGLE_INSTANCE` (`1` or `0`) of those lines of
/// `[tiers]`. `HALLWAY_LOCAL_FILE` and so on name a file that holds the URL, so that a password need not stand in the
/// environment. `Debug` shows the schemes of URLs only.
///
/// ```
/// # fn main() -> hallway::Result<()> {
/// let config = hallway::Config::from_toml_str("[stores]\nlocal = 'moka:?max=64MiB'")?;
/// assert_eq!(config, hallway::Config::default().with_local("moka:?max=64MiB"));
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    local: Option<String>,
    shared: Option<String>,
    consistent: Option<String>,
    #[cfg(feature = "tiered")]
    promises: rules::Promises,
}

impl Config {
    /// Reads the file that `HALLWAY_CONFIG` names, or `hallway.toml` in the working directory if there is one, and
    /// then the environment, which has the last word.
    ///
    /// # Errors
    /// `InvalidConfig` naming the variable or the place in the file.
    pub fn from_env() -> Result<Self> {
        env::load(&|name| std::env::var_os(name))
    }

    /// Reads TOML text.
    ///
    /// # Errors
    /// - `InvalidConfig` for a table, a field or a value that is not known; it names the line and what is known.
    /// - `MissingFeature` for `[tiers]` and `[namespaces]` without feature `tiered`.
    pub fn from_toml_str(text: &str) -> Result<Self> {
        file::parse(text)
    }

    /// Reads a TOML file. The environment is left aside; add it with [`with_env`](Self::with_env).
    ///
    /// # Errors
    /// `InvalidConfig` if the file cannot be read or as for [`from_toml_str`](Self::from_toml_str).
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self> {
        file::read(path.as_ref())
    }

    /// Lets the environment override what is set so far.
    ///
    /// # Errors
    /// `InvalidConfig` naming the variable.
    pub fn with_env(self) -> Result<Self> {
        env::apply(self, &|name| std::env::var_os(name))
    }

    /// Sets the URL of the store in this process. Default: none.
    #[must_use]
    pub fn with_local(mut self, url: impl Into<String>) -> Self {
        self.local = Some(url.into());
        self
    }

    /// Sets the URL of the store that all instances share. Default: none.
    #[must_use]
    pub fn with_shared(mut self, url: impl Into<String>) -> Self {
        self.shared = Some(url.into());
        self
    }

    /// Sets the URL of the store that is the truth. Default: none.
    #[must_use]
    pub fn with_consistent(mut self, url: impl Into<String>) -> Self {
        self.consistent = Some(url.into());
        self
    }

    /// Opens every store that is configured, as [`open`](crate::open) does, without putting them together.
    ///
    /// # Errors
    /// `InvalidConfig` if there is none; else as for [`open`](crate::open), naming the tier.
    pub async fn open_stores(&self) -> Result<Stores> {
        if self.urls().all(|(_, url)| url.is_none()) {
            return Err(Error::invalid_config(
                "no store is configured; set HALLWAY_LOCAL, HALLWAY_SHARED or HALLWAY_CONSISTENT, or write `[stores]` in hallway.toml",
            ));
        }
        Ok(Stores {
            local: open_tier("local", self.local.as_deref()).await?,
            shared: open_tier("shared", self.shared.as_deref()).await?,
            consistent: open_tier("consistent", self.consistent.as_deref()).await?,
        })
    }

    /// The tiers by name, `local`, `shared` and `consistent`, and their URLs with whatever secrets are in them.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        file::TIERS.into_iter().zip([self.local.as_deref(), self.shared.as_deref(), self.consistent.as_deref()])
    }

    fn tier_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "local" => Some(&mut self.local),
            "shared" => Some(&mut self.shared),
            "consistent" => Some(&mut self.consistent),
            _ => None,
        }
    }
}

/// Shows the schemes only: hosts, paths and options stay out along with the secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Config");
        for (tier, url) in self.urls() {
            out.field(tier, &url.map(|url| StoreUrl::parse(url).map_or("not a URL".into(), shown)));
        }
        #[cfg(feature = "tiered")]
        out.field("promises", &self.promises);
        out.finish()
    }
}

/// A text such as `admin:secret@host` has the scheme `admin`, so only known ones are shown.
fn shown(url: StoreUrl) -> String {
    if crate::open::is_known(url.scheme()) { url.scheme().to_owned() } else { "unknown scheme".to_owned() }
}

#[cfg(not(feature = "tiered"))]
fn missing_tiered(what: impl fmt::Display) -> Error {
    Error::new(
        hallway_core::ErrorKind::MissingFeature,
        format!("built without `tiered`, which {what} needs; enable feature `tiered`"),
    )
}

/// The stores of a [`Config`], opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stores {
    /// In this process.
    pub local: Option<Arc<dyn KvStore>>,
    /// Shared by all instances.
    pub shared: Option<Arc<dyn KvStore>>,
    /// The truth.
    pub consistent: Option<Arc<dyn KvStore>>,
}

async fn open_tier(tier: &str, url: Option<&str>) -> Result<Option<Arc<dyn KvStore>>> {
    let Some(url) = url else { return Ok(None) };
    match crate::open(url).await {
        Ok(store) => Ok(Some(store)),
        Err(error) => Err(error.with_context(format_args!("{tier} store"))),
    }
}
