//! Processor time of processes, which other programs on the machine disturb far less than the wall clock.

use std::fs;
use std::time::Duration;

/// Processor time of this process and of a server beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// This process, with all its threads.
    pub client: Duration,
    /// The server and the processes it started.
    pub server: Duration,
}

impl CpuTime {
    /// What has been used so far; a server that is gone has used nothing.
    #[must_use]
    pub fn now(server: Option<u32>) -> Self {
        Self {
            client: of_process(std::process::id()),
            server: server.map_or(Duration::ZERO, |pid| children(pid).into_iter().chain([pid]).map(of_process).sum()),
        }
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { client: self.client.saturating_sub(earlier.client), server: self.server.saturating_sub(earlier.server) }
    }
}

fn of_process(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    ticks(&stat).map_or(Duration::ZERO, |ticks| Duration::from_millis(ticks * 10))
}

/// User and system time, in the hundredths of a second that Linux counts in.
fn ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may hold spaces; what follows the last parenthesis starts with field 3.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_user_and_system_time() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 3 0 100 1000 10";
        assert_eq!(ticks(stat), Some(12));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn this_process_uses_time() {
        let start = std::time::Instant::now();
        while CpuTime::now(None).client.is_zero() {
            assert!(start.elapsed() < Duration::from_secs(60), "no processor time after a minute of work");
        }
    }
}
