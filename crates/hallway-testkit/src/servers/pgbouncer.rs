//! A private PgBouncer before a private PostgreSQL server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rustix::process::Signal;

use super::account::Account;
use super::guard::{Folder, Guarded, Recipe, quote};
use super::postgres::psql;
use super::{PostgresServer, ServerError, install};
use crate::port;

/// How a [`PgBouncer`] is set up.
///
/// Default: transaction mode with one server connection, which shows everything that clings to a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PgBouncerOptions {
    pool_mode: String,
    pool_size: u32,
    settings: Vec<(String, String)>,
}

impl Default for PgBouncerOptions {
    fn default() -> Self {
        Self { pool_mode: "transaction".to_owned(), pool_size: 1, settings: Vec::new() }
    }
}

impl PgBouncerOptions {
    /// `session`, `transaction` or `statement`.
    ///
    /// Default: `transaction`.
    #[must_use]
    pub fn with_pool_mode(mut self, mode: impl Into<String>) -> Self {
        self.pool_mode = mode.into();
        self
    }

    /// Connections to the server per user and database.
    ///
    /// Default: 1.
    #[must_use]
    pub fn with_pool_size(mut self, connections: u32) -> Self {
        self.pool_size = connections;
        self
    }

    /// Adds a setting of the section `[pgbouncer]`, such as `("query_wait_timeout", "1")`.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// A private PgBouncer, stopped when the handle is dropped or the process ends.
#[derive(Debug)]
pub struct PgBouncer {
    guarded: Guarded,
    port: u16,
}

impl PgBouncer {
    /// Starts a pooler before `server`, which lets everybody in as `postgres`, and waits until a query passes.
    ///
    /// # Errors
    /// If PgBouncer is not installed or does not start, with the end of its log.
    pub fn start(server: &PostgresServer, options: PgBouncerOptions) -> Result<Self, ServerError> {
        let program = install::program("pgbouncer", "pgbouncer")?;
        let account = Account::pick(&["postgres", "nobody"])?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&program, account, server, &options) {
                Err(error) if attempt < port::ATTEMPTS && error.0.contains("Address already in use") => attempt += 1,
                done => return done,
            }
        }
    }

    fn start_once(
        program: &Path,
        account: Account,
        server: &PostgresServer,
        options: &PgBouncerOptions,
    ) -> Result<Self, ServerError> {
        let folder = Folder::create(account)?;
        let port = port::free().map_err(ServerError::io("looking for a free port"))?;
        let password = server.password().map(|word| format!(" password='{}'", word.replace('\'', "''")));
        let mut config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres{}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = {}\ndefault_pool_size = {}\nmax_client_conn = 1000\n",
            server.port(),
            password.unwrap_or_default(),
            folder.path().display(),
            options.pool_mode,
            options.pool_size,
        );
        for (name, value) in &options.settings {
            config.push_str(&format!("{name} = {value}\n"));
        }
        let config = folder.write("pgbouncer.ini", &config)?;
        let recipe = Recipe {
            name: "pgbouncer",
            serve: format!("{} {}", quote(program), quote(config)),
            prepare: String::new(),
            stop: Signal::TERM,
            end: "KILL",
        };
        let pooler = Self { guarded: Guarded::post(folder, recipe)?, port };
        pooler.restart()?;
        Ok(pooler)
    }

    /// `postgres://postgres@127.0.0.1:port/postgres`, through the pooler.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
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

    /// The folder of the pooler: configuration, log, socket.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.guarded.folder()
    }

    /// The process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.guarded.pid()
    }

    /// What `psql` prints for the statements, sent through the pooler.
    ///
    /// # Panics
    /// If `psql` is not installed or a statement fails.
    pub fn psql(&self, sql: &str) -> String {
        psql(self.dir(), self.port, None, sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Stops the pooler at once and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.guarded.stop().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Kills the pooler with `SIGKILL` and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn kill9(&self) {
        self.guarded.kill9().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops the process with `SIGSTOP`.
    pub fn pause(&self) {
        self.guarded.pause();
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.guarded.resume();
    }

    /// Stops the pooler if it runs, starts it on the same port, and waits until a query passes.
    ///
    /// # Errors
    /// If it does not start, with the end of its log.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.guarded.stop()?;
        self.guarded.launch()?;
        self.guarded.await_ready(|| psql(self.dir(), self.port, None, "SELECT 1").is_ok())
    }

    /// The end of the pooler's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.guarded.log()
    }
}
