//! Scripts by name: each known Lua text has a twin in Rust that calls the same commands in the same order.

mod copies;
mod stores;

use bytes::Bytes;

use super::commands::{self, is, spec};
use super::keyspace::Map;
use super::resp::{Reply, integer};
use super::server::{OOM, READONLY, Server};

/// What a script does. `Err` is an error that a command raised in it.
type Twin = fn(&mut Run<'_>) -> Result<Reply, String>;

/// The scripts that this server has seen since it started.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    by_text: Map<Bytes, Bytes>,
    by_hash: Map<Bytes, Twin>,
}

/// A script that runs.
pub(super) struct Run<'a> {
    server: &'a mut Server,
    client: u64,
    database: usize,
    /// KEYS.
    pub(super) keys: &'a [Bytes],
    /// ARGV.
    pub(super) args: &'a [Bytes],
    /// A script that began to write goes on without memory.
    wrote: bool,
}

impl Run<'_> {
    /// KEYS[1].
    pub(super) fn key(&self) -> Bytes {
        self.keys.first().cloned().unwrap_or_default()
    }

    /// ARGV[at], counted from 1; empty where Lua has nil.
    pub(super) fn arg(&self, at: usize) -> Bytes {
        self.args.get(at - 1).cloned().unwrap_or_default()
    }

    /// `redis.call`, or `redis.pcall` if the error is not passed on.
    pub(super) fn call<const N: usize>(&mut self, words: [Bytes; N]) -> Result<Reply, String> {
        self.run(&words)
    }

    /// A command on all of KEYS.
    pub(super) fn call_all(&mut self, command: &'static str) -> Result<Reply, String> {
        let words: Vec<Bytes> = std::iter::once(word(command)).chain(self.keys.iter().cloned()).collect();
        self.run(&words)
    }

    fn run(&mut self, words: &[Bytes]) -> Result<Reply, String> {
        let spec = spec(&words[0]).expect("twins call only commands that there are");
        if spec.has(commands::WRITE) && self.server.condition.read_only {
            return Err(READONLY.into());
        }
        if spec.has(commands::GROWS) && self.server.condition.out_of_memory && !self.wrote {
            return Err(OOM.into());
        }
        self.wrote |= spec.has(commands::WRITE);
        let reply = match spec.run {
            commands::Run::Data(run) => run(self.server, self.database, words),
            commands::Run::Session(run) => run(self.server, self.client, words),
        };
        // A script that reads anything has read all its keys.
        if spec.has(commands::READ) {
            self.server.tracking.remember(self.client, self.keys);
        }
        match reply {
            Reply::Error(text) => Err(text),
            reply => Ok(reply),
        }
    }

    /// A command on KEYS[1] alone.
    pub(super) fn on_key(&mut self, command: &'static str) -> Result<Reply, String> {
        let key = self.key();
        self.call([word(command), key])
    }

    /// The string under KEYS[1].
    pub(super) fn get(&mut self) -> Result<Option<Bytes>, String> {
        match self.on_key("GET")? {
            Reply::Bulk(bytes) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }

    /// `SET KEYS[1] value`, with PX if a life is given that is not empty.
    pub(super) fn set(&mut self, value: Bytes, millis: Bytes) -> Result<Reply, String> {
        let key = self.key();
        if millis.is_empty() {
            self.call([word("SET"), key, value])
        } else {
            self.call([word("SET"), key, value, word("PX"), millis])
        }
    }

    /// The clock of the server in milliseconds.
    pub(super) fn millis(&mut self) -> u64 {
        self.server.millis()
    }
}

/// A word of a command.
pub(super) fn word(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// What the first line of a Lua text stands for.
fn twin(text: &[u8]) -> Option<Twin> {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).ok()?.trim();
    let known = stores::TWINS.iter().chain(copies::TWINS);
    known.clone().find(|(first, _)| *first == line).map(|(_, twin)| *twin)
}

impl Scripts {
    /// Learns a text and says what the server calls it.
    fn learn(&mut self, text: &Bytes) -> Option<Bytes> {
        if let Some(hash) = self.by_text.get(text) {
            return Some(hash.clone());
        }
        let twin = twin(text)?;
        let hash = Bytes::from(sha1_smol::Sha1::from(&text[..]).digest().to_string());
        self.by_text.insert(text.clone(), hash.clone());
        self.by_hash.insert(hash.clone(), twin);
        Some(hash)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}

pub(super) fn eval(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    match learn(server, &args[1]) {
        Ok(hash) => run(server, id, args, &hash),
        Err(refusal) => refusal,
    }
}

pub(super) fn evalsha(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    let hash = Bytes::from(args[1].to_ascii_lowercase());
    run(server, id, args, &hash)
}

pub(super) fn script(server: &mut Server, _: u64, args: &[Bytes]) -> Reply {
    match &args[1..] {
        [word, text] if is(word, "LOAD") => learn(server, text).map_or_else(|refusal| refusal, Reply::Bulk),
        [word, ..] if is(word, "FLUSH") => {
            server.scripts.forget();
            Reply::OK
        }
        [word, hashes @ ..] if is(word, "EXISTS") && !hashes.is_empty() => {
            let known = |hash: &Bytes| server.scripts.by_hash.contains_key(&hash.to_ascii_lowercase()[..]);
            Reply::Array(hashes.iter().map(|hash| Reply::Int(i64::from(known(hash)))).collect())
        }
        _ => Reply::error("ERR unknown subcommand or wrong number of arguments for SCRIPT"),
    }
}

fn learn(server: &mut Server, text: &Bytes) -> Result<Bytes, Reply> {
    server.scripts.learn(text).ok_or_else(|| {
        let line = String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        server.beyond.get_or_insert_with(|| format!("the script `{line}`"));
        Reply::Error(format!("ERR Error compiling script: the simulation has no twin of `{line}`"))
    })
}

fn run(server: &mut Server, client: u64, args: &[Bytes], hash: &Bytes) -> Reply {
    let Some(count) = integer(&args[2]) else {
        return Reply::error("ERR value is not an integer or out of range");
    };
    let Ok(count) = usize::try_from(count) else {
        return Reply::error("ERR Number of keys can't be negative");
    };
    let rest = &args[3..];
    if count > rest.len() {
        return Reply::error("ERR Number of keys can't be greater than number of args");
    }
    let Some(twin) = server.scripts.by_hash.get(hash).copied() else {
        return Reply::error("NOSCRIPT No matching script. Please use EVAL.");
    };
    let database = server.clients[&client].database;
    let (keys, args) = rest.split_at(count);
    let done = twin(&mut Run { server, client, database, keys, args, wrote: false });
    done.unwrap_or_else(|raised| {
        let hash = String::from_utf8_lossy(hash);
        // Which line it was no twin can know.
        Reply::Error(format!("{raised} script: {hash}, on @user_script:1."))
    })
}
