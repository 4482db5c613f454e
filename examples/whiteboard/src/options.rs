//! What may be set, and what holds if nothing is.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
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
    /// Where browsers see the pages, for a proxy that rewrites `Host`: `https://board.example`. Forms from elsewhere are
    /// refused
    #[arg(long, env = "WHITEBOARD_ORIGIN", value_name = "ORIGIN", value_parser = parse_origin)]
    origin: Option<String>,
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

    /// As browsers write it.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// An origin as browsers write it: in lower case, and without the port that the scheme has anyway.
fn parse_origin(text: &str) -> Result<String, String> {
    let wanted =
        || "wanted is what a browser calls it: scheme, host and no path, as in https://board.example".to_owned();
    let uri: Uri = text.parse().map_err(|_| wanted())?;
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(wanted()),
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wanted()) };
    if authority.as_str().contains('@') || !matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("/")) {
        return Err(wanted());
    }
    let host = authority.host().to_lowercase();
    match authority.port_u16() {
        None if authority.as_str().len() != host.len() => Err(wanted()),
        Some(port) if port != usual => Ok(format!("{scheme}://{host}:{port}")),
        _ => Ok(format!("{scheme}://{host}")),
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

    #[test]
    fn an_origin_is_what_browsers_call_it() {
        for (text, origin) in [
            ("https://board.example", "https://board.example"),
            ("https://Board.Example:443/", "https://board.example"),
            ("http://board.example:80", "http://board.example"),
            ("http://board.example:443", "http://board.example:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(parse_origin(text).as_deref(), Ok(origin), "{text}");
        }
        for text in [
            "",
            "board.example",
            "/",
            "ftp://board.example",
            "https://",
            "https://a@board.example",
            "https://board.example/login",
            "https://board.example/?a",
            "https://board.example:",
            "https://board.example:99999",
            "null",
        ] {
            assert!(parse_origin(text).unwrap_err().contains("https://board.example"), "{text}");
        }
    }
}
