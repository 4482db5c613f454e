//! Where Redis and PostgreSQL are: named, found or started.

mod postgres;
mod redis;
mod told;
mod url;

use std::fmt;
use std::time::Duration;

use hallway::{KvStore, Namespace, SetOptions, StoreUrl, Ttl};

pub use self::postgres::Postgres;
pub(super) use self::postgres::postgres;
pub use self::redis::Redis;
pub(super) use self::redis::redis;
pub(super) use self::told::Told;
pub(super) use self::url::{moved, patient};
use crate::{Failure, Result};

/// How long a server that might be there may take to say so.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long anything else that is asked of a server may take: a machine that is measured is busy.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// Which server to use. `Debug` shows no password.
#[derive(Clone, Default)]
pub enum Choice {
    /// One that answers where such servers usually do, without a password.
    #[default]
    Find,
    /// None.
    None,
    /// A private one, gone with the study.
    Start,
    /// This one.
    Url(String),
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Find => f.write_str("Find"),
            Self::None => f.write_str("None"),
            Self::Start => f.write_str("Start"),
            Self::Url(url) => write!(f, "Url({})", shown(url)),
        }
    }
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was running.
    Found,
    /// It was named.
    Given,
    /// The study started it.
    Started,
}

impl Origin {
    /// As it stands in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Given => "given",
            Self::Started => "started",
        }
    }
}

/// A server, or why there is none, which is no failure of the study.
pub(super) type Placed<T> = std::result::Result<T, Failure>;

/// A URL without its secrets.
fn shown(url: &str) -> String {
    StoreUrl::parse(url).map_or_else(|_| "…".to_owned(), |url| url.to_string())
}

/// Whether a store lets us write and delete: one that only answers cannot be measured.
async fn takes_writes(store: &dyn KvStore, name: &str) -> Result<()> {
    let key = Namespace::new(name)?.key("probe")?;
    let probe = async {
        store.set(&key, "probe".into(), SetOptions::new(Ttl::After(Duration::from_secs(60)))).await?;
        store.delete(&key).await
    };
    match tokio::time::timeout(LONG_PATIENCE, probe).await {
        Ok(deleted) => match deleted? {
            true => Ok(()),
            false => Err("what was written a moment ago is gone; the server drops entries".into()),
        },
        Err(_) => Err(slow("a write").into()),
    }
}

/// Whether a store answers there.
async fn answers(url: &str, patience: Duration) -> Result<()> {
    let open = async { hallway::open(url).await?.time().await };
    match tokio::time::timeout(patience, open).await {
        Ok(answer) => Ok(answer.map(|_| ())?),
        Err(_) => Err(format!("no answer within {patience:?}").into()),
    }
}

fn slow(what: &str) -> String {
    format!("{what} took longer than {LONG_PATIENCE:?}")
}

/// A failure with what caused it, on one line.
fn whole(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(error) = source {
        // Some have said it themselves.
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
pub(super) use self::{postgres::found as found_postgres, redis::found as found_redis};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_shows_no_password() {
        let choice = Choice::Url("redis://alice:canary@db.example:7000?ca=/x".to_owned());
        assert_eq!(format!("{choice:?}"), "Url(redis://db.example:7000)");
        assert_eq!(format!("{:?}", Choice::Url("canary@ not a url".to_owned())), "Url(…)");
        assert_eq!(format!("{:?}", Choice::Start), "Start");
    }
}
