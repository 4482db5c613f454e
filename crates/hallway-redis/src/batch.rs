//! Many keys in one round trip.
//!
//! Every batch is cut here and nowhere else, into commands that could as well be cut by cluster slot.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use hallway_core::{BATCH_KEYS, Error, ErrorKind, Key, Result, Ttl, write_batches};
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use crate::engine::{Effect, Engine, Lane, Watch};
use crate::fault::{Fault, Reply};
use crate::guard::{MIN_CAP, WHOLE};
use crate::scripts::DELETE_IF;
use crate::store::{set_command, warn_of_forever};

/// Read batches on the wire at once: enough for 10,000 keys in one round trip.
pub(crate) const READS: usize = 20;

/// Read batches of more keys use the connection of the large values, lest their replies hold up reads of one key.
const FEW: usize = 64;

/// Write batches on the wire at once; each holds up to 4 MiB.
const WRITES: usize = 2;

pub(crate) async fn get_many(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<Vec<Option<Bytes>>, Fault> {
    if keys.len() <= BATCH_KEYS {
        return read(engine, keys, deadline).await;
    }
    let reads: Vec<_> = keys.chunks(BATCH_KEYS).map(|chunk| read(engine, chunk, deadline)).collect();
    let mut reads = stream::iter(reads).buffered(READS);
    let mut all = Vec::with_capacity(keys.len());
    while let Some(values) = reads.next().await {
        all.extend(values?);
    }
    Ok(all)
}

async fn read(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<Vec<Option<Bytes>>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let large = keys.len() > FEW || keys.iter().any(|key| engine.large_keys.lane(key) == Lane::Large);
    let lane = if large { Lane::Large } else { Lane::Small };
    let keys: Vec<&Key> = keys.iter().collect();
    let values = values(engine, Watch::Nothing, lane, &keys, deadline).await?;
    keys.iter().zip(values).map(|(key, value)| engine.bulk(key, value)).collect()
}

/// The values of up to [`BATCH_KEYS`] keys, errors among them.
pub(crate) async fn values(
    engine: &Engine,
    watch: Watch,
    lane: Lane,
    keys: &[&Key],
    deadline: Instant,
) -> Result<Vec<Value>, Fault> {
    let mut values = mget(engine, watch, lane, keys, deadline).await?;
    let left_out = |value: &Value| matches!(value, Value::ServerError(error) if error.code() == "HWFULL");
    let again: Vec<usize> = (0..values.len()).filter(|at| left_out(&values[*at])).collect();
    // So few that they fit one reply, even if each is as large as can be.
    for few in again.chunks((WHOLE / engine.cap.bytes().max(MIN_CAP) / 2).max(1)) {
        let keys: Vec<&Key> = few.iter().map(|at| keys[*at]).collect();
        for (at, value) in few.iter().zip(mget(engine, watch, Lane::Large, &keys, deadline).await?) {
            values[*at] = value;
        }
    }
    Ok(values)
}

async fn mget(
    engine: &Engine,
    watch: Watch,
    lane: Lane,
    keys: &[&Key],
    deadline: Instant,
) -> Result<Vec<Value>, Fault> {
    let mut command =
        Cmd::with_capacity(keys.len() + 1, keys.iter().map(|key| key.as_bytes().len()).sum::<usize>() + 4);
    command.arg("MGET");
    for key in keys {
        command.arg(key.as_bytes());
    }
    let answer = engine.call_watching(watch, lane, Effect::Read, deadline, command).await?;
    match engine.checked(None, answer)? {
        Value::Array(values) if values.len() == keys.len() => Ok(values),
        _ => Err(engine.shape()),
    }
}

/// Writes sorted chunks. The error is `Indeterminate` unless certainly nothing was written.
pub(crate) async fn set_many(engine: &Engine, items: &[(Key, Bytes, Ttl)], deadline: Instant) -> Result<()> {
    for (key, value, ttl) in items {
        ttl.whole_millis().and_then(|_| engine.cap.check(value.len())).map_err(|error| error.with_key(key))?;
        if ttl.is_forever() {
            warn_of_forever(key);
        }
    }
    let items = last_of_each(items);
    let stop = AtomicBool::new(false);
    let chunks: Vec<_> = write_batches(&items).collect();
    let outcomes: Vec<Outcome> = stream::iter(chunks)
        .map(|chunk| async {
            // After a failure nothing more is sent; what is on the wire is waited for.
            if stop.load(Relaxed) {
                return Outcome::default();
            }
            let outcome = set_chunk(engine, &items[chunk], deadline).await;
            stop.fetch_or(outcome.error.is_some(), Relaxed);
            outcome
        })
        .buffered(WRITES)
        .collect()
        .await;
    let written = outcomes.iter().any(|outcome| outcome.written);
    match outcomes.into_iter().find_map(|outcome| outcome.error) {
        None => Ok(()),
        Some(error) if written => Err(error.with_kind(ErrorKind::Indeterminate)),
        Some(error) => Err(error),
    }
}

/// What became of one chunk.
#[derive(Default)]
struct Outcome {
    /// Whether something was, or may have been, written.
    written: bool,
    error: Option<Error>,
}

async fn set_chunk(engine: &Engine, items: &[(Key, Bytes, Ttl)], deadline: Instant) -> Outcome {
    let lane = Lane::of(items.iter().map(|(_, value, _)| value.len()).sum());
    let mut pipeline = Pipeline::with_capacity(items.len());
    for (key, value, ttl) in items {
        match ttl.whole_millis() {
            Ok(ttl) => drop(pipeline.add_command(set_command(key, value, ttl.map(NonZeroU64::get), false))),
            // Checked before anything was sent.
            Err(error) => return Outcome { written: false, error: Some(error) },
        }
    }
    let answers = match engine.pipeline(lane, Effect::Write, deadline, &pipeline).await {
        Ok(answers) => answers,
        Err(fault) => return Outcome { written: fault.may_have_run, error: Some(fault.error) },
    };
    let mut outcome = Outcome::default();
    for ((key, value, _), answer) in items.iter().zip(answers) {
        match engine.checked(Some(key), answer) {
            Ok(Value::Okay) => {
                outcome.written = true;
                engine.large_keys.learn(key, value.len());
            }
            Ok(_) => {
                outcome.written = true;
                outcome.error.get_or_insert(engine.shape().error);
            }
            Err(fault) => {
                outcome.error.get_or_insert(fault.error);
            }
        }
    }
    outcome
}

/// The items in the order of their keys, of equal keys the last one only.
fn last_of_each(items: &[(Key, Bytes, Ttl)]) -> Vec<(Key, Bytes, Ttl)> {
    let mut sorted: Vec<&(Key, Bytes, Ttl)> = items.iter().rev().collect();
    // Stable, so that of equal keys the last given stands first.
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|later, first| later.0 == first.0);
    sorted.into_iter().cloned().collect()
}

