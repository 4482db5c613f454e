//! What went wrong, told from the driver's error or the server's reply.

use std::fmt;

use hallway_core::{Error, ErrorKind};
use redis::{RedisError, ServerError};

const FOREIGN: &str = "the key holds a foreign Redis type: delete it there, or replace it by an unconditional set";

/// Why a connection cannot be used any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fatal {
    /// The server wants a login that this connection does not have.
    Login,
    /// The stream ended, or what came was no reply.
    Lost,
    /// The server became a replica.
    ReadOnly,
    /// Too many calls in a row got no answer.
    Silent,
}

/// A failed exchange with the server.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    /// Whether the connection must go.
    pub(crate) fatal: Option<Fatal>,
    /// Whether the server may have run the command.
    pub(crate) may_have_run: bool,
    pub(crate) reply: Reply,
}

/// The replies that callers act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    ForeignType,
    NotANumber,
    NoScript,
    Other,
    Overflow,
    TooLarge,
}

impl Fault {
    /// Nothing was sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Self { error, fatal: None, may_have_run: false, reply: Reply::Other }
    }

    /// The caller's deadline passed after the command was handed to the driver.
    pub(crate) fn deadline(waited: std::time::Duration) -> Self {
        let error = Error::new(
            ErrorKind::Unavailable,
            format!("no answer within {waited:?}: check the server, or raise `deadline`"),
        );
        Self { error, fatal: None, may_have_run: true, reply: Reply::Other }
    }

    /// Whoever was to send it ended with his runtime.
    pub(crate) fn torn_down() -> Self {
        let error = Error::new(ErrorKind::Unavailable, "the runtime of the store shut down before the answer came");
        Self { error, fatal: None, may_have_run: true, reply: Reply::Other }
    }

    /// The driver gave up.
    pub(crate) fn driver(error: &RedisError) -> Self {
        // Errors of a transaction are the server's own.
        if let Some(servers) = error.clone().into_server_errors()
            && let Some((_, server)) = servers.first()
        {
            return Self::server(server);
        }
        // So are refusals during login, in other clothes.
        if let (redis::ErrorKind::Server(_), Some(code)) = (error.kind(), error.code()) {
            return Self::answered(code, error.detail().unwrap_or(""));
        }
        let message = if error.kind() == redis::ErrorKind::RESP3NotSupported {
            "the server is too old for hallway: it needs Redis 6 or Valkey"
        } else if error.kind() == redis::ErrorKind::Parse {
            "the server sent what is not a Redis reply: check that the URL names a Redis server"
        } else {
            "the connection was lost before the answer came"
        };
        let source = DriverError(match error.kind() {
            // The driver's text would show bytes of the reply.
            redis::ErrorKind::Parse => "parse error".into(),
            kind => format!("{kind:?}"),
        });
        Self {
            error: Error::new(ErrorKind::Unavailable, message).with_source(source),
            fatal: Some(Fatal::Lost),
            may_have_run: true,
            reply: Reply::Other,
        }
    }

    /// The server has no room for one more client.
    pub(crate) fn crowded() -> Self {
        Self::answered("ERR", "max number of clients reached")
    }

    /// The server is a replica.
    pub(crate) fn replica() -> Self {
        Self::answered("READONLY", "")
    }

    /// A key of a foreign type stands in the way of a write.
    pub(crate) fn foreign() -> Self {
        Self {
            error: Error::new(ErrorKind::Corrupt, FOREIGN),
            fatal: None,
            may_have_run: false,
            reply: Reply::ForeignType,
        }
    }

    /// A reply of a shape that the command cannot have.
    pub(crate) fn shape() -> Self {
        let error = Error::new(ErrorKind::Unavailable, "the server's answer does not fit the command");
        Self { error, fatal: Some(Fatal::Lost), may_have_run: true, reply: Reply::Other }
    }

    /// The server answered with an error, so it did not run the command.
    pub(crate) fn server(reply: &ServerError) -> Self {
        Self::answered(reply.code(), reply.details().unwrap_or(""))
    }

    fn answered(code: &str, detail: &str) -> Self {
        let code = match code {
            "ERR" if detail.contains("OOM command not allowed") => "OOM",
            "ERR" if detail.contains("READONLY You can't write") => "READONLY",
            // ACL rules that let a script run, but not what it does.
            "ERR" if detail.contains("The user executing the script can't") => "NOPERM",
            "ERR" if detail.starts_with("Error running script") => wrapped(detail).unwrap_or("ERR"),
            code if code.starts_with("@user_script") => wrapped(detail).unwrap_or("ERR"),
            "EXECABORT" => "ERR",
            code => code,
        };
        let (kind, message): (ErrorKind, &'static str) = match code {
            "OOM" => (ErrorKind::OutOfMemory, "Redis is over `maxmemory`: raise it, or let it evict"),
            "LOADING" => (ErrorKind::Unavailable, "Redis is loading its data: try again later"),
            "MASTERDOWN" => (ErrorKind::Unavailable, "the replica lost its primary: try again later"),
            "CLUSTERDOWN" => (ErrorKind::Unavailable, "the cluster is down: try again later"),
            "TRYAGAIN" => (ErrorKind::Unavailable, "the slot is moving: try again later"),
            "MOVED" | "ASK" => (
                ErrorKind::Unavailable,
                "the server is a node of a cluster and the key lies on another one: cluster URLs come later",
            ),
            "BUSY" => (ErrorKind::Unavailable, "Redis runs a long script: end it with SCRIPT KILL"),
            "READONLY" => (ErrorKind::Unavailable, "the server is a read-only replica: point the URL at the primary"),
            "NOREPLICAS" => (ErrorKind::Unavailable, "too few replicas for a write: see `min-replicas-to-write`"),
            "MISCONF" => (ErrorKind::Unavailable, "Redis refuses writes because it cannot save: see the server's log"),
            "NOAUTH" | "WRONGPASS" => {
                (ErrorKind::Unauthorized, "Redis refused the login: fix user and password in the URL")
            }
            "NOPERM" => {
                (ErrorKind::Unauthorized, "the user may not do this: widen the server's ACL rules for the user")
            }
            "WRONGTYPE" | "HWTYPE" => (ErrorKind::Corrupt, FOREIGN),
            "HWNUMBER" => (ErrorKind::InvalidInput, "the value is not the decimal text of a 64-bit integer"),
            "HWOVERFLOW" => {
                (ErrorKind::InvalidInput, "the sum does not fit a 64-bit integer; the counter keeps its value")
            }
            "HWSIZE" => (ErrorKind::TooLarge, "the value is over the cap of the store: raise `max_value`"),
            "HWFULL" => (ErrorKind::Unavailable, "the values did not fit one reply: ask for fewer at once"),
            "NOSCRIPT" => (ErrorKind::Unavailable, "the server forgot a script: try again"),
            "ERR" if detail.contains("max number of clients") => {
                (ErrorKind::Unavailable, "Redis has too many clients: raise `maxclients`, or use fewer stores")
            }
            "ERR" if detail.contains("invalid password") || detail.contains("without any password configured") => {
                (ErrorKind::Unauthorized, "Redis refused the login: fix user and password in the URL")
            }
            "ERR" if detail.contains("DB index is out of range") => (
                ErrorKind::InvalidConfig,
                "the server has no database of this number: see `databases` in its configuration",
            ),
            _ => (ErrorKind::Unavailable, "Redis answered with an error"),
        };
        let retryable = match code {
            "OOM" => false,
            "ERR" => detail.contains("max number of clients"),
            "MOVED" | "ASK" => false,
            _ => kind == ErrorKind::Unavailable,
        };
        let fatal = match code {
            "READONLY" => Some(Fatal::ReadOnly),
            "NOAUTH" => Some(Fatal::Login),
            _ => None,
        };
        let reply = match code {
            "WRONGTYPE" | "HWTYPE" => Reply::ForeignType,
            "HWNUMBER" => Reply::NotANumber,
            "HWOVERFLOW" => Reply::Overflow,
            "HWSIZE" => Reply::TooLarge,
            "NOSCRIPT" => Reply::NoScript,
            _ => Reply::Other,
        };
        let error =
            Error::new(kind, message).with_retryable(retryable).with_source(DriverError(printable(code, detail)));
        Self { error, fatal, may_have_run: false, reply }
    }

    /// The error of a read: it is never indeterminate.
    pub(crate) fn into_read_error(self) -> Error {
        self.error
    }

    /// The error of a write: indeterminate if the server may have run it.
    pub(crate) fn into_write_error(self) -> Error {
        if self.may_have_run { self.error.with_kind(ErrorKind::Indeterminate) } else { self.error }
    }
}

