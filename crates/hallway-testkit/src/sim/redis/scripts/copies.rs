//! The scripts of the coherence protocol: values, fill leases and write markers under one key.

use bytes::Bytes;

use super::{Run, Twin, word};
use crate::sim::redis::resp::{Reply, integer};

/// First lines and twins, mutants of the protocol among them.
pub(super) const TWINS: &[(&str, Twin)] = &[
    ("-- hallway:copy:fill", fill),
    ("-- hallway:copy:fill_many", fill_many),
    ("-- hallway:copy:fill:mutant_no_lease_compare", fill_any_lease),
    ("-- hallway:copy:generation", generation),
    ("-- hallway:copy:getl", getl),
    ("-- hallway:copy:mark", mark),
    ("-- hallway:copy:read", read),
    ("-- hallway:copy:release", release),
    ("-- hallway:copy:renew", renew),
    ("-- hallway:copy:replace", replace),
    ("-- hallway:copy:unmark", unmark),
    ("-- hallway:copy:unmark:mutant_unmark_only_own", unmark_only_own),
];

/// How every one of these scripts begins: what stands under the key, or a refusal that is the answer.
macro_rules! found {
    ($run:ident) => {
        match $run.get() {
            Ok(found) => found,
            Err(refusal) => return Ok(Reply::Error(refusal)),
        }
    };
}

fn read(run: &mut Run<'_>) -> Result<Reply, String> {
    let found = found!(run);
    let life = run.on_key("PTTL")?;
    Ok(Reply::Array(vec![found.map_or(Reply::Nil, Reply::Bulk), life]))
}

fn getl(run: &mut Run<'_>) -> Result<Reply, String> {
    let (token, lease_life, dead) = (run.arg(1), run.arg(2), run.arg(3));
    if let Some(found) = found!(run) {
        let life = run.on_key("PTTL")?;
        if found.first() == Some(&b'V') {
            if dead.is_empty() || id(&found) != Some(&dead[..]) {
                return Ok(Reply::Array(vec![Reply::Int(1), Reply::Bulk(found), life]));
            }
        } else if matches!(life, Reply::Int(0..)) && (is_lease(&found) || is_markers(&found)) {
            return Ok(Reply::Array(vec![Reply::Int(2), Reply::Bulk(Bytes::new()), life]));
        }
    }
    run.set(lease(&token), lease_life)?;
    Ok(Reply::Array(vec![Reply::Int(3), Reply::Bulk(Bytes::new()), Reply::Int(0)]))
}

fn fill(run: &mut Run<'_>) -> Result<Reply, String> {
    let stands = found!(run) == Some(lease(&run.arg(1)));
    write_under_lease(run, stands)
}

fn fill_many(run: &mut Run<'_>) -> Result<Reply, String> {
    let keys = run.keys;
    let found = run.call_all("MGET")?;
    let Reply::Array(found) = found else { return Ok(Reply::Array(Vec::new())) };
    let mut filled = Vec::new();
    for (at, (key, found)) in keys.iter().zip(found).enumerate() {
        let (token, copy, life) = (run.arg(3 * at + 1), run.arg(3 * at + 2), run.arg(3 * at + 3));
        let stands = matches!(&found, Reply::Bulk(found) if *found == lease(&token));
        if stands {
            run.call([word("SET"), key.clone(), copy, word("PX"), life])?;
        }
        filled.push(Reply::Int(i64::from(stands)));
    }
    Ok(Reply::Array(filled))
}

fn fill_any_lease(run: &mut Run<'_>) -> Result<Reply, String> {
    let stands = found!(run).is_some_and(|found| found.first() == Some(&b'L'));
    write_under_lease(run, stands)
}

/// As [`write_if`], less what has passed of the lease, whose life is ARGV[4].
fn write_under_lease(run: &mut Run<'_>, allowed: bool) -> Result<Reply, String> {
    let (copy, life) = (run.arg(2), run.arg(3));
    if !allowed || life.is_empty() {
        return write_if(run, allowed);
    }
    let left = match run.on_key("PTTL")? {
        Reply::Int(left) => left,
        _ => 0,
    };
    let passed = (integer(&run.arg(4)).unwrap_or(0) - left).max(0);
    let life = integer(&life).unwrap_or(0) - passed;
    if life <= 0 {
        run.on_key("DEL")?;
        return Ok(Reply::Int(0));
    }
    run.set(copy, Bytes::from(life.to_string()))?;
    Ok(Reply::Int(1))
}

fn replace(run: &mut Run<'_>) -> Result<Reply, String> {
    let seen = run.arg(1);
    let stands = found!(run).is_some_and(|found| found.first() == Some(&b'V') && id(&found) == Some(&seen[..]));
    write_if(run, stands)
}

