//! Which client has read which key: client-side caching in the default mode.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::keyspace::Map;

/// How one client is tracked.
#[derive(Debug, Clone, Copy)]
struct Tracked {
    redirect: Option<u64>,
    deaf_to_itself: bool,
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
    pub(super) fn on(&mut self, client: u64, redirect: Option<u64>, deaf_to_itself: bool) {
        self.clients.insert(client, Tracked { redirect, deaf_to_itself });
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

    /// The client has read these keys, whether or not there was anything.
    pub(super) fn remember(&mut self, client: u64, keys: &[Bytes]) {
        if !self.is_on(client) {
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
