//! How a store is configured, in code or by URL.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(any(test, not(feature = "tls")))]
use hallway_core::ErrorKind;
use hallway_core::{Error, Result, StoreUrl, ValueCap};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::RedisStore;
use crate::engine::{Engine, Setup};
use crate::target::{Address, Login, Target};
use crate::transport::{Opening, Stream};

const DEFAULT_PORT: u16 = 6379;

/// Files for TLS, each PEM. Chain and host name are verified whatever is set here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Where the server is and how the store behaves. [`open`](Self::open) checks it and needs no server.
#[derive(Clone)]
#[must_use]
pub struct RedisConfig {
    address: Address,
    login: Login,
    tls: Option<TlsFiles>,
    allow_plaintext: bool,
    deadline: Duration,
    connect_timeout: Duration,
    max_value: Option<u64>,
    coalescing: bool,
    jitter_seed: Option<u64>,
}

impl RedisConfig {
    /// A server on the network. An IPv6 address is written without brackets.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::at(Address::Tcp { host: host.into(), port })
    }

    /// A server behind a unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(Address::Unix(path.into()))
    }

    /// A server at the other end of streams that the caller opens: through a tunnel, or in the same process.
    ///
    /// `connect` is called for every connection, in the runtime of the store and within the connect timeout; its
    /// error is reported as the reason why the server cannot be reached. Whatever protection the way there needs is
    /// the caller's to give: [`open`](Self::open) refuses TLS options beside it.
    ///
    /// # Examples
    /// ```
    /// use hallway_redis::RedisConfig;
    ///
    /// let store = RedisConfig::over(|| tokio::net::TcpStream::connect("127.0.0.1:6379")).open()?;
    /// # Ok::<(), hallway_core::Error>(())
    /// ```
    pub fn over<F, S>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let open = move || -> Opening {
            let opening = connect();
            Box::pin(async move { Ok(Box::new(opening.await?) as Box<dyn Stream>) })
        };
        Self::at(Address::Given(Arc::new(open)))
    }

    /// Reads a URL; see [`RedisStore::open_url`] for its options.
    ///
    /// # Errors
    /// `InvalidConfig`, also for a scheme of Sentinel or Cluster, which come later.
    pub fn from_url(mut url: StoreUrl) -> Result<Self> {
        let mut config = match url.scheme() {
            "redis" => Self::at(tcp_address(&url)?).with_database(database_of_path(&url)?),
            "rediss" => Self::at(tcp_address(&url)?).with_database(database_of_path(&url)?).with_tls(),
            "redis+unix" => {
                let path = url.path();
                if url.as_url().host_str().is_some_and(|host| !host.is_empty()) || !path.is_absolute() {
                    return Err(Error::invalid_config("expected redis+unix:///path/to/socket?db=0"));
                }
                let mut config = Self::unix(path);
                config.login.user = url.take("user");
                config.login.password = url.take("password");
                if let Some(database) = url.take_parsed("db", "a database number")? {
                    config.login.database = database;
                }
                config
            }
            "redis+sentinel" | "rediss+sentinel" | "redis+cluster" | "rediss+cluster" => {
                return Err(Error::invalid_config(
                    "Sentinel and Cluster come later; use redis://, rediss:// or redis+unix:// with the primary",
                ));
            }
            scheme => {
                return Err(Error::invalid_config(format!(
                    "`{scheme}` is not a Redis scheme; use redis://, rediss:// or redis+unix://"
                )));
            }
        };
        if let Some(user) = url.user() {
            config.login.user = Some(user);
        }
        if let Some(password) = url.password() {
            config.login.password = Some(password);
        }
        if let Some(tls) = &mut config.tls {
            tls.ca = url.take("ca").map(PathBuf::from);
            tls.cert = url.take("cert").map(PathBuf::from);
            tls.key = url.take("key").map(PathBuf::from);
        } else if matches!(config.address, Address::Tcp { .. }) {
            config.allow_plaintext = url.take_bool("allow_plaintext")?.unwrap_or(false);
        }
        if let Some(deadline) = url.take_duration("deadline")? {
            config.deadline = deadline;
        }
        if let Some(timeout) = url.take_duration("connect_timeout")? {
            config.connect_timeout = timeout;
        }
        config.max_value = url.take_size("max_value")?;
        if let Some(coalescing) = url.take_bool("coalesce")? {
            config.coalescing = coalescing;
        }
        url.finish()?;
        Ok(config)
    }

    fn at(address: Address) -> Self {
        Self {
            address,
            login: Login::default(),
            tls: None,
            allow_plaintext: false,
            deadline: Duration::from_secs(1),
            connect_timeout: Duration::from_millis(500),
            max_value: None,
            coalescing: true,
            jitter_seed: None,
        }
    }

    /// Makes the pauses between attempts to connect repeatable, for simulations. Default: random.
    #[doc(hidden)]
    pub fn with_jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// Logs in as this user of the server's ACL. Default: the server's `default` user.
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.login.user = Some(user.into());
        self
    }

    /// Logs in with this password. Default: none.
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.login.password = Some(password.into());
        self
    }

    /// Uses the database of this number. Default: 0.
    pub fn with_database(mut self, number: u32) -> Self {
        self.login.database = number;
        self
    }

    /// Encrypts, and verifies the server by the public certificate authorities. Default: off.
    pub fn with_tls(mut self) -> Self {
        self.tls.get_or_insert_default();
        self
    }

    /// Encrypts, and trusts this authority alone (PEM). Default: the public ones.
    pub fn with_ca_file(mut self, ca: impl Into<PathBuf>) -> Self {
        self.tls.get_or_insert_default().ca = Some(ca.into());
        self
    }

    /// Encrypts, and presents this certificate to the server (both PEM). Default: none.
    pub fn with_client_certificate(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let tls = self.tls.get_or_insert_default();
        tls.cert = Some(cert.into());
        tls.key = Some(key.into());
        self
    }

    /// Lets values and passwords go over the network unencrypted. Default: false; loopback needs no leave.
    pub fn with_allow_plaintext(mut self, allow: bool) -> Self {
        self.allow_plaintext = allow;
        self
    }

    /// How long a call may take. Default: 1 s.
    pub fn with_deadline(mut self, per_call: Duration) -> Self {
        self.deadline = per_call;
        self
    }

    /// How long connecting and logging in may take. Default: 500 ms.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The largest value in bytes. Default: 1 MiB.
    pub fn with_max_value(mut self, bytes: u64) -> Self {
        self.max_value = Some(bytes);
        self
    }

    /// Whether concurrent `get` calls become one `MGET` under load, and calls of a shared tier's link one batch of their
    /// kind. Default: true; a lone call is sent as it is.
    pub fn with_coalescing(mut self, on: bool) -> Self {
        self.coalescing = on;
        self
    }

    /// Opens the store. Connecting happens in the background and inside the first call.
    ///
    /// # Errors
    /// `InvalidConfig` for what cannot work, `MissingFeature` for TLS in a build without it.
    pub fn open(self) -> Result<RedisStore> {
        if self.deadline.is_zero() || self.connect_timeout.is_zero() {
            return Err(Error::invalid_config("`deadline` and `connect_timeout` must be longer than 0"));
        }
        if self.login.user.is_some() && self.login.password.is_none() {
            return Err(Error::invalid_config("a user needs a password; give both in the URL"));
        }
        if self.tls.is_some() && matches!(self.address, Address::Given(_)) {
            return Err(Error::invalid_config("TLS over streams of your own is theirs to bring: open encrypted ones"));
        }
        let cap = self.max_value.map_or(Ok(ValueCap::default()), ValueCap::new)?;
        if self.tls.is_none() && !self.address.needs_no_tls() && !self.allow_plaintext {
            return Err(Error::invalid_config(
                "the URL names another machine without TLS; use rediss://, or accept plain text by `allow_plaintext=true`",
            ));
        }
        let target = Target {
            #[cfg(feature = "tls")]
            tls: self.tls.as_ref().map(crate::tls::Tls::new).transpose()?,
            address: self.address,
            login: self.login,
        };
        #[cfg(not(feature = "tls"))]
        if self.tls.is_some() {
            return Err(Error::new(
                ErrorKind::MissingFeature,
                "built without TLS for Redis; enable feature `redis-tls`",
            ));
        }
        let engine = Engine::new(Setup {
            target: Arc::new(target),
            cap,
            connect_timeout: self.connect_timeout,
            patience: self.deadline,
            coalescing: self.coalescing,
            jitter_seed: self.jitter_seed,
        });
        Ok(RedisStore::new(Arc::new(engine), self.deadline))
    }
}

