//! What changes copies: scripts on one key each, many of them in one round trip.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{BATCH_KEYS, CopyState, ErrorKind, Key, LeaseOutcome, Token, Ttl, write_batches};
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use crate::batch::worse;
use crate::coalesce::{self, Coalescer, Job};
use crate::engine::{Effect, Engine, Lane, Watch};
use crate::fault::Fault;
use crate::scripts::{
    FILL_MANY, GENERATION, GETL, MARK, RELEASE, RENEW, REPLACE, Script, fill as fill_script, unmark as unmark_script,
};
use crate::store::set_command;
use crate::{scan, states};

/// One outcome for each key, or the fault that leaves most in doubt: with one key undone the call as a whole is.
fn all_or_worst<T>(outcomes: impl IntoIterator<Item = Result<T, Fault>>) -> Result<Vec<T>, Fault> {
    let mut good = Vec::new();
    let mut failed = None;
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => good.push(outcome),
            Err(fault) => failed = worse(failed, Some(fault)),
        }
    }
    failed.map_or(Ok(good), Err)
}

/// Whole milliseconds, at least one.
fn millis(life: Duration) -> Result<u64, Fault> {
    let millis = Ttl::After(life).whole_millis().map_err(Fault::unsent)?;
    Ok(millis.map_or(1, NonZeroU64::get))
}

/// Whole milliseconds, or nothing for no expiry.
fn ttl_text(ttl: Ttl) -> Result<Whole, Fault> {
    let millis = ttl.whole_millis().map_err(Fault::unsent)?;
    Ok(millis.map(|millis| Whole::new(millis.get())).unwrap_or_default())
}

/// A number as text, or nothing: a string would be an allocation for each of many fills.
#[derive(Clone, Copy, Default)]
struct Whole {
    text: [u8; 20],
    length: usize,
}

impl Whole {
    fn new(number: u64) -> Self {
        let mut whole = Self::default();
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(number).as_bytes();
        whole.length = text.len();
        whole.text[..text.len()].copy_from_slice(text);
        whole
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// One ask for the right to fill.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) key: Key,
    pub(crate) token: Token,
    /// The id of a copy that counts as absent.
    pub(crate) dead: Option<Token>,
    pub(crate) life: Duration,
}

impl Job for Lease {
    type Ask = Self;
    type Answer = LeaseOutcome;
    const HARMLESS: bool = false;

    fn coalescer(engine: &Engine) -> Option<&Coalescer<Self>> {
        engine.coalescers.as_ref().map(|all| &all.leases)
    }

    async fn alone(engine: &Engine, ask: &Self, deadline: Instant) -> Result<LeaseOutcome, Fault> {
        let outcomes = Self::together(engine, &[ask], deadline).await;
        outcomes.into_iter().next().unwrap_or_else(|| Err(engine.shape()))
    }

    /// As a rule nothing is there, as the caller has just read. Then a plain SET does, at a third of what a script costs
    /// the server; only who finds something runs the script, which tells what.
    async fn together(engine: &Engine, asks: &[&Self], deadline: Instant) -> Vec<Result<LeaseOutcome, Fault>> {
        let mut outcomes: Vec<Option<Result<LeaseOutcome, Fault>>> = asks.iter().map(|_| None).collect();
        let fresh: Vec<usize> = (0..asks.len()).filter(|at| asks[*at].dead.is_none()).collect();
        let few: Vec<&Self> = fresh.iter().map(|at| asks[*at]).collect();
        for (at, set) in fresh.into_iter().zip(set_absent(engine, &few, deadline).await) {
            outcomes[at] = match set {
                Ok(true) => Some(Ok(LeaseOutcome::Granted)),
                Ok(false) => None,
                Err(fault) => Some(Err(fault)),
            };
        }
        let left: Vec<usize> = (0..asks.len()).filter(|at| outcomes[*at].is_none()).collect();
        let few: Vec<&Self> = left.iter().map(|at| asks[*at]).collect();
        for (at, outcome) in left.into_iter().zip(by_script(engine, &few, deadline).await) {
            outcomes[at] = Some(outcome);
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(engine.shape()))).collect()
    }

    fn brought(outcome: &LeaseOutcome) -> usize {
        match outcome {
            LeaseOutcome::Value(entry) => entry.value.len(),
            LeaseOutcome::Busy(_) | LeaseOutcome::Granted => 0,
        }
    }
}

