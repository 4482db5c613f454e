//! A shared tier's link that fails on demand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{CopyState, Entry, Freshness, Key, LeaseOutcome, LinkState, Result, SharedLink, Token, Ttl};

use super::call::judged;
use super::{Access, Faults};

/// Forwards every call unless a fault says otherwise. Invalidations and heartbeat are never touched: the wire is the
/// place for that ([`FaultProxy`](crate::FaultProxy), the simulation).
#[derive(Debug)]
pub(super) struct FaultLink {
    inner: Arc<dyn SharedLink>,
    faults: Faults,
}

impl FaultLink {
    pub(super) fn new(inner: Arc<dyn SharedLink>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SharedLink for FaultLink {
    fn freshness(&self) -> &Freshness {
        self.inner.freshness()
    }
    fn state(&self) -> LinkState {
        self.inner.state()
    }
    async fn read(&self, keys: &[Key], within: Duration) -> Result<Vec<CopyState>> {
        judged(&self.faults, within, Access::Read, "read", self.inner.read(keys, within)).await
    }
    async fn read_once(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Bytes>>> {
        judged(&self.faults, within, Access::Read, "read_once", self.inner.read_once(keys, within)).await
    }
    async fn read_entries(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Entry>>> {
        judged(&self.faults, within, Access::Read, "read_entries", self.inner.read_entries(keys, within)).await
    }
    async fn lease(
        &self,
        keys: &[(Key, Token, Option<Token>)],
        life: Duration,
        within: Duration,
    ) -> Result<Vec<LeaseOutcome>> {
        judged(&self.faults, within, Access::Write, "lease", self.inner.lease(keys, life, within)).await
    }
    async fn fill(&self, copies: &[(Key, Token, Bytes, Ttl)], lease: Duration, within: Duration) -> Result<Vec<bool>> {
        judged(&self.faults, within, Access::Write, "fill", self.inner.fill(copies, lease, within)).await
    }
    async fn release(&self, tokens: &[(Key, Token)], within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Write, "release", self.inner.release(tokens, within)).await
    }
    async fn renew(&self, leases: &[(Key, Token)], life: Duration, within: Duration) -> Result<Vec<bool>> {
        judged(&self.faults, within, Access::Write, "renew", self.inner.renew(leases, life, within)).await
    }
    async fn claim_refresh(&self, key: &Key, token: Token, life: Duration, within: Duration) -> Result<bool> {
        judged(&self.faults, within, Access::Write, "claim_refresh", self.inner.claim_refresh(key, token, life, within))
            .await
    }
    async fn replace(&self, key: &Key, seen: Token, copy: Bytes, ttl: Ttl, within: Duration) -> Result<bool> {
        judged(&self.faults, within, Access::Write, "replace", self.inner.replace(key, seen, copy, ttl, within)).await
    }
    async fn mark(&self, keys: &[Key], writer: Token, life: Duration, within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Write, "mark", self.inner.mark(keys, writer, life, within)).await
    }
    async fn unmark(&self, keys: &[Key], writer: Token, within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Write, "unmark", self.inner.unmark(keys, writer, within)).await
    }
    async fn delete(&self, keys: &[Key], within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Write, "delete", self.inner.delete(keys, within)).await
    }
    async fn generations(&self, keys: &[(Key, u64)], within: Duration) -> Result<Vec<u64>> {
        judged(&self.faults, within, Access::Read, "generations", self.inner.generations(keys, within)).await
    }
    async fn bump_generation(&self, key: &Key, new: u64, within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Write, "bump_generation", self.inner.bump_generation(key, new, within))
            .await
    }
    async fn ping(&self, within: Duration) -> Result<()> {
        judged(&self.faults, within, Access::Read, "ping", self.inner.ping(within)).await
    }
}
