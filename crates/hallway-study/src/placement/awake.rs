//! Cores that do not fall asleep while they are measured.

use std::fs::{self, File};
use std::io::{Error, Result, Write as _};

/// Where Linux is told how long a core may take to wake, by whoever keeps the file open
/// (Documentation/power/pm_qos_interface.rst).
const LATENCY: &str = "/dev/cpu_dma_latency";
/// Who puts idle cores to sleep, and asks what they may take to wake.
const DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";

/// Keeps the cores of the machine awake until it is dropped, or the process ends in whatever way.
///
/// A core with nothing to do sleeps, and waking it takes 10 to 80 us, in a virtual machine as the host pleases: more, and
/// less alike, than a request to a server on the same machine takes.
#[must_use]
#[derive(Debug)]
pub struct Awake {
    /// As long as it is open.
    _file: File,
}

impl Awake {
    /// From now on.
    ///
    /// # Errors
    /// If this process may not, or the system has nobody who would heed it.
    pub fn keep() -> Result<Self> {
        let driver = fs::read_to_string(DRIVER).unwrap_or_default();
        if matches!(driver.trim(), "" | "none") {
            return Err(Error::other("the system has no driver for idle cores that could be told"));
        }
        let named = |error: Error| Error::new(error.kind(), format!("{LATENCY}: {error}"));
        let mut file = File::options().write(true).open(LATENCY).map_err(named)?;
        file.write_all(&0_i32.to_ne_bytes()).map_err(named)?;
        Ok(Self { _file: file })
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};

    use super::*;

    #[test]
    fn while_it_is_held_no_core_may_take_time_to_wake() {
        let awake = match Awake::keep() {
            Ok(awake) => awake,
            Err(error) => {
                let may_not = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound);
                return assert!(may_not || error.to_string().contains("no driver"), "{error}");
            }
        };
        let mut micros = [1; 4];
        File::open(LATENCY).unwrap().read_exact(&mut micros).unwrap();
        assert_eq!(i32::from_ne_bytes(micros), 0);
        drop(awake);
    }
}
