//! Which cores a study runs on, and which ones its servers.
//!
//! Where both may run anywhere, the scheduler decides anew in each round whether client and server share a core and
//! whether the other one has to be woken, and the same operation takes 20 or 120 us. On cores of their own that stay awake
//! it takes the same each time (decision 0018).

mod awake;
mod cores;
mod system;

use std::fmt;
use std::marker::PhantomData;

pub use self::awake::Awake;
use self::cores::{Cores, halves, named, siblings};
use crate::{Failure, Result};

/// Which cores a study and the servers that it starts run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Placement {
    /// All of them, both.
    #[default]
    Shared,
    /// Some of them each, none in common.
    Pinned(Halves),
}

/// The cores of a study, and those of the servers that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    study: Cores,
    servers: Cores,
    /// Why they are not kept awake, if they are not.
    asleep: Option<String>,
}

/// A thread that runs on some cores until this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Pinned {
    before: Option<Cores>,
    /// As long as it is held.
    awake: Option<Awake>,
    /// The cores are those of one thread.
    _not_send: PhantomData<*const ()>,
}

impl Placement {
    /// Half of the cores that this thread may use for the study, the others for the servers. Threads that share a
    /// physical core stay together where there are two such cores or more.
    ///
    /// # Errors
    /// If there is one core alone, or the system does not tell or set the cores of a thread: why, in words.
    pub fn pinned() -> std::result::Result<Self, String> {
        let allowed = system::cores().map_err(|error| format!("the cores of this process are not known: {error}"))?;
        let [study, servers] = halves(&allowed, siblings).ok_or("there is one core alone")?;
        // A system that lets nobody choose says so now, not in the middle of a study.
        for half in [&study, &servers] {
            drop(Pinned::to(half).map_err(|error| format!("this process may not choose its cores: {error}"))?);
        }
        let asleep = Awake::keep().err().map(|error| error.to_string());
        Ok(Self::Pinned(Halves { study, servers, asleep }))
    }

    /// The same, or all cores for both where that cannot be: why is said.
    pub fn pinned_or_shared(say: impl FnOnce(&str)) -> Self {
        Self::pinned().unwrap_or_else(|why| {
            say(&format!("the study and its servers share all cores: {why}"));
            Self::Shared
        })
    }

    /// Why the cores are not kept awake, if a placement has them of its own.
    #[must_use]
    pub fn asleep(&self) -> Option<&str> {
        match self {
            Self::Shared => None,
            Self::Pinned(halves) => halves.asleep.as_deref(),
        }
    }

    /// Has this thread, and the threads that it starts from now on, run on the cores of the study, and keeps all cores
    /// of the machine awake.
    ///
    /// # Errors
    /// If the system does not set them.
    pub fn study(&self) -> Result<Pinned> {
        match self {
            Self::Shared => Ok(Pinned { before: None, awake: None, _not_send: PhantomData }),
            Self::Pinned(Halves { study, asleep, .. }) => {
                let mut pinned = to(study)?;
                if asleep.is_none() {
                    let awake = Awake::keep();
                    pinned.awake = Some(awake.map_err(|error| format!("the cores cannot be kept awake: {error}"))?);
                }
                Ok(pinned)
            }
        }
    }

    /// Has this thread send requests when they are due, beside the servers: beside the tasks that it starts it would wait
    /// for them, because they may have one core alone and the scheduler counts in milliseconds. To be called on a thread of
    /// its own, which keeps the cores, and timers that are not late if this says so. Servers have so much less of their
    /// cores.
    ///
    /// # Errors
    /// If the system does not set the cores.
    pub(crate) fn generator(&self) -> Result<bool> {
        let Self::Pinned(halves) = self else { return Ok(false) };
        to(&halves.servers)?.stay();
        Ok(system::be_punctual().is_ok())
    }

    /// Starts a server on the cores of the servers. Processes have the cores of the thread that starts them, and so has what
    /// they start in turn.
    ///
    /// # Errors
    /// If the system does not set them, or as `start`.
    pub fn serving<T, E: Into<Failure>>(&self, start: impl FnOnce() -> std::result::Result<T, E>) -> Result<T> {
        let Self::Pinned(halves) = self else { return start().map_err(Into::into) };
        let servers = to(&halves.servers)?;
        let started = start().map_err(Into::into)?;
        // A study that stayed among its servers would measure something else.
        servers.leave().map_err(|error| format!("this thread cannot go back to the cores of the study: {error}"))?;
        Ok(started)
    }
}

