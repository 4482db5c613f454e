//! The machine: what it is, and what others did on it meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Lab, Postgres};
#[cfg(doc)]
use crate::placement::Placement;
use crate::report::{Environment, Server};

/// Looks at the machine from the first measurement to the last.
#[derive(Debug)]
pub struct Watch {
    cores: usize,
    load: Option<f64>,
    ticks: Ticks,
}

/// Processor time of the whole machine since it started, in hundredths of a second.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Watch {
    /// Begins to look. All cores count that this thread may use now: to be called before it is [placed](Placement).
    #[must_use]
    pub fn begin() -> Self {
        Self { cores: std::thread::available_parallelism().map_or(1, usize::from), load: load(), ticks: Ticks::now() }
    }

    /// Load average for each core before the first measurement, where the system tells.
    #[must_use]
    pub fn load_per_core(&self) -> Option<f64> {
        Some(self.load? / self.cores as f64)
    }

    /// Why numbers measured on this machine are to be read with care, whatever they are.
    #[must_use]
    pub fn doubts(&self, lab: &Lab) -> Vec<String> {
        let mut doubts = in_memory("SQLite's file", lab.sqlite.path(), "choose a folder on a disk by --out");
        if let Some(server) = lab.postgres().and_then(Postgres::started) {
            doubts.extend(in_memory("the study's PostgreSQL", server.dir(), "set TMPDIR to a folder on a disk"));
        }
        if let Some(why) = lab.placement().asleep() {
            doubts.push(format!(
                "Cores were not kept awake ({why}): what a call of a server on this machine takes differs from round to round by up to as much as it takes. Root may keep them awake."
            ));
        }
        if self.load.is_none() {
            doubts.push(
                "The system does not tell its load: whether the machine was busy before the first measurement is not known."
                    .to_owned(),
            );
        }
        doubts
    }

    /// What was seen.
    #[must_use]
    pub fn end(&self, folder: &Path, noise_floor: Option<f64>, lab: &Lab, servers: Vec<Server>) -> Environment {
        let now = Ticks::now();
        let all = now.all.saturating_sub(self.ticks.all);
        Environment {
            cpu: processor(),
            cores: self.cores,
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").unwrap_or_default()),
            hallway: env!("CARGO_PKG_VERSION").to_owned(),
            git: revision(),
            toolchain: toolchain(),
            load: [self.load, load()],
            steal: (all > 0).then(|| now.stolen.saturating_sub(self.ticks.stolen) as f64 / all as f64),
            placement: lab.placement().to_string(),
            filesystem: filesystem(folder),
            noise_floor,
            servers,
        }
    }
}

impl Ticks {
    fn now() -> Self {
        fs::read_to_string("/proc/stat").ok().and_then(|stat| Self::parse(stat.lines().next()?)).unwrap_or_default()
    }

    /// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; guests are counted in user already.
    fn parse(line: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            line.strip_prefix("cpu ")?.split_whitespace().map_while(|number| number.parse().ok()).collect();
        Some(Self { all: numbers.iter().take(8).sum(), stolen: *numbers.get(7)? })
    }
}

/// A warning if a folder is in memory.
fn in_memory(what: &str, folder: &Path, remedy: &str) -> Vec<String> {
    match filesystem(folder).as_deref() {
        Some(kind @ ("tmpfs" | "ramfs" | "devtmpfs")) => vec![format!(
            "The folder of {what} is in memory ({kind}), where a write that waits for the disk waits for nothing: what is said of writes and durability is void; {remedy}."
        )],
        _ => Vec::new(),
    }
}

fn load() -> Option<f64> {
    read("/proc/loadavg")?.split(' ').next()?.parse().ok()
}

fn toolchain() -> Option<String> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    // What stands in brackets are commit and day.
    let version = option_env!("HALLWAY_STUDY_RUSTC")?.split(" (").next()?;
    Some(format!("{version}, {profile}"))
}

/// The model of the processor.
#[must_use]
pub fn processor() -> String {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, model)| model.to_owned())
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The revision of the checkout this runs in, if it is one of hallway.
fn revision() -> Option<String> {
    if !fs::read_to_string("Cargo.toml").ok()?.contains("crates/hallway-study") {
        return None;
    }
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The type of the file system that holds a folder: of all mounts above it, the deepest.
fn filesystem(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let above = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(place).then_some((place.len(), kind))
    });
    above.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Choice, Choices};
    use crate::placement::Placement;

    #[test]
    fn stolen_time_is_the_eighth_number_and_guests_are_not_counted_twice() {
        let ticks = Ticks::parse("cpu  100 1 50 800 9 0 10 30 77 7").unwrap();
        assert_eq!((ticks.all, ticks.stolen), (1_000, 30));
        assert!(Ticks::parse("cpu0 1 2 3").is_none());
    }

    #[test]
    fn a_folder_in_memory_is_told() {
        let [told] = &in_memory("SQLite's file", Path::new("/dev/shm"), "move it")[..] else { panic!("not told") };
        assert!(told.contains("tmpfs") && told.ends_with("move it."), "{told}");
        assert_eq!(in_memory("it", Path::new("/proc"), "move it"), Vec::<String>::new());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_study_in_memory_is_doubted() {
        let choices = Choices { redis: Choice::None, postgres: Choice::None, placement: Placement::Shared };
        let watch = Watch { cores: 2, load: None, ticks: Ticks::default() };
        let memory = tempfile::TempDir::new_in("/dev/shm").unwrap();
        let doubts = watch.doubts(&Lab::open(&choices, memory.path(), None).await.unwrap());
        let [file, load] = &doubts[..] else { panic!("{doubts:?}") };
        assert!(file.contains("--out") && load.contains("load"), "{doubts:?}");
        assert_eq!(watch.load_per_core(), None);
    }

    #[test]
    fn the_toolchain_is_known() {
        let told = toolchain().unwrap();
        assert!(told.starts_with("rustc 1.") && told.ends_with("debug") == cfg!(debug_assertions), "{told}");
    }

    #[test]
    fn a_folder_is_on_some_file_system() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(filesystem(folder.path()).is_some());
        assert!(filesystem(Path::new("/no/such/folder")).is_none());
    }
}
