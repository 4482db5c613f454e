//! Cores that do not fall asleep while they are measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Cores, system};

/// How many [`Rest`]s there are. Of the whole process, as its cores are.
static RESTS: AtomicUsize = AtomicUsize::new(0);
/// How often a core that rests looks whether that is over.
const LOOK: Duration = Duration::from_millis(5);

/// Keeps cores busy with nothing until it is dropped. Whatever else wants to run there goes first.
///
/// A core with nothing to do sleeps, and waking it takes 10 to 80 us, in a virtual machine as the host pleases: more, and
/// less alike, than a request to a server on the same machine takes.
#[derive(Debug)]
pub(super) struct Awake {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Awake {
    /// From now on.
    ///
    /// # Errors
    /// If the system does not let a thread have the lowest priority of all, or not the core.
    pub(super) fn keep(cores: impl IntoIterator<Item = usize>) -> std::io::Result<Self> {
        let mut awake = Self { stop: Arc::default(), threads: Vec::new() };
        for core in cores {
            let stop = Arc::clone(&awake.stop);
            let (tell, told) = sync_channel(1);
            awake.threads.push(thread::Builder::new().name(format!("awake-{core}")).spawn(move || {
                let ready = system::set(&Cores::from([core])).and_then(|()| system::yield_to_all());
                let is_ready = ready.is_ok();
                // Whoever waits for it is there until it has come.
                let _ = tell.send(ready);
                while is_ready && !stop.load(Ordering::Relaxed) {
                    if RESTS.load(Ordering::Relaxed) > 0 {
                        thread::sleep(LOOK);
                    }
                    // No hint that this is a spin: it makes the host of a virtual machine take the core away.
                }
            })?);
            told.recv().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))?;
        }
        Ok(awake)
    }
}

/// While there is one, cores are not kept awake.
///
/// The lowest priority has a share of the time all the same, 0.3 %, and takes it in one piece of some milliseconds, as long
/// as the scheduler's clock takes to tick. Medians do not see that; the slowest of a hundred requests are nothing else.
#[derive(Debug)]
pub(super) struct Rest;

impl Rest {
    pub(super) fn begin() -> Self {
        RESTS.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        RESTS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Scheduling policies by thread name: field 41 of `stat`, counted from after the name, which may hold spaces.
    fn policies(name: &str) -> Vec<u32> {
        let tasks = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (before, after) = stat.rsplit_once(") ")?;
            let policy = after.split(' ').nth(38)?.parse().ok()?;
            before.ends_with(&format!("({name}")).then_some(policy)
        });
        tasks.collect()
    }

    #[test]
    fn a_core_is_kept_awake_at_the_lowest_priority_until_the_end() {
        let core = *system::cores().unwrap().first().unwrap();
        let awake = Awake::keep([core]).unwrap();
        let name = format!("awake-{core}");
        // SCHED_IDLE.
        assert_eq!(policies(&name), [5]);
        drop(awake);
        assert_eq!(policies(&name), [0_u32; 0]);
    }

    #[test]
    fn a_core_that_is_not_there_cannot_be_kept_awake() {
        Awake::keep([1_000]).unwrap_err();
    }
}
