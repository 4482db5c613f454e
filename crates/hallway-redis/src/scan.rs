//! Paging through keys with `SCAN`, and clearing what is found.

use std::sync::atomic::Ordering::Relaxed;

use hallway_core::{Cursor, Error, ErrorKind, Key, MAX_PAGE, Page, Prefix, Result};
use redis::{Cmd, Value};
use tokio::time::Instant;

use crate::engine::{Effect, Engine, Lane};
use crate::fault::Fault;

/// Keys the server looks at per step, at least and at most.
const LOOK: std::ops::RangeInclusive<usize> = 100..=1_000;

/// Steps that may come back empty before the page does.
const EMPTY_STEPS: usize = 16;

/// Most bytes that a cursor may have; ours hold what one step brought above the limit.
const MAX_CURSOR: usize = 4 << 20;

/// Where a scan stands: the server's cursor, and keys it has returned above the limit.
#[derive(Debug, PartialEq, Eq, Default)]
struct Position {
    /// `None` once the server has come round.
    server: Option<u64>,
    carried: Vec<Key>,
}

pub(crate) async fn page(
    engine: &Engine,
    prefix: &Prefix,
    after: Option<Cursor>,
    limit: usize,
    deadline: Instant,
) -> Result<Page, Fault> {
    if limit == 0 {
        return Err(Fault::unsent(Error::invalid_input("a page needs a limit of at least 1")));
    }
    let limit = limit.min(MAX_PAGE);
    let mut at = match after {
        None => Position { server: Some(0), carried: Vec::new() },
        Some(cursor) => Position::parse(&cursor, prefix).map_err(Fault::unsent)?,
    };
    let mut keys = std::mem::take(&mut at.carried);
    let mut empty = 0;
    while keys.is_empty() && empty < EMPTY_STEPS {
        let Some(server) = at.server else { break };
        let (next, found) = step(engine, prefix, server, limit.clamp(*LOOK.start(), *LOOK.end()), deadline).await?;
        at.server = (next != 0).then_some(next);
        keys = found;
        empty += 1;
    }
    if keys.len() > limit {
        at.carried = keys.split_off(limit);
    }
    Ok(Page { keys, next: at.into_cursor() })
}

/// Deletes page by page inside the prefix. The error is `Indeterminate` once something may be deleted.
pub(crate) async fn clear(engine: &Engine, prefix: &Prefix, deadline: Instant) -> Result<u64> {
    if prefix.is_root() {
        return Err(Error::invalid_input("clear needs a prefix; it never empties a whole store"));
    }
    let mut cleared = 0;
    let mut server = 0;
    loop {
        let after = |fault: Fault, cleared: u64| {
            if cleared > 0 { fault.error.with_kind(ErrorKind::Indeterminate) } else { fault.into_write_error() }
        };
        let (next, keys) = step(engine, prefix, server, *LOOK.end(), deadline).await.map_err(|fault| {
            // Looking deletes nothing.
            after(Fault { may_have_run: false, ..fault }, cleared)
        })?;
        if !keys.is_empty() {
            cleared += unlink(engine, &keys, deadline).await.map_err(|fault| after(fault, cleared))?;
        }
        if next == 0 {
            return Ok(cleared);
        }
        server = next;
    }
}

pub(crate) async fn unlink(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<u64, Fault> {
    let mut command =
        Cmd::with_capacity(keys.len() + 1, keys.iter().map(|key| key.as_bytes().len()).sum::<usize>() + 6);
    command.arg("UNLINK");
    for key in keys {
        command.arg(key.as_bytes());
    }
    let answer = engine.call(Lane::Small, Effect::Write, deadline, &command).await?;
    match engine.checked(None, answer)? {
        Value::Int(count) => Ok(count.unsigned_abs()),
        _ => Err(engine.shape()),
    }
}

/// One `SCAN`: keys of our type below the prefix, and the next cursor, 0 at the end.
async fn step(
    engine: &Engine,
    prefix: &Prefix,
    cursor: u64,
    look: usize,
    deadline: Instant,
) -> Result<(u64, Vec<Key>), Fault> {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern(prefix)).arg("COUNT").arg(look).arg("TYPE").arg("string");
    let answer = engine.call(Lane::Small, Effect::Read, deadline, &command).await?;
    let Value::Array(parts) = engine.checked(None, answer)? else { return Err(engine.shape()) };
    let Ok([Value::BulkString(next), Value::Array(found)]) = <[Value; 2]>::try_from(parts) else {
        return Err(engine.shape());
    };
    let next = std::str::from_utf8(&next).ok().and_then(|text| text.parse().ok()).ok_or_else(|| engine.shape())?;
    let mut keys = Vec::with_capacity(found.len());
    for name in &found {
        let key = match name {
            Value::BulkString(name) => std::str::from_utf8(name).ok().filter(|name| prefix.matches(name)),
            // A name longer than the guard lets pass.
            _ => None,
        };
        match key.and_then(|name| Key::from_physical(name).ok()) {
            Some(key) => keys.push(key),
            None => drop(engine.counters.skipped_keys.fetch_add(1, Relaxed)),
        }
    }
    Ok((next, keys))
}

/// The glob that matches what starts with the prefix, whatever characters it has.
fn pattern(prefix: &Prefix) -> String {
    let mut pattern = String::new();
    for c in prefix.to_physical().chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

impl Position {
    /// Lines: the server's cursor or `-`, then the carried keys. Keys have no control characters, so lines are safe.
    fn parse(cursor: &Cursor, prefix: &Prefix) -> Result<Self> {
        let foreign = || Error::invalid_input("the cursor is not from a scan of this prefix in this store");
        let text = cursor.as_str();
        if text.len() > MAX_CURSOR {
            return Err(foreign());
        }
        let mut lines = text.split('\n');
        let server = match lines.next() {
            Some("-") => None,
            Some(number) => Some(number.parse().map_err(|_| foreign())?),
            None => return Err(foreign()),
        };
        let carried = lines
            .map(|line| Key::from_physical(line).ok().filter(|key| prefix.matches(key.as_str())).ok_or_else(foreign))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { server, carried })
    }

    fn into_cursor(self) -> Option<Cursor> {
        if self.server.is_none() && self.carried.is_empty() {
            return None;
        }
        let mut text = self.server.map_or_else(|| "-".to_owned(), |server| server.to_string());
        for key in &self.carried {
            text.push('\n');
            text.push_str(key.as_str());
        }
        Some(Cursor::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_character_of_a_glob_is_escaped() {
        assert_eq!(pattern(&Prefix::new("a*b?c[d]e\\f").unwrap()), "a\\*b\\?c\\[d\\]e\\\\f:*");
        assert_eq!(pattern(&Prefix::root()), "*");
    }

    #[test]
    fn a_cursor_carries_what_was_above_the_limit() {
        let prefix = Prefix::new("a").unwrap();
        let keys = vec![Key::from_physical("a:1").unwrap(), Key::from_physical("a:b:2").unwrap()];
        for server in [None, Some(17)] {
            let cursor = Position { server, carried: keys.clone() }.into_cursor().unwrap();
            assert_eq!(Position::parse(&cursor, &prefix).unwrap(), Position { server, carried: keys.clone() });
            assert!(Position::parse(&cursor, &Prefix::new("b").unwrap()).is_err());
        }
        assert_eq!(Position::default().into_cursor(), None);
        for bad in ["", "x", "-1", "1\n", "99999999999999999999"] {
            assert!(Position::parse(&Cursor::new(bad), &prefix).is_err(), "{bad:?}");
        }
    }
}