/// The code of an inner call's error, which scripts of older servers wrap into their own.
fn wrapped(detail: &str) -> Option<&'static str> {
    const CODES: [&str; 6] = ["MASTERDOWN", "MISCONF", "NOPERM", "NOREPLICAS", "OOM", "READONLY"];
    let named = |word: &str| CODES.into_iter().find(|code| word.strip_prefix('-') == Some(code));
    detail.split_ascii_whitespace().find_map(named)
}

/// Code and detail without anything that a client has sent: an unknown command is quoted with its arguments.
fn printable(code: &str, detail: &str) -> String {
    // Of NOPERM nothing: newer servers name the user there.
    let detail = if code == "NOPERM" { "" } else { detail };
    let end = detail.find(['\'', '"', '`']).unwrap_or(detail.len());
    let detail: String = detail[..end].chars().filter(|c| !c.is_control()).take(160).collect();
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    format!("{code} {detail}").trim_end().to_owned()
}

/// What the driver or the server said, redacted.
#[derive(Debug)]
pub(crate) struct DriverError(pub(crate) String);

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DriverError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(code: &str, detail: &str) -> (ErrorKind, Option<Fatal>, bool) {
        let fault = match redis::make_extension_error(code.to_owned(), Some(detail.to_owned())) {
            error if error.clone().into_server_errors().is_some() => Fault::driver(&error),
            _ => panic!("not a server error"),
        };
        (fault.error.kind(), fault.fatal, fault.error.is_retryable())
    }

    #[test]
    fn replies_have_the_classes_of_the_fault_matrix() {
        assert_eq!(kind_of("OOM", "command not allowed"), (ErrorKind::OutOfMemory, None, false));
        for code in ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS", "MISCONF"] {
            assert_eq!(kind_of(code, "x"), (ErrorKind::Unavailable, None, true), "{code}");
        }
        assert_eq!(kind_of("READONLY", "x"), (ErrorKind::Unavailable, Some(Fatal::ReadOnly), true));
        assert_eq!(kind_of("NOAUTH", "x"), (ErrorKind::Unauthorized, Some(Fatal::Login), false));
        assert_eq!(kind_of("WRONGPASS", "x"), (ErrorKind::Unauthorized, None, false));
        assert_eq!(kind_of("NOPERM", "x"), (ErrorKind::Unauthorized, None, false));
        assert_eq!(kind_of("WRONGTYPE", "x"), (ErrorKind::Corrupt, None, false));
        assert_eq!(kind_of("ERR", "max number of clients reached"), (ErrorKind::Unavailable, None, true));
    }

    #[test]
    fn the_arguments_of_an_unknown_command_are_not_repeated() {
        let text = printable("ERR", "unknown command 'GET', with args beginning with: 'session-id' ");
        assert_eq!(text, "ERR unknown command");
    }

    #[test]
    fn a_missing_permission_does_not_name_the_user() {
        let detail = "User canary has no permissions to run the 'get' command";
        let fault = Fault::answered("NOPERM", detail);
        assert!(!format!("{} {:?}", fault.error, fault.error).contains("canary"), "{:?}", fault.error);
    }

    #[test]
    fn errors_inside_scripts_have_the_class_of_the_inner_call() {
        let denied =
            "The user executing the script can't run this command or subcommand script: 1f, on @user_script:5.";
        assert_eq!(kind_of("ERR", denied), (ErrorKind::Unauthorized, None, false));
        let keys = "The user executing the script can't access at least one of the keys mentioned";
        assert_eq!(kind_of("ERR", keys), (ErrorKind::Unauthorized, None, false));
        for (inner, expected) in [
            ("-NOREPLICAS Not enough good replicas to write.", (ErrorKind::Unavailable, None, true)),
            ("-MISCONF Redis is configured to save RDB snapshots", (ErrorKind::Unavailable, None, true)),
            ("-OOM command not allowed when used memory > 'maxmemory'.", (ErrorKind::OutOfMemory, None, false)),
            ("-NOPERM this user has no permissions", (ErrorKind::Unauthorized, None, false)),
            ("-READONLY You can't write against", (ErrorKind::Unavailable, Some(Fatal::ReadOnly), true)),
        ] {
            let detail = format!("Error running script (call to f_1f): @user_script:5: @user_script: 5: {inner}");
            assert_eq!(kind_of("ERR", &detail), expected, "{inner}");
            assert_eq!(kind_of("@user_script:", &format!("5: {inner}")), expected, "{inner}");
        }
        assert_eq!(kind_of("ERR", "wrong -MISCONF"), (ErrorKind::Unavailable, None, false), "only inside scripts");
    }
}