/// Whether each lease could be put where nothing stood.
async fn set_absent(engine: &Engine, asks: &[&Lease], deadline: Instant) -> Vec<Result<bool, Fault>> {
    if asks.is_empty() {
        return Vec::new();
    }
    let mut pipeline = Pipeline::with_capacity(asks.len());
    for ask in asks {
        let life = match millis(ask.life) {
            Ok(life) => life,
            Err(fault) => return vec![Err(fault); asks.len()],
        };
        let mut lease = [b'L'; 17];
        lease[1..].copy_from_slice(&ask.token.digits());
        let mut command = Cmd::with_capacity(6, ask.key.as_bytes().len() + 48);
        command.arg("SET").arg(ask.key.as_bytes()).arg(lease.as_slice()).arg("PX").arg(life).arg("NX");
        pipeline.add_command(command);
    }
    match engine.pipeline(Lane::Small, Effect::Write, deadline, &pipeline).await {
        Ok(answers) => answers
            .into_iter()
            .zip(asks)
            .map(|(answer, ask)| match engine.checked(Some(&ask.key), answer)? {
                Value::Okay => Ok(true),
                Value::Nil => Ok(false),
                _ => Err(engine.shape()),
            })
            .collect(),
        Err(fault) => vec![Err(fault); asks.len()],
    }
}

async fn by_script(engine: &Engine, asks: &[&Lease], deadline: Instant) -> Vec<Result<LeaseOutcome, Fault>> {
    let texts: Result<Vec<[String; 3]>, Fault> = asks
        .iter()
        .map(|ask| {
            let dead = ask.dead.map(|dead| dead.to_string()).unwrap_or_default();
            Ok([ask.token.to_string(), millis(ask.life)?.to_string(), dead])
        })
        .collect();
    let texts = match texts {
        Ok(texts) => texts,
        Err(fault) => return vec![Err(fault); asks.len()],
    };
    let args = texts.iter().map(|texts| texts.each_ref().map(|text| text.as_bytes()));
    let calls: Vec<_> = asks.iter().map(|ask| &ask.key).zip(args).collect();
    let answers = engine.scripts(Lane::Small, deadline, &GETL, &calls).await;
    let mut outcomes = Vec::with_capacity(asks.len());
    for (ask, answer) in asks.iter().zip(answers) {
        outcomes.push(match answer.and_then(|answer| outcome(engine, &ask.key, answer)) {
            Ok(Some(outcome)) => Ok(outcome),
            // In a box, as whatever else is seldom.
            Ok(None) => Box::pin(look_again(engine, &ask.key, deadline)).await,
            Err(fault) => Err(fault),
        });
    }
    outcomes
}

pub(crate) async fn lease(
    engine: &Arc<Engine>,
    keys: &[(Key, Token, Option<Token>)],
    life: Duration,
    deadline: Instant,
) -> Result<Vec<LeaseOutcome>, Fault> {
    millis(life)?;
    let lease =
        |(key, token, dead): &(Key, Token, Option<Token>)| Lease { key: key.clone(), token: *token, dead: *dead, life };
    if let [one] = keys {
        return Ok(vec![coalesce::ask::<Lease>(engine, lease(one), deadline).await?]);
    }
    let mut all = Vec::with_capacity(keys.len());
    for keys in keys.chunks(BATCH_KEYS) {
        let asks: Vec<Lease> = keys.iter().map(lease).collect();
        let asks: Vec<&Lease> = asks.iter().collect();
        all.extend(all_or_worst(Box::pin(Lease::together(engine, &asks, deadline)).await)?);
    }
    Ok(all)
}

/// What the lease script answered; nothing if the copy did not fit the reply.
fn outcome(engine: &Engine, key: &Key, answer: Value) -> Result<Option<LeaseOutcome>, Fault> {
    let Value::Array(parts) = answer else { return Err(engine.shape()) };
    let [code, value, life] = <[Value; 3]>::try_from(parts).map_err(|_| engine.shape())?;
    match (code, life) {
        (Value::Int(1), _) if matches!(&value, Value::ServerError(error) if error.code() == "HWFULL") => Ok(None),
        (Value::Int(1), life) => match states::entry(engine, key, value, &life)? {
            Some(entry) => Ok(Some(LeaseOutcome::Value(entry))),
            None => Err(engine.shape()),
        },
        (Value::Int(2), Value::Int(life)) if life >= 0 => {
            Ok(Some(LeaseOutcome::Busy(Duration::from_millis(life.unsigned_abs()))))
        }
        (Value::Int(3), _) => Ok(Some(LeaseOutcome::Granted)),
        _ => Err(engine.shape()),
    }
}

