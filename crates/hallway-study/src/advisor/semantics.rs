//! What must not be chosen, whatever its speed: each time with the reason.

use super::architecture::Architecture;
use super::costs::Costs;
use super::hits::{copy_ttl_s, shared_entries};
use super::units::{bytes, count, percent, time};
use super::workload::{Database, Loss, Purpose, Workload};
use crate::formulas::stale_share_by_bus;

/// What an entry takes beyond its value, in the process or in Redis, bytes.
pub(super) const OVERHEAD: f64 = 200.0;

/// The least bound that hallway proves for local copies behind a bus, milliseconds.
pub(super) const LEAST_BOUND_MS: f64 = 100.0;

/// What a local store needs beyond its largest value, bytes.
const LEAST_ROOM: f64 = 1_024.0;

/// The least TTL that a store keeps, seconds.
const LEAST_TTL_S: f64 = 1e-3;

/// Why this may not be chosen: a rule's short name and a sentence. `None` if it may.
pub(super) fn ruled_out(
    architecture: Architecture,
    workload: &Workload,
    costs: &Costs,
) -> Option<(&'static str, String)> {
    purpose(architecture, workload)
        .map(|reason| ("purpose", reason))
        .or_else(|| sharing(architecture, workload).map(|reason| ("sharing", reason)))
        .or_else(|| loss(architecture, workload).map(|reason| ("loss", reason)))
        .or_else(|| staleness(architecture, workload, costs).map(|reason| ("staleness", reason)))
        .or_else(|| memory(architecture, workload).map(|reason| ("memory", reason)))
}

fn purpose(architecture: Architecture, workload: &Workload) -> Option<String> {
    use Architecture as A;
    match (workload.purpose, architecture) {
        (_, A::LocalBusDatabase) => {
            Some("the bus is Redis, and where Redis is, copies in it cost nothing more".to_owned())
        }
        (Purpose::Cache, A::Local | A::Sqlite | A::Redis | A::LocalRedis) => {
            Some("a cache has its truth in a database, and this has none".to_owned())
        }
        (Purpose::Cache, A::UnloggedDatabase) if workload.database() == Database::Sqlite => {
            Some("SQLite has no table that it does not log".to_owned())
        }
        (Purpose::Session | Purpose::State, A::UnloggedDatabase) => {
            Some("a crash empties such a table: it can hold copies only, and its database is as far away".to_owned())
        }
        (Purpose::Session, architecture) if architecture.has_copies() => {
            Some("a copy could outlive a logout; sessions are read where they live".to_owned())
        }
        _ => None,
    }
}

fn sharing(architecture: Architecture, workload: &Workload) -> Option<String> {
    let instances = workload.instances;
    match architecture {
        _ if !workload.is_shared() => None,
        Architecture::Local if workload.purpose == Purpose::Session => Some(format!(
            "{instances} instances would each know their own visitors only; with a balancer that is sticky, and logins that \
             may be lost, ask for 1 instance"
        )),
        Architecture::Local => Some(format!("{instances} instances would each see their own state only")),
        Architecture::Sqlite => Some(format!(
            "a file of SQLite is seen on one machine, and {instances} instances are taken to be on several"
        )),
        _ => None,
    }
}

fn loss(architecture: Architecture, workload: &Workload) -> Option<String> {
    if workload.purpose == Purpose::Cache {
        return None;
    }
    match (architecture, workload.loss) {
        (Architecture::Local, Loss::None | Loss::Seconds) => {
            Some("everything is lost when the process ends".to_owned())
        }
        (Architecture::Redis | Architecture::LocalRedis, Loss::None) => {
            Some("Redis may forget writes that it acknowledged, in a crash or a failover".to_owned())
        }
        _ => None,
    }
}

fn staleness(architecture: Architecture, workload: &Workload, costs: &Costs) -> Option<String> {
    if architecture == Architecture::UnloggedDatabase && workload.stale_ms == 0.0 {
        return Some("nothing keeps a slow fill from overtaking a write there, and no answer may be stale".to_owned());
    }
    if !workload.is_shared() || !architecture.has_copies() {
        return None;
    }
    // A copy in Redis is void before the write is acknowledged; one in a process hears of it later.
    if workload.stale_ms == 0.0 && architecture.has_local_copies() {
        return Some(
            "no answer may be stale, and a copy in a process hears of the writes of others too late".to_owned(),
        );
    }
    if architecture.has_bus() {
        if workload.stale_ms < LEAST_BOUND_MS {
            return Some(format!(
                "invalidations prove a bound of {} at best, and {} is asked for",
                time(LEAST_BOUND_MS * 1e3),
                time(workload.stale_ms * 1e3)
            ));
        }
        let delay_s = invalidation_delay_us(costs, workload) / 1e6;
        let share = stale_share_by_bus(workload.writes_of_a_key(), delay_s);
        return (share > workload.stale_share.value).then(|| {
            format!("keys are written so often that invalidations leave {} of the hits stale", percent(share))
        });
    }
    if (architecture.has_local_copies() || architecture == Architecture::UnloggedDatabase)
        && copy_ttl_s(architecture, workload) < LEAST_TTL_S
    {
        return Some("no TTL is short enough for that tolerance and so many writes".to_owned());
    }
    None
}

/// How long after a write the copies elsewhere are gone, microseconds: a write to Redis and a push from it.
pub(super) fn invalidation_delay_us(costs: &Costs, workload: &Workload) -> f64 {
    let write = costs.total(super::costs::Operation::RedisSet, workload.bytes.value);
    write.value + costs.redis_rtt_us.value / 2.0 + costs.receipt_us.value
}

fn memory(architecture: Architecture, workload: &Workload) -> Option<String> {
    let needed = workload.keys.value * (workload.bytes.value + OVERHEAD);
    let has = workload.memory_bytes.value;
    match architecture {
        _ if (architecture.has_local_copies() || architecture == Architecture::Local)
            && has < workload.bytes.value + LEAST_ROOM =>
        {
            Some(format!("a value takes {}, and an instance has {}", bytes(workload.bytes.value), bytes(has)))
        }
        Architecture::Local if needed > workload.memory_bytes.value => Some(format!(
            "{} keys take {}, and an instance has {}",
            count(workload.keys.value),
            bytes(needed),
            bytes(workload.memory_bytes.value)
        )),
        Architecture::Redis | Architecture::LocalRedis if shared_entries(workload) < workload.keys.value => {
            let has = workload.redis_memory_bytes.as_ref().map_or(0.0, |memory| memory.value);
            Some(format!("{} keys take {}, and Redis has {}", count(workload.keys.value), bytes(needed), bytes(has)))
        }
        _ => None,
    }
}
