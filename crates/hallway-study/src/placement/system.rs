//! What the system is asked for: the cores of this thread, and its timers. Linux alone answers.

#[cfg(target_os = "linux")]
pub(super) use self::linux::{be_punctual, cores, set};
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::{be_punctual, cores, set};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Result;
    use std::num::NonZeroU64;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

    use crate::placement::cores::Cores;

    pub(in crate::placement) fn cores() -> Result<Cores> {
        let set = sched_getaffinity(None)?;
        Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
    }

    pub(in crate::placement) fn set(cores: &Cores) -> Result<()> {
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        Ok(sched_setaffinity(None, &set)?)
    }

    /// Has timers of this thread end when they are due: else they may take 50 us longer, so that several end together.
    pub(in crate::placement) fn be_punctual() -> Result<()> {
        Ok(set_current_timer_slack(NonZeroU64::new(1))?)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io::{ErrorKind, Result};

    use crate::placement::cores::Cores;

    pub(in crate::placement) fn cores() -> Result<Cores> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::placement) fn set(_cores: &Cores) -> Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::placement) fn be_punctual() -> Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}
