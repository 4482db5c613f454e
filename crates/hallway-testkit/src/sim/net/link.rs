//! One process's way to one server, and what can befall it.

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::sleep_until;

use super::{Latency, ProcessId, ServerId, SimNet, SimStream};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimDirection {
    /// Both ways.
    Both,
    /// From the server to the process.
    ToClient,
    /// From the process to the server.
    ToServer,
}

impl SimDirection {
    pub(super) fn covers(self, to_server: bool) -> bool {
        match self {
            Self::Both => true,
            Self::ToClient => !to_server,
            Self::ToServer => to_server,
        }
    }
}

/// The way from one process to one server. A clone is another handle.
#[derive(Debug, Clone)]
pub struct SimLink {
    net: SimNet,
    process: ProcessId,
    server: ServerId,
}

impl SimLink {
    pub(super) fn new(net: SimNet, process: ProcessId, server: ServerId) -> Self {
        Self { net, process, server }
    }

    /// Connects, which takes a round trip. While the link is a black hole it waits, and it waits for ever for a process
    /// that has ended.
    ///
    /// # Errors
    /// `ConnectionRefused` while the server is down or connections are refused.
    pub fn connect(&self) -> impl Future<Output = io::Result<SimStream>> + Send + use<> {
        let link = self.clone();
        async move {
            loop {
                // Registered before the look, so that no change is missed between the two.
                let changed = link.net.0.changed.notified();
                let arrival = {
                    let now = link.net.0.clock.micros();
                    let mut state = link.net.0.lock();
                    state.handshake(link.process, link.server, now)
                };
                let Some(arrival) = arrival else {
                    changed.await;
                    continue;
                };
                sleep_until(link.net.0.clock.instant(arrival)).await;
                let opened = link.net.0.lock().open(link.process, link.server);
                match opened {
                    None => {}
                    Some(Ok(connection)) => return Ok(SimStream::new(link.net.clone(), connection)),
                    Some(Err(kind)) => return Err(kind.into()),
                }
            }
        }
    }

    /// Resets all connections. Both ends notice at once and what was under way is lost. New ones can be made.
    pub fn cut(&self) {
        self.net.change(|state, now| state.cut(self.process, self.server, now));
    }

    /// Resets one connection, by its number modulo how many there are, and leaves the others.
    pub fn cut_one(&self, number: usize) {
        self.net.change(|state, now| state.cut_one(self.process, self.server, number, now));
    }

    /// Delivers nothing any more in this direction, and new connections are not made. What is sent waits, as TCP sends it
    /// again, until [`heal`](Self::heal).
    pub fn black_hole(&self, direction: SimDirection) {
        self.net.change(|state, _| state.link(self.process, self.server).hold(direction));
    }

    /// A black hole both ways that ends by itself: a pause of the process or of the network.
    ///
    /// Its end ends every other black hole of the link, too.
    pub fn stall(&self, duration: Duration) {
        self.black_hole(SimDirection::Both);
        let link = self.clone();
        let end = tokio::time::Instant::now() + duration;
        tokio::spawn(async move {
            sleep_until(end).await;
            link.net.change(|state, now| state.release(link.process, link.server, now));
        });
    }

    /// Loses all connections silently, as when a router forgets them: neither end ever hears of the other again, whatever
    /// is healed. New ones can be made.
    pub fn lose(&self) {
        self.net.change(|state, _| state.lose(self.process, self.server));
    }

    /// Makes every segment take so much longer, or as long as ever for `None`.
    pub fn slow(&self, longer: Option<RangeInclusive<Duration>>) {
        let longer = longer.map(|range| Latency::between(*range.start(), *range.end()));
        self.net.change(|state, _| state.link(self.process, self.server).longer = longer);
    }

    /// Refuses new connections, or no longer.
    pub fn refuse(&self, refuse: bool) {
        self.net.change(|state, _| state.link(self.process, self.server).refuses = refuse);
    }

    /// Ends every black hole, slowness and refusal. What waited is delivered, each direction in its order.
    pub fn heal(&self) {
        self.net.change(|state, now| {
            let link = state.link(self.process, self.server);
            link.longer = None;
            link.refuses = false;
            state.release(self.process, self.server, now);
        });
    }

    /// How many connections stand, as far as the server knows.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.net.0.lock().connections(self.process, self.server)
    }
}
