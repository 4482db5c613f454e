//! What is under way, and what happens when it arrives.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::io::ErrorKind;
use std::task::Waker;

use bytes::{Bytes, BytesMut};

use super::{Latency, ProcessId, SimDirection};
use crate::sim::redis::Server;
use crate::sim::rng::SimRng;

/// Names a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServerId(pub(crate) usize);

/// How late a key that nobody asks for is found to be dead, at most, in microseconds.
const EXPIRY_DELAY: u64 = 100_000;

/// More than any honest run delivers: something sends in a circle.
const MOST_DELIVERIES: u64 = 20_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The oldest segment of a connection that is on its way there.
    ToClient(usize),
    ToServer(usize),
    /// The server looks for dead keys.
    Expiry(ServerId),
}

/// A server and the machine it runs on.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) is_down: bool,
    pub(crate) is_stalled: bool,
    /// Arrivals that a stalled server has not looked at.
    backlog: Vec<usize>,
    connections: BTreeMap<u64, usize>,
    /// For which deadline the look for dead keys is planned.
    expiry: Option<u64>,
}

/// What has befallen the way of one process to one server.
#[derive(Debug, Default)]
pub(super) struct Link {
    holds_to_server: bool,
    holds_to_client: bool,
    pub(super) refuses: bool,
    pub(super) longer: Option<Latency>,
}

impl Link {
    pub(super) fn hold(&mut self, direction: SimDirection) {
        self.holds_to_server |= direction.covers(true);
        self.holds_to_client |= direction.covers(false);
    }
}

#[derive(Debug)]
enum Segment {
    Bytes(Bytes),
    End,
}

/// One direction of a connection. Each event delivers the oldest segment, so order needs no care.
#[derive(Debug, Default)]
struct Pipe {
    segments: VecDeque<Segment>,
    last_due: u64,
    /// Segments that were due while the link was a black hole.
    stuck: usize,
}

#[derive(Debug)]
pub(super) struct Connection {
    process: ProcessId,
    server: ServerId,
    /// What the server calls it, as long as it knows it.
    client: Option<u64>,
    to_server: Pipe,
    to_client: Pipe,
    pub(super) inbox: BytesMut,
    pub(super) reader: Option<Waker>,
    /// The server has ended it.
    pub(super) is_ended: bool,
    pub(super) is_reset: bool,
    /// The client has ended it.
    pub(super) is_shut: bool,
    is_lost: bool,
}

pub(crate) struct State {
    pub(crate) rng: SimRng,
    pub(super) latency: Latency,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    /// When the driver wakes up by itself.
    armed: Option<u64>,
    hosts: Vec<Host>,
    links: BTreeMap<(ProcessId, ServerId), Link>,
    connections: Vec<Connection>,
    ended: BTreeSet<ProcessId>,
    pub(super) wakers: Vec<Waker>,
    pub(super) trace: u64,
    pub(super) deliveries: u64,
}

impl State {
    pub(super) fn new(rng: SimRng) -> Self {
        Self {
            rng,
            latency: Latency::default(),
            events: BinaryHeap::new(),
            sequence: 0,
            armed: None,
            hosts: Vec::new(),
            links: BTreeMap::new(),
            connections: Vec::new(),
            ended: BTreeSet::new(),
            wakers: Vec::new(),
            trace: 0,
            deliveries: 0,
        }
    }

    pub(super) fn host(&mut self, server: Server) -> ServerId {
        self.hosts.push(Host {
            server,
            is_down: false,
            is_stalled: false,
            backlog: Vec::new(),
            connections: BTreeMap::new(),
            expiry: None,
        });
        ServerId(self.hosts.len() - 1)
    }

    pub(crate) fn host_mut(&mut self, id: ServerId) -> &mut Host {
        &mut self.hosts[id.0]
    }

    pub(super) fn connection(&mut self, at: usize) -> &mut Connection {
        &mut self.connections[at]
    }

    pub(super) fn link(&mut self, process: ProcessId, server: ServerId) -> &mut Link {
        self.links.entry((process, server)).or_default()
    }

    pub(super) fn advance(&mut self, id: ServerId, now: u64) {
        self.hosts[id.0].server.advance(now);
    }

    pub(super) fn connections(&self, process: ProcessId, server: ServerId) -> usize {
        let stands = |connection: &&Connection| {
            connection.process == process && connection.server == server && connection.client.is_some()
        };
        self.connections.iter().filter(stands).count()
    }

    /// When an attempt to connect is answered; `None` while nothing gets through.
    pub(super) fn handshake(&mut self, process: ProcessId, server: ServerId, now: u64) -> Option<u64> {
        if self.ended.contains(&process) {
            return None;
        }
        let link = self.link(process, server);
        if link.holds_to_server || link.holds_to_client {
            return None;
        }
        let way = self.draw(process, server);
        let back = self.draw(process, server);
        Some(now + way + back)
    }

