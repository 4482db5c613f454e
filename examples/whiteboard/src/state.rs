//! What all pages share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::session::{Sessions, SessionsExt as _};
use hallway::{Cache, Config, Error, Loaded, TierHealth, TieredStore};

use crate::database::Database;
use crate::observe::{Metrics, Recorder};
use crate::options::Options;
use crate::panel::{Panel, Reading};
use crate::profile::Profile;
use crate::user::User;

/// How long past its TTL a copy answers when the database does not.
const STALE_IF_ERROR: Duration = Duration::from_secs(3_600);

/// How long a session lives without a request, and how long at most.
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3_600);

/// A clone is another handle to the same application.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) tiers: TieredStore,
    pub(crate) profiles: Cache<Profile>,
    pub(crate) sessions: Sessions<User>,
    pub(crate) database: Database,
    pub(crate) metrics: Metrics,
    pub(crate) name: Arc<str>,
    ttl: Duration,
}

impl App {
    /// Opens tiers and database. No server need be up.
    ///
    /// # Errors
    /// `InvalidConfig` naming the setting.
    pub(crate) async fn open(options: &Options, config: Config, name: String) -> Result<Self, Error> {
        let recorder = Recorder::install()?;
        let tiers = crate::options::tiers(config).open().await?;
        let database = Database::open(options.database(), options.delay()).await?;
        let profiles = tiers
            .cache("user:profile")
            .ttl(options.ttl())
            // So that the countdown on the page is exact. Leave it as it is where many values are loaded together.
            .jitter(0.0)
            .stale_if_error(STALE_IF_ERROR)
            .hard_timeout(options.delay() + Duration::from_secs(5))
            .build()?;
        // In the shared tier if there is one, else in the consistent one, else here: never answered by a copy.
        let sessions = tiers.sessions("session").idle(IDLE).absolute(ABSOLUTE).build()?;
        let metrics = recorder.watch(&tiers, &profiles, &sessions);
        Ok(Self { tiers, profiles, sessions, database, metrics, name: name.into(), ttl: options.ttl() })
    }

    /// A profile, from wherever it is found first, and how that went.
    ///
    /// # Errors
    /// That of the slow query, if no copy may answer.
    pub(crate) async fn profile(&self, id: &str) -> Result<(Option<Arc<Profile>>, Panel), Error> {
        let began = Instant::now();
        let (database, owned) = (self.database.clone(), id.to_owned());
        let Loaded { value, tier, age, stale, .. } =
            self.profiles.load(id, move || async move { database.profile(&owned).await }).await?;
        let reading = Reading { tier, age, stale, took: began.elapsed() };
        Ok((value, self.panel(Some(reading))))
    }

    /// How things are now.
    pub(crate) fn panel(&self, reading: Option<Reading>) -> Panel {
        Panel {
            reading,
            ttl: self.ttl,
            delay: self.database.delay(),
            stats: self.profiles.stats(),
            health: self.tiers.health(),
            bound: self.profiles.bound(),
            instance: Arc::clone(&self.name),
        }
    }

    /// Where logins are kept, for the line that is printed at the start.
    pub(crate) fn summary(&self) -> &'static str {
        let health = self.tiers.health();
        match (health.shared, health.consistent) {
            (TierHealth::Absent, TierHealth::Absent) => "one instance: logins and copies in this process",
            (TierHealth::Absent, _) => "logins in the consistent tier, copies in this process",
            _ => "logins and copies in the shared tier",
        }
    }
}