/// Writes the copy that is ARGV[2], to live as long as ARGV[3] says.
fn write_if(run: &mut Run<'_>, allowed: bool) -> Result<Reply, String> {
    if !allowed {
        return Ok(Reply::Int(0));
    }
    let (copy, life) = (run.arg(2), run.arg(3));
    run.set(copy, life)?;
    Ok(Reply::Int(1))
}

fn release(run: &mut Run<'_>) -> Result<Reply, String> {
    let found = found!(run);
    if found == Some(lease(&run.arg(1))) {
        return run.on_key("DEL");
    }
    let writer = run.arg(1);
    if !markers(found.as_ref()).any(|(other, _)| *other == writer) {
        return Ok(Reply::Int(0));
    }
    end_marker(run, found, |own| own)?;
    Ok(Reply::Int(1))
}

fn renew(run: &mut Run<'_>) -> Result<Reply, String> {
    if found!(run) != Some(lease(&run.arg(1))) {
        return Ok(Reply::Int(0));
    }
    let (key, life) = (run.key(), run.arg(2));
    run.call([word("PEXPIRE"), key, life])
}

fn mark(run: &mut Run<'_>) -> Result<Reply, String> {
    let (writer, life) = (run.arg(1), run.arg(2));
    let found = found!(run);
    let now = run.millis();
    let own = now + number(&life);
    let mut text = format!("M{}:{own};", String::from_utf8_lossy(&writer));
    let mut latest = own;
    for (other, deadline) in markers(found.as_ref()).filter(|(other, at)| *other != writer && *at > now) {
        push(&mut text, other, deadline);
        latest = latest.max(deadline);
    }
    run.set(Bytes::from(text), Bytes::from((latest - now).to_string()))?;
    Ok(Reply::Int(1))
}

fn unmark(run: &mut Run<'_>) -> Result<Reply, String> {
    let found = found!(run);
    end_marker(run, found, |_| true)
}

fn unmark_only_own(run: &mut Run<'_>) -> Result<Reply, String> {
    let found = found!(run);
    end_marker(run, found, |own| own)
}

fn end_marker(run: &mut Run<'_>, found: Option<Bytes>, goes_on: impl FnOnce(bool) -> bool) -> Result<Reply, String> {
    if found.is_none() {
        return Ok(Reply::Int(0));
    }
    let writer = run.arg(1);
    let now = run.millis();
    let (mut text, mut latest, mut own) = ("M".to_owned(), 0, false);
    for (other, deadline) in markers(found.as_ref()) {
        if *other == writer {
            own = true;
        } else if deadline > now {
            push(&mut text, other, deadline);
            latest = latest.max(deadline);
        }
    }
    if !goes_on(own) {
        return Ok(Reply::Int(0));
    }
    if latest == 0 {
        run.on_key("DEL")?;
        return Ok(Reply::Int(0));
    }
    if own {
        run.set(Bytes::from(text), Bytes::from((latest - now).to_string()))?;
    }
    Ok(Reply::Int(1))
}

fn generation(run: &mut Run<'_>) -> Result<Reply, String> {
    let is_id = |id: &Bytes| id.len() == 16 && id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if let Some(id) = found!(run).filter(is_id) {
        return Ok(Reply::Bulk(id));
    }
    let id = run.arg(1);
    run.set(id.clone(), Bytes::new())?;
    Ok(Reply::Bulk(id))
}

fn lease(token: &Bytes) -> Bytes {
    Bytes::from([b"L", &token[..]].concat())
}

fn is_lease(found: &[u8]) -> bool {
    matches!(found, [b'L', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit))
}

fn is_markers(found: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b';');
    matches!(found, [b'M', rest @ ..] if !rest.is_empty() && rest.iter().all(fits))
}

/// The fill that the header line of a copy names: ` id=` and hexadecimal digits.
fn id(copy: &[u8]) -> Option<&[u8]> {
    let header = copy.split(|byte| *byte == b'\n').next()?;
    header.windows(4).enumerate().filter(|(_, part)| part == b" id=").find_map(|(at, _)| {
        let rest = &header[at + 4..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        (length > 0).then_some(&rest[..length])
    })
}

/// Writers and deadlines, dead ones among them; none if something else stands there.
fn markers(found: Option<&Bytes>) -> impl Iterator<Item = (&[u8], u64)> {
    let text = found.and_then(|found| found.strip_prefix(b"M")).unwrap_or_default();
    text.split(|byte| *byte == b';').filter_map(|marker| {
        let colon = marker.iter().position(|byte| *byte == b':')?;
        let deadline = std::str::from_utf8(&marker[colon + 1..]).ok()?.parse().ok()?;
        Some((&marker[..colon], deadline))
    })
}

fn push(text: &mut String, writer: &[u8], deadline: u64) {
    text.push_str(&String::from_utf8_lossy(writer));
    text.push_str(&format!(":{deadline};"));
}

fn number(text: &[u8]) -> u64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
