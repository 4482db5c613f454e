//! Which client has read which key: client-side caching in the default mode.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::keyspace::Map;

/// How one client is tracked.
#[derive(Debug, Clone, Copy)]
struct Tracked {
    redirect: Option<u64>,
    deaf_to_itself: bool,
    /// Whether the client may say that what it reads next is not to be remembered.
    may_opt_out: bool,
    /// It has said so.
    opted_out: bool,
}

/// The table of readers. A key leaves it with its invalidation and comes back with the next read.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    clients: BTreeMap<u64, Tracked>,
    readers: Map<Bytes, Vec<u64>>,
    /// Invalidations that the client whose command runs gets after its reply.
    pending: Vec<Option<Bytes>>,
    /// The client that has said QUIT.
    pub(super) leaving: Option<u64>,
}

impl Tracking {
    pub(super) fn on(&mut self, client: u64, redirect: Option<u64>, deaf_to_itself: bool, may_opt_out: bool) {
        let opted_out = self.clients.get(&client).is_some_and(|tracked| tracked.opted_out);
        self.clients.insert(client, Tracked { redirect, deaf_to_itself, may_opt_out, opted_out });
    }

    /// The table keeps what the client has read: if it turns tracking on again, it hears of that too.
    pub(super) fn off(&mut self, client: u64) {
        self.clients.remove(&client);
    }

    pub(super) fn is_on(&self, client: u64) -> bool {
        self.clients.contains_key(&client)
    }

    pub(super) fn redirect(&self, client: u64) -> Option<u64> {
        self.clients.get(&client)?.redirect
    }

    pub(super) fn is_deaf_to_itself(&self, client: u64) -> bool {
        self.clients.get(&client).is_some_and(|tracked| tracked.deaf_to_itself)
    }

    /// What the client reads next is not to be remembered. `false` if it may not say so.
    pub(super) fn opt_out(&mut self, client: u64) -> bool {
        match self.clients.get_mut(&client).filter(|tracked| tracked.may_opt_out) {
            Some(tracked) => {
                tracked.opted_out = true;
                true
            }
            None => false,
        }
    }

    /// What the client reads from here on is remembered again.
    pub(super) fn opt_in(&mut self, client: u64) {
        if let Some(tracked) = self.clients.get_mut(&client) {
            tracked.opted_out = false;
        }
    }

    /// The client has read these keys, whether or not there was anything.
    pub(super) fn remember(&mut self, client: u64, keys: &[Bytes]) {
        if self.clients.get(&client).is_none_or(|tracked| tracked.may_opt_out && tracked.opted_out) {
            return;
        }
        for key in keys {
            match self.readers.get_mut(key) {
                Some(readers) => {
                    if let Err(at) = readers.binary_search(&client) {
                        readers.insert(at, client);
                    }
                }
                None => {
                    self.readers.insert(key.clone(), vec![client]);
                }
            }
        }
    }

    /// Who is to hear that the key changed; nobody hears of it twice for one read.
    pub(super) fn readers(&mut self, key: &Bytes) -> Vec<u64> {
        if self.readers.is_empty() {
            return Vec::new();
        }
        let mut readers = self.readers.remove(key).unwrap_or_default();
        readers.retain(|client| self.is_on(*client));
        readers
    }

    /// Every tracking client is to hear of a flush, whatever it has read.
    pub(super) fn forget_all(&mut self) -> Vec<u64> {
        self.readers.clear();
        self.clients.keys().copied().collect()
    }

    pub(super) fn postpone(&mut self, key: Option<Bytes>) {
        self.pending.push(key);
    }

    pub(super) fn take_pending(&mut self) -> Vec<Option<Bytes>> {
        std::mem::take(&mut self.pending)
    }
}
