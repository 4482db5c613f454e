//! Private servers for tests: started from what is installed, gone with the test process.
//!
//! ```no_run
//! use hallway_testkit::servers::{PostgresServer, RedisServer};
//!
//! let redis = RedisServer::shared();                          // one per test process, started on first use
//! assert_eq!(redis.cli(&["PING"]), "PONG");
//! let postgres = PostgresServer::start(Default::default())?;   // one of your own, to break
//! postgres.kill9();
//! postgres.restart()?;                                         // same port, same data
//! # Ok::<(), hallway_testkit::servers::ServerError>(())
//! ```
//!
//! Every server lives in a temporary folder of its own and listens on 127.0.0.1 and on a Unix socket. As root the
//! servers run as an unprivileged user. A small shell stands guard over each: when the handle is dropped, or the
//! test process ends in any way, `SIGKILL` included, the server is stopped and its folder removed.
//!
//! A server that is not installed is an error which names the Debian package. The calls block: they belong into the
//! set-up of a test. Linux only, because they read `/proc`.

mod account;
mod guard;
mod install;
mod pgbouncer;
mod postgres;
mod redis;

use std::fmt;
use std::sync::OnceLock;

pub use self::pgbouncer::{PgBouncer, PgBouncerOptions};
pub use self::postgres::{PostgresOptions, PostgresServer};
pub use self::redis::{RedisOptions, RedisServer, RedisTls};

/// Why a private server could not be started or steered. The text names the remedy where there is one.
#[derive(Debug, Clone)]
pub struct ServerError(String);

impl ServerError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn io(doing: &str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerError {}

/// The one server of this process; later callers see the error of the first instead of trying for minutes again.
fn once<S>(cell: &'static OnceLock<Result<S, ServerError>>, start: fn() -> Result<S, ServerError>) -> &'static S {
    match cell.get_or_init(start) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// Percent-encodes everything but letters and digits, for passwords and folders in URLs.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}
