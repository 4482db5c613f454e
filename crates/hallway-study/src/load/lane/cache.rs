//! What only a cache does: reading something for the first time, and having it loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::laps::{Course, Lap, sample, together};
use super::{Plan, Sample};
use crate::Result;
use crate::load::workload::mix;
use crate::load::{CacheAside, Loader};

/// How long after its return a load may take to reach the servers before the sample is void.
const SETTLE: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };

/// Reads keys that servers hold through a contender that has none of them yet; no key twice.
pub(super) async fn first<C: CacheAside>(contender: C, course: Arc<Course<C::Key>>, plan: Plan) -> Result<Sample> {
    let (each, keys) = (plan.iterations as usize, course.keys.len());
    if each * plan.concurrency > keys {
        return Err(
            format!("{keys} keys cannot each be read once by {} tasks, {each} per task", plan.concurrency).into()
        );
    }
    let begin = mix(course.runs.fetch_add(1, Ordering::Relaxed)) as usize % keys;
    let fresh = contender.anew().await?;
    let laps = together(plan.concurrency, |task| {
        let (mut fresh, course) = (fresh.clone(), course.clone());
        async move {
            let (order, workload) = (course.workload.order(), &course.workload);
            let start = Instant::now();
            for iteration in 0..each {
                let key = order[(begin + task * each + iteration) % keys] as usize;
                let found = fresh.get(&course.keys[key]).await?;
                workload.check(key, found.as_ref().map(AsRef::as_ref))?;
            }
            Ok(Lap { start, end: Instant::now(), latencies: Vec::new() })
        }
    })
    .await?;
    Ok(sample(laps, plan))
}

/// Asks for keys that nobody has ever seen.
///
/// The time ends when servers hold what was loaded: whoever returns before writing is not faster for it.
pub(super) async fn load<C: CacheAside>(contender: C, course: Arc<Course<C::Key>>, plan: Plan) -> Result<Sample> {
    // Of the whole process: two lanes may share a server.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let name = |task: usize, iteration: u64| format!("{run:06}.{task:03}.{iteration:07}");
    let new_keys = (0..plan.concurrency).map(|task| {
        let keys = (0..plan.iterations).map(|iteration| contender.key(&name(task, iteration)));
        Ok(Arc::new(keys.collect::<Result<Vec<_>>>()?))
    });
    let new_keys = new_keys.collect::<Result<Vec<_>>>()?;
    let loader = Loader::new(course.workload.value(0, 0).clone(), Duration::ZERO);
    let mut witness = contender.anew().await?;
    let laps = together(plan.concurrency, |task| {
        let (mut contender, course, keys) = (contender.clone(), course.clone(), new_keys[task].clone());
        let loader = loader.clone();
        async move {
            let workload = &course.workload;
            let start = Instant::now();
            for (iteration, key) in keys.iter().enumerate() {
                let source = iteration % workload.keys();
                let loaded = contender.load(key, &loader.of(workload.value(source, 0).clone())).await?;
                workload.check(source, Some(loaded.as_ref()))?;
            }
            Ok(Lap { start, end: Instant::now(), latencies: Vec::new() })
        }
    })
    .await?;
    let mut sample = sample(laps, plan);
    if loader.loads() != sample.iterations {
        return Err(format!("{} loads for {} keys that were nowhere", loader.loads(), sample.iterations).into());
    }
    let returned = Instant::now();
    let mut waited = false;
    for key in new_keys.iter().filter_map(|keys| keys.last()) {
        loop {
            if let Some(found) = witness.get(key).await? {
                course
                    .workload
                    .check_fully((plan.iterations as usize - 1) % course.workload.keys(), Some(found.as_ref()))?;
                break;
            }
            if returned.elapsed() > SETTLE {
                return Err(format!("what was loaded reached no server within {SETTLE:?}").into());
            }
            waited = true;
            tokio::task::yield_now().await;
        }
    }
    if waited {
        sample.elapsed += returned.elapsed();
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;
    use crate::load::{Contender, Driver, Lane, Op, Workload};

    /// A cache over a map that stands for a server.
    #[derive(Debug, Clone, Default)]
    struct Fake {
        local: Arc<Mutex<HashMap<String, Bytes>>>,
        server: Arc<Mutex<HashMap<String, Bytes>>>,
        asked: Arc<AtomicU64>,
        forgetful: bool,
    }

    impl Contender for Fake {
        type Key = String;
        type Value = Bytes;

        fn key(&self, text: &str) -> Result<String> {
            Ok(text.into())
        }

        async fn get(&mut self, key: &String) -> Result<Option<Bytes>> {
            if let Some(found) = self.local.lock().unwrap().get(key) {
                return Ok(Some(found.clone()));
            }
            self.asked.fetch_add(1, Ordering::Relaxed);
            let found = self.server.lock().unwrap().get(key).cloned();
            if let Some(found) = &found {
                self.local.lock().unwrap().insert(key.clone(), found.clone());
            }
            Ok(found)
        }

        async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
            self.local.lock().unwrap().insert(key.clone(), value.clone());
            self.server.lock().unwrap().insert(key.clone(), value.clone());
            Ok(())
        }
    }

    impl CacheAside for Fake {
        async fn anew(&self) -> Result<Self> {
            Ok(Self { local: Arc::default(), ..self.clone() })
        }

        async fn load(&mut self, key: &String, loader: &Loader) -> Result<Bytes> {
            let value = loader.load().await;
            self.local.lock().unwrap().insert(key.clone(), value.clone());
            if !self.forgetful {
                self.server.lock().unwrap().insert(key.clone(), value.clone());
            }
            Ok(value)
        }
    }

    async fn lane(fake: &Fake) -> Lane {
        let workload = Arc::new(Workload::new(100, 32, 1));
        Lane::prepare_cache("fake", fake.clone(), workload, Driver::Tasks).await.unwrap()
    }

    fn plan(op: Op, iterations: u64) -> Plan {
        Plan { op, concurrency: 4, iterations, latencies: false }
    }

    #[tokio::test]
    async fn every_first_read_is_answered_by_the_server() {
        let fake = Fake::default();
        let lane = lane(&fake).await;
        assert_eq!(lane.longest(plan(Op::First, 1)), 25);
        for run in 1..=3 {
            assert_eq!(lane.run(plan(Op::First, 25)).await.unwrap().iterations, 100);
            assert_eq!(fake.asked.load(Ordering::Relaxed), run * 100);
        }
        assert!(lane.run(plan(Op::First, 26)).await.unwrap_err().to_string().contains("read once"));
    }

    #[tokio::test]
    async fn every_load_asks_the_source_and_reaches_the_server() {
        let fake = Fake::default();
        let lane = lane(&fake).await;
        for run in 1..=2 {
            assert_eq!(lane.run(plan(Op::Load, 10)).await.unwrap().iterations, 40);
            assert_eq!(fake.server.lock().unwrap().len(), 100 + run * 40);
        }
    }

    #[tokio::test]
    async fn a_cache_that_keeps_what_it_loaded_to_itself_is_found_out() {
        let lane = lane(&Fake { forgetful: true, ..Fake::default() }).await;
        let error = lane.run(plan(Op::Load, 1)).await.unwrap_err();
        assert!(error.to_string().contains("reached no server"), "{error}");
    }
}
