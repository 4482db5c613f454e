//! The server without a network: bytes of clients in, bytes for clients out, one command at a time.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::commands::{self, Spec, is, spec};
use super::keyspace::{Keyspace, Slot};
use super::resp::{self, Parsed, Reply};
use super::scripts::Scripts;
use super::tracking::Tracking;
use crate::sim::clock::unix_micros;

pub(super) const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
pub(super) const READONLY: &str = "READONLY You can't write against a read only replica.";

/// One connection, as the server sees it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) version: u8,
    pub(super) database: usize,
    pub(super) name: Bytes,
    pub(super) logged_in: bool,
    pub(super) transaction: Option<Transaction>,
    input: BytesMut,
    output: BytesMut,
    closing: bool,
}

/// Commands between MULTI and EXEC.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) queued: Vec<(&'static Spec, Vec<Bytes>)>,
    pub(super) spoilt: bool,
}

/// What is to be sent to one client.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) client: u64,
    pub(crate) bytes: Bytes,
    pub(crate) close: bool,
}

/// States that a server is in until told otherwise.
#[derive(Debug, Default, Clone)]
pub(super) struct Condition {
    pub(super) loading: bool,
    pub(super) out_of_memory: bool,
    pub(super) password: Option<Bytes>,
    pub(super) read_only: bool,
    /// How long a turn of the event loop lasts, in microseconds: what others changed is told at its end.
    pub(super) turn: Option<u64>,
}

/// A Redis server of one thread, as a state machine.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) keys: Keyspace,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) tracking: Tracking,
    pub(super) scripts: Scripts,
    pub(super) condition: Condition,
    /// Age of the world in microseconds.
    now: u64,
    /// Whose command runs.
    pub(super) current: Option<u64>,
    /// Invalidations to be told at the end of this turn, and when that is.
    late: Vec<(u64, Option<Bytes>)>,
    turn_ends: Option<u64>,
    /// Clients with output, in the order in which it arose; a client may stand there twice.
    ready: Vec<u64>,
    next_client: u64,
    /// Changes when the data may have.
    pub(super) run_id: u64,
    pub(super) commands: u64,
    /// The first thing asked of this server that it cannot do, for whoever reads the log of a failed run.
    pub(super) beyond: Option<String>,
}

impl Server {
    pub(crate) fn new(run_id: u64) -> Self {
        Self {
            keys: Keyspace::new(),
            clients: BTreeMap::new(),
            tracking: Tracking::default(),
            scripts: Scripts::default(),
            condition: Condition::default(),
            now: 0,
            current: None,
            late: Vec::new(),
            turn_ends: None,
            ready: Vec::new(),
            next_client: 1,
            run_id,
            commands: 0,
            beyond: None,
        }
    }

    /// Lets the clock go forward. It never goes back.
    pub(crate) fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// The age of the world, as far as the server has noticed.
    pub(crate) fn age(&self) -> u64 {
        self.now
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(&self) -> u64 {
        self.micros() / 1_000
    }

    /// Microseconds since 1970.
    pub(super) fn micros(&self) -> u64 {
        unix_micros(self.now)
    }

    /// The age of the world at which the next key expires.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        // Alive while the clock shows the deadline, dead a millisecond later.
        let expiry = self.keys.next_deadline().map(|deadline| ((deadline + 1) * 1_000).saturating_sub(unix_micros(0)));
        expiry.into_iter().chain(self.turn_ends).min()
    }

    /// A new connection.
    pub(crate) fn accept(&mut self) -> u64 {
        let id = self.next_client;
        self.next_client += 1;
        let client = Client {
            version: 2,
            database: 0,
            name: Bytes::new(),
            logged_in: self.condition.password.is_none(),
            transaction: None,
            input: BytesMut::new(),
            output: BytesMut::new(),
            closing: false,
        };
        self.clients.insert(id, client);
        id
    }

    /// The connection is gone.
    pub(crate) fn hang_up(&mut self, client: u64) {
        self.clients.remove(&client);
        self.tracking.off(client);
    }

    /// Bytes of a client; runs every command that is whole.
    pub(crate) fn receive(&mut self, id: u64, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.input.extend_from_slice(bytes);
        loop {
            let Some(client) = self.clients.get_mut(&id).filter(|client| !client.closing) else { return };
            match resp::take_request(&mut client.input) {
                Parsed::Partial => return,
                Parsed::Request(args) => {
                    if !args.is_empty() {
                        self.command(id, args);
                    }
                }
                Parsed::Wrong(message) => {
                    self.reply(id, &Reply::error(message));
                    self.close(id);
                }
            }
        }
    }

