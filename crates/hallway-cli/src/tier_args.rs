//! Which tiers: from flags, a configuration file or the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hallway::{Config, KvStore, Mode, NamespaceOptions, OnSharedDown, Stores, TieredStore};

use crate::failure::Failure;
use crate::store_args::Target;

#[derive(Args)]
pub(crate) struct TierArgs {
    /// Tier in this process, such as moka:?max=64MiB
    #[arg(long, value_name = "URL", help_heading = "Tiers")]
    local: Option<String>,
    /// Tier that all instances share, such as redis://host/0
    #[arg(long, value_name = "URL", conflicts_with = "shared_file", help_heading = "Tiers")]
    shared: Option<String>,
    /// File that holds the URL of the shared tier
    #[arg(long, value_name = "FILE", help_heading = "Tiers")]
    shared_file: Option<PathBuf>,
    /// Tier that is the truth, such as sqlite:app.db or postgres://user@host/db
    #[arg(long, value_name = "URL", conflicts_with = "consistent_file", help_heading = "Tiers")]
    consistent: Option<String>,
    /// File that holds the URL of the consistent tier
    #[arg(long, value_name = "FILE", help_heading = "Tiers")]
    consistent_file: Option<PathBuf>,
    /// Configuration with tiers and promises, such as hallway.toml; the environment has the last word
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["local", "shared", "shared_file", "consistent", "consistent_file"],
        help_heading = "Tiers"
    )]
    config: Option<PathBuf>,
    /// What readers are promised: local, shared or consistent
    #[arg(long, value_name = "MODE", value_parser = mode, help_heading = "Tiers")]
    mode: Option<Mode>,
    /// H, how old a local copy may be that nobody contradicts: 100ms to 30s
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Tiers")]
    bound: Option<Duration>,
    /// What a write does while the shared tier is down: fail or proceed
    #[arg(long, value_name = "POLICY", value_parser = policy, help_heading = "Tiers")]
    on_shared_down: Option<OnSharedDown>,
    /// There is one instance, so that a local tier alone may call itself shared
    #[arg(long, help_heading = "Tiers")]
    single_instance: bool,
}

fn mode(text: &str) -> Result<Mode, String> {
    text.parse().map_err(|_| "a mode is local, shared or consistent".to_owned())
}

fn policy(text: &str) -> Result<OnSharedDown, String> {
    text.parse().map_err(|_| "a policy is fail or proceed".to_owned())
}

/// A duration with a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "a duration has a unit, such as 1s or 250ms".to_owned())
}

impl TierArgs {
    /// Whether the command line names tiers.
    pub(crate) fn are_named(&self) -> bool {
        self.config.is_some() || self.has_urls()
    }

    fn has_urls(&self) -> bool {
        [&self.local, &self.shared, &self.consistent].iter().any(|url| url.is_some())
            || self.shared_file.is_some()
            || self.consistent_file.is_some()
    }

    fn has_promises(&self) -> bool {
        self.mode.is_some() || self.bound.is_some() || self.on_shared_down.is_some() || self.single_instance
    }

    /// The tiers of the command line, else those of the environment or `hallway.toml`, if there are any.
    pub(crate) fn find(&self) -> Result<Option<Deployment>, Failure> {
        if self.has_urls() {
            return Deployment::new(self.promises(), self.targets()?).map(Some);
        }
        let config = match &self.config {
            Some(path) => Config::from_toml_file(path)?.with_env()?,
            None => Config::from_env()?,
        };
        let mut targets = Vec::new();
        for (tier, url) in config.urls() {
            if let Some(url) = url {
                targets.push((tier, Target::parse(url)?));
            }
        }
        if self.has_promises() {
            return Err(Failure::usage(
                "--mode, --bound, --on-shared-down and --single-instance go with --local, --shared or --consistent; for the \
                 tiers of a configuration write them below [tiers] in hallway.toml",
            ));
        }
        match targets.is_empty() {
            true => Ok(None),
            false => Deployment::new(config, targets).map(Some),
        }
    }

