//! Single reads of values that are not kept: a plain `GET` alone, one `MGET` together.

use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use hallway_core::{ErrorKind, Key};
use redis::{Cmd, Value};
use tokio::time::Instant;

use crate::batch::values;
use crate::coalesce::{Coalescer, Job};
use crate::engine::{Effect, Engine, Lane, Watch};
use crate::fault::Fault;

pub(crate) enum Get {}

impl Job for Get {
    type Ask = Key;
    type Answer = Option<Bytes>;
    const HARMLESS: bool = true;

    fn coalescer(engine: &Engine) -> Option<&Coalescer<Self>> {
        engine.coalescers.as_ref().map(|all| &all.gets)
    }

    async fn alone(engine: &Engine, key: &Key, deadline: Instant) -> Result<Option<Bytes>, Fault> {
        let lane = engine.large_keys.lane(key);
        let mut command = Cmd::with_capacity(2, 3 + key.as_bytes().len());
        command.arg("GET").arg(key.as_bytes());
        engine
            .call_watching(Watch::Nothing, lane, Effect::Read, deadline, command)
            .await
            .and_then(|value| engine.bulk(key, value))
    }

    async fn together(engine: &Engine, keys: &[&Key], deadline: Instant) -> Vec<Result<Option<Bytes>, Fault>> {
        let mut answer = values(engine, Watch::Nothing, Lane::Small, keys, deadline).await;
        if keys.len() > 1 && answer.as_ref().is_err_and(|fault| fault.error.kind() == ErrorKind::Unauthorized) {
            // Access rules may forbid some of the keys, and only who asked for those shall hear of it.
            answer = pipelined(engine, keys, deadline).await;
        }
        match answer {
            Ok(values) => keys.iter().zip(values).map(|(key, value)| engine.bulk(key, value)).collect(),
            Err(fault) => vec![Err(fault); keys.len()],
        }
    }

    fn brought(answer: &Option<Bytes>) -> usize {
        answer.as_ref().map_or(0, Bytes::len)
    }

    fn counters(engine: &Engine) -> Option<(&AtomicU64, &AtomicU64)> {
        Some((&engine.counters.coalesced_batches, &engine.counters.coalesced_reads))
    }
}

async fn pipelined(engine: &Engine, keys: &[&Key], deadline: Instant) -> Result<Vec<Value>, Fault> {
    let mut pipeline = redis::Pipeline::with_capacity(keys.len());
    for key in keys {
        pipeline.cmd("GET").arg(key.as_bytes());
    }
    engine.pipeline(Lane::Small, Effect::Read, deadline, &pipeline).await
}
