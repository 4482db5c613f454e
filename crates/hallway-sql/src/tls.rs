//! Who the PostgreSQL server is and how the way to it is protected.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use hallway_core::{Error, Result, StoreUrl};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::missing;

/// What the URL says about TLS.
pub(crate) struct Security {
    pub(crate) mode: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) allow_plaintext: bool,
    pub(crate) allow_unverified: bool,
}

/// A PostgreSQL server and our name there. `Debug` shows no secret, unlike sqlx's.
///
/// The URL says it all: host, port, database, password and TLS mode never come from the environment or a password
/// file, so that no secret meant for one server reaches another, and `PGOPTIONS` is refused. What the URL cannot say
/// is taken from there: a client certificate (`PGSSLCERT`, `PGSSLKEY`), authorities if `ca` names none
/// (`PGSSLROOTCERT`), and the user of a URL without one (`PGUSER`, or the account's name).
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) options: PgConnectOptions,
    place: String,
}

impl Server {
    pub(crate) fn from_url(url: &StoreUrl, socket: Option<PathBuf>, security: Security) -> Result<Self> {
        let parsed = url.as_url();
        // No password file: it would be asked for the server of the environment, and its answer sent to this one.
        let mut options = PgConnectOptions::new_without_pgpass().extra_float_digits(None);
        if options.get_options().is_some() {
            return Err(Error::invalid_config(
                "PGOPTIONS would change hallway's sessions; unset it, or use ALTER ROLE ... SET for what must hold",
            ));
        }
        // A percent-encoded host is libpq's other way to name a socket folder.
        let host = parsed.host_str().map(decode).filter(|host| !host.is_empty());
        let socket = socket.or_else(|| host.as_ref().filter(|host| host.starts_with('/')).map(PathBuf::from));
        let (place, local) = match (&socket, &host) {
            (Some(folder), _) => {
                if !folder.is_absolute() {
                    return Err(Error::invalid_config("option `host` needs the absolute path of a socket folder"));
                }
                options = options.host("localhost").socket(folder);
                (folder.display().to_string(), true)
            }
            (None, Some(host)) => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                options = options.host(bare);
                (host.clone(), is_loopback(bare))
            }
            (None, None) => {
                return Err(Error::invalid_config(
                    "the store URL names no host; write postgres://user@host/database, or ?host=/socket/folder",
                ));
            }
        };
        options = options.port(parsed.port().unwrap_or(5432));
        if let Some(user) = url.user() {
            options = options.username(&user);
        }
        // An empty one is what sqlx sends for none.
        options = options.password(url.password().as_deref().unwrap_or_default());
        let path = url.path();
        let database = path.to_string_lossy();
        let database = database.trim_start_matches('/');
        let user = options.get_username().to_owned();
        options = options.database(if database.is_empty() { &user } else { database });
        options = options.ssl_mode(security.ssl_mode(local)?);
        if let Some(ca) = &security.ca {
            options = options.ssl_root_cert(ca);
        }
        Ok(Self { options, place })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}:{}", self.place, self.options.get_port())
    }
}

