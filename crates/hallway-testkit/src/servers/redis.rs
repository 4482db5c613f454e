//! A private redis-server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use super::account::Account;
use super::guard::{Folder, Guarded, Recipe, quote};
use super::{ServerError, install, once};
use crate::port;

const PACKAGE: &str = "redis-server";

/// How a [`RedisServer`] is set up.
///
/// Default: no password, no TLS, nothing written to disk.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RedisOptions {
    password: Option<String>,
    tls: Option<RedisTls>,
    config: Vec<(String, String)>,
}

impl RedisOptions {
    /// Demands a password of the default user.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Listens with TLS on a second port as well.
    #[must_use]
    pub fn with_tls(mut self, tls: RedisTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a line of `redis.conf`, such as `("maxmemory", "4mb")`, `("appendonly", "yes")` for data that survive
    /// [`RedisServer::restart`], or `("user", "app on >secret ~app:* +@all")`.
    #[must_use]
    pub fn with_config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((name.into(), value.into()));
        self
    }
}

/// Certificate and key of a TLS port, as PEM text.
#[derive(Clone)]
pub struct RedisTls {
    /// The chain of the server.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// The authority that client certificates must come from; `None` lets clients in without one.
    pub client_ca_pem: Option<String>,
}

impl std::fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisTls").finish_non_exhaustive()
    }
}

/// A private redis-server, stopped when the handle is dropped or the process ends.
///
/// # Examples
/// ```no_run
/// use hallway_testkit::servers::{RedisOptions, RedisServer};
///
/// let redis = RedisServer::start(RedisOptions::default().with_password("secret"))?;
/// println!("{}", redis.url());
/// redis.pause();   // open connections, no answers
/// redis.resume();
/// # Ok::<(), hallway_testkit::servers::ServerError>(())
/// ```
#[derive(Debug)]
pub struct RedisServer {
    guarded: Guarded,
    port: u16,
    tls_port: Option<u16>,
    password: Option<String>,
}