    /// What has arisen for clients since the last call, in the order in which their first bytes did.
    pub(crate) fn take_output(&mut self) -> Vec<Output> {
        let mut outputs = Vec::with_capacity(self.ready.len());
        for id in std::mem::take(&mut self.ready) {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            let (bytes, close) = (client.output.split().freeze(), client.closing);
            if close {
                self.hang_up(id);
            }
            if close || !bytes.is_empty() {
                outputs.push(Output { client: id, bytes, close });
            }
        }
        outputs
    }

    /// Deletes what has expired, as the server does in the background.
    pub(crate) fn expire(&mut self) {
        while let Some((database, key)) = self.keys.first_expired(self.millis()) {
            self.drop_expired(database, &key);
        }
        if self.turn_ends.is_some_and(|end| end <= self.now) {
            self.turn_ends = None;
            for (id, key) in std::mem::take(&mut self.late) {
                self.push(id, key.as_deref());
            }
        }
    }

    /// Ends every connection and forgets what belongs to this run of the process.
    pub(super) fn begin_anew(&mut self, run_id: u64) {
        self.clients.clear();
        self.ready.clear();
        self.late.clear();
        self.turn_ends = None;
        self.tracking = Tracking::default();
        self.scripts = Scripts::default();
        self.run_id = run_id;
        // Ids go on, so that the number of an old connection never names a new one.
    }