/// As it stands in reports.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::Pinned(Halves { study, servers, asleep }) => {
                let awake = if asleep.is_none() { "kept awake" } else { "not kept awake" };
                write!(
                    f,
                    "pinned: the study on {}, servers that it starts on {}, {awake}",
                    named(study),
                    named(servers)
                )
            }
        }
    }
}

/// Whether what two placements say in reports is alike: the same but for which cores they are.
pub(crate) fn are_alike(one: &str, other: &str) -> bool {
    let kind = |text: &str| (text.split(':').next().map(str::to_owned), text.ends_with("not kept awake"));
    kind(one) == kind(other)
}

fn to(cores: &Cores) -> Result<Pinned> {
    Ok(Pinned::to(cores).map_err(|error| {
        format!("this thread cannot run on {}: {error}; --placement shared uses all cores", named(cores))
    })?)
}

impl Pinned {
    fn to(cores: &Cores) -> std::io::Result<Self> {
        let before = system::cores()?;
        system::set(cores)?;
        Ok(Self { before: Some(before), awake: None, _not_send: PhantomData })
    }

    /// As dropping it, and says whether that was done.
    fn leave(mut self) -> std::io::Result<()> {
        self.before.take().map_or(Ok(()), |before| system::set(&before))
    }

    /// For as long as the thread lives.
    fn stay(mut self) {
        self.before = None;
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // What is left to do at the end of a study or after an error: nothing is measured on this thread any more.
        if let Some(before) = &self.before {
            let _ = system::set(before);
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::cores::listed;
    use super::*;

    fn cores_of_child() -> std::io::Result<Cores> {
        let output = Command::new("cat").arg("/proc/self/status").output()?;
        let status = String::from_utf8_lossy(&output.stdout);
        Ok(listed(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim()))
    }

    #[test]
    fn a_thread_its_children_and_servers_run_where_they_are_placed() {
        let allowed = system::cores().unwrap();
        let placement = match Placement::pinned() {
            Ok(placement) => placement,
            // On one core there is nothing to tell apart, and a system may refuse.
            Err(why) => return assert!(allowed.len() == 1 || why.contains("may not choose"), "{why}"),
        };
        let Placement::Pinned(Halves { study, servers, .. }) = &placement else { panic!("{placement:?}") };
        let told = format!("pinned: the study on {}, servers that it starts on {}, ", named(study), named(servers));
        assert!(placement.to_string().starts_with(&told), "{placement}");

        let pinned = placement.study().unwrap();
        assert_eq!(&system::cores().unwrap(), study);
        assert_eq!(&std::thread::spawn(|| system::cores().unwrap()).join().unwrap(), study);
        assert_eq!(&cores_of_child().unwrap(), study);
        assert_eq!(&placement.serving(cores_of_child).unwrap(), servers);
        assert_eq!(&system::cores().unwrap(), study);
        let sender = placement.clone();
        let of_sender =
            std::thread::spawn(move || (sender.generator().unwrap(), system::cores().unwrap())).join().unwrap();
        assert_eq!(of_sender, (true, servers.clone()));
        drop(pinned);
        assert_eq!(system::cores().unwrap(), allowed);
        assert_eq!(Placement::Shared.serving(cores_of_child).unwrap(), allowed);
    }

    #[test]
    fn placements_are_alike_but_for_the_numbers_of_cores() {
        let pinned = |study: &[usize], servers: &[usize], asleep: Option<&str>| {
            let [study, servers] = [study, servers].map(|cores| cores.iter().copied().collect());
            Placement::Pinned(Halves { study, servers, asleep: asleep.map(str::to_owned) }).to_string()
        };
        let two = pinned(&[0], &[1], None);
        assert!(are_alike(&two, &two) && are_alike("shared", "shared"));
        assert!(are_alike(&two, &pinned(&[0, 1, 2, 3], &[4, 5, 7], None)));
        assert!(!are_alike(&two, "shared"));
        assert!(!are_alike(&two, &pinned(&[0], &[1], Some("a quota"))));
    }
}
