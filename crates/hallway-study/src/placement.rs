//! Which cores a study runs on, and which ones its servers.
//!
//! Where both may run anywhere, the scheduler decides anew in each round whether client and server share a core and
//! whether the other one has to be woken, and the same operation takes 20 or 120 us. On cores of their own that stay awake
//! it takes the same each time (decision 0018).

mod awake;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::thread;

use self::awake::{Awake, Rest};
use crate::Failure;

/// Cores by number.
type Cores = BTreeSet<usize>;

/// Which cores a study and the servers that it starts run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Placement {
    /// All of them, both.
    #[default]
    Shared,
    /// Some of them each, none in common.
    Pinned {
        /// The study, and everything in its process.
        study: Cores,
        /// Servers that the study starts.
        servers: Cores,
        /// Whether these cores are kept from falling asleep.
        awake: bool,
    },
}

/// A thread that runs on some cores until this is dropped.
#[derive(Debug)]
pub struct Pinned {
    before: Option<Cores>,
    /// Its threads end with it.
    awake: Option<Awake>,
    /// The cores are those of one thread.
    _not_send: PhantomData<*const ()>,
}

/// A thread that is to be late for nothing.
#[derive(Debug)]
pub(crate) struct Generator {
    /// Whether its timers end when they are due, as far as the system can tell.
    pub(crate) is_punctual: bool,
    _rest: Rest,
    _pinned: Option<Pinned>,
}

impl Placement {
    /// Half of the cores that this thread may use for the study, the others for the servers. Threads that share a
    /// physical core stay together where there are two such cores or more.
    ///
    /// # Errors
    /// If there is one core alone, or the system does not tell or set the cores of a thread: why, in words.
    pub fn pinned() -> Result<Self, String> {
        let allowed = system::cores().map_err(|error| format!("the cores of this process are not known: {error}"))?;
        let (study, servers) = halves(&allowed, siblings).ok_or("there is one core alone")?;
        // A system that lets nobody choose says so now, not in the middle of a study.
        Pinned::to(&study).map_err(|error| format!("this process may not choose its cores: {error}"))?;
        // Under a quota of less than these cores, those that are busy with nothing would use up what is to be measured.
        let is_limited = thread::available_parallelism().map_or(1, usize::from) < allowed.len();
        let awake = !is_limited && Awake::keep(study.first().copied()).is_ok();
        Ok(Self::Pinned { study, servers, awake })
    }

    /// Has this thread, and the threads that it starts from now on, run on the cores of the study.
    ///
    /// # Errors
    /// If the system does not set them.
    pub fn study(&self) -> std::io::Result<Pinned> {
        match self {
            Self::Shared => Ok(Pinned { before: None, awake: None, _not_send: PhantomData }),
            Self::Pinned { study, servers, awake } => {
                let mut pinned = Pinned::to(study)?;
                if *awake {
                    pinned.awake = Some(Awake::keep(study.iter().chain(servers).copied())?);
                }
                Ok(pinned)
            }
        }
    }

    /// Has this thread send requests when they are due, beside the servers: beside the tasks that it starts it would wait
    /// for them, because they may have one core alone and the scheduler counts in milliseconds. No core is kept awake
    /// meanwhile.
    ///
    /// # Errors
    /// If the system does not set the cores.
    pub(crate) fn generator(&self) -> std::io::Result<Generator> {
        let pinned = self.servers()?;
        let is_punctual = pinned.is_some() && system::be_punctual().is_ok();
        Ok(Generator { is_punctual, _rest: Rest::begin(), _pinned: pinned })
    }

    /// Has this thread run on the cores of the servers.
    ///
    /// # Errors
    /// If the system does not set them.
    fn servers(&self) -> std::io::Result<Option<Pinned>> {
        match self {
            Self::Shared => Ok(None),
            Self::Pinned { servers, .. } => Pinned::to(servers).map(Some),
        }
    }

    /// Starts a server on the cores of the servers. Processes have the cores of the thread that starts them.
    ///
    /// # Errors
    /// If the system does not set them, or as `start`.
    pub fn serving<T, E: Into<Failure>>(&self, start: impl FnOnce() -> Result<T, E>) -> crate::Result<T> {
        let _servers = self.servers()?;
        start().map_err(Into::into)
    }
}

/// As it stands in reports.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::Pinned { study, servers, awake } => {
                let awake = if *awake { ", kept awake" } else { "" };
                write!(f, "pinned: the study on {}, servers that it starts on {}{awake}", named(study), named(servers))
            }
        }
    }
}

impl Pinned {
    fn to(cores: &Cores) -> std::io::Result<Self> {
        let before = system::cores()?;
        system::set(cores)?;
        Ok(Self { before: Some(before), awake: None, _not_send: PhantomData })
    }
}

/// The cores of the study and those of its servers, if there are enough.
fn halves(allowed: &Cores, siblings: impl Fn(usize) -> Cores) -> Option<(Cores, Cores)> {
    let mut physical: Vec<Cores> = Vec::new();
    for core in allowed {
        if !physical.iter().any(|one| one.contains(core)) {
            let together = siblings(*core);
            physical.push(together.intersection(allowed).copied().chain([*core]).collect());
        }
    }
    if physical.len() < 2 {
        physical = allowed.iter().map(|core| Cores::from([*core])).collect();
    }
    let servers = physical.split_off(physical.len().div_ceil(2));
    let [study, servers] = [physical, servers].map(|cores| cores.into_iter().flatten().collect::<Cores>());
    (!servers.is_empty()).then_some((study, servers))
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // They were those of this thread a moment ago. If they are refused now, it stays where it is.
        if let Some(before) = &self.before {
            let _ = system::set(before);
        }
    }
}

