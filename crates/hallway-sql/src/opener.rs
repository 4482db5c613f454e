//! Opening connections: the schema first, and no hammering on a server that refuses.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hallway_core::ErrorKind;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::failure::{Effect, Failure};
use crate::lane::full_jitter;
use crate::link::{Driver, Link, Role};
use crate::schema::{self, Migrate};
use crate::table::Table;

/// The longest pause between two attempts, so that a server that is back is found within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a database that others keep locked is tried to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Opens connections of one store.
#[derive(Debug)]
pub(crate) struct Opener {
    driver: Box<dyn Driver>,
    table: Table,
    migrate: Migrate,
    /// Set once the schema is there.
    ready: OnceCell<()>,
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
        Self { driver, table, migrate, ready: OnceCell::new(), trouble: Mutex::default() }
    }

    /// Opens a connection to a database that has the table.
    pub(crate) async fn open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        if let Some(failure) = self.last_failure() {
            return Err(failure);
        }
        let opened = self.try_open(role).await;
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
            let mut link = self.driver.open(Role::Write).await?;
            schema::migrate(&mut *link, self.driver.dialect(), &self.table, Migrate::Run).await?;
            return Ok(link);
        }
        let until = Instant::now() + OPEN_LIMIT;
        for attempt in 0.. {
            match self.ready_and_open(role).await {
                // Others open or migrate the same file right now.
                Err(failure) if failure.effect == Effect::Again && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(5) + full_jitter(attempt.min(4))).await;
                }
                opened => return opened,
            }
        }
        unreachable!("the loop ends by returning")
    }

    async fn ready_and_open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        self.ready
            .get_or_try_init(async || {
                if self.migrate == Migrate::Off {
                    return Ok(());
                }
                let mut link = self.driver.open(Role::Migrate).await?;
                schema::migrate(&mut *link, self.driver.dialect(), &self.table, self.migrate).await
            })
            .await?;
        self.driver.open(role).await
    }
}
