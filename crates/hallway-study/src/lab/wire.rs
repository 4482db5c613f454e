//! Round trips and bytes of single operations, counted by a proxy: the same on every machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, Namespace, SetOptions, Ttl};
use hallway_testkit::{FaultProxy, ProxyStats};

use super::{Backend, Lab, place};
use crate::Result;
use crate::report::WireProfile;

/// How often each operation is watched; what comes most often counts, because a heartbeat may come between.
const TRIES: usize = 15;
/// How long the wire must be silent before an operation.
const SILENCE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(5);
const BATCH: usize = 16;
const VALUE_BYTES: usize = 256;
const TTL: Ttl = Ttl::After(Duration::from_secs(3600));

/// Counts for one backend after the other.
#[derive(Debug)]
pub struct Profile;

impl Profile {
    /// The profiles of Redis and PostgreSQL, where they are reached over plain TCP.
    ///
    /// # Errors
    /// If a store fails.
    pub async fn measure(lab: &Lab) -> Result<Vec<WireProfile>> {
        let mut profiles = Vec::new();
        if let Some((addr, redis)) = lab.redis().and_then(|redis| Some((redis.addr()?, redis))) {
            profiles.extend(behind_proxy(lab, Backend::RedisTcp, redis.url(), addr).await?);
        }
        if let Some(addr) = lab.postgres().and_then(super::Postgres::addr) {
            profiles.extend(behind_proxy(lab, Backend::Postgres, &lab.url(Backend::Postgres)?, addr).await?);
        }
        Ok(profiles)
    }

    /// The URL of a server as it is behind another address, which stands for `from`; `None` if the URL has no host.
    #[must_use]
    pub fn moved(url: &str, _from: SocketAddr, to: SocketAddr) -> Option<String> {
        place::moved(url, to)
    }
}

async fn behind_proxy(lab: &Lab, backend: Backend, url: &str, addr: SocketAddr) -> Result<Vec<WireProfile>> {
    let proxy = FaultProxy::start(addr)?;
    let url = place::moved(url, proxy.addr()).ok_or("a URL with an address has no host")?;
    of_store(lab, backend, &place::patient(&url)?, &proxy).await
}

async fn of_store(lab: &Lab, backend: Backend, url: &str, proxy: &FaultProxy) -> Result<Vec<WireProfile>> {
    let store = hallway::open(url).await?;
    store.ping().await?;
    let namespace = Namespace::new(&lab.namespace())?;
    let keys: Vec<Key> =
        (0..BATCH).map(|index| namespace.key(&format!("{index:08}"))).collect::<hallway::Result<_>>()?;
    let items: Vec<_> = keys.iter().map(|key| (key.clone(), vec![b'x'; VALUE_BYTES].into(), TTL)).collect();
    store.set_many(&items).await?;

    let mut profiles = Vec::new();
    for op in ["get", "set", "get_many", "set_many"] {
        let mut seen: Vec<(u64, [u64; 2])> = Vec::new();
        for turn in 0..TRIES {
            let before = silent(proxy).await?;
            match op {
                "get" => drop(store.get(&keys[0]).await?),
                "get_many" => drop(store.get_many(&keys).await?),
                // Another value each time: what is there already may not be written.
                "set" => {
                    let value = vec![b'a' + turn as u8; VALUE_BYTES];
                    store.set(&keys[0], value.into(), SetOptions::new(TTL)).await?;
                }
                _ => store.set_many(&items).await?,
            }
            let after = silent(proxy).await?;
            seen.push((
                after.round_trips - before.round_trips,
                [after.to_server - before.to_server, after.to_client - before.to_client],
            ));
        }
        let Some((round_trips, wire_bytes)) = most_common(&seen) else { continue };
        let batch = if op.ends_with("many") { BATCH as u32 } else { 1 };
        profiles.push(WireProfile {
            backend: backend.name().to_owned(),
            op: op.to_owned(),
            batch,
            round_trips,
            wire_bytes,
        });
    }
    store.clear(&hallway::Prefix::new(namespace.as_str())?).await?;
    Ok(profiles)
}

/// Waits until nothing has gone over the wire for a moment.
async fn silent(proxy: &FaultProxy) -> Result<ProxyStats> {
    let start = Instant::now();
    let mut last = proxy.stats();
    loop {
        tokio::time::sleep(SILENCE).await;
        let now = proxy.stats();
        if now == last {
            return Ok(now);
        }
        last = now;
        if start.elapsed() > PATIENCE {
            return Err("the wire is never silent, so nothing can be counted".into());
        }
    }
}

fn most_common<T: PartialEq + Clone>(seen: &[T]) -> Option<T> {
    seen.iter().max_by_key(|one| seen.iter().filter(|other| other == one).count()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Choice, Choices};
    use crate::placement::Placement;

    /// Independent of the machine, so exact.
    #[tokio::test(flavor = "multi_thread")]
    async fn single_operations_take_one_round_trip() {
        let out = tempfile::TempDir::new().unwrap();
        let choices = Choices { redis: Choice::Start, postgres: Choice::Start, placement: Placement::Shared };
        let lab = Lab::open(&choices, out.path(), None).await.unwrap();
        let profiles = Profile::measure(&lab).await.unwrap();
        assert_eq!(profiles.len(), 8, "{profiles:?}");
        for profile in &profiles {
            assert_eq!(profile.round_trips, 1, "{profile:?}");
            let [sent, received] = profile.wire_bytes;
            let values = u64::from(profile.batch) * VALUE_BYTES as u64;
            assert!(if profile.op.starts_with("get") { received > values } else { sent > values }, "{profile:?}");
        }
    }
}
