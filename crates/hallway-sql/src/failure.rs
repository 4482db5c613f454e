//! What went wrong on a connection, without a word of the database's own text.
//!
//! Messages and details of a database may quote keys and values, so only its code is kept.

use std::borrow::Cow;
use std::fmt;

use hallway_core::{Error, ErrorKind};

/// What a failure means for the connection and for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing was done; the same statement may work in a moment.
    Again,
    /// Nothing was done, because of one item or of the moment: others in the batch may fare better.
    Item,
    /// Nothing was done, and finding out took as long as somebody may be waited for: a lock, or a time limit.
    #[cfg_attr(
        all(feature = "sqlite", not(any(feature = "postgres", test))),
        expect(dead_code, reason = "SQLite is asked again until the deadline instead")
    )]
    Busy,
    /// Nothing was done, and every item would meet the same.
    All,
    /// Nothing was done, but the connection is of no more use.
    Drop,
    /// The connection is gone, and nobody knows what was done.
    Lost,
}

/// A failed statement or connection attempt.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) effect: Effect,
    pub(crate) message: Cow<'static, str>,
    pub(crate) code: Option<Code>,
}

/// The code that a database or the system gave for a failure, the only part of its answer that holds no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Code {}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, effect: Effect, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, effect, message: message.into(), code: None }
    }

    pub(crate) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(Code(code.into()));
        self
    }

    /// As seen by a caller; `writes` says whether an unknown outcome matters.
    pub(crate) fn into_error(self, writes: bool) -> Error {
        let unknown = writes && self.effect == Effect::Lost;
        let error = if unknown {
            Error::new(ErrorKind::Indeterminate, format!("{}; the write may have happened", self.message))
        } else {
            Error::new(self.kind, self.message)
        };
        match self.code {
            Some(code) => error.with_source(code),
            None => error,
        }
    }
}

/// Failures that look the same in every dialect.
pub(crate) fn from_sqlx(error: &sqlx::Error) -> Failure {
    use sqlx::Error as E;
    match error {
        // How a TLS library says that it does not trust the other side.
        E::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => untrusted(),
        E::Io(io) => Failure::new(
            ErrorKind::Unavailable,
            Effect::Lost,
            "the connection to the database failed; check that the server runs and can be reached",
        )
        .with_code(format!("I/O error: {}", io.kind())),
        E::Tls(_) => untrusted(),
        E::Configuration(_) | E::InvalidArgument(_) => Failure::new(
            ErrorKind::InvalidConfig,
            Effect::Drop,
            "the driver refuses the connection options; check the store URL",
        ),
        E::PoolTimedOut => Failure::new(
            ErrorKind::Unavailable,
            Effect::All,
            "the pool had no free connection in time; give it more connections",
        ),
        E::PoolClosed => Failure::new(ErrorKind::Unavailable, Effect::All, "the pool is closed"),
        E::ColumnDecode { .. } | E::Decode(_) | E::TypeNotFound { .. } | E::ColumnIndexOutOfBounds { .. } => {
            Failure::new(
                ErrorKind::Corrupt,
                Effect::Lost,
                "the table does not have the columns it should; compare it with `hallway schema --print`",
            )
        }
        E::Encode(_) => Failure::new(ErrorKind::InvalidInput, Effect::Item, "a value cannot be sent to the database"),
        _ => Failure::new(
            ErrorKind::Unavailable,
            Effect::Lost,
            "the connection to the database broke; the next call opens another",
        ),
    }
}

fn untrusted() -> Failure {
    Failure::new(
        ErrorKind::InvalidConfig,
        Effect::Drop,
        "no trusted TLS connection to the database; check `sslmode`, `ca` and the server's certificate",
    )
}
