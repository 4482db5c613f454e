//! The machine: what it is, and what others did on it meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::report::{Environment, Server};

/// Looks at the machine from the first measurement to the last.
#[derive(Debug)]
pub struct Watch {
    load: f64,
    ticks: Ticks,
}

/// Processor time of the whole machine since it started, in hundredths of a second.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Watch {
    /// Begins to look.
    #[must_use]
    pub fn begin() -> Self {
        Self { load: load(), ticks: Ticks::now() }
    }

    /// Load average for each core before the first measurement.
    #[must_use]
    pub fn load_per_core(&self) -> f64 {
        self.load / cores() as f64
    }

    /// What was seen.
    #[must_use]
    pub fn end(&self, folder: &Path, noise_floor: Option<f64>, servers: Vec<Server>) -> Environment {
        let now = Ticks::now();
        let all = now.all.saturating_sub(self.ticks.all);
        Environment {
            cpu: processor(),
            cores: cores(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").unwrap_or_default()),
            hallway: env!("CARGO_PKG_VERSION").to_owned(),
            git: revision(),
            load: [self.load, load()],
            steal: (all > 0).then(|| now.stolen.saturating_sub(self.ticks.stolen) as f64 / all as f64),
            placement: "shared".to_owned(),
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

fn load() -> f64 {
    read("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0.0)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

    #[test]
    fn stolen_time_is_the_eighth_number_and_guests_are_not_counted_twice() {
        let ticks = Ticks::parse("cpu  100 1 50 800 9 0 10 30 77 7").unwrap();
        assert_eq!((ticks.all, ticks.stolen), (1_000, 30));
        assert!(Ticks::parse("cpu0 1 2 3").is_none());
    }

    #[test]
    fn a_folder_is_on_some_file_system() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(filesystem(folder.path()).is_some());
        assert!(filesystem(Path::new("/no/such/folder")).is_none());
    }
}