/// `core 0`, `cores 0-3, 8`.
fn named(cores: &Cores) -> String {
    let mut ranges: Vec<[usize; 2]> = Vec::new();
    for core in cores {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == *core => *last = *core,
            _ => ranges.push([*core; 2]),
        }
    }
    let range = |[first, last]: &[usize; 2]| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let word = if cores.len() == 1 { "core" } else { "cores" };
    format!("{word} {}", ranges.iter().map(range).collect::<Vec<_>>().join(", "))
}

/// The hardware threads of a physical core; the core alone where the system does not tell.
fn siblings(core: usize) -> Cores {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    fs::read_to_string(path).map(|list| listed(&list)).unwrap_or_default()
}

/// `0-1,4`, as the kernel lists cores.
fn listed(list: &str) -> Cores {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(target_os = "linux")]
mod system {
    use std::num::NonZeroU64;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };

    use super::Cores;

    pub(super) fn cores() -> std::io::Result<Cores> {
        let set = sched_getaffinity(None)?;
        Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
    }

    pub(super) fn set(cores: &Cores) -> std::io::Result<()> {
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        Ok(sched_setaffinity(None, &set)?)
    }

    /// Has timers of this thread end when they are due: else they may take 50 us longer, so that several end together.
    pub(super) fn be_punctual() -> std::io::Result<()> {
        Ok(set_current_timer_slack(NonZeroU64::new(1))?)
    }

    /// Has this thread run only where and while nobody else wants to.
    pub(super) fn yield_to_all() -> std::io::Result<()> {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
        set.map_err(|error| std::io::Error::other(format!("{error:?}")))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Cores;

    pub(super) fn cores() -> std::io::Result<Cores> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set(_cores: &Cores) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn be_punctual() -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn yield_to_all() -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn halves(cores: &[usize], siblings: impl Fn(usize) -> Cores) -> Option<String> {
        let (study, servers) = super::halves(&cores.iter().copied().collect(), siblings)?;
        Some(Placement::Pinned { study, servers, awake: false }.to_string())
    }

    fn alone(core: usize) -> Cores {
        [core].into()
    }

    #[test]
    fn each_has_a_half_and_the_study_the_core_that_is_left_over() {
        assert_eq!(halves(&[0, 1], alone).unwrap(), "pinned: the study on core 0, servers that it starts on core 1");
        let of_five = halves(&[2, 3, 4, 5, 9], alone).unwrap();
        assert_eq!(of_five, "pinned: the study on cores 2-4, servers that it starts on cores 5, 9");
        assert_eq!(halves(&[3], alone), None);
        assert_eq!(halves(&[], alone), None);
    }

    #[test]
    fn hardware_threads_of_one_core_stay_together_where_there_are_two_cores() {
        let neighbours = |core: usize| Cores::from([core & !1, core | 1]);
        let told = halves(&[0, 1, 2, 3], neighbours).unwrap();
        assert_eq!(told, "pinned: the study on cores 0-1, servers that it starts on cores 2-3");
        let far_apart = |core: usize| Cores::from([core % 2, core % 2 + 2]);
        let told = halves(&[0, 1, 2, 3], far_apart).unwrap();
        assert_eq!(told, "pinned: the study on cores 0, 2, servers that it starts on cores 1, 3");
        let told = halves(&[0, 1], neighbours).unwrap();
        assert_eq!(told, "pinned: the study on core 0, servers that it starts on core 1");
        // One that this process must not use is left alone.
        let told = halves(&[0, 2, 3], neighbours).unwrap();
        assert_eq!(told, "pinned: the study on core 0, servers that it starts on cores 2-3");
    }

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(listed("0-1,4\n"), Cores::from([0, 1, 4]));
        assert_eq!(listed("7"), Cores::from([7]));
        assert_eq!(listed("x"), Cores::new());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_its_children_and_servers_run_where_they_are_placed() {
        let allowed = system::cores().unwrap();
        // On one core there is nothing to tell apart.
        let Ok(placement) = Placement::pinned() else {
            assert_eq!(allowed.len(), 1);
            return;
        };
        let Placement::Pinned { study, servers, .. } = &placement else { panic!("{placement:?}") };
        let allowed_of = |status: &str| {
            listed(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim())
        };
        let of_child = || -> std::io::Result<Cores> {
            let output = Command::new("cat").arg("/proc/self/status").output()?;
            Ok(allowed_of(&String::from_utf8_lossy(&output.stdout)))
        };

        let pinned = placement.study().unwrap();
        assert_eq!(&system::cores().unwrap(), study);
        assert_eq!(&std::thread::spawn(|| system::cores().unwrap()).join().unwrap(), study);
        assert_eq!(&of_child().unwrap(), study);
        assert_eq!(&placement.serving(of_child).unwrap(), servers);
        assert_eq!(&system::cores().unwrap(), study);
        drop(pinned);
        assert_eq!(system::cores().unwrap(), allowed);
        assert_eq!(Placement::Shared.serving(of_child).unwrap(), allowed);
    }
}
