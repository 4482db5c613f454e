//! A cache in front of the database by the plainest code: look, else ask the database and keep the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, Namespace, SetOptions, Ttl};

use super::database::{Database, PAGES, Work};
use crate::Result;
use crate::lab::{Backend, Lab};
use crate::load::Workload;
use crate::rounds::Cell;

const TTL: Ttl = Ttl::After(Duration::from_secs(3_600));
/// Pages below this are in the cache; the others are missed, and taken out again.
pub(super) const CACHED: usize = PAGES / 2;
/// Those that are missed.
pub(super) const MISSED: usize = PAGES - CACHED;

/// The cache and the database. A clone is the same ones.
#[derive(Debug, Clone)]
pub(super) struct Aside(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cache: Arc<dyn KvStore>,
    keys: Vec<Key>,
    database: Database,
    workload: Arc<Workload>,
}

impl Aside {
    /// Puts the pages into the cache that are to be found there.
    pub(super) async fn open(lab: &Lab, cache: Backend, database: &Database, workload: &Arc<Workload>) -> Result<Self> {
        let cache = lab.store(cache).await?;
        let namespace = Namespace::new(&lab.namespace())?;
        let keys = workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?;
        for (page, key) in keys.iter().enumerate().take(CACHED) {
            cache.set(key, workload.value(page, 0).clone(), SetOptions::new(TTL)).await?;
        }
        Ok(Self(Arc::new(Inner { cache, keys, database: database.clone(), workload: Arc::clone(workload) })))
    }

    /// Reads a page, and says whether the cache had it.
    pub(super) async fn read(&self, work: Work, page: usize) -> Result<bool> {
        let Inner { cache, keys, database, workload } = &*self.0;
        match cache.get(&keys[page]).await? {
            Some(body) => {
                workload.check(page, Some(&body))?;
                Ok(true)
            }
            None => {
                let body = database.read(work, page).await?;
                cache.set(&keys[page], body.into(), SetOptions::new(TTL)).await?;
                Ok(false)
            }
        }
    }

    /// Takes pages out of the cache again.
    pub(super) async fn forget(&self, pages: impl Iterator<Item = usize>) -> Result<()> {
        let keys: Vec<Key> = pages.map(|page| self.0.keys[page].clone()).collect();
        self.0.cache.delete_many(&keys).await?;
        Ok(())
    }

    /// How long so many reads take that find their page in the cache, whichever it is.
    pub(super) async fn hits(&self, work: Work, from: usize, count: usize) -> Result<Duration> {
        let start = Instant::now();
        for page in (from..from + count).map(|at| at % CACHED) {
            if !self.read(work, page).await? {
                return Err(format!("page {page} was not in the cache").into());
            }
        }
        Ok(start.elapsed())
    }

    /// How long so many misses take, each with its look, its read of the database and its fill.
    pub(super) async fn misses(&self, work: Work, from: usize, count: usize) -> Result<Duration> {
        let mut took = Duration::ZERO;
        for first in (0..count).step_by(MISSED) {
            let pages = move || (first..count.min(first + MISSED)).map(move |at| CACHED + (from + at) % MISSED);
            let start = Instant::now();
            for page in pages() {
                if self.read(work, page).await? {
                    return Err(format!("page {page} was in the cache").into());
                }
            }
            took += start.elapsed();
            self.forget(pages()).await?;
        }
        Ok(took)
    }

    /// How long so many reads of the database alone take.
    pub(super) async fn reads(&self, work: Work, from: usize, count: usize) -> Result<Duration> {
        let start = Instant::now();
        for page in (from..from + count).map(|at| at % PAGES) {
            self.0.database.read(work, page).await?;
        }
        Ok(start.elapsed())
    }

    /// One miss after the other, by one task.
    pub(super) fn missing(&self, work: Work) -> Cell {
        let this = self.clone();
        Cell::new(move |iterations| {
            let this = this.clone();
            async move { tokio::spawn(async move { this.misses(work, 0, iterations as usize).await }).await? }
        })
    }
}
