//! A private PostgreSQL server.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use super::account::Account;
use super::guard::{Folder, Guarded, Recipe, quote};
use super::{ServerError, install, once};
use crate::port;

/// How a [`PostgresServer`] is set up.
///
/// Default: every local user is trusted, 100 connections, `fsync` on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    password: Option<String>,
    max_connections: u32,
    settings: Vec<(String, String)>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { password: None, max_connections: 100, settings: Vec::new() }
    }
}

impl PostgresOptions {
    /// Options for tests that do not measure: commits do not wait for the disk.
    ///
    /// A killed server keeps its data all the same, because the machine goes on.
    #[must_use]
    pub fn fast() -> Self {
        Self::default()
            .with_setting("fsync", "off")
            .with_setting("synchronous_commit", "off")
            .with_setting("full_page_writes", "off")
    }

    /// Demands a password of the user `postgres` (SCRAM).
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// How many connections the server accepts. Three of them are kept for superusers, and so for the tests.
    ///
    /// Default: 100.
    #[must_use]
    pub fn with_max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Adds a setting of `postgresql.conf`.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// A private PostgreSQL server with the superuser and database `postgres`, stopped when the handle is dropped or the
/// process ends.
///
/// Text sorts by a linguistic collation where the server can, so that a statement which forgets `COLLATE "C"` shows.
#[derive(Debug)]
pub struct PostgresServer {
    guarded: Guarded,
    port: u16,
    password: Option<String>,
}

impl PostgresServer {
    /// The server of this test process with [`PostgresOptions::fast`], started on first use. For everything that does
    /// not break it.
    ///
    /// # Panics
    /// If it cannot be started; the message names the Debian package that is missing.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<PostgresServer, ServerError>> = OnceLock::new();
        once(&SHARED, || PostgresServer::start(PostgresOptions::fast().with_max_connections(300)))
    }

    /// Makes a database cluster, starts a server on it and waits until it answers.
    ///
    /// # Errors
    /// If PostgreSQL is not installed or does not start, with the end of its log.
    pub fn start(options: PostgresOptions) -> Result<Self, ServerError> {
        let (initdb, postgres) = (install::postgres_program("initdb")?, install::postgres_program("postgres")?);
        let account = Account::pick(&["postgres", "nobody"])?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&initdb, &postgres, account, &options) {
                Err(error) if attempt < port::ATTEMPTS && error.0.contains("Address already in use") => attempt += 1,
                done => return done,
            }
        }
    }

    fn start_once(
        initdb: &Path,
        postgres: &Path,
        account: Account,
        options: &PostgresOptions,
    ) -> Result<Self, ServerError> {
        let folder = Folder::create(account)?;
        let port = port::free().map_err(ServerError::io("looking for a free port"))?;
        let mut settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = {}\nmax_connections = {}\n\
             logging_collector = off\nshared_buffers = 32MB\n",
            setting_word(&folder.path().to_string_lossy()),
            options.max_connections,
        );
        for (name, value) in &options.settings {
            settings.push_str(&format!("{name} = {}\n", setting_word(value)));
        }
        folder.write("settings.conf", &settings)?;
        let access = match &options.password {
            Some(password) => {
                folder.write("password", &format!("{password}\n"))?;
                "--auth=scram-sha-256 --pwfile=password"
            }
            None => "--auth=trust",
        };
        let initdb = format!(
            "{} --pgdata=data --username=postgres --encoding=UTF8 --no-sync --no-instructions {access}",
            quote(initdb)
        );
        let recipe = Recipe {
            name: "postgres",
            serve: format!("{} -D data", quote(postgres)),
            // Servers before 15 or built without ICU have no linguistic default collation.
            prepare: format!(
                "({initdb} --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US || \
                 {{ rm -rf data; {initdb} --locale=C; }}) && cat settings.conf >>data/postgresql.conf"
            ),
            stop: Signal::INT,
            end: "QUIT",
        };
        let server = Self { guarded: Guarded::post(folder, recipe)?, port, password: options.password.clone() };
        server.restart()?;
        Ok(server)
    }

    /// `postgres://postgres[:password]@127.0.0.1:port/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of another database of this server.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{}@127.0.0.1:{}/{database}", self.userinfo(), self.port)
    }

    /// The URL through the Unix socket: the host is its folder, percent-encoded.
    #[must_use]
    pub fn unix_url(&self) -> String {
        let folder = super::percent_encode(&self.dir().to_string_lossy());
        format!("postgres://{}@{folder}:{}/postgres", self.userinfo(), self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, for a proxy before it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder of the server: data, log, socket.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.guarded.folder()
    }

    /// The postmaster, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.guarded.pid()
    }

    /// What `psql` prints for the statements: rows without decoration, without the last newline.
    ///
    /// # Panics
    /// If `psql` is not installed or a statement fails.
    pub fn psql(&self, sql: &str) -> String {
        self.try_psql(sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Like [`psql`](Self::psql), for statements that may fail.
    ///
    /// # Errors
    /// What `psql` printed to its standard error.
    pub fn try_psql(&self, sql: &str) -> Result<String, ServerError> {
        psql(self.dir(), self.port, self.password.as_deref(), sql)
    }

    /// Stops the server in good order (fast shutdown) and waits for its end. The data stay until the handle is
    /// dropped.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.guarded.stop().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Kills the postmaster and all backends with `SIGKILL` and waits for their end.
    ///
    /// # Panics
    /// If they do not end.
    pub fn kill9(&self) {
        self.guarded.kill9().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops the postmaster and all backends with `SIGSTOP`: connections stay open, but nothing answers.
    pub fn pause(&self) {
        self.guarded.pause();
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.guarded.resume();
    }

    /// Stops the server if it runs, starts it on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// If it does not start, with the end of its log.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.guarded.stop()?;
        self.launch()?;
        self.guarded.await_ready(|| is_ready(self.dir(), self.addr(), self.password.as_deref()))
    }

    /// Starts a stopped server without waiting until it answers.
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

    /// The password of the user `postgres`, if the server demands one.
    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    fn userinfo(&self) -> String {
        match &self.password {
            Some(password) => format!("postgres:{}", super::percent_encode(password)),
            None => "postgres".to_owned(),
        }
    }
}

/// Runs statements through the server or the pooler that listens in `host`, a folder.
pub(super) fn psql(host: &Path, port: u16, password: Option<&str>, sql: &str) -> Result<String, ServerError> {
    let mut command = Command::new(install::program("psql", "postgresql-client")?);
    command
        .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password", "-v", "ON_ERROR_STOP=1"])
        .arg("--host")
        .arg(host)
        .args(["--port", &port.to_string(), "--username", "postgres", "--dbname", "postgres", "--command", sql])
        .env("PGCONNECT_TIMEOUT", "10")
        .env_remove("PGOPTIONS");
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let output = command.output().map_err(ServerError::io("running psql"))?;
    if !output.status.success() {
        return Err(ServerError::new(format!("psql: {}", String::from_utf8_lossy(&output.stderr).trim_end())));
    }
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.ends_with('\n') {
        printed.pop();
    }
    Ok(printed)
}

/// TCP first, because it is cheap to try; then a query, because a starting server refuses those.
fn is_ready(host: &Path, addr: SocketAddr, password: Option<&str>) -> bool {
    TcpStream::connect_timeout(&addr, Duration::from_secs(1)).is_ok()
        && psql(host, addr.port(), password, "SELECT 1").is_ok()
}

/// A value of `postgresql.conf`.
fn setting_word(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