pub(crate) async fn delete_many(engine: &Engine, keys: &[Key], deadline: Instant) -> Result<u64> {
    let mut sorted: Vec<&Key> = keys.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut deleted = 0;
    let mut failed = None;
    for chunk in sorted.chunks(BATCH_KEYS) {
        let (count, fault) = delete_chunk(engine, chunk, deadline).await;
        deleted += count;
        failed = worse(failed, fault);
        if failed.as_ref().is_some_and(|fault| fault.reply != Reply::ForeignType) {
            break;
        }
    }
    match failed {
        None => Ok(deleted),
        // A foreign key does not keep the others from being deleted, and says so itself.
        Some(fault) if fault.reply == Reply::ForeignType => Err(fault.error),
        Some(fault) if deleted > 0 => Err(fault.error.with_kind(ErrorKind::Indeterminate)),
        Some(fault) => Err(fault.into_write_error()),
    }
}

async fn delete_chunk(engine: &Engine, keys: &[&Key], deadline: Instant) -> (u64, Option<Fault>) {
    let calls: Vec<_> = keys.iter().map(|key| (*key, [])).collect();
    let mut deleted = 0;
    let mut failed = None;
    for outcome in engine.scripts(Lane::Small, deadline, &DELETE_IF, &calls).await {
        match outcome {
            Ok(Value::Int(count)) => deleted += u64::from(count == 1),
            Ok(_) => failed = worse(failed, Some(engine.shape())),
            Err(fault) => failed = worse(failed, Some(fault)),
        }
    }
    (deleted, failed)
}

/// Of two faults the one that leaves more undone or in doubt; of equals the earlier.
pub(crate) fn worse(a: Option<Fault>, b: Option<Fault>) -> Option<Fault> {
    let rank = |fault: &Option<Fault>| match fault {
        None => 0,
        Some(fault) if fault.may_have_run => 3,
        Some(fault) if fault.reply == Reply::ForeignType => 1,
        Some(_) => 2,
    };
    if rank(&b) > rank(&a) { b } else { a }
}