impl RedisServer {
    /// The server of this test process with default options, started on first use. For everything that does not
    /// break it.
    ///
    /// # Panics
    /// If it cannot be started; the message names the Debian package that is missing.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<RedisServer, ServerError>> = OnceLock::new();
        once(&SHARED, || RedisServer::start(RedisOptions::default()))
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// If redis-server is not installed or does not start, with the end of its log.
    pub fn start(options: RedisOptions) -> Result<Self, ServerError> {
        let program = install::program("redis-server", PACKAGE)?;
        let account = Account::pick(&["redis", "nobody"])?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&program, account, &options) {
                Err(error) if attempt < port::ATTEMPTS && error.0.contains("Address already in use") => attempt += 1,
                done => return done,
            }
        }
    }

    fn start_once(program: &Path, account: Account, options: &RedisOptions) -> Result<Self, ServerError> {
        let folder = Folder::create(account)?;
        let port = port::free().map_err(ServerError::io("looking for a free port"))?;
        let tls_port = options
            .tls
            .as_ref()
            .map(|_| port::free())
            .transpose()
            .map_err(ServerError::io("looking for a free port"))?;
        let mut config = format!(
            "bind 127.0.0.1\nport {port}\nunixsocket {socket}\nunixsocketperm 777\ndir {dir}\nsave \"\"\nappendonly no\n\
             daemonize no\nlogfile \"\"\n",
            socket = folder.path().join("redis.sock").display(),
            dir = folder.path().display(),
        );
        if let Some(password) = &options.password {
            config.push_str(&format!("requirepass {}\n", config_word(password)));
        }
        if let (Some(tls), Some(tls_port)) = (&options.tls, tls_port) {
            let certificate = folder.write("server.pem", &tls.certificate_pem)?;
            let key = folder.write("server.key", &tls.key_pem)?;
            config.push_str(&format!(
                "tls-port {tls_port}\ntls-cert-file {}\ntls-key-file {}\n",
                certificate.display(),
                key.display()
            ));
            // Redis wants an authority in any case; without client certificates it has no use for it.
            let authority = folder.write("ca.pem", tls.client_ca_pem.as_ref().unwrap_or(&tls.certificate_pem))?;
            let clients = if tls.client_ca_pem.is_some() { "yes" } else { "no" };
            config.push_str(&format!("tls-ca-cert-file {}\ntls-auth-clients {clients}\n", authority.display()));
        }
        for (name, value) in &options.config {
            config.push_str(&format!("{name} {value}\n"));
        }
        let config = folder.write("redis.conf", &config)?;
        let recipe = Recipe {
            name: "redis-server",
            serve: format!("{} {}", quote(program), quote(config)),
            prepare: String::new(),
            stop: Signal::TERM,
            end: "KILL",
        };
        let server =
            Self { guarded: Guarded::post(folder, recipe)?, port, tls_port, password: options.password.clone() };
        server.restart()?;
        Ok(server)
    }

    /// `redis://[:password@]127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}", self.userinfo(), self.port)
    }

    /// `rediss://[:password@]localhost:port`, if the server listens with TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        self.tls_port.map(|port| format!("rediss://{}localhost:{port}", self.userinfo()))
    }

    /// `redis+unix:///path/of/redis.sock[?password=…]`.
    #[must_use]
    pub fn unix_url(&self) -> String {
        let password = self.password.as_ref().map(|password| format!("?password={}", super::percent_encode(password)));
        format!("redis+unix://{}{}", self.socket().display(), password.unwrap_or_default())
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir().join("redis.sock")
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of the plain port, for a proxy before it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder of the server: configuration, data, log, socket.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.guarded.folder()
    }

    /// The process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.guarded.pid()
    }

    /// What `redis-cli` prints for a command, without the last newline.
    ///
    /// # Panics
    /// If `redis-cli` is not installed or cannot connect. An error reply is output like any other.
    pub fn cli(&self, args: &[&str]) -> String {
        let program = install::program("redis-cli", "redis-tools").unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(args);
        if let Some(password) = &self.password {
            command.env("REDISCLI_AUTH", password);
        }
        let output = command.output().unwrap_or_else(|error| panic!("running redis-cli: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "redis-cli {args:?}: {}", text(&output.stderr));
        let mut printed = text(&output.stdout);
        if printed.ends_with('\n') {
            printed.pop();
        }
        printed
    }

    /// Stops the server in good order and waits for its end. The folder stays until the handle is dropped.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.guarded.stop().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Kills the server with `SIGKILL` and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn kill9(&self) {
        self.guarded.kill9().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops the process with `SIGSTOP`: connections stay open and are even accepted, but nothing answers.
    pub fn pause(&self) {
        self.guarded.pause();
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.guarded.resume();
    }

    /// Stops the server if it runs, starts it on the same port and folder, and waits until it answers.
    ///
    /// # Errors
    /// If it does not start, with the end of its log.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.guarded.stop()?;
        self.launch()?;
        self.guarded.await_ready(|| is_ready(self.addr()))
    }

    /// Starts a stopped server without waiting until it answers, to see what happens meanwhile (`LOADING`).
    ///
    /// # Errors
    /// If it runs already.
    pub fn launch(&self) -> Result<(), ServerError> {
        self.guarded.launch()
    }

    /// The end of the server's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.guarded.log()
    }

    fn userinfo(&self) -> String {
        self.password.as_ref().map(|password| format!(":{}@", super::percent_encode(password))).unwrap_or_default()
    }
}

/// Whether it answers with data loaded; that it wants a password first is an answer, too.
fn is_ready(addr: SocketAddr) -> bool {
    let ping = || -> std::io::Result<bool> {
        let patience = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"PING\r\n")?;
        let mut reply = [0; 5];
        stream.read_exact(&mut reply)?;
        Ok(&reply == b"+PONG" || &reply == b"-NOAU")
    };
    ping().unwrap_or(false)
}

/// A word of `redis.conf` in double quotes.
fn config_word(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}