/// A copy that is there, but did not fit the reply of a batch.
async fn look_again(engine: &Engine, key: &Key, deadline: Instant) -> Result<LeaseOutcome, Fault> {
    for (value, life) in states::pairs(engine, &[key], deadline).await? {
        match states::state(engine, key, value, &life)? {
            CopyState::Value(entry) => return Ok(LeaseOutcome::Value(entry)),
            CopyState::Busy(life) => return Ok(LeaseOutcome::Busy(life)),
            CopyState::Absent => {}
        }
    }
    // Gone meanwhile: whoever waits no time asks again.
    Ok(LeaseOutcome::Busy(Duration::ZERO))
}

/// One copy to be written under its lease.
#[derive(Clone)]
pub(crate) struct Fill {
    pub(crate) key: Key,
    pub(crate) token: Token,
    pub(crate) copy: Bytes,
    pub(crate) ttl: Ttl,
    /// The life that its lease was given.
    pub(crate) lease: Duration,
}

impl Job for Fill {
    type Ask = Self;
    type Answer = bool;
    const HARMLESS: bool = false;
    /// Each is a script of its own, and starting one costs the server more than the fill.
    const LONE: usize = 1;
    /// A script of a sixth of a millisecond or so: the server does nothing else meanwhile, nor has anybody an answer to go on
    /// with. Over loopback all that wait in one script are filled 7 to 10 % slower at 1 and 4 KiB; only from 16 KiB on they
    /// gain (6 %), and then the server stands still for most of a millisecond.
    const BYTES: usize = 48 << 10;
    /// A server far away gets as much at once as it did in batches of the usual length.
    const FULL_BATCHES: usize = 20;

    fn coalescer(engine: &Engine) -> Option<&Coalescer<Self>> {
        engine.coalescers.as_ref().map(|all| &all.fills)
    }

    async fn alone(engine: &Engine, ask: &Self, deadline: Instant) -> Result<bool, Fault> {
        let outcomes = Self::together(engine, &[ask], deadline).await;
        outcomes.into_iter().next().unwrap_or_else(|| Err(engine.shape()))
    }

    async fn together(engine: &Engine, asks: &[&Self], deadline: Instant) -> Vec<Result<bool, Fault>> {
        if Mutant::PlainSetFill.is_on() {
            return set_plainly(engine, asks, deadline).await;
        }
        let texts: Result<Vec<_>, Fault> = asks
            .iter()
            .map(|ask| {
                let lease = u64::try_from(ask.lease.as_millis()).unwrap_or(u64::MAX);
                Ok((ask.token.digits(), ttl_text(ask.ttl)?, Whole::new(lease)))
            })
            .collect();
        let texts = match texts {
            Ok(texts) => texts,
            Err(fault) => return vec![Err(fault); asks.len()],
        };
        let calls: Vec<(&Key, [&[u8]; 4])> = asks
            .iter()
            .zip(&texts)
            .map(|(ask, (token, ttl, lease))| {
                (&ask.key, [token.as_slice(), ask.copy.as_ref(), ttl.as_bytes(), lease.as_bytes()])
            })
            .collect();
        // Beside others of their kind, most of the time, that reads would have to wait for.
        let lane = Lane::of(2 * asks.iter().map(|ask| ask.copy.len()).sum::<usize>());
        if asks.len() > 1 && asks.iter().all(|ask| ask.is_plain()) {
            match fill_at_once(engine, lane, deadline, &calls).await {
                // Access rules may forbid some of the keys, and nothing was run.
                Err(fault) if fault.error.kind() == ErrorKind::Unauthorized => {}
                Err(fault) => return vec![Err(fault); asks.len()],
                Ok(filled) => return filled.into_iter().map(Ok).collect(),
            }
        }
        let answers = engine.scripts(lane, deadline, fill_script(), &calls).await;
        answers.into_iter().map(|answer| answer.and_then(|answer| engine.flag(&answer))).collect()
    }

    fn sent(ask: &Self) -> usize {
        // One without a value costs the server as much as so many bytes more.
        const ITSELF: usize = 3 << 9;
        ITSELF + ask.copy.len()
    }
}

impl Fill {
    /// Whether the copy gets its TTL as it is.
    fn is_plain(&self) -> bool {
        self.lease.is_zero() && self.ttl != Ttl::Forever && !Mutant::NoLeaseCompare.is_on()
    }
}

