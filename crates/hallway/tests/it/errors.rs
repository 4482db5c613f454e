//! What is wrong is said in a way that helps, and without secrets.

use hallway::{Config, Error, ErrorKind};

const SECRET: &str = "hunter2";

/// Each scheme, the feature it needs, whether that is compiled in.
const SCHEMES: [(&str, &str, bool); 7] = [
    ("moka:?max=1MiB", "moka", cfg!(feature = "moka")),
    ("redis://:hunter2@127.0.0.1:1/0", "redis", cfg!(feature = "redis")),
    ("rediss://:hunter2@127.0.0.1:1/0", "redis-tls", cfg!(feature = "redis-tls")),
    ("redis+unix:///nowhere/redis.sock", "redis", cfg!(feature = "redis")),
    ("sqlite::memory:", "sqlite", cfg!(feature = "sqlite")),
    ("postgres://app:hunter2@127.0.0.1:1/app", "postgres", cfg!(feature = "postgres")),
    ("postgresql://app:hunter2@127.0.0.1:1/app", "postgres", cfg!(feature = "postgres")),
];

async fn refused(url: &str) -> Error {
    let error = hallway::open(url).await.expect_err("the URL is wrong");
    without_secret(&error);
    error
}

async fn check(url: &str, kind: ErrorKind, words: &[&str]) {
    let error = refused(url).await;
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

fn without_secret(error: &Error) {
    let mut shown = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(link) = cause {
        shown += &format!(" {link} {link:?}");
        cause = link.source();
    }
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn an_unknown_scheme_names_the_known_ones() {
    let words = ["memcached", "moka", "redis", "rediss", "redis+unix", "sqlite", "postgres", "postgresql"];
    check("memcached://user:hunter2@host", ErrorKind::InvalidConfig, &words).await;
}

#[tokio::test]
async fn what_is_no_url_is_not_quoted() {
    check("hunter2 is not a URL", ErrorKind::InvalidConfig, &["moka:?max=64MiB", "sqlite:app.db"]).await;
    check("", ErrorKind::InvalidConfig, &["moka:?max=64MiB"]).await;
}

#[tokio::test]
async fn a_missing_feature_is_named_and_a_present_one_opens_without_a_server() {
    for (url, feature, compiled) in SCHEMES {
        if compiled {
            hallway::open(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        } else {
            let words = [&*format!("built without `{feature}`"), &*format!("enable feature `{feature}`")];
            check(url, ErrorKind::MissingFeature, &words).await;
        }
    }
}

#[tokio::test]
async fn connect_is_now_or_lazy() {
    for (url, _, _) in SCHEMES {
        let separator = if url.contains('?') { '&' } else { '?' };
        check(&format!("{url}{separator}connect=hunter2"), ErrorKind::InvalidConfig, &["`connect`", "now or lazy"])
            .await;
    }
}

#[tokio::test]
async fn options_that_no_store_has_are_refused_and_the_known_ones_named() {
    for (url, _, compiled) in SCHEMES {
        if compiled {
            let separator = if url.contains('?') { '&' } else { '?' };
            let words = ["`capcity`", "known options:", "connect", "deadline", "max_value"];
            check(&format!("{url}{separator}capcity=hunter2"), ErrorKind::InvalidConfig, &words).await;
            let error = refused(&format!("{url}{separator}deadline=hunter2")).await;
            assert!(error.to_string().contains("`deadline` needs a duration"), "{error}");
            check(&format!("{url}{separator}max_value=0"), ErrorKind::InvalidConfig, &["max_value"]).await;
        }
    }
}

#[tokio::test]
async fn a_configuration_without_a_store_says_how_to_name_one() {
    let error = Config::default().open_stores().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("HALLWAY_LOCAL") && error.to_string().contains("hallway.toml"), "{error}");
}

#[tokio::test]
async fn a_tier_that_cannot_be_opened_is_named() {
    let config = Config::default().with_shared("memcached://:hunter2@host");
    let error = config.open_stores().await.unwrap_err();
    assert!(error.to_string().contains("shared store"), "{error}");
    without_secret(&error);
    assert!(!format!("{config:?}").contains(SECRET));
}

/// A port of this machine where nobody listens.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}

#[cfg(feature = "redis")]
mod redis {
    use hallway_testkit::servers::{RedisOptions, RedisServer};

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_with_connect_now_only() {
        let url = format!("redis://:{SECRET}@127.0.0.1:{}/0", closed_port());
        hallway::open(&url).await.unwrap();
        check(&format!("{url}?connect=now"), ErrorKind::Unavailable, &["redis"]).await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_unauthorized() {
        let server = RedisServer::start(RedisOptions::default().with_password("right")).unwrap();
        let url = |password| format!("redis://:{password}@127.0.0.1:{}/0?connect=now", server.port());
        hallway::open(&url("right")).await.unwrap();
        check(&url(SECRET), ErrorKind::Unauthorized, &["redis"]).await;
    }

    #[tokio::test]
    async fn sentinel_and_cluster_come_later() {
        check("redis+sentinel://:hunter2@h/0", ErrorKind::InvalidConfig, &["later"]).await;
        check("redis+cluster://:hunter2@h", ErrorKind::InvalidConfig, &["later"]).await;
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let error = refused(&format!("sqlite:{}?connect=now", folder.path().display())).await;
        assert!(matches!(error.kind(), ErrorKind::InvalidConfig | ErrorKind::Unavailable), "{error}");
    }

    #[tokio::test]
    async fn a_table_name_with_a_quote_is_refused() {
        check("sqlite::memory:?table=a%22b", ErrorKind::InvalidConfig, &["`table`"]).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use hallway_testkit::servers::{PostgresOptions, PostgresServer};

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_with_connect_now_only() {
        let url = format!("postgres://app:{SECRET}@127.0.0.1:{}/app", closed_port());
        hallway::open(&url).await.unwrap();
        check(&format!("{url}?connect=now"), ErrorKind::Unavailable, &["postgres"]).await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_unauthorized() {
        let server = PostgresServer::start(PostgresOptions::fast().with_password("right")).unwrap();
        hallway::open(&format!("{}?connect=now", server.url())).await.unwrap();
        let wrong = server.url().replace(":right@", &format!(":{SECRET}@"));
        assert_ne!(wrong, server.url());
        check(&format!("{wrong}?connect=now"), ErrorKind::Unauthorized, &["postgres"]).await;
    }
}
