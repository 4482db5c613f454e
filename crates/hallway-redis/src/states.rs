//! Values together with the rest of their lives, read in one transaction: a pair that is only pipelined can marry an old
//! value to a new deadline.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use hallway_core::{BATCH_KEYS, CopyState, Entry, ErrorKind, Key, Ttl};
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use crate::batch::READS;
use crate::coalesce::{Coalescer, Job};
use crate::engine::{Effect, Engine, Lane};
use crate::fault::{Fault, Reply};
use crate::guard::{MIN_CAP, WHOLE};
use crate::scripts::READ;

/// What `GET` and `PTTL` answered.
pub(crate) type Pair = (Value, Value);

/// The pairs of any number of keys, in their order.
pub(crate) async fn all_pairs(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<Vec<Pair>, Fault> {
    let chunks: Vec<Vec<&Key>> = keys.chunks(BATCH_KEYS).map(|chunk| chunk.iter().collect()).collect();
    let reads: Vec<_> = chunks.iter().map(|chunk| pairs(engine, chunk, deadline)).collect();
    let mut reads = stream::iter(reads).buffered(READS);
    let mut all = Vec::with_capacity(keys.len());
    while let Some(pairs) = reads.next().await {
        all.extend(pairs?);
    }
    Ok(all)
}

/// The pairs of up to [`BATCH_KEYS`] keys, errors among them.
pub(crate) async fn pairs(engine: &Engine, keys: &[&Key], deadline: Instant) -> Result<Vec<Pair>, Fault> {
    let lane = match keys {
        [key] => engine.large_keys.lane(key),
        _ => Lane::Small,
    };
    let mut pairs = transaction(engine, lane, keys, deadline).await?;
    let left_out = |pair: &Pair| matches!(&pair.0, Value::ServerError(error) if error.code() == "HWFULL");
    let again: Vec<usize> = (0..pairs.len()).filter(|at| left_out(&pairs[*at])).collect();
    // So few that they fit one reply, even if each is as large as can be.
    for few in again.chunks((WHOLE / engine.cap.bytes().max(MIN_CAP) / 2).max(1)) {
        let keys: Vec<&Key> = few.iter().map(|at| keys[*at]).collect();
        for (at, pair) in few.iter().zip(transaction(engine, Lane::Large, &keys, deadline).await?) {
            pairs[*at] = pair;
        }
    }
    Ok(pairs)
}

async fn transaction(engine: &Engine, lane: Lane, keys: &[&Key], deadline: Instant) -> Result<Vec<Pair>, Fault> {
    let mut pipeline = Pipeline::with_capacity(keys.len() + 1);
    // Unlike MGET, GET says whether the key is of a foreign type.
    pipeline.atomic().add_command(command(if keys.len() == 1 { "GET" } else { "MGET" }, keys));
    for key in keys {
        pipeline.add_command(command("PTTL", &[key]));
    }
    let mut answers = match engine.transaction(lane, Effect::Read, deadline, &pipeline).await {
        // A full server does not even queue reads.
        Err(fault) if fault.error.kind() == ErrorKind::OutOfMemory => {
            return by_script(engine, lane, keys, deadline).await;
        }
        answers => answers?.into_iter(),
    };
    let values = match (keys, answers.next()) {
        ([_], Some(value)) => vec![value],
        (_, Some(Value::Array(values))) if values.len() == keys.len() => values,
        (_, Some(Value::ServerError(error))) => return Err(Fault::server(&error)),
        _ => return Err(engine.shape()),
    };
    Ok(values.into_iter().zip(answers).collect())
}

fn command(verb: &str, keys: &[&Key]) -> Cmd {
    let bytes = verb.len() + keys.iter().map(|key| key.as_bytes().len()).sum::<usize>();
    let mut command = Cmd::with_capacity(1 + keys.len(), bytes);
    command.arg(verb);
    for key in keys {
        command.arg(key.as_bytes());
    }
    command
}

/// Pair by pair, which takes no memory but is slower.
async fn by_script(engine: &Engine, lane: Lane, keys: &[&Key], deadline: Instant) -> Result<Vec<Pair>, Fault> {
    let calls: Vec<_> = keys.iter().map(|key| (*key, [])).collect();
    let answers = engine.scripts(lane, deadline, &READ, &calls).await;
    let pair = |answer: Result<Value, Fault>| match answer {
        Ok(Value::Array(parts)) => <[Value; 2]>::try_from(parts).map(Pair::from).map_err(|_| engine.shape()),
        Ok(_) => Err(engine.shape()),
        Err(fault) if fault.reply == Reply::ForeignType => Ok((Value::Nil, Value::Int(-2))),
        Err(fault) => Err(fault),
    };
    answers.into_iter().map(pair).collect()
}

/// A pair as an entry: nothing for a missing key and for one of a foreign type.
pub(crate) fn entry(engine: &Engine, key: &Key, value: Value, life: &Value) -> Result<Option<Entry>, Fault> {
    let Some(value) = engine.bulk(key, value)? else { return Ok(None) };
    match life {
        Value::Int(-2) => Ok(None),
        Value::Int(-1) => Ok(Some(Entry::new(value, Ttl::Forever))),
        Value::Int(millis) if *millis >= 0 => {
            Ok(Some(Entry::new(value, Ttl::After(Duration::from_millis(millis.unsigned_abs())))))
        }
        _ => Err(engine.shape()),
    }
}

/// Reads the state of one copy, with others where many are read.
pub(crate) enum State {}

impl Job for State {
    type Ask = Key;
    type Answer = CopyState;
    const HARMLESS: bool = true;

    fn coalescer(engine: &Engine) -> Option<&Coalescer<Self>> {
        engine.coalescers.as_ref().map(|all| &all.states)
    }

    async fn alone(engine: &Engine, key: &Key, deadline: Instant) -> Result<CopyState, Fault> {
        let pairs = pairs(engine, &[key], deadline).await?;
        let (value, life) = pairs.into_iter().next().ok_or_else(|| engine.shape())?;
        state(engine, key, value, &life)
    }

    async fn together(engine: &Engine, keys: &[&Key], deadline: Instant) -> Vec<Result<CopyState, Fault>> {
        match pairs(engine, keys, deadline).await {
            Ok(pairs) => {
                let state = |(key, (value, life)): (&&Key, Pair)| state(engine, key, value, &life);
                keys.iter().zip(pairs).map(state).collect()
            }
            // Access rules may forbid some of the keys, and only who asked for those shall hear of it.
            Err(fault) if keys.len() > 1 && fault.error.kind() == ErrorKind::Unauthorized => {
                join_all(keys.iter().map(|key| Self::alone(engine, key, deadline))).await
            }
            Err(fault) => vec![Err(fault); keys.len()],
        }
    }

    fn brought(state: &CopyState) -> usize {
        match state {
            CopyState::Value(entry) => entry.value.len(),
            CopyState::Absent | CopyState::Busy(_) => 0,
        }
    }
}

/// A pair as the state of a copy.
pub(crate) fn state(engine: &Engine, key: &Key, value: Value, life: &Value) -> Result<CopyState, Fault> {
    let Some(entry) = entry(engine, key, value, life)? else { return Ok(CopyState::Absent) };
    Ok(match entry.remaining {
        _ if entry.value.first() == Some(&b'V') => CopyState::Value(entry),
        // Neither is ever written without a TTL; what has none is somebody else's, and would be waited for in vain.
        Ttl::After(life) if is_lease(&entry.value) || is_markers(&entry.value) => CopyState::Busy(life),
        _ => CopyState::Absent,
    })
}

// The scripts ask the same in Lua.

fn is_lease(value: &[u8]) -> bool {
    matches!(value, [b'L', token @ ..] if !token.is_empty() && token.iter().all(u8::is_ascii_hexdigit))
}

fn is_markers(value: &[u8]) -> bool {
    let belongs = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b';');
    matches!(value, [b'M', markers @ ..] if !markers.is_empty() && markers.iter().all(belongs))
}