/// Shows neither user nor password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("address", &format_args!("{}", self.address))
            .field("login", &self.login)
            .field("tls", &self.tls)
            .field("allow_plaintext", &self.allow_plaintext)
            .field("deadline", &self.deadline)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_value", &self.max_value)
            .field("coalescing", &self.coalescing)
            .finish()
    }
}

fn tcp_address(url: &StoreUrl) -> Result<Address> {
    let host = url.as_url().host_str().filter(|host| !host.is_empty()).unwrap_or("127.0.0.1");
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if !host.chars().all(plain) {
        return Err(Error::invalid_config("the host in the URL is not a name or an address"));
    }
    Ok(Address::Tcp { host: host.to_owned(), port: url.as_url().port().unwrap_or(DEFAULT_PORT) })
}

fn database_of_path(url: &StoreUrl) -> Result<u32> {
    match url.as_url().path().trim_start_matches('/') {
        "" => Ok(0),
        number => number
            .parse()
            .map_err(|_| Error::invalid_config("the path of a Redis URL is a database number, as in redis://host/2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Result<RedisConfig> {
        RedisConfig::from_url(StoreUrl::parse(url)?)
    }

    fn refused(url: &str, word: &str) {
        let error = config(url).and_then(RedisConfig::open).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}: {error}");
        assert!(error.to_string().contains(word), "{url}: {error}");
    }

    #[test]
    fn urls_say_where_and_who() {
        let full = config("redis://me:p%40ss@localhost:7000/3?deadline=250ms&max_value=2MiB&coalesce=false").unwrap();
        assert_eq!(full.address.to_string(), "localhost:7000");
        assert_eq!(full.login.user.as_deref(), Some("me"));
        assert_eq!(full.login.password.as_deref(), Some("p@ss"));
        assert_eq!(full.login.database, 3);
        assert_eq!(full.deadline, Duration::from_millis(250));
        assert_eq!(full.max_value, Some(2 << 20));
        assert!(!full.coalescing);

        let only_password = config("redis://:secret@[::1]").unwrap();
        assert_eq!(only_password.address.to_string(), "[::1]:6379");
        assert_eq!(only_password.login.user, None);

        let unix = config("redis+unix:///run/redis.sock?db=2&password=x").unwrap();
        assert!(matches!(&unix.address, Address::Unix(path) if *path == *"/run/redis.sock"));
        assert_eq!(unix.login.database, 2);
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_remedy() {
        refused("redis://db.example.com", "allow_plaintext=true");
        refused("redis://10.0.0.1", "allow_plaintext=true");
        refused("redis://localhost/x", "database number");
        refused("redis://localhost?deadline=0s", "deadline");
        refused("redis://localhost?max_value=17MiB", "16 MiB");
        refused("redis://localhost?timeout=1s", "timeout");
        refused("redis+unix://host/path", "redis+unix:///");
        refused("redis+cluster://localhost", "come later");
        refused("redis+sentinel://localhost", "come later");
        refused("redis://me@localhost", "password");
        assert!(config("rediss://localhost#insecure").is_err());
        assert!(config("redis://db.example.com?allow_plaintext=true").and_then(RedisConfig::open).is_ok());
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_without_the_feature_names_it() {
        let error = config("rediss://localhost").and_then(RedisConfig::open).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingFeature);
        assert!(error.to_string().contains("redis-tls"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", config("redis://canary-user:canary-pass@localhost").unwrap());
        assert!(!text.contains("canary"), "{text}");
    }
}
