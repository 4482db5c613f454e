//! From a URL to a store.

use std::sync::Arc;

use hallway_core::{Error, ErrorKind, KvStore, Result, StoreUrl};

/// Every scheme there is, and the feature that brings it.
const SCHEMES: [(&str, &str); 7] = [
    ("moka", "moka"),
    ("redis", "redis"),
    ("rediss", "redis-tls"),
    ("redis+unix", "redis"),
    ("sqlite", "sqlite"),
    ("postgres", "postgres"),
    ("postgresql", "postgres"),
];

/// Opens the store that a URL names: `moka:?max=64MiB`, `sqlite:app.db`, `redis://host/0`, `postgres://host/db`.
///
/// It needs no server: connecting happens in the background and inside the first call, unless the URL says
/// `connect=now`.
///
/// # Errors
/// - `InvalidConfig`: not a URL, an unknown scheme or option, or a value that an option cannot have.
/// - `MissingFeature`: a scheme of a feature that was not compiled in.
/// - With `connect=now` also what [`KvStore::ping`] answers: `Unavailable`, `Unauthorized`.
///
/// No message shows a user name, a password or the value of an option.
///
/// # Cancel safety
/// Dropping the future leaves nothing behind.
pub async fn open(url: &str) -> Result<Arc<dyn KvStore>> {
    let mut url = StoreUrl::parse(url)?;
    let now = match url.take("connect").as_deref() {
        None | Some("lazy") => false,
        Some("now") => true,
        Some(_) => return Err(Error::invalid_config("option `connect` needs now or lazy")),
    };
    let store = open_lazy(url).await?;
    if now {
        store.ping().await?;
    }
    Ok(store)
}

async fn open_lazy(url: StoreUrl) -> Result<Arc<dyn KvStore>> {
    match url.scheme() {
        #[cfg(feature = "moka")]
        "moka" => Ok(Arc::new(hallway_moka::MokaStore::open_url(url)?)),
        // Without `redis-tls` the scheme `rediss` is left to the last arm, which names that feature.
        #[cfg(feature = "redis-tls")]
        "rediss" => Ok(Arc::new(hallway_redis::RedisStore::open_url(url).await?)),
        // The last four answer that they come later.
        #[cfg(feature = "redis")]
        "redis" | "redis+unix" | "redis+sentinel" | "redis+cluster" | "rediss+sentinel" | "rediss+cluster" => {
            Ok(Arc::new(hallway_redis::RedisStore::open_url(url).await?))
        }
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(hallway_sql::SqlStore::open_url(url).await?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Arc::new(hallway_sql::SqlStore::open_url(url).await?)),
        scheme => Err(cannot_open(scheme)),
    }
}

/// Whether some feature brings this scheme.
pub(crate) fn is_known(scheme: &str) -> bool {
    SCHEMES.iter().any(|(known, _)| *known == scheme)
}

fn cannot_open(scheme: &str) -> Error {
    match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, feature)) => Error::new(
            ErrorKind::MissingFeature,
            format!("built without `{feature}`, which `{scheme}` URLs need; enable feature `{feature}`"),
        ),
        None => Error::invalid_config(format!(
            "unknown store scheme `{scheme}`; known schemes: {}",
            SCHEMES.map(|(scheme, _)| scheme).join(", ")
        )),
    }
}