    fn close(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.closing = true;
            self.ready.push(id);
        }
    }

    fn reply(&mut self, id: u64, reply: &Reply) {
        self.write(id, |out, version| reply.write(out, version));
    }

    fn write(&mut self, id: u64, write: impl FnOnce(&mut BytesMut, u8)) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| !client.closing) else { return };
        if client.output.is_empty() {
            self.ready.push(id);
        }
        write(&mut client.output, client.version);
    }

    fn command(&mut self, id: u64, args: Vec<Bytes>) {
        self.commands += 1;
        self.current = Some(id);
        let is_about_client = is(&args[0], "CLIENT");
        let reply = match self.admit(id, &args) {
            Err(refusal) => self.refuse(id, &args, refusal),
            Ok(spec) => match self.queue(id, spec, args) {
                Ok(queued) => queued,
                Err(args) => self.execute(id, spec, &args),
            },
        };
        // That a client has opted out holds for one command that is not about itself, or for one transaction.
        if !is_about_client && self.clients.get(&id).is_some_and(|client| client.transaction.is_none()) {
            self.tracking.opt_in(id);
        }
        self.keys.commit();
        self.reply(id, &reply);
        for key in self.tracking.take_pending() {
            self.push(id, key.as_deref());
        }
        self.current = None;
        if reply == Reply::OK && self.tracking.leaving == Some(id) {
            self.tracking.leaving = None;
            self.close(id);
        }
    }

    /// Whether the command may run now.
    fn admit(&self, id: u64, args: &[Bytes]) -> Result<&'static Spec, String> {
        let spec = spec(&args[0]).ok_or_else(|| {
            let name = String::from_utf8_lossy(&args[0]);
            let rest: String = args[1..].iter().map(|arg| format!("'{}' ", String::from_utf8_lossy(arg))).collect();
            format!("ERR unknown command '{name}', with args beginning with: {rest}")
        })?;
        if !spec.takes(args.len()) {
            return Err(commands::arity(spec));
        }
        let client = &self.clients[&id];
        if !client.logged_in && !spec.has(commands::NO_AUTH) {
            return Err("NOAUTH Authentication required.".into());
        }
        let queued = client.transaction.as_ref();
        let ending = is(&args[0], "EXEC");
        let would = |flag| {
            spec.has(flag)
                || ending && queued.is_some_and(|transaction| transaction.queued.iter().any(|(spec, _)| spec.has(flag)))
        };
        if self.condition.out_of_memory {
            // A server without memory does not queue either.
            let queues = queued.is_some() && !ending && !is(&args[0], "DISCARD") && !is(&args[0], "QUIT");
            if queues || would(commands::GROWS) {
                return Err(OOM.into());
            }
        }
        if self.condition.read_only && would(commands::WRITE) {
            return Err(READONLY.into());
        }
        if self.condition.loading && !spec.has(commands::WHILE_LOADING) {
            return Err("LOADING Redis is loading the dataset in memory".into());
        }
        Ok(spec)
    }

    /// A refused command spoils the transaction; a refused EXEC ends it.
    fn refuse(&mut self, id: u64, args: &[Bytes], refusal: String) -> Reply {
        let client = self.clients.get_mut(&id).expect("the client whose command runs is there");
        if client.transaction.is_some() && is(&args[0], "EXEC") {
            client.transaction = None;
            return Reply::Error(format!("EXECABORT Transaction discarded because of: {refusal}"));
        }
        if let Some(transaction) = &mut client.transaction {
            transaction.spoilt = true;
        }
        Reply::Error(refusal)
    }

    /// Keeps a command for EXEC, if a transaction is open; gives it back otherwise.
    fn queue(&mut self, id: u64, spec: &'static Spec, args: Vec<Bytes>) -> Result<Reply, Vec<Bytes>> {
        let client = self.clients.get_mut(&id).expect("the client whose command runs is there");
        match &mut client.transaction {
            Some(transaction) if !spec.has(commands::NEVER_QUEUED) => {
                transaction.queued.push((spec, args));
                Ok(Reply::Simple("QUEUED"))
            }
            _ => Err(args),
        }
    }

    /// Runs a command and remembers for whom it read what.
    pub(super) fn execute(&mut self, id: u64, spec: &'static Spec, args: &[Bytes]) -> Reply {
        let reply = match spec.run {
            commands::Run::Data(run) => {
                let database = self.clients[&id].database;
                run(self, database, args)
            }
            commands::Run::Session(run) => run(self, id, args),
        };
        if spec.has(commands::READ) {
            self.tracking.remember(id, spec.keys(args));
        }
        reply
    }

    /// The slot of a key that is alive. A dead one is deleted, which is a change like any other.
    pub(super) fn live(&mut self, database: usize, key: &[u8]) -> Option<&Slot> {
        let now = self.millis();
        let dead = self.keys.get(database, key)?.deadline.is_some_and(|deadline| now > deadline);
        if dead {
            // A replica waits for its primary to delete it and only hides it.
            if !self.condition.read_only {
                self.drop_expired(database, key);
            }
            return None;
        }
        self.keys.get(database, key)
    }

    /// Puts a slot or takes it away, and tells whoever has read it.
    pub(super) fn change(&mut self, database: usize, key: &Bytes, slot: Option<Slot>) -> bool {
        let was = self.keys.put(database, key.clone(), slot);
        self.modified(key);
        was
    }

    /// Deletes a key of database 0 for a reason of the server's own.
    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let key = Bytes::copy_from_slice(key);
        let was = self.live(0, &key).is_some() && self.change(0, &key, None);
        self.keys.commit();
        was
    }

    fn drop_expired(&mut self, database: usize, key: &[u8]) {
        let key = Bytes::copy_from_slice(key);
        self.keys.forget(database, &key);
        self.modified(&key);
    }

    /// Tells every client that has read the key. A client hears of its own change after the reply.
    pub(super) fn modified(&mut self, key: &Bytes) {
        for id in self.tracking.readers(key) {
            if Some(id) == self.current {
                if !self.tracking.is_deaf_to_itself(id) {
                    self.tracking.postpone(Some(key.clone()));
                }
            } else {
                self.tell(id, Some(key.clone()));
            }
        }
    }

    /// Tells every tracking client that anything may have changed.
    pub(super) fn everything_modified(&mut self) {
        for id in self.tracking.forget_all() {
            if Some(id) == self.current {
                self.tracking.postpone(None);
            } else {
                self.tell(id, None);
            }
        }
    }

    /// Tells a client of what another one did: at once, or at the end of the turn.
    fn tell(&mut self, id: u64, key: Option<Bytes>) {
        match self.condition.turn {
            None => self.push(id, key.as_deref()),
            Some(turn) => {
                self.turn_ends.get_or_insert(self.now + turn);
                self.late.push((id, key));
            }
        }
    }

    /// Sends an invalidation to a tracking client, or to the one it redirects to.
    ///
    /// If that is the one whose command runs, it comes before the reply here. A real server puts it before the reply, after
    /// it (`EXPIRE`) or into it (`EXEC`), which is one more reason why hallway never redirects.
    fn push(&mut self, id: u64, key: Option<&[u8]>) {
        let target = match self.tracking.redirect(id) {
            None => id,
            Some(to) if self.clients.contains_key(&to) => to,
            Some(to) => {
                if self.clients.get(&id).is_some_and(|client| client.version >= 3) {
                    self.write(id, |out, _| resp::broken_redirect(out, to));
                }
                return;
            }
        };
        let version = self.clients.get(&id).map_or(3, |client| client.version);
        // Version 2 has no pushes; its clients would have to subscribe, which none of ours does.
        if self.clients.get(&target).is_some_and(|client| client.version >= 3) {
            self.write(target, |out, _| resp::invalidation(out, key, version));
        }
    }
}