/// Plain fills by one script: starting one for each costs the server more than the fill.
async fn fill_at_once(
    engine: &Engine,
    lane: Lane,
    deadline: Instant,
    calls: &[(&Key, [&[u8]; 4])],
) -> Result<Vec<bool>, Fault> {
    let keys: Vec<&Key> = calls.iter().map(|(key, _)| *key).collect();
    let args: Vec<&[u8]> = calls.iter().flat_map(|(_, [token, copy, ttl, _])| [*token, *copy, *ttl]).collect();
    let answer = engine.script_on(lane, deadline, &FILL_MANY, &keys, &args).await?;
    match answer {
        Value::Array(filled) if filled.len() == calls.len() => {
            filled.iter().map(|filled| engine.flag(filled)).collect()
        }
        _ => Err(engine.shape()),
    }
}

pub(crate) async fn fill(
    engine: &Arc<Engine>,
    copies: &[(Key, Token, Bytes, Ttl)],
    lease: Duration,
    deadline: Instant,
) -> Result<Vec<bool>, Fault> {
    for (key, _, copy, ttl) in copies {
        engine.cap.check(copy.len()).map_err(|error| Fault::unsent(error.with_key(key)))?;
        ttl.whole_millis().map_err(Fault::unsent)?;
    }
    let fill = |(key, token, copy, ttl): &(Key, Token, Bytes, Ttl)| Fill {
        key: key.clone(),
        token: *token,
        copy: copy.clone(),
        ttl: *ttl,
        lease,
    };
    if let [one] = copies {
        return Ok(vec![coalesce::ask::<Fill>(engine, fill(one), deadline).await?]);
    }
    let sizes: Vec<_> = copies.iter().map(|(key, _, copy, ttl)| (key.clone(), copy.clone(), *ttl)).collect();
    let mut filled = Vec::with_capacity(copies.len());
    for chunk in write_batches(&sizes) {
        let asks: Vec<Fill> = copies[chunk].iter().map(fill).collect();
        let asks: Vec<&Fill> = asks.iter().collect();
        filled.extend(all_or_worst(Box::pin(Fill::together(engine, &asks, deadline)).await)?);
    }
    Ok(filled)
}

/// The mistake of filling without a lease.
async fn set_plainly(engine: &Engine, asks: &[&Fill], deadline: Instant) -> Vec<Result<bool, Fault>> {
    let mut pipeline = Pipeline::with_capacity(asks.len());
    for ask in asks {
        let ttl = ask.ttl.whole_millis().ok().flatten().map(NonZeroU64::get);
        pipeline.add_command(set_command(&ask.key, &ask.copy, ttl, false));
    }
    match engine.pipeline(Lane::Small, Effect::Write, deadline, &pipeline).await {
        Ok(answers) => answers.into_iter().map(|answer| engine.checked(None, answer).map(|_| true)).collect(),
        Err(fault) => vec![Err(fault); asks.len()],
    }
}

/// Runs a script that answers 0 or 1 for each key.
async fn flags<const N: usize>(
    engine: &Engine,
    lane: Lane,
    script: &Script,
    calls: &[(&Key, [&[u8]; N])],
    deadline: Instant,
) -> Result<Vec<bool>, Fault> {
    let answers = engine.scripts(lane, deadline, script, calls).await;
    all_or_worst(answers.into_iter().map(|answer| answer.and_then(|answer| engine.flag(&answer))))
}

pub(crate) async fn release(engine: &Engine, tokens: &[(Key, Token)], deadline: Instant) -> Result<(), Fault> {
    for tokens in tokens.chunks(BATCH_KEYS) {
        let texts: Vec<String> = tokens.iter().map(|(_, token)| token.to_string()).collect();
        let calls: Vec<_> = tokens.iter().zip(&texts).map(|((key, _), text)| (key, [text.as_bytes()])).collect();
        flags(engine, Lane::Small, &RELEASE, &calls, deadline).await?;
    }
    Ok(())
}

pub(crate) async fn renew(
    engine: &Engine,
    leases: &[(Key, Token)],
    life: Duration,
    deadline: Instant,
) -> Result<Vec<bool>, Fault> {
    let life = millis(life)?.to_string();
    let mut stand = Vec::with_capacity(leases.len());
    for leases in leases.chunks(BATCH_KEYS) {
        let tokens: Vec<String> = leases.iter().map(|(_, token)| token.to_string()).collect();
        let keys = leases.iter().map(|(key, _)| key);
        let calls: Vec<_> = keys.zip(&tokens).map(|(key, token)| (key, [token.as_bytes(), life.as_bytes()])).collect();
        stand.extend(flags(engine, Lane::Small, &RENEW, &calls, deadline).await?);
    }
    Ok(stand)
}

