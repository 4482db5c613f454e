//! The scripts by which a Redis store is a `KvStore`.

use bytes::Bytes;

use super::{Run, Twin, word};
use crate::sim::redis::resp::Reply;

/// First lines and twins. A text is known by its first comment line, or by a name.
pub(super) const TWINS: &[(&str, Twin)] = &[
    ("-- Deletes the entry, where ARGV[1] is given only if it has exactly these bytes.", delete_if),
    ("-- hallway:delete_if", delete_if),
    ("-- Adds ARGV[1] to a counter; a new one gets ARGV[1] and a TTL of ARGV[2] ms, or none for ''.", increment),
    ("-- hallway:increment", increment),
    ("-- Replaces value and TTL under a condition on the live entry.", set_if),
    ("-- hallway:set_if", set_if),
    ("-- Reads and deletes. A value over ARGV[1] bytes stays: the caller could not keep it.", take),
    ("-- hallway:take", take),
    ("-- Gives the live entry a new TTL of ARGV[1] ms, or none for ''. Answers 1 if there was an entry.", touch),
    ("-- hallway:touch", touch),
];

/// What the first lines of every one of these scripts find: a string, nothing, or a refusal.
fn kind(run: &mut Run<'_>) -> Result<Result<bool, Reply>, String> {
    Ok(match run.on_key("TYPE")? {
        Reply::Simple("none") => Ok(false),
        Reply::Simple("string") => Ok(true),
        _ => Err(Reply::error("HWTYPE foreign type")),
    })
}

fn delete_if(run: &mut Run<'_>) -> Result<Reply, String> {
    match kind(run)? {
        Ok(true) => {}
        Ok(false) => return Ok(Reply::Int(0)),
        Err(refusal) => return Ok(refusal),
    }
    if !run.args.is_empty() && run.get()? != Some(run.arg(1)) {
        return Ok(Reply::Int(0));
    }
    run.on_key("UNLINK")
}

fn increment(run: &mut Run<'_>) -> Result<Reply, String> {
    let (by, life) = (run.arg(1), run.arg(2));
    match kind(run)? {
        Ok(true) => {}
        Ok(false) => {
            run.set(by.clone(), life)?;
            return Ok(Reply::Bulk(by));
        }
        Err(refusal) => return Ok(refusal),
    }
    let not_a_number = Reply::error("HWNUMBER not a number");
    if matches!(run.on_key("STRLEN")?, Reply::Int(21..)) {
        return Ok(not_a_number);
    }
    let text = run.get()?.unwrap_or_default();
    if !is_canonical(&text) {
        return Ok(not_a_number);
    }
    let key = run.key();
    match run.call([word("INCRBY"), key, by]) {
        Err(text) if text.contains("overflow") => return Ok(Reply::error("HWOVERFLOW sum out of range")),
        Err(text) if text.contains("not an integer") => return Ok(not_a_number),
        Err(text) => return Ok(Reply::Error(text)),
        Ok(_) => {}
    }
    run.on_key("GET")
}

/// `0`, or `^%-?[1-9]%d*$`: any number of digits.
fn is_canonical(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    text == b"0" || matches!(digits, [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit))
}

fn set_if(run: &mut Run<'_>) -> Result<Reply, String> {
    match kind(run)? {
        Ok(true) => {}
        Ok(false) => return Ok(Reply::Int(0)),
        Err(refusal) => return Ok(refusal),
    }
    if run.arg(3) == "equals" && run.get()? != run.args.get(3).cloned() {
        return Ok(Reply::Int(0));
    }
    let (value, life) = (run.arg(1), run.arg(2));
    run.set(value, life)?;
    Ok(Reply::Int(1))
}

fn take(run: &mut Run<'_>) -> Result<Reply, String> {
    match kind(run)? {
        Ok(true) => {}
        Ok(false) => return Ok(Reply::Nil),
        Err(refusal) => return Ok(refusal),
    }
    let most: i64 = number(&run.arg(1));
    if let Reply::Int(length) = run.on_key("STRLEN")?
        && length > most
    {
        return Ok(Reply::Error(format!("HWSIZE {length}")));
    }
    let value = run.on_key("GET")?;
    run.on_key("UNLINK")?;
    Ok(value)
}

fn touch(run: &mut Run<'_>) -> Result<Reply, String> {
    match kind(run)? {
        Ok(true) => {}
        Ok(false) => return Ok(Reply::Int(0)),
        Err(refusal) => return Ok(refusal),
    }
    let life = run.arg(1);
    if life.is_empty() {
        run.on_key("PERSIST")?;
    } else {
        let key = run.key();
        run.call([word("PEXPIRE"), key, life])?;
    }
    Ok(Reply::Int(1))
}

fn number(text: &Bytes) -> i64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