impl Security {
    fn ssl_mode(&self, local: bool) -> Result<PgSslMode> {
        let mode = match self.mode.as_deref() {
            None if local && self.ca.is_none() => PgSslMode::Disable,
            None => PgSslMode::VerifyFull,
            Some("disable") => PgSslMode::Disable,
            Some("allow") => PgSslMode::Allow,
            Some("prefer") => PgSslMode::Prefer,
            Some("require") => PgSslMode::Require,
            Some("verify-ca") => PgSslMode::VerifyCa,
            Some("verify-full") => PgSslMode::VerifyFull,
            Some(_) => {
                return Err(Error::invalid_config(
                    "option `sslmode` needs disable, allow, prefer, require, verify-ca or verify-full",
                ));
            }
        };
        let plaintext = matches!(mode, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
        if plaintext && !local && !self.allow_plaintext {
            return Err(Error::invalid_config(
                "this `sslmode` may send passwords and data in plain text to another machine; \
                 use sslmode=verify-full, or say allow_plaintext=true",
            ));
        }
        let unverified = matches!(mode, PgSslMode::Require | PgSslMode::VerifyCa);
        if unverified && !local && !self.allow_unverified {
            return Err(Error::invalid_config(
                "this `sslmode` does not check who the server is; \
                 use sslmode=verify-full, or say allow_unverified_tls=true",
            ));
        }
        if !cfg!(feature = "tls") {
            return match mode {
                PgSslMode::Disable => Ok(mode),
                // Without TLS there is nothing to prefer.
                PgSslMode::Allow | PgSslMode::Prefer => Ok(PgSslMode::Disable),
                _ => Err(missing("sql-tls")),
            };
        }
        Ok(mode)
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use hallway_core::ErrorKind;

    use super::*;

    fn open(text: &str) -> Result<crate::SqlConfig> {
        crate::SqlConfig::from_url(StoreUrl::parse(text)?)
    }

    #[test]
    fn another_machine_needs_a_verified_connection_or_a_word() {
        let kind = |text: &str| open(text).map(drop).map_err(|error| (error.kind(), error.to_string()));
        for fine in [
            "postgres://localhost/db",
            "postgres://127.0.0.7/db",
            "postgres://[::1]/db?sslmode=disable",
            "postgres://user@%2Frun%2Fpostgresql/db",
            "postgres://db.example/app?sslmode=disable&allow_plaintext=true",
        ] {
            assert_eq!(kind(fine), Ok(()), "{fine}");
        }
        for (refused, option) in [
            ("postgres://db.example/app?sslmode=disable", "allow_plaintext"),
            ("postgres://db.example/app?sslmode=prefer", "allow_plaintext"),
            ("postgres://db.example/app?sslmode=require", "allow_unverified_tls"),
            ("postgres://10.0.0.1/app?sslmode=verify-ca", "allow_unverified_tls"),
            ("postgres://localhost/app?sslmode=maybe", "sslmode"),
            ("postgres://localhost/app?host=relative", "host"),
        ] {
            let (kind, message) = kind(refused).unwrap_err();
            assert_eq!(kind, ErrorKind::InvalidConfig, "{refused}");
            assert!(message.contains(option), "{message}");
        }
        if cfg!(feature = "tls") {
            assert_eq!(kind("postgres://db.example/app"), Ok(()));
        } else {
            let (kind, message) = kind("postgres://db.example/app").unwrap_err();
            assert_eq!(kind, ErrorKind::MissingFeature);
            assert!(message.contains("sql-tls"), "{message}");
        }
    }

    /// Tests may not change their own environment, so this one runs itself again in another.
    #[test]
    fn nothing_of_the_environment_reaches_the_server() {
        const CHILD: &str = "HALLWAY_SQL_TEST_CHILD";
        if std::env::var_os(CHILD).is_some() {
            let url = StoreUrl::parse("postgres://alice@127.0.0.1:7777").unwrap();
            let security = Security { mode: None, ca: None, allow_plaintext: false, allow_unverified: false };
            let shown = format!("{:?}", Server::from_url(&url, None, security).map(|server| server.options));
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("alice") && shown.contains("7777"), "{shown}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let passwords = folder.path().join("pgpass");
        std::fs::write(&passwords, "*:*:*:*:canary-file\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&passwords, mode).unwrap();
        let run = |variables: &[(&str, &str)]| {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["nothing_of_the_environment_reaches_the_server", "--nocapture"]).env(CHILD, "1");
            child.env("PGPASSFILE", &passwords).envs(variables.iter().copied()).output().unwrap()
        };
        let variables =
            ["PGPASSWORD", "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER"].map(|name| (name, "canary-variable"));
        for variables in [&[][..], &variables[..]] {
            let output = run(variables);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
        let refused = run(&[("PGOPTIONS", "-c search_path=elsewhere")]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("unset it"), "{refused:?}");
    }

    #[test]
    fn no_secret_is_shown() {
        let config = open("postgres://alice:canary@localhost/db?allow_plaintext=true").unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("canary") && !shown.contains("alice"), "{shown}");
    }
}
