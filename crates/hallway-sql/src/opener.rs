//! Opening connections: the schema first, and no hammering on a server that refuses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hallway_core::ErrorKind;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument;

use crate::failure::{Effect, Failure};
use crate::lane::full_jitter;
use crate::link::{Driver, Link, Role};
use crate::observe;
use crate::schema::{self, Migrate};
use crate::stats::Counters;
use crate::table::Table;

/// The longest pause between two attempts, so that a server that is back is found within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a database that others keep locked is tried to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long bringing the table up to date may take: longer than the server's own limits for it.
const MIGRATE_LIMIT: Duration = Duration::from_secs(30);

/// Opens connections of one store.
#[derive(Debug)]
pub(crate) struct Opener {
    driver: Box<dyn Driver>,
    table: Table,
    migrate: Migrate,
    migrate_limit: Duration,
    /// Set once the schema is there.
    ready: OnceCell<()>,
    /// A private database has been opened: a second one would be another, and empty.
    private_opened: AtomicBool,
    /// Of the store, with what its lanes send.
    pub(crate) counters: Counters,
    // A blocking mutex: nothing awaits while holding it.
    trouble: Mutex<Trouble>,
}

/// The last failure, handed out until it is time to try again.
#[derive(Debug, Default)]
struct Trouble {
    attempts: u32,
    last: Option<(Instant, Failure)>,
}

impl Opener {
    pub(crate) fn new(driver: Box<dyn Driver>, table: Table, migrate: Migrate) -> Self {
        Self {
            driver,
            table,
            migrate,
            migrate_limit: MIGRATE_LIMIT,
            ready: OnceCell::new(),
            private_opened: AtomicBool::new(false),
            counters: Counters::default(),
            trouble: Mutex::default(),
        }
    }

    /// Opens a connection to a database that has the table.
    pub(crate) async fn open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        if let Some(failure) = self.last_failure() {
            return Err(failure);
        }
        let span = observe::of_connect(self.driver.dialect().name);
        let opened = self.try_open(role).instrument(span.clone()).await;
        let opened = opened.inspect_err(|failure| observe::failed(&span, failure));
        drop(span);
        self.counters.connected(opened.is_ok());
        let opened = opened.map_err(|failure| match failure.effect {
            // Whoever waits for the connection has sent nothing yet.
            Effect::Lost => Failure { effect: Effect::Drop, ..failure },
            _ => failure,
        });
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &opened {
            Ok(_) => *trouble = Trouble::default(),
            Err(failure) => {
                if trouble.attempts == 0 {
                    tracing::warn!(kind = ?failure.kind, "{}", failure.message);
                }
                // Wrong credentials do not mend by themselves.
                let pause = match failure.kind {
                    ErrorKind::Unavailable => Duration::from_millis(25) + full_jitter(trouble.attempts),
                    _ => LONGEST_PAUSE,
                };
                trouble.attempts = trouble.attempts.saturating_add(1);
                trouble.last = Some((Instant::now() + pause.min(LONGEST_PAUSE), failure.clone()));
            }
        }
        opened
    }

    /// Whether every connection is a database of its own.
    pub(crate) fn is_private(&self) -> bool {
        self.driver.is_private()
    }

    /// How long after the deadline of a write it may still be done.
    pub(crate) fn outlasts(&self) -> Option<Duration> {
        self.driver.outlasts()
    }

    /// Whether the last attempt failed a moment ago.
    pub(crate) fn is_cooling(&self) -> bool {
        self.last_failure().is_some()
    }

    fn last_failure(&self) -> Option<Failure> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.last.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, failure)| failure.clone())
    }

    async fn try_open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        if self.driver.is_private() {
            if self.private_opened.load(Ordering::Relaxed) {
                return Err(Failure::new(
                    ErrorKind::Corrupt,
                    Effect::Drop,
                    "the database in memory ended with its connection and its data is lost; open a new store",
                ));
            }
            let mut link = self.driver.open(Role::Write).await?;
            self.prepare(&mut *link, Migrate::Run).await?;
            self.private_opened.store(true, Ordering::Relaxed);
            return Ok(link);
        }
        let until = Instant::now() + OPEN_LIMIT;
        let mut attempt = 0;
        loop {
            match self.ready_and_open(role).await {
                // Others open or migrate the same file right now.
                Err(failure) if failure.effect == Effect::Again && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(5) + full_jitter(attempt)).await;
                    attempt = (attempt + 1).min(4);
                }
                opened => return opened,
            }
        }
    }

    async fn ready_and_open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        self.ready
            .get_or_try_init(async || {
                if self.migrate == Migrate::Off {
                    return Ok(());
                }
                let mut link = self.driver.open(Role::Migrate).await?;
                self.prepare(&mut *link, self.migrate).await
            })
            .await?;
        self.driver.open(role).await
    }

    /// Everybody waits for this one, so a lost answer must not keep it for ever.
    async fn prepare(&self, link: &mut dyn Link, migrate: Migrate) -> Result<(), Failure> {
        let limit = self.migrate_limit;
        let done = schema::migrate(link, self.driver.dialect(), &self.table, migrate);
        tokio::time::timeout(limit, done).await.unwrap_or_else(|_| {
            Err(Failure::new(
                ErrorKind::Unavailable,
                Effect::Drop,
                format!("the table could not be checked or made within {limit:?}; see what blocks the database"),
            ))
        })
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::sync::atomic::AtomicU32;

    use async_trait::async_trait;

    use super::*;
    use crate::dialect::{Dialect, Statement, sqlite::SQLITE};
    use crate::link::{Answer, Args};

    /// The answer to the first script is lost.
    #[derive(Debug, Default)]
    struct Deaf(AtomicU32);

    struct Ear(bool);

    #[async_trait]
    impl Driver for Deaf {
        fn dialect(&self) -> &'static Dialect {
            &SQLITE
        }

        async fn open(&self, _: Role) -> Result<Box<dyn Link>, Failure> {
            Ok(Box::new(Ear(self.0.fetch_add(1, Ordering::Relaxed) > 0)))
        }
    }

    #[async_trait]
    impl Link for Ear {
        async fn run(&mut self, _: &Statement, _: &Args<'_>) -> Result<Answer, Failure> {
            Ok(Answer::default())
        }

        async fn script(&mut self, _: sqlx::SqlStr) -> Result<Answer, Failure> {
            if self.0 { Ok(Answer::default()) } else { std::future::pending().await }
        }

        async fn check(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_lost_answer_does_not_keep_the_store_for_ever() {
        let mut opener = Opener::new(Box::new(Deaf::default()), Table::default(), Migrate::Run);
        opener.migrate_limit = Duration::from_millis(20);
        let opened = tokio::time::timeout(Duration::from_secs(5), opener.open(Role::Write)).await;
        let failure = opened.expect("an end").err().expect("a failure");
        assert_eq!((failure.kind, failure.effect), (ErrorKind::Unavailable, Effect::Drop));
        let start = Instant::now();
        while let Err(failure) = opener.open(Role::Write).await {
            assert!(start.elapsed() < Duration::from_secs(5), "{failure:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
