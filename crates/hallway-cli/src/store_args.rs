//! Which store: from a flag, a file or the environment, and how it is called in output.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hallway::{Error, KvStore, StoreUrl};

use crate::failure::Failure;

/// No URL is longer; a larger file is not a URL file.
const MAX_URL_FILE: u64 = 64 << 10;

/// Options that hold no secret and tell two stores apart. Not here: who logs in and with what, whom to trust, and
/// when to connect.
const SHOWN_OPTIONS: [&str; 19] = [
    "allow_plaintext",
    "allow_unverified_tls",
    "coalesce",
    "connect_timeout",
    "connections",
    "db",
    "deadline",
    "host",
    "max",
    "max_entries",
    "max_value",
    "migrate",
    "pgbouncer",
    "readers",
    "sslmode",
    "statement_timeout",
    "sweep",
    "synchronous",
    "table",
];

#[derive(Args)]
pub(crate) struct StoreArgs {
    /// Store, such as sqlite:app.db, redis://host/0, postgres://user@host/db [env: HALLWAY_STORE]
    #[arg(long, value_name = "URL", conflicts_with = "store_file")]
    store: Option<String>,
    /// File that holds the store URL
    #[arg(long, value_name = "FILE")]
    store_file: Option<PathBuf>,
}

impl StoreArgs {
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let text = match (&self.store, &self.store_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => read_url_file(file)?,
            (None, None) => variable("HALLWAY_STORE")?.ok_or_else(|| {
                Failure::usage("no store is named; use --store URL, --store-file FILE or the variable HALLWAY_STORE")
            })?,
        };
        Target::parse(&text)
    }

    /// Whether a flag or the environment names a store.
    pub(crate) fn is_named(&self) -> bool {
        self.is_given() || env::var_os("HALLWAY_STORE").is_some()
    }

    /// Whether a flag names a store.
    pub(crate) fn is_given(&self) -> bool {
        self.store.is_some() || self.store_file.is_some()
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn KvStore>, Failure> {
        self.target()?.open().await
    }
}

/// A store not yet opened.
pub(crate) struct Target {
    // With its secrets; only `open` sees it.
    url: String,
    parsed: StoreUrl,
    takes_password: bool,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut parsed = StoreUrl::parse(text)?;
        let mut url = parsed.as_url().clone();
        // `redis+unix` has no host to log in at, so its user and password are options.
        let on_socket = parsed.scheme() == "redis+unix";
        let has_place = on_socket || url.host_str().is_some_and(|host| !host.is_empty());
        let has_one = url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password");
        if !has_place || has_one {
            return Ok(Self { url: text.to_owned(), parsed, takes_password: false });
        }
        let Some(password) = variable("HALLWAY_PASSWORD")? else {
            return Ok(Self { url: text.to_owned(), parsed, takes_password: false });
        };
        if on_socket {
            url.query_pairs_mut().append_pair("password", &password);
        } else {
            // The setter takes a percent sign for the start of an escape.
            url.set_password(Some(&password.replace('%', "%25")))
                .map_err(|()| Error::invalid_config("this URL has no place for HALLWAY_PASSWORD; unset it"))?;
        }
        parsed = StoreUrl::parse(url.as_str())?;
        Ok(Self { url: url.into(), parsed, takes_password: true })
    }

    pub(crate) fn from_file(path: &Path) -> Result<Self, Failure> {
        Self::parse(&read_url_file(path)?)
    }

    /// Whether the password is the one of `HALLWAY_PASSWORD`.
    pub(crate) fn takes_password(&self) -> bool {
        self.takes_password
    }

    /// With its secrets; for opening only.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is a store in this process that says no bound.
    pub(crate) fn is_unbounded_moka(&self) -> bool {
        self.parsed.scheme() == "moka" && self.option("max").is_none() && self.option("max_entries").is_none()
    }

    pub(crate) fn parsed(&self) -> &StoreUrl {
        &self.parsed
    }

    pub(crate) fn option(&self, name: &str) -> Option<String> {
        self.parsed.as_url().query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// The same store with one option more.
    pub(crate) fn with_option(&self, name: &str, value: &str) -> Result<Self, Failure> {
        let mut url = self.parsed.as_url().clone();
        url.query_pairs_mut().append_pair(name, value);
        Self::parse(url.as_str())
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn KvStore>, Failure> {
        Ok(hallway::open(&self.url).await?)
    }

    /// The URL without user, password and unknown options. Only for stores that could be opened: in a text that is
    /// not a proper URL of its scheme, the path may be a password.
    pub(crate) fn label(&self) -> String {
        let mut label = self.parsed.to_string();
        let mut separator = '?';
        for (name, value) in self.parsed.as_url().query_pairs() {
            // An `@` was meant to end a password, which then stands before it.
            if SHOWN_OPTIONS.contains(&&*name) && !value.contains('@') {
                let _ = write!(label, "{separator}{name}={value}");
                separator = '&';
            }
        }
        label
    }
}

fn read_url_file(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_URL_FILE).read_to_string(&mut text)).map_err(|error| {
        Error::invalid_config(format!("cannot read the store file {}", path.display())).with_source(error)
    })?;
    match text.trim() {
        "" => Err(Failure::usage(format!("the store file {} is empty; write a store URL into it", path.display()))),
        url => Ok(url.to_owned()),
    }
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var_os(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) if value.is_empty() => {
            Err(Failure::usage(format!("{name} is empty; unset it or give it a value")))
        }
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Failure::usage(format!("{name} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_show_what_tells_stores_apart_and_no_secret() {
        let label = |url| Target::parse(url).ok().unwrap().label();
        assert_eq!(label("moka:?max_entries=1024"), "moka:?max_entries=1024");
        assert_eq!(label("redis://user:hunter2@host:6379/0?db=2&token=hunter2"), "redis://host:6379/0?db=2");
        assert_eq!(label("sqlite:app.db?table=kv"), "sqlite:app.db?table=kv");
        assert_ne!(label("sqlite:app.db?synchronous=normal"), label("sqlite:app.db"));
        assert_eq!(label("postgres://u:1?host=hunter2@h/db"), "postgres:…");
    }

    /// Every option a store knows is shown, or kept back for a reason.
    #[tokio::test]
    async fn no_option_is_forgotten_in_labels() {
        const HIDDEN: [&str; 6] = ["ca", "cert", "connect", "key", "password", "user"];
        for url in ["moka:", "redis://h", "rediss://h", "redis+unix:///s", "sqlite:a.db", "postgres://h/db"] {
            let Err(error) = hallway::open(&format!("{url}?frobnicate=1")).await else { panic!("{url}") };
            let text = error.to_string();
            let known = text.split_once("known options: ").unwrap_or_else(|| panic!("{text}")).1;
            for option in known.split(", ") {
                assert!(SHOWN_OPTIONS.contains(&option) != HIDDEN.contains(&option), "`{option}` of {url}");
            }
        }
    }
}