    /// Opens a connection, or refuses it; `None` if nothing gets through any more.
    pub(super) fn open(&mut self, process: ProcessId, server: ServerId) -> Option<Result<usize, ErrorKind>> {
        if self.ended.contains(&process) {
            return None;
        }
        let link = self.link(process, server);
        if link.holds_to_server || link.holds_to_client {
            return None;
        }
        // A kernel accepts for a stalled server too.
        if link.refuses || self.hosts[server.0].is_down {
            return Some(Err(ErrorKind::ConnectionRefused));
        }
        let host = &mut self.hosts[server.0];
        let client = host.server.accept();
        let at = self.connections.len();
        host.connections.insert(client, at);
        self.connections.push(Connection {
            process,
            server,
            client: Some(client),
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            inbox: BytesMut::new(),
            reader: None,
            is_ended: false,
            is_reset: false,
            is_shut: false,
            is_lost: false,
        });
        Some(Ok(at))
    }

    pub(super) fn send(&mut self, at: usize, bytes: &[u8], now: u64) {
        self.ship(at, true, Segment::Bytes(Bytes::copy_from_slice(bytes)), now);
    }

    pub(super) fn hang_up(&mut self, at: usize, now: u64) {
        let connection = &mut self.connections[at];
        if !connection.is_shut && !connection.is_reset {
            connection.is_shut = true;
            self.ship(at, true, Segment::End, now);
        }
    }

    fn ship(&mut self, at: usize, to_server: bool, segment: Segment, now: u64) {
        let connection = &self.connections[at];
        if connection.is_lost || connection.is_reset {
            return;
        }
        let due = now + self.draw(connection.process, connection.server);
        let connection = &mut self.connections[at];
        let pipe = if to_server { &mut connection.to_server } else { &mut connection.to_client };
        pipe.last_due = pipe.last_due.max(due);
        pipe.segments.push_back(segment);
        let due = pipe.last_due;
        self.plan(due, if to_server { Event::ToServer(at) } else { Event::ToClient(at) });
    }

    fn draw(&mut self, process: ProcessId, server: ServerId) -> u64 {
        let mut micros = self.latency.draw(&mut self.rng);
        if let Some(longer) = self.links.get(&(process, server)).and_then(|link| link.longer) {
            micros += longer.draw(&mut self.rng);
        }
        micros
    }

