//! Commands on deadlines.

use bytes::Bytes;

use super::not_a_number;
use crate::sim::redis::keyspace::Slot;
use crate::sim::redis::resp::{Reply, integer};
use crate::sim::redis::server::Server;

pub(super) fn pttl(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    Reply::Int(left(server, database, &args[1]))
}

pub(super) fn ttl(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    let left = left(server, database, &args[1]);
    Reply::Int(if left < 0 { left } else { (left + 500) / 1_000 })
}

fn left(server: &mut Server, database: usize, key: &[u8]) -> i64 {
    let now = server.millis();
    match server.live(database, key).map(|slot| slot.deadline) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => (deadline - now) as i64,
    }
}

pub(super) fn pexpire(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    restate(server, database, args, 1, "pexpire")
}

pub(super) fn expire(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    restate(server, database, args, 1_000, "expire")
}

fn restate(server: &mut Server, database: usize, args: &[Bytes], unit: i64, name: &str) -> Reply {
    let Some(number) = integer(&args[2]) else { return not_a_number() };
    let now = server.millis();
    let deadline = number.checked_mul(unit).and_then(|millis| millis.checked_add(now as i64));
    let Some(deadline) = deadline else {
        return Reply::Error(format!("ERR invalid expire time in '{name}' command"));
    };
    let Some(slot) = server.live(database, &args[1]) else { return Reply::Int(0) };
    let content = slot.content.clone();
    // A deadline that is not ahead deletes at once.
    let slot = (deadline > now as i64).then_some(Slot { content, deadline: Some(deadline as u64) });
    server.change(database, &args[1], slot);
    Reply::Int(1)
}

pub(super) fn persist(server: &mut Server, database: usize, args: &[Bytes]) -> Reply {
    match server.live(database, &args[1]) {
        Some(Slot { content, deadline: Some(_) }) => {
            let content = content.clone();
            server.change(database, &args[1], Some(Slot { content, deadline: None }));
            Reply::Int(1)
        }
        _ => Reply::Int(0),
    }
}
