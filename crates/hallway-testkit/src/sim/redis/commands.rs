//! The table of commands.

mod data;
mod session;
mod ttl;

use std::cmp::Ordering;

use bytes::Bytes;

use super::resp::Reply;
use super::server::Server;

/// It reads keys, which are tracked.
pub(super) const READ: u8 = 1;
/// It changes keys; refused by a replica.
pub(super) const WRITE: u8 = 1 << 1;
/// It may need memory; refused when there is none.
pub(super) const GROWS: u8 = 1 << 2;
/// Allowed before the login.
pub(super) const NO_AUTH: u8 = 1 << 3;
/// Allowed while the data are loaded.
pub(super) const WHILE_LOADING: u8 = 1 << 4;
/// It runs at once even between MULTI and EXEC.
pub(super) const NEVER_QUEUED: u8 = 1 << 5;

const ADMIN: u8 = WHILE_LOADING;
const ENDING: u8 = WHILE_LOADING | NEVER_QUEUED;
const LOGIN: u8 = NO_AUTH | WHILE_LOADING;

/// How a command is run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// On a database.
    Data(fn(&mut Server, usize, &[Bytes]) -> Reply),
    /// For a client.
    Session(fn(&mut Server, u64, &[Bytes]) -> Reply),
}

/// What the server knows of a command.
#[derive(Debug)]
pub(super) struct Spec {
    name: &'static str,
    /// Words with the name; at least so many if negative.
    arity: i32,
    flags: u8,
    keys: Keys,
    pub(super) run: Run,
}

#[derive(Debug, Clone, Copy)]
enum Keys {
    All,
    First,
    None,
}

impl Spec {
    pub(super) fn takes(&self, words: usize) -> bool {
        let words = i32::try_from(words).unwrap_or(i32::MAX);
        if self.arity < 0 { words >= -self.arity } else { words == self.arity }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn keys<'a>(&self, args: &'a [Bytes]) -> &'a [Bytes] {
        match self.keys {
            Keys::All => &args[1..],
            Keys::First => &args[1..2],
            Keys::None => &[],
        }
    }
}

const fn data(
    name: &'static str,
    arity: i32,
    flags: u8,
    keys: Keys,
    run: fn(&mut Server, usize, &[Bytes]) -> Reply,
) -> Spec {
    Spec { name, arity, flags, keys, run: Run::Data(run) }
}

const fn session(name: &'static str, arity: i32, flags: u8, run: fn(&mut Server, u64, &[Bytes]) -> Reply) -> Spec {
    Spec { name, arity, flags, keys: Keys::None, run: Run::Session(run) }
}

/// In the order of their names.
static TABLE: &[Spec] = &[
    session("AUTH", -2, LOGIN, session::auth),
    session("CLIENT", -2, ADMIN, session::client),
    session("CONFIG", -2, ADMIN, session::config),
    data("DBSIZE", 1, READ, Keys::None, data::dbsize),
    data("DEL", -2, WRITE, Keys::All, data::del),
    session("DISCARD", 1, ENDING, session::discard),
    session("ECHO", 2, ADMIN, session::echo),
    session("EVAL", -3, 0, super::scripts::eval),
    session("EVALSHA", -3, 0, super::scripts::evalsha),
    session("EXEC", 1, ENDING, session::exec),
    data("EXISTS", -2, READ, Keys::All, data::exists),
    data("EXPIRE", 3, WRITE, Keys::First, ttl::expire),
    data("FLUSHALL", -1, WRITE, Keys::None, data::flushall),
    data("FLUSHDB", -1, WRITE, Keys::None, data::flushdb),
    data("GET", 2, READ, Keys::First, data::get),
    session("HELLO", -1, LOGIN, session::hello),
    data("HSET", -4, WRITE | GROWS, Keys::First, data::hset),
    data("INCRBY", 3, WRITE | GROWS, Keys::First, data::incrby),
    session("INFO", -1, ADMIN, session::info),
    data("LPUSH", -3, WRITE | GROWS, Keys::First, data::lpush),
    data("MGET", -2, READ, Keys::All, data::mget),
    session("MULTI", 1, ENDING, session::multi),
    data("PERSIST", 2, WRITE, Keys::First, ttl::persist),
    data("PEXPIRE", 3, WRITE, Keys::First, ttl::pexpire),
    session("PING", -1, 0, session::ping),
    data("PTTL", 2, READ, Keys::First, ttl::pttl),
    session("QUIT", -1, LOGIN | NEVER_QUEUED, session::quit),
    session("ROLE", 1, ADMIN, session::role),
    data("SADD", -3, WRITE | GROWS, Keys::First, data::sadd),
    data("SCAN", -2, READ, Keys::None, data::scan),
    session("SCRIPT", -2, 0, super::scripts::script),
    session("SELECT", 2, ADMIN, session::select),
    data("SET", -3, WRITE | GROWS, Keys::First, data::set),
    data("STRLEN", 2, READ, Keys::First, data::strlen),
    session("TIME", 1, ADMIN, session::time),
    data("TTL", 2, READ, Keys::First, ttl::ttl),
    data("TYPE", 2, READ, Keys::First, data::kind),
    data("UNLINK", -2, WRITE, Keys::All, data::del),
];

/// The command of this name, in any case.
pub(super) fn spec(name: &[u8]) -> Option<&'static Spec> {
    TABLE.binary_search_by(|spec| compare(spec.name, name)).ok().map(|at| &TABLE[at])
}

fn compare(upper: &str, word: &[u8]) -> Ordering {
    upper.bytes().cmp(word.iter().map(u8::to_ascii_uppercase))
}

/// Whether a word is this one, given in capitals.
pub(super) fn is(word: &[u8], upper: &str) -> bool {
    word.eq_ignore_ascii_case(upper.as_bytes())
}

/// The error of a wrong number of words.
pub(super) fn arity(spec: &Spec) -> String {
    format!("ERR wrong number of arguments for '{}' command", spec.name.to_ascii_lowercase())
}

/// The error of options that do not fit together.
fn syntax() -> Reply {
    Reply::error("ERR syntax error")
}

/// The error of a word that is no integer.
fn not_a_number() -> Reply {
    Reply::error("ERR value is not an integer or out of range")
}

/// The error of a key of another type.
fn wrong_type() -> Reply {
    Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_finds_names_in_any_case() {
        assert!(TABLE.is_sorted_by(|one, next| one.name < next.name));
        assert_eq!(spec(b"pTtL").map(|spec| spec.name), Some("PTTL"));
        assert!(spec(b"GETT").is_none() && spec(b"GE").is_none());
    }
}
