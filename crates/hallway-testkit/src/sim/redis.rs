//! A simulated Redis: the commands that hallway sends, client tracking, and every way in which a server can fail.

mod commands;
mod glob;
mod keyspace;
mod resp;
mod scripts;
mod server;
mod tracking;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use self::keyspace::{Content, Slot};
pub(super) use self::server::Server;
use super::net::{Host, ProcessId, ServerId, SimLink, SimNet};
use super::rng::SimRng;

#[doc(hidden)]
pub use self::bare::BareRedis;

mod bare;

/// A server of a simulated world. A clone is another handle.
///
/// It speaks RESP 2 and 3 over [`SimLink`]s and behaves as redis-server 7.0 does, to the byte, in what it knows: strings,
/// expiry, transactions, client tracking in the default mode. Lua is not interpreted; each script that hallway sends has
/// a twin in Rust, found by the first line of its text. The differential test holds both against a real server.
///
/// A key that nobody asks for is found dead up to 100 ms after its deadline, as in a real server.
#[derive(Clone)]
pub struct SimRedis {
    net: SimNet,
    id: ServerId,
}

impl SimRedis {
    pub(super) fn new(net: SimNet, rng: &mut SimRng) -> Self {
        let id = net.host(Server::new(rng.next_u64()));
        Self { net, id }
    }

    /// The way of a process to this server.
    #[must_use]
    pub fn link(&self, process: ProcessId) -> SimLink {
        self.net.link(process, self.id)
    }

    /// Demands a password of the default user, or none. Connections that have logged in stay so.
    pub fn set_password(&self, password: Option<&str>) {
        let password = password.map(|password| Bytes::from(password.to_owned()));
        self.with(|host| host.server.condition.password = password);
    }

    /// Refuses whatever needs memory, as with `noeviction`, or no longer.
    pub fn set_out_of_memory(&self, out_of_memory: bool) {
        self.with(|host| host.server.condition.out_of_memory = out_of_memory);
    }

    /// Tells clients of what others changed only at the end of turns of its event loop that last so long, and up to 100 ms
    /// more: replies of the same turn come first. `None` tells at once, as Redis does in default mode.
    pub fn set_turns(&self, turn: Option<Duration>) {
        self.with(|host| host.server.condition.turn = turn.map(|turn| turn.as_micros() as u64));
    }

    /// Becomes a replica that refuses writes, or a primary again.
    pub fn set_read_only(&self, read_only: bool) {
        self.with(|host| host.server.condition.read_only = read_only);
    }

    /// Answers `LOADING` to nearly everything, or no longer.
    pub fn set_loading(&self, loading: bool) {
        self.with(|host| host.server.condition.loading = loading);
    }

    /// Stops executing, as with `SIGSTOP`: connections stay and are accepted, nothing is answered.
    pub fn stall(&self) {
        self.with(|host| host.is_stalled = true);
    }

    /// Goes on with whatever came meanwhile.
    pub fn resume(&self) {
        self.net.with_host(self.id, |state| state.resume(self.id));
    }

    /// Ends every connection, as `CLIENT KILL` does.
    pub fn drop_connections(&self) {
        self.net.with_host(self.id, |state| state.reset_all(self.id));
    }

    /// Ends the process. Connections are reset and refused until [`start`](Self::start); data, scripts and the tracking
    /// table are gone.
    pub fn stop(&self) {
        self.net.with_host(self.id, |state| {
            state.reset_all(self.id);
            let run_id = state.rng.next_u64();
            let host = state.host_mut(self.id);
            host.is_down = true;
            host.is_stalled = false;
            host.server.begin_anew(run_id);
            host.server.keys = keyspace::Keyspace::new();
        });
    }

    /// Starts a stopped server, empty.
    pub fn start(&self) {
        self.with(|host| host.is_down = false);
    }

    /// Stops and starts at once.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// A replica takes over that lacks the last writes, acknowledged or not. Connections are reset, scripts and the
    /// tracking table are gone. A transaction or a script is one write. Says how many were lost: the journal holds 4,096.
    pub fn failover(&self, lost_writes: usize) -> usize {
        self.net.with_host(self.id, |state| {
            state.reset_all(self.id);
            let run_id = state.rng.next_u64();
            let host = state.host_mut(self.id);
            host.server.begin_anew(run_id);
            host.server.keys.undo(lost_writes)
        })
    }

    /// Evicts a key for want of memory. Says whether it was there.
    pub fn evict(&self, key: &[u8]) -> bool {
        self.with(|host| host.server.delete(key))
    }

    /// Evicts up to `count` keys of database 0 that fit, any of them. Says which.
    pub fn evict_any(&self, count: usize, mut fits: impl FnMut(&[u8]) -> bool) -> Vec<Bytes> {
        self.net.with_host(self.id, |state| {
            let keys = &state.host_mut(self.id).server.keys;
            let mut found: Vec<Bytes> = keys.iter(0).map(|(key, _)| key.clone()).filter(|key| fits(key)).collect();
            found.sort_unstable();
            state.rng.shuffle(&mut found);
            found.truncate(count);
            for key in &found {
                state.host_mut(self.id).server.delete(key);
            }
            found
        })
    }

    /// Empties everything, as an operator's `FLUSHALL`.
    pub fn flush_all(&self) {
        self.with(|host| {
            host.server.everything_modified();
            for database in 0..keyspace::DATABASES {
                host.server.keys.clear(database);
            }
            host.server.keys.commit();
        });
    }

    /// Writes a string into database 0, as another client.
    pub fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        self.put(key, Content::Text(Bytes::copy_from_slice(value)), ttl);
    }

    /// Puts a list in the way.
    pub fn plant_list(&self, key: &[u8]) {
        self.put(key, Content::Foreign("list", 1), None);
    }

    fn put(&self, key: &[u8], content: Content, ttl: Option<Duration>) {
        self.with(|host| {
            let deadline = ttl.map(|ttl| host.server.millis() + ttl.as_millis() as u64);
            host.server.change(0, &Bytes::copy_from_slice(key), Some(Slot { content, deadline }));
            host.server.keys.commit();
        });
    }

    /// The string under a key of database 0, without anybody noticing.
    #[must_use]
    pub fn peek(&self, key: &[u8]) -> Option<Bytes> {
        self.with(|host| {
            let now = host.server.millis();
            match host.server.keys.get(0, key)? {
                Slot { deadline: Some(deadline), .. } if now > *deadline => None,
                Slot { content: Content::Text(bytes), .. } => Some(bytes.clone()),
                Slot { .. } => None,
            }
        })
    }

    /// The keys of database 0 in the order of their bytes, dead ones that were not found yet among them.
    #[must_use]
    pub fn keys(&self) -> Vec<Bytes> {
        let mut keys: Vec<Bytes> = self.with(|host| host.server.keys.iter(0).map(|(key, _)| key.clone()).collect());
        keys.sort_unstable();
        keys
    }

    /// How many commands have been sent, those between MULTI and EXEC once.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.with(|host| host.server.commands)
    }

    /// The first thing that was asked and that the simulation cannot do, such as a script without a twin. A run that ends
    /// with one proves nothing; [`run`](super::run) panics then.
    #[must_use]
    pub fn beyond(&self) -> Option<String> {
        self.with(|host| host.server.beyond.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Host) -> T) -> T {
        self.net.with_host(self.id, |state| act(state.host_mut(self.id)))
    }
}

impl fmt::Debug for SimRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimRedis").field(&self.id.0).finish()
    }
}