    fn plan(&mut self, due: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((due, self.sequence, event)));
    }

    /// Whether the driver sleeps longer than it should.
    pub(super) fn is_due_earlier(&self) -> bool {
        let next = self.events.peek().map(|Reverse((due, ..))| *due);
        next.is_some_and(|next| self.armed.is_none_or(|armed| next < armed))
    }

    /// Notes until when the driver sleeps.
    pub(super) fn arm(&mut self) -> Option<u64> {
        self.armed = self.events.peek().map(|Reverse((due, ..))| *due);
        self.armed
    }

    /// Lets happen whatever is due, and whatever follows from it at once.
    pub(super) fn run_due(&mut self, now: u64) {
        while let Some(Reverse((due, _, event))) = self.events.peek().copied()
            && due <= now
        {
            self.events.pop();
            match event {
                Event::ToServer(at) => self.arrive_at_server(at, due),
                Event::ToClient(at) => self.arrive_at_client(at, due),
                Event::Expiry(id) => {
                    let host = &mut self.hosts[id.0];
                    host.expiry = None;
                    // A stalled server is late with this, too.
                    if host.is_stalled || host.is_down {
                        continue;
                    }
                    host.server.advance(due);
                    host.server.expire();
                    self.flush(id, due);
                }
            }
        }
    }

    fn arrive_at_server(&mut self, at: usize, now: u64) {
        let connection = &mut self.connections[at];
        let holds = self.links.get(&(connection.process, connection.server)).is_some_and(|link| link.holds_to_server);
        if holds {
            connection.to_server.stuck += 1;
            return;
        }
        let id = connection.server;
        let host = &mut self.hosts[id.0];
        if host.is_stalled {
            host.backlog.push(at);
            return;
        }
        let Some(segment) = connection.to_server.segments.pop_front() else { return };
        let Some(client) = connection.client else { return };
        host.server.advance(now);
        match segment {
            Segment::Bytes(bytes) => {
                note(&mut self.trace, now, at as u64 * 2, &bytes);
                self.deliveries += 1;
                assert!(self.deliveries < MOST_DELIVERIES, "a run of {MOST_DELIVERIES} messages goes in circles");
                host.server.receive(client, &bytes);
            }
            Segment::End => {
                connection.client = None;
                host.connections.remove(&client);
                host.server.hang_up(client);
            }
        }
        self.flush(id, now);
    }

    fn arrive_at_client(&mut self, at: usize, now: u64) {
        let connection = &mut self.connections[at];
        let holds = self.links.get(&(connection.process, connection.server)).is_some_and(|link| link.holds_to_client);
        if holds {
            connection.to_client.stuck += 1;
            return;
        }
        let Some(segment) = connection.to_client.segments.pop_front() else { return };
        match segment {
            Segment::Bytes(bytes) => {
                note(&mut self.trace, now, at as u64 * 2 + 1, &bytes);
                self.deliveries += 1;
                connection.inbox.extend_from_slice(&bytes);
            }
            Segment::End => connection.is_ended = true,
        }
        self.wakers.extend(connection.reader.take());
    }

    /// Sends what a server has to say, and plans its next look for dead keys.
    pub(super) fn flush(&mut self, id: ServerId, now: u64) {
        let outputs = self.hosts[id.0].server.take_output();
        for output in outputs {
            let Some(at) = self.hosts[id.0].connections.get(&output.client).copied() else { continue };
            if !output.bytes.is_empty() {
                self.ship(at, false, Segment::Bytes(output.bytes), now);
            }
            if output.close {
                self.hosts[id.0].connections.remove(&output.client);
                self.connections[at].client = None;
                self.ship(at, false, Segment::End, now);
            }
        }
        let host = &mut self.hosts[id.0];
        if let Some(deadline) = host.server.next_expiry()
            && host.expiry.is_none_or(|planned| deadline < planned)
            && !host.is_stalled
            && !host.is_down
        {
            host.expiry = Some(deadline);
            let due = deadline.max(now) + self.rng.below(EXPIRY_DELAY);
            self.plan(due, Event::Expiry(id));
        }
    }

    /// Lets a server go on with what came while it was stalled.
    pub(crate) fn resume(&mut self, id: ServerId) {
        let host = &mut self.hosts[id.0];
        let now = host.server.age();
        host.is_stalled = false;
        let backlog = std::mem::take(&mut host.backlog);
        for at in backlog {
            self.arrive_at_server(at, now);
        }
    }

    /// Resets every connection of a server: its process has ended.
    pub(crate) fn reset_all(&mut self, id: ServerId) {
        self.hosts[id.0].backlog.clear();
        for at in 0..self.connections.len() {
            if self.connections[at].server == id {
                self.reset(at);
            }
        }
    }

    pub(super) fn cut(&mut self, process: ProcessId, server: ServerId, now: u64) {
        for at in self.of(process, server) {
            self.reset(at);
        }
        self.flush(server, now);
    }

    pub(super) fn cut_one(&mut self, process: ProcessId, server: ServerId, number: usize, now: u64) {
        let live: Vec<usize> =
            self.of(process, server).into_iter().filter(|at| self.connections[*at].client.is_some()).collect();
        if !live.is_empty() {
            self.reset(live[number % live.len()]);
            self.flush(server, now);
        }
    }

    fn of(&self, process: ProcessId, server: ServerId) -> Vec<usize> {
        let is = |at: &usize| self.connections[*at].process == process && self.connections[*at].server == server;
        (0..self.connections.len()).filter(is).collect()
    }

    fn reset(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.to_server.segments.clear();
        connection.to_client.segments.clear();
        // What the client has not read yet is gone as well.
        connection.inbox.clear();
        connection.is_reset = true;
        self.wakers.extend(connection.reader.take());
        if let Some(client) = connection.client.take() {
            let host = &mut self.hosts[connection.server.0];
            host.connections.remove(&client);
            host.server.hang_up(client);
        }
    }

    pub(super) fn lose(&mut self, process: ProcessId, server: ServerId) {
        for at in self.of(process, server) {
            let connection = &mut self.connections[at];
            connection.is_lost = true;
            connection.to_server.segments.clear();
            connection.to_client.segments.clear();
        }
    }

    /// Ends the black holes of a link and sends again what was stuck.
    pub(super) fn release(&mut self, process: ProcessId, server: ServerId, now: u64) {
        let link = self.link(process, server);
        link.holds_to_client = false;
        link.holds_to_server = false;
        for at in self.of(process, server) {
            for to_server in [true, false] {
                let connection = &mut self.connections[at];
                let pipe = if to_server { &mut connection.to_server } else { &mut connection.to_client };
                let stuck = std::mem::take(&mut pipe.stuck);
                for _ in 0..stuck {
                    let due = now + self.draw(process, server);
                    self.plan(due, if to_server { Event::ToServer(at) } else { Event::ToClient(at) });
                }
            }
        }
    }

    pub(super) fn end_process(&mut self, process: ProcessId, silently: bool, now: u64) {
        self.ended.insert(process);
        for at in 0..self.connections.len() {
            let connection = &self.connections[at];
            if connection.process != process || connection.is_reset {
                continue;
            }
            if silently {
                self.connections[at].is_lost = true;
            } else {
                self.hang_up(at, now);
            }
            let connection = &mut self.connections[at];
            connection.inbox.clear();
            connection.is_reset = true;
            self.wakers.extend(connection.reader.take());
        }
    }
}

/// Folds a delivery into the trace, eight bytes at a time.
fn note(trace: &mut u64, now: u64, way: u64, bytes: &[u8]) {
    let mut fold = |word: u64| *trace = (*trace ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    fold(now);
    fold(way);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        fold(u64::from_le_bytes(*word));
    }
    for byte in rest {
        fold(u64::from(*byte));
    }
}
