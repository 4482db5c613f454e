//! The link of a shared tier: one connection for reads, invalidations and heartbeat.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
#[cfg(feature = "mutants")]
use hallway_core::mutant::Mutant;
use hallway_core::{
    CopyState, Entry, Error, Freshness, Key, LeaseOutcome, LinkOptions, LinkState, Result, SharedLink, Token, Ttl,
};
use tokio::time::Instant;

use crate::engine::Engine;
use crate::fault::Fault;
use crate::gets::Get;
use crate::states::State;
use crate::store::BACKEND;
use crate::tracking::Tracking;
use crate::{batch, coalesce, copies, states};

/// An engine whose only connection is tracked. Large values go over it as well: their order with the invalidations
/// matters more than the small ones they hold up.
pub(crate) struct RedisLink {
    engine: Arc<Engine>,
    tracking: Arc<Tracking>,
    /// The mistake of reading elsewhere.
    #[cfg(feature = "mutants")]
    pool: Option<Arc<Engine>>,
}

impl RedisLink {
    /// A link to the server of `engine`.
    pub(crate) fn new(engine: &Engine, options: LinkOptions) -> Self {
        let tracking = Arc::new(Tracking::new(options));
        Self {
            engine: Arc::new(engine.tracked(Arc::clone(&tracking))),
            #[cfg(feature = "mutants")]
            pool: Mutant::RedirectPool
                .is_on()
                .then(|| Arc::new(engine.tracked(Arc::new(Tracking::redirected(&tracking))))),
            tracking,
        }
    }

    /// Where reads go.
    fn reader(&self) -> &Arc<Engine> {
        #[cfg(feature = "mutants")]
        if let Some(pool) = &self.pool {
            return pool;
        }
        &self.engine
    }
}

fn until(within: Duration) -> Instant {
    // An instant this far ahead can still be computed, and nobody waits for it.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);
    Instant::now() + within.min(LONGEST)
}

fn of_read(operation: &'static str) -> impl Fn(Fault) -> Error {
    move |fault| fault.into_read_error().at(BACKEND, operation)
}

fn of_write(operation: &'static str) -> impl Fn(Fault) -> Error {
    move |fault| fault.into_write_error().at(BACKEND, operation)
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SharedLink for RedisLink {
    fn freshness(&self) -> &Freshness {
        self.tracking.freshness()
    }

    fn state(&self) -> LinkState {
        self.tracking.state()
    }

    async fn read(&self, keys: &[Key], within: Duration) -> Result<Vec<CopyState>> {
        let engine = self.reader();
        if let [key] = keys {
            let state = coalesce::ask::<State>(engine, key.clone(), until(within)).await.map_err(of_read("read"))?;
            return Ok(vec![state]);
        }
        // In a box, or each read of one key would carry room for a batch.
        let pairs = Box::pin(states::all_pairs(engine, keys, until(within))).await.map_err(of_read("read"))?;
        let state = |(key, (value, life))| states::state(engine, key, value, &life);
        keys.iter().zip(pairs).map(state).collect::<Result<_, _>>().map_err(of_read("read"))
    }

    async fn read_once(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Bytes>>> {
        let engine = self.reader();
        let values = match keys {
            [key] => coalesce::ask::<Get>(engine, key.clone(), until(within)).await.map(|value| vec![value]),
            // In a box, or each read of one key would carry room for a batch.
            keys => Box::pin(batch::get_many(engine, keys, until(within))).await,
        };
        values.map_err(of_read("read_once"))
    }

    async fn read_entries(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Entry>>> {
        let engine = self.reader();
        let pairs = states::all_pairs(engine, keys, until(within)).await.map_err(of_read("read_entries"))?;
        let entry = |(key, (value, life))| states::entry(engine, key, value, &life);
        keys.iter().zip(pairs).map(entry).collect::<Result<_, _>>().map_err(of_read("read_entries"))
    }

    async fn lease(
        &self,
        keys: &[(Key, Token, Option<Token>)],
        life: Duration,
        within: Duration,
    ) -> Result<Vec<LeaseOutcome>> {
        copies::lease(&self.engine, keys, life, until(within)).await.map_err(of_write("lease"))
    }

    async fn fill(&self, copies: &[(Key, Token, Bytes, Ttl)], lease: Duration, within: Duration) -> Result<Vec<bool>> {
        copies::fill(&self.engine, copies, lease, until(within)).await.map_err(of_write("fill"))
    }

    async fn release(&self, tokens: &[(Key, Token)], within: Duration) -> Result<()> {
        copies::release(&self.engine, tokens, until(within)).await.map_err(of_write("release"))
    }

    async fn renew(&self, leases: &[(Key, Token)], life: Duration, within: Duration) -> Result<Vec<bool>> {
        copies::renew(&self.engine, leases, life, until(within)).await.map_err(of_write("renew"))
    }

    async fn claim_refresh(&self, key: &Key, token: Token, life: Duration, within: Duration) -> Result<bool> {
        let claimed = copies::claim_refresh(&self.engine, key, token, life, until(within)).await;
        claimed.map_err(of_write("claim_refresh"))
    }

    async fn replace(&self, key: &Key, seen: Token, copy: Bytes, ttl: Ttl, within: Duration) -> Result<bool> {
        copies::replace(&self.engine, key, seen, &copy, ttl, until(within)).await.map_err(of_write("replace"))
    }

    async fn mark(&self, keys: &[Key], writer: Token, life: Duration, within: Duration) -> Result<()> {
        copies::mark(&self.engine, keys, writer, life, until(within)).await.map_err(of_write("mark"))
    }

    async fn unmark(&self, keys: &[Key], writer: Token, within: Duration) -> Result<()> {
        copies::unmark(&self.engine, keys, writer, until(within)).await.map_err(of_write("unmark"))
    }

    async fn delete(&self, keys: &[Key], within: Duration) -> Result<()> {
        copies::delete(&self.engine, keys, until(within)).await.map_err(of_write("delete"))
    }

    async fn generations(&self, keys: &[(Key, u64)], within: Duration) -> Result<Vec<u64>> {
        copies::generations(self.reader(), keys, until(within)).await.map_err(of_read("generations"))
    }

    async fn bump_generation(&self, key: &Key, new: u64, within: Duration) -> Result<()> {
        copies::bump_generation(&self.engine, key, new, until(within)).await.map_err(of_write("bump_generation"))
    }

    async fn ping(&self, within: Duration) -> Result<()> {
        self.engine.ping(until(within)).await.map_err(of_read("ping"))
    }
}

/// Shows the server and the state.
impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink")
            .field("server", &format_args!("{}", self.engine.target.resolve()))
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
