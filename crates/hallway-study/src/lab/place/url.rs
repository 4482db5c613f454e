//! Store URLs of a study: options set whether or not they were there, and the same server behind another address.

use std::net::{IpAddr, SocketAddr};

use hallway::StoreUrl;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::Result;

/// A machine that is measured is busy: a call may take longer than an application would wait, and so may the second
/// connection that the first large value opens.
pub(in crate::lab) fn patient(url: &str) -> Result<String> {
    let mut known = StoreUrl::parse(url)?;
    let mut patient = url.to_owned();
    let of_redis = known.scheme().starts_with("redis");
    for (option, asked) in [("deadline", true), ("connect_timeout", of_redis)] {
        if asked && known.take(option).is_none() {
            let separator = if patient.contains('?') { '&' } else { '?' };
            patient.push_str(&format!("{separator}{option}=10s"));
        }
    }
    Ok(patient)
}

/// The URL with an option as the study needs it, whatever it was before.
pub(super) fn with_option(url: &str, name: &str, value: &str) -> Result<String> {
    let mut url = StoreUrl::parse(url)?.as_url().clone();
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(other, _)| other != name)
        .map(|(other, value)| (other.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
    Ok(url.into())
}

/// The same server as it is behind another address; everything else of the URL stays. `None` where a URL has no host.
pub(in crate::lab) fn moved(url: &str, to: SocketAddr) -> Option<String> {
    let mut url = StoreUrl::parse(url).ok()?.as_url().clone();
    url.host_str().filter(|host| !host.is_empty())?;
    url.set_host(Some(&to.ip().to_string())).ok()?;
    url.set_port(Some(to.port())).ok()?;
    Some(url.into())
}

/// sqlx's options for a URL of ours, so that both come to the same server in the same way.
///
/// As with the store, the environment adds no password, and the way is verified unless it stays on this machine.
pub(super) fn options(url: &str) -> Result<PgConnectOptions> {
    let mut url = StoreUrl::parse(url)?;
    let (mode, socket, authority) = (url.take("sslmode"), url.take("host"), url.take("ca"));
    let mut plain = url.as_url().clone();
    plain.set_query(None);
    let mut options = PgConnectOptions::from_url(&plain)?;
    if let Some(socket) = socket {
        options = options.host("localhost").socket(socket);
    }
    let is_local = options.get_socket().is_some() || is_loopback(options.get_host());
    let mode = match mode {
        Some(mode) => mode.parse().map_err(|_| "option `sslmode` has none of the words there are for it")?,
        None if is_local && authority.is_none() => PgSslMode::Disable,
        None => PgSslMode::VerifyFull,
    };
    options = options.ssl_mode(mode).password(url.password().as_deref().unwrap_or_default());
    if let Some(authority) = authority {
        options = options.ssl_root_cert(authority);
    }
    Ok(options.application_name("hallway-study").disable_statement_logging())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_set_once_and_the_others_stay() {
        let url = "postgres://u:p%40ss@host/db?table=mine&sslmode=require&migrate=off";
        let ours = with_option(&with_option(url, "table", "study").unwrap(), "migrate", "run").unwrap();
        assert_eq!(ours, "postgres://u:p%40ss@host/db?sslmode=require&table=study&migrate=run");
        assert!(StoreUrl::parse(&ours).is_ok());
    }

    #[test]
    fn patience_is_added_unless_the_url_says_otherwise() {
        assert_eq!(patient("moka:?max=1GiB").unwrap(), "moka:?max=1GiB&deadline=10s");
        assert_eq!(patient("redis://h?deadline=1s").unwrap(), "redis://h?deadline=1s&connect_timeout=10s");
        assert_eq!(patient("redis://h?connect_timeout=2s").unwrap(), "redis://h?connect_timeout=2s&deadline=10s");
        let secret = "redis://:deadline=1@h";
        assert_eq!(patient(secret).unwrap(), format!("{secret}?deadline=10s&connect_timeout=10s"));
    }

    #[test]
    fn a_server_moves_however_its_url_is_written() {
        let to = SocketAddr::from(([127, 0, 0, 1], 4242));
        for (from, expected) in [
            ("redis://localhost:6379", "redis://127.0.0.1:4242"),
            ("redis://localhost", "redis://127.0.0.1:4242"),
            ("redis://u:p%40@cache.example:7000/3?max_value=1MiB", "redis://u:p%40@127.0.0.1:4242/3?max_value=1MiB"),
            ("redis://[::1]:6379", "redis://127.0.0.1:4242"),
            ("postgres://u:127.0.0.1:5432@127.0.0.1:5432/db", "postgres://u:127.0.0.1%3A5432@127.0.0.1:4242/db"),
        ] {
            assert_eq!(moved(from, to).as_deref(), Some(expected));
        }
        assert_eq!(moved("redis+unix:///run/redis.sock", to), None);
    }

    #[test]
    fn sqlx_takes_the_way_that_the_store_takes() {
        let of = |url: &str| options(url).unwrap();
        let private = of("postgres://u@db.example/app?ca=/etc/ca.pem&table=x&migrate=off&deadline=5s");
        assert!(matches!(private.get_ssl_mode(), PgSslMode::VerifyFull), "{private:?}");
        assert!(format!("{private:?}").contains("/etc/ca.pem"), "{private:?}");
        assert!(matches!(of("postgres://u@127.0.0.1/app").get_ssl_mode(), PgSslMode::Disable));
        assert!(matches!(of("postgres://u@db.example/app").get_ssl_mode(), PgSslMode::VerifyFull));
        assert!(matches!(of("postgres://u@db.example/app?sslmode=require").get_ssl_mode(), PgSslMode::Require));
        let socket = of("postgres://u@localhost/app?host=/run/postgresql");
        assert_eq!(socket.get_socket().map(|folder| folder.as_path()), Some(std::path::Path::new("/run/postgresql")));
    }
}
