//! Commands on values.

use bytes::Bytes;

use super::{is, not_a_number, syntax, wrong_type};
use crate::sim::redis::glob::matches;
use crate::sim::redis::keyspace::{Content, DATABASES, Slot};
use crate::sim::redis::resp::{Reply, integer};
use crate::sim::redis::server::Server;

pub(super) fn get(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    match server.live(database, &args[1]) {
        Some(slot) => text(slot).unwrap_or_else(|reply| reply),
        None => Reply::Nil,
    }
}

pub(super) fn mget(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let one = |key: &Bytes| server.live(database, key).and_then(|slot| text(slot).ok()).unwrap_or(Reply::Nil);
    Reply::Array(args[1..].iter().map(one).collect())
}

pub(super) fn strlen(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    match server.live(database, &args[1]).map(|slot| &slot.content) {
        Some(Content::Text(bytes)) => Reply::Int(bytes.len() as i64),
        Some(Content::Foreign(..)) => wrong_type(),
        None => Reply::Int(0),
    }
}

pub(super) fn exists(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    Reply::Int(args[1..].iter().filter(|key| server.live(database, key).is_some()).count() as i64)
}

pub(super) fn kind(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    Reply::Simple(match server.live(database, &args[1]).map(|slot| &slot.content) {
        Some(Content::Text(_)) => "string",
        Some(Content::Foreign(kind, _)) => kind,
        None => "none",
    })
}

pub(super) fn dbsize(server: &mut Server, database: usize, _: &[Bytes]) -> Reply {
    Reply::Int(server.keys.iter(database).count() as i64)
}

pub(super) fn del(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let mut deleted = 0;
    for key in &args[1..] {
        if server.live(database, key).is_some() {
            server.change(database, key, None);
            deleted += 1;
        }
    }
    Reply::Int(deleted)
}

/// What SET was asked for beside key and value.
#[derive(Default)]
struct SetWords {
    only: Option<bool>,
    get: bool,
    keep: bool,
    /// Number as given, milliseconds per unit.
    life: Option<(Bytes, u64)>,
}

fn set_words(args: &[Bytes]) -> Option<SetWords> {
    let mut words = SetWords::default();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        if is(word, "NX") && words.only.is_none() {
            words.only = Some(false);
        } else if is(word, "XX") && words.only.is_none() {
            words.only = Some(true);
        } else if is(word, "GET") {
            words.get = true;
        } else if is(word, "KEEPTTL") && words.life.is_none() {
            words.keep = true;
        } else if (is(word, "PX") || is(word, "EX")) && words.life.is_none() && !words.keep {
            words.life = Some((rest.next()?.clone(), if is(word, "PX") { 1 } else { 1_000 }));
        } else {
            return None;
        }
    }
    Some(words)
}

pub(super) fn set(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let Some(words) = set_words(&args[3..]) else { return syntax() };
    let deadline = match &words.life {
        None => None,
        Some((number, unit)) => {
            let Some(number) = integer(number) else { return not_a_number() };
            let millis = u64::try_from(number).ok().filter(|number| *number > 0 && *number <= i64::MAX as u64 / 4_000);
            match millis {
                Some(millis) => Some(server.millis() + millis * unit),
                None => return Reply::error("ERR invalid expire time in 'set' command"),
            }
        }
    };
    let old = server.live(database, &args[1]).cloned();
    let mut done = Reply::OK;
    if words.get {
        done = match &old {
            Some(slot) => match text(slot) {
                Ok(value) => value,
                Err(wrong) => return wrong,
            },
            None => Reply::Nil,
        };
    }
    if words.only.is_some_and(|present| present != old.is_some()) {
        return if words.get { done } else { Reply::Nil };
    }
    let deadline = if words.keep { old.and_then(|slot| slot.deadline) } else { deadline };
    server.change(database, &args[1], Some(Slot { content: Content::Text(args[2].clone()), deadline }));
    done
}

pub(super) fn incrby(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let Some(by) = integer(&args[2]) else { return not_a_number() };
    let (old, deadline) = match server.live(database, &args[1]) {
        None => (0, None),
        Some(Slot { content: Content::Text(bytes), deadline }) => match integer(bytes) {
            Some(old) => (old, *deadline),
            None => return not_a_number(),
        },
        Some(_) => return wrong_type(),
    };
    let Some(sum) = old.checked_add(by) else {
        return Reply::error("ERR increment or decrement would overflow");
    };
    let content = Content::Text(Bytes::from(sum.to_string()));
    server.change(database, &args[1], Some(Slot { content, deadline }));
    Reply::Int(sum)
}

pub(super) fn lpush(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    plant(server, database, args, "list", args.len() as i64 - 2)
}

pub(super) fn sadd(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    plant(server, database, args, "set", args.len() as i64 - 2)
}

pub(super) fn hset(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    plant(server, database, args, "hash", (args.len() as i64 - 2) / 2)
}

/// Keeps type and length only: enough to stand in the way.
fn plant(server: &mut Server, database: usize, args: &[Bytes], kind: &'static str, more: i64) -> Reply {
    let (had, deadline) = match server.live(database, &args[1]) {
        None => (0, None),
        Some(Slot { content: Content::Foreign(is, length), deadline }) if *is == kind => (*length, *deadline),
        Some(_) => return wrong_type(),
    };
    let content = Content::Foreign(kind, had + more);
    server.change(database, &args[1], Some(Slot { content, deadline }));
    Reply::Int(if kind == "list" { had + more } else { more })
}

pub(super) fn scan(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let cursor = std::str::from_utf8(&args[1]).ok().and_then(|text| text.parse().ok());
    let Some(cursor) = cursor else { return Reply::error("ERR invalid cursor") };
    let (mut pattern, mut count, mut only) = (None, 10, None);
    for words in args[2..].chunks(2) {
        let [word, value] = words else { return syntax() };
        if is(word, "MATCH") {
            pattern = Some(value);
        } else if is(word, "COUNT") {
            match integer(value) {
                Some(number) if number >= 1 => count = number as usize,
                Some(_) => return syntax(),
                None => return not_a_number(),
            }
        } else if is(word, "TYPE") {
            only = Some(value);
        } else {
            return syntax();
        }
    }
    let (next, found) = server.keys.scan(database, cursor, count);
    let mut keys = Vec::with_capacity(found.len());
    for key in found {
        if pattern.is_some_and(|pattern| !matches(pattern, &key)) {
            continue;
        }
        let Some(slot) = server.live(database, &key) else { continue };
        let kind = if let Content::Foreign(kind, _) = slot.content { kind } else { "string" };
        if only.is_none_or(|only| only.eq_ignore_ascii_case(kind.as_bytes())) {
            keys.push(Reply::Bulk(key));
        }
    }
    Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(keys)])
}

pub(super) fn flushdb(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    flush(server, database..database + 1, args)
}

pub(super) fn flushall(server: &mut Server, _: usize, args: &[Bytes]) -> Reply {
    flush(server, 0..DATABASES, args)
}

fn flush(server: &mut Server, databases: std::ops::Range<usize>, args: &[Bytes]) -> Reply {
    match &args[1..] {
        [] => {}
        [word] if is(word, "SYNC") || is(word, "ASYNC") => {}
        _ => return syntax(),
    }
    server.everything_modified();
    for database in databases {
        server.keys.clear(database);
    }
    Reply::OK
}

fn text(slot: &Slot) -> Result<Reply, Reply> {
    match &slot.content {
        Content::Text(bytes) => Ok(Reply::Bulk(bytes.clone())),
        Content::Foreign(..) => Err(wrong_type()),
    }
}
