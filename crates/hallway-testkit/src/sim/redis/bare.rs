//! The server alone, without network and time, to hold its bytes against those of a real one.

use std::time::Duration;

use bytes::Bytes;

use super::Server;

/// A [`SimRedis`](super::SimRedis) without a network: bytes in, bytes out.
#[derive(Debug)]
pub struct BareRedis(Server);

impl BareRedis {
    /// An empty server.
    #[must_use]
    pub fn new() -> Self {
        Self(Server::new(1))
    }

    /// Another connection.
    pub fn connect(&mut self) -> u64 {
        self.0.accept()
    }

    /// Ends a connection.
    pub fn hang_up(&mut self, client: u64) {
        self.0.hang_up(client);
    }

    /// What the server says to each client when one sends these bytes, at this age of the world.
    pub fn receive(&mut self, client: u64, bytes: &[u8], age: Duration) -> Vec<(u64, Bytes)> {
        self.0.advance(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        self.0.receive(client, bytes);
        self.0.take_output().into_iter().map(|output| (output.client, output.bytes)).collect()
    }

    /// Becomes a replica that refuses writes, or a primary again.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.0.condition.read_only = read_only;
    }

    /// What could not be done.
    #[must_use]
    pub fn beyond(&self) -> Option<&str> {
        self.0.beyond.as_deref()
    }
}

impl Default for BareRedis {
    fn default() -> Self {
        Self::new()
    }
}
