//! What may be set, and what holds if nothing is.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hallway::Config;

/// Where the tiers come from, to print below `--help`.
pub const TIERS: &str = "\
The tiers are those of the environment or of hallway.toml: HALLWAY_LOCAL, HALLWAY_SHARED, HALLWAY_CONSISTENT. With none of them everything is kept in this process, and there is one instance. With HALLWAY_SHARED=redis://host/0 any number of instances share logins, copies and invalidations; give them one database with --database.";

/// Room for copies in this process, where nobody says more.
const LOCAL: &str = "moka:?max=32MiB";

/// What the demonstration may be told on the command line or by the environment.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Port to listen on; 0 takes one that is free
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// Address to listen on
    #[arg(long, env = "WHITEBOARD_HOST", value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// What this instance is called on its pages; the port if not given
    #[arg(long, env = "WHITEBOARD_NAME")]
    name: Option<String>,
    /// SQLite file of the profiles, the same for all instances; one that ends with the program if not given
    #[arg(long, env = "WHITEBOARD_DB", value_name = "FILE")]
    database: Option<PathBuf>,
    /// How long the query of a profile is made to take
    #[arg(long, env = "WHITEBOARD_DELAY", value_name = "DURATION", default_value = "800ms", value_parser = humantime::parse_duration)]
    delay: Duration,
    /// How long a copy of a profile is good for
    #[arg(long, env = "WHITEBOARD_TTL", value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// Browsers come by https, through a proxy: the cookie is `__Host-` and `Secure`
    #[arg(long, env = "WHITEBOARD_HTTPS")]
    https: bool,
}

impl Options {
    pub(crate) fn address(&self) -> SocketAddr {
        (self.host, self.port).into()
    }

    /// What to call an instance that listens there.
    pub(crate) fn name(&self, listens: SocketAddr) -> String {
        self.name.clone().unwrap_or_else(|| format!("port {}", listens.port()))
    }

    pub(crate) fn database(&self) -> Option<&Path> {
        self.database.as_deref()
    }

    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }
}

/// The tiers to open: a local one is always there, so that there are three to see; alone it is the only instance.
pub(crate) fn tiers(config: Config) -> Config {
    let named: Vec<&str> = config.urls().filter(|(_, url)| url.is_some()).map(|(tier, _)| tier).collect();
    match named[..] {
        [] => config.with_local(LOCAL).with_single_instance(),
        ["local", ..] => config,
        _ => config.with_local(LOCAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_tier_is_always_there_and_nothing_else_is_changed() {
        let alone = Config::default().with_local(LOCAL).with_single_instance();
        assert_eq!(tiers(Config::default()), alone);
        let own = Config::default().with_local("moka:?max=1MiB");
        assert_eq!(tiers(own.clone()), own);
        let shared = Config::default().with_shared("redis://127.0.0.1");
        assert_eq!(tiers(shared.clone()), shared.with_local(LOCAL));
    }
}