    /// The tiers, which there must be.
    pub(crate) fn deployment(&self) -> Result<Deployment, Failure> {
        self.find()?.ok_or_else(|| {
            Failure::usage(
                "no tiers are named; use --local URL, --shared URL and --consistent URL, or --config FILE, or the variables \
                 HALLWAY_LOCAL, HALLWAY_SHARED and HALLWAY_CONSISTENT",
            )
        })
    }

    fn promises(&self) -> Config {
        let mut options = NamespaceOptions::new();
        if let Some(mode) = self.mode {
            options = options.with_mode(mode);
        }
        if let Some(policy) = self.on_shared_down {
            options = options.with_on_shared_down(policy);
        }
        let mut config = Config::default().with_defaults(options);
        if let Some(bound) = self.bound {
            config = config.with_bound(bound);
        }
        if self.single_instance { config.with_single_instance() } else { config }
    }

    fn targets(&self) -> Result<Vec<(&'static str, Target)>, Failure> {
        let none: Option<PathBuf> = None;
        let named = [
            ("local", &self.local, &none),
            ("shared", &self.shared, &self.shared_file),
            ("consistent", &self.consistent, &self.consistent_file),
        ];
        let mut targets = Vec::new();
        for (tier, url, file) in named {
            match (url, file.as_deref().map(Path::new)) {
                (Some(url), _) => targets.push((tier, Target::parse(url)?)),
                (None, Some(path)) => targets.push((tier, Target::from_file(path)?)),
                (None, None) => {}
            }
        }
        Ok(targets)
    }
}

/// Tiers not yet opened.
pub(crate) struct Deployment {
    config: Config,
    targets: Vec<(&'static str, Target)>,
}

impl Deployment {
    fn new(config: Config, targets: Vec<(&'static str, Target)>) -> Result<Self, Failure> {
        // What opens one store is nothing that another should be shown.
        if targets.iter().filter(|(_, target)| target.takes_password()).count() > 1 {
            return Err(Failure::usage(
                "HALLWAY_PASSWORD would go to several tiers; give each its URL with its own password by --shared-file FILE and \
                 --consistent-file FILE",
            ));
        }
        Ok(Self { config, targets })
    }

    /// The same tiers with a bound on a local one that has none of its own.
    pub(crate) fn with_capacity(mut self, entries: Option<u64>, default: u64) -> Result<Self, Failure> {
        let mut used = false;
        for (_, target) in &mut self.targets {
            if target.is_unbounded_moka() {
                *target = target.with_option("max_entries", &entries.unwrap_or(default).to_string())?;
                used = true;
            }
        }
        if entries.is_some() && !used {
            return Err(Failure::usage(
                "--capacity is for a `moka:` tier without `max` and `max_entries`, and there is none; leave it out",
            ));
        }
        Ok(self)
    }

    /// The tiers there are, and how their stores are called in output.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        self.targets.iter().map(|(tier, target)| (*tier, target.label())).collect()
    }

    pub(crate) async fn open_stores(&self) -> Result<Stores, Failure> {
        let mut config = Config::default();
        for (tier, target) in &self.targets {
            config = match *tier {
                "local" => config.with_local(target.url()),
                "shared" => config.with_shared(target.url()),
                _ => config.with_consistent(target.url()),
            };
        }
        Ok(config.open_stores().await?)
    }

    /// Another store in this process like the local tier.
    pub(crate) async fn open_local(&self) -> Result<Option<Arc<dyn KvStore>>, Failure> {
        match self.targets.iter().find(|(tier, _)| *tier == "local") {
            Some((_, target)) => target.open().await.map(Some),
            None => Ok(None),
        }
    }

    /// One instance over opened stores.
    pub(crate) fn build(&self, stores: Stores) -> Result<TieredStore, Failure> {
        Ok(self.config.build(stores)?)
    }
}
