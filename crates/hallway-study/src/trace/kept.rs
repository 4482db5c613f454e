//! A stream through tiers as they are: moka in each instance before a shared tier that forgets nothing.

use std::collections::HashSet;

use super::log::Log;
use super::policy::Moka;
use super::request::Op;
use super::split::{Split, SplitShares};

impl Split {
    /// Who answers if each local cache is moka with [`Split::local_entries`], the shared tier holds everything, and copies
    /// are kept as tiers with a bus keep them: what the database answered goes into the shared tier alone, what the shared
    /// tier answered into the local one as well. So an instance has a copy of its own from the second read on.
    ///
    /// # Panics
    /// Without an instance.
    #[must_use]
    pub fn replay_as_tiers(&self, log: &Log) -> SplitShares {
        assert!(self.instances > 0, "somebody must take the requests");
        let mut locals: Vec<Moka> = (0..self.instances).map(|_| Moka::new(self.local_entries as u64)).collect();
        let mut shared = HashSet::new();
        let mut shares = SplitShares::default();
        for (now, request) in (0..).zip(log.iter()) {
            let (instance, writes) = self.route(now);
            let key = request.key;
            if request.op != Op::Read || writes {
                shares.writes += 1;
                shared.remove(&key);
                locals.iter_mut().for_each(|local| local.remove(key));
                continue;
            }
            shares.reads += 1;
            let local = &mut locals[instance];
            if local.get(key) {
                shares.local_hits += 1;
            } else if shared.contains(&key) {
                shares.shared_hits += 1;
                local.insert(key);
            } else {
                shared.insert(key);
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Request;

    #[test]
    fn a_copy_comes_with_the_second_read_of_an_instance() {
        let split = Split { instances: 1, local_entries: 10, ..Split::default() };
        let log: Log = [0, 0, 0, 0].into_iter().map(Request::read).collect();
        let shares = split.replay_as_tiers(&log);
        // From the database, from the shared tier, and twice from the copy.
        assert_eq!((shares.local_hits, shares.shared_hits, shares.reads), (2, 1, 4));
        let log: Log = [Request::read(0), Request::read(0), Request::write(0), Request::read(0)].into_iter().collect();
        let shares = split.replay_as_tiers(&log);
        assert_eq!((shares.local_hits, shares.shared_hits, shares.writes), (0, 1, 1));
    }

    #[test]
    fn without_room_everything_is_read_from_the_shared_tier() {
        let split = Split { instances: 3, local_entries: 0, ..Split::default() };
        let shares = split.replay_as_tiers(&(0..90).map(|at| at % 9).collect());
        assert_eq!((shares.local_hits, shares.shared_hits, shares.loads()), (0, 81, 0.1));
    }
}
