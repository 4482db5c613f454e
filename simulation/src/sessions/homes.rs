//! Where the sessions live.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use hallway_core::{Clock, KvStore, Result};
use hallway_moka::MokaStore;
use hallway_redis::RedisConfig;
use hallway_session::{Sessions, SessionsBuilder, SessionsExt};
use hallway_sql::SqlConfig;
use hallway_testkit::sim::World;
use hallway_testkit::{Fault, FaultStore, Faults};

use super::history::Data;
use super::rng;
use super::slips::{Slip, Slippery};

/// Instances that share the sessions.
pub(super) const INSTANCES: usize = 3;

/// The simulated forms of the backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Home {
    /// The store in the process, on the world's clock.
    Moka,
    /// The store of Redis over a simulated network and server.
    Redis,
    /// A simulated database.
    Sql,
}

impl Home {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Moka, Self::Redis, Self::Sql];
}

/// What a run is played on.
pub(super) struct Stage {
    pub(super) instances: Vec<Sessions<Data>>,
    pub(super) evicts: bool,
    pub(super) is_faulty: bool,
    /// How long actors wait between calls, at most.
    pub(super) pause: Duration,
}

/// Half of the seeds lose replies and refuse calls.
fn is_faulty(seed: u64) -> bool {
    seed % 2 == 1
}

pub(super) fn simulated(world: &World, home: Home, seed: u64, slip: Option<Slip>) -> Stage {
    let redis = world.redis();
    let sql = world.sql();
    let clock: Arc<dyn Clock> = Arc::new(world.clock().clone());
    let moka = MokaStore::builder().with_clock(Arc::clone(&clock)).build().expect("the default bound is fine");
    let instances = (0..INSTANCES).map(|number| {
        let process = world.process(format!("instance {number}"));
        let store: Arc<dyn KvStore> = match home {
            Home::Moka => Arc::new(moka.clone()),
            Home::Redis => {
                let link = process.link(&redis);
                let config = RedisConfig::over(move || link.connect()).with_jitter_seed(seed + number as u64);
                Arc::new(config.open().expect("a link needs no settings"))
            }
            Home::Sql => Arc::new(process.sql(&sql)),
        };
        let faults = Faults::with_seed(seed ^ (number as u64 + 1) << 32);
        for (millis, often) in [(1, 0.5), (2, 0.3), (7, 0.2), (20, 0.05)] {
            faults.inject(Fault::latency(Duration::from_millis(millis)).with_probability(often));
        }
        if is_faulty(seed) {
            faults.inject(Fault::lost_reply().on_writes().with_probability(0.03));
            faults.inject(Fault::error(hallway_core::ErrorKind::Unavailable).with_probability(0.02));
        }
        let store = FaultStore::new(Slippery::new(store, slip), faults).with_patience(Duration::from_secs(1));
        build(store.sessions("session"), seed, number, process.clock())
    });
    Stage {
        instances: instances.collect(),
        evicts: evicts(seed),
        is_faulty: is_faulty(seed),
        pause: Duration::from_millis(10),
    }
}

fn evicts(seed: u64) -> bool {
    seed % 5 == 4
}

fn build(builder: SessionsBuilder, seed: u64, number: usize, clock: Arc<dyn Clock>) -> Sessions<Data> {
    let random = Mutex::new(rng(seed, 100 + number as u64));
    let builder = builder.clock(clock).random(move |bytes| {
        let mut rng = random.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    });
    let builder = if evicts(seed) { builder.per_subject(2) } else { builder };
    builder.build().expect("these settings are fine")
}

/// Servers that are really there, or a file.
#[derive(Debug)]
pub struct RealHome {
    stores: Vec<Arc<dyn KvStore>>,
}

impl RealHome {
    /// One map for all instances.
    ///
    /// # Errors
    /// None that could be met.
    pub fn moka() -> Result<Self> {
        let store: Arc<dyn KvStore> = Arc::new(MokaStore::builder().build()?);
        Ok(Self { stores: vec![store; INSTANCES] })
    }

    /// A client for each instance.
    ///
    /// # Errors
    /// `InvalidConfig` for the URL.
    pub async fn redis(url: &str) -> Result<Self> {
        Self::of(|| RedisConfig::from_url(hallway_core::StoreUrl::parse(url)?)?.open()).await
    }

    /// A client for each instance.
    ///
    /// # Errors
    /// `InvalidConfig` for the URL.
    pub async fn postgres(url: &str) -> Result<Self> {
        Self::of(|| SqlConfig::from_url(hallway_core::StoreUrl::parse(url)?)?.open()).await
    }

    /// A handle for each instance, as of processes that share a file.
    ///
    /// # Errors
    /// `InvalidConfig` for the path.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        Self::of(|| SqlConfig::sqlite(path).with_deadline(Duration::from_secs(20)).open()).await
    }

    async fn of<S: KvStore>(open: impl Fn() -> Result<S>) -> Result<Self> {
        let mut stores: Vec<Arc<dyn KvStore>> = Vec::with_capacity(INSTANCES);
        for _ in 0..INSTANCES {
            let store = open()?;
            store.ping().await?;
            stores.push(Arc::new(store));
        }
        Ok(Self { stores })
    }

    pub(super) fn stage(&self, seed: u64) -> Stage {
        let instances = self.stores.iter().enumerate().map(|(number, store)| {
            let builder = store.sessions(&format!("session:{seed}")).deadline(Duration::from_secs(20));
            build(builder, seed, number, Arc::new(hallway_core::SystemClock))
        });
        Stage {
            instances: instances.collect(),
            evicts: evicts(seed),
            is_faulty: false,
            pause: Duration::from_micros(300),
        }
    }
}