pub(crate) async fn claim_refresh(
    engine: &Engine,
    key: &Key,
    token: Token,
    life: Duration,
    deadline: Instant,
) -> Result<bool, Fault> {
    let life = millis(life)?;
    // The braces keep it in the slot of the copy.
    let side = [b"{", key.as_bytes(), b"}:r"].concat();
    let mut command = redis::cmd("SET");
    command.arg(side).arg(token.to_string()).arg("PX").arg(life).arg("NX");
    let answer = engine.call(Lane::Small, Effect::Write, deadline, &command).await?;
    match engine.checked(Some(key), answer)? {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(engine.shape()),
    }
}

pub(crate) async fn replace(
    engine: &Engine,
    key: &Key,
    seen: Token,
    copy: &Bytes,
    ttl: Ttl,
    deadline: Instant,
) -> Result<bool, Fault> {
    engine.cap.check(copy.len()).map_err(Fault::unsent)?;
    let (seen, ttl) = (seen.to_string(), ttl_text(ttl)?);
    let args: [&[u8]; 3] = [seen.as_bytes(), copy, ttl.as_bytes()];
    let answer = engine.script(Lane::of(copy.len()), deadline, &REPLACE, key, &args).await?;
    engine.flag(&answer)
}

pub(crate) async fn mark(
    engine: &Engine,
    keys: &[Key],
    writer: Token,
    life: Duration,
    deadline: Instant,
) -> Result<(), Fault> {
    let (writer, life) = (writer.to_string(), millis(life)?.to_string());
    each(engine, keys, &MARK, [writer.as_bytes(), life.as_bytes()], deadline).await
}

pub(crate) async fn unmark(engine: &Engine, keys: &[Key], writer: Token, deadline: Instant) -> Result<(), Fault> {
    let writer = writer.to_string();
    each(engine, keys, unmark_script(), [writer.as_bytes()], deadline).await
}

/// Runs a script with the same arguments on each key. After a failure the rest is still tried: each key done is one
/// less that somebody may find stale.
async fn each<const N: usize>(
    engine: &Engine,
    keys: &[Key],
    script: &Script,
    args: [&[u8]; N],
    deadline: Instant,
) -> Result<(), Fault> {
    let mut failed = None;
    for keys in keys.chunks(BATCH_KEYS) {
        let calls: Vec<_> = keys.iter().map(|key| (key, args)).collect();
        failed = worse(failed, flags(engine, Lane::Small, script, &calls, deadline).await.err());
    }
    failed.map_or(Ok(()), Err)
}

pub(crate) async fn delete(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<(), Fault> {
    for keys in keys.chunks(BATCH_KEYS) {
        scan::unlink(engine, keys, deadline).await?;
    }
    Ok(())
}

pub(crate) async fn generations(engine: &Engine, keys: &[(Key, u64)], deadline: Instant) -> Result<Vec<u64>, Fault> {
    let mut all = Vec::with_capacity(keys.len());
    for keys in keys.chunks(BATCH_KEYS) {
        let names: Vec<&Key> = keys.iter().map(|(key, _)| key).collect();
        let found = crate::batch::values(engine, Watch::Changes, Lane::Small, &names, deadline).await?;
        let mut ids: Vec<Option<u64>> = Vec::with_capacity(keys.len());
        for (key, value) in names.iter().zip(found) {
            ids.push(engine.bulk(key, value)?.as_deref().and_then(generation));
        }
        let missing: Vec<usize> = (0..keys.len()).filter(|at| ids[*at].is_none()).collect();
        let fresh: Vec<String> = missing.iter().map(|at| Token(keys[*at].1).to_string()).collect();
        let calls: Vec<_> = missing.iter().zip(&fresh).map(|(at, id)| (&keys[*at].0, [id.as_bytes()])).collect();
        for (at, answer) in missing.iter().zip(engine.scripts(Lane::Small, deadline, &GENERATION, &calls).await) {
            match answer? {
                Value::BulkString(text) => ids[*at] = generation(&text),
                _ => return Err(engine.shape()),
            }
        }
        for id in ids {
            all.push(id.ok_or_else(|| engine.shape())?);
        }
    }
    Ok(all)
}

/// Sixteen lower-case hexadecimal digits.
fn generation(text: &[u8]) -> Option<u64> {
    let digits = text.len() == 16 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    u64::from_str_radix(text, 16).ok()
}

pub(crate) async fn bump_generation(engine: &Engine, key: &Key, new: u64, deadline: Instant) -> Result<(), Fault> {
    let id = Token(new).to_string();
    let answer =
        engine.call(Lane::Small, Effect::Write, deadline, &set_command(key, id.as_bytes(), None, false)).await?;
    match engine.checked(Some(key), answer)? {
        Value::Okay => Ok(()),
        _ => Err(engine.shape()),
    }
}
