//! One stream over several instances, each with a local cache, behind which all share one: who answers how much.
//!
//! Requests go to instances at random, as a balancer sends them. More instances starve the local caches and feed the
//! shared one, and no formula says by how much once capacity binds, so it is replayed (F9 of the study).

use serde::{Deserialize, Serialize};

use super::lru::Lru;
use super::mix::{mix, unit};
use super::request::{Op, Request};

/// Instances and their caches. All of them are LRU caches of [`Lru`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Instances that requests go to; at least 1.
    pub instances: usize,
    /// Entries that the local cache of each holds; 0 for none.
    pub local_entries: usize,
    /// Entries that the shared cache holds; 0 for none.
    pub shared_entries: usize,
    /// What a write of one instance does to the local caches of the others.
    pub coherence: Coherence,
    /// Share of the requests that write in the place of what they would do, chosen by hash: 0 for what the stream says.
    pub write_share: f64,
    /// Of the balancer and of the choice of writes.
    pub seed: u64,
}

/// What a write does to copies elsewhere. It always takes away the writer's own and the shared copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coherence {
    /// It takes away every copy at once.
    Bus,
    /// Nothing: they stay until they are forgotten.
    None,
    /// Nothing, but a local copy counts only this many requests of the whole stream after it was taken in. With `R`
    /// requests a second in all, that is a time to live of `requests / R` seconds.
    Ttl {
        /// Requests of the whole stream.
        requests: u64,
    },
}

/// Who answered the reads of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitShares {
    /// Reads.
    pub reads: u64,
    /// Writes and deletes.
    pub writes: u64,
    /// Reads that a local cache answered.
    pub local_hits: u64,
    /// Of these, with a value that had been written anew meanwhile.
    pub stale_hits: u64,
    /// Reads that the shared cache answered.
    pub shared_hits: u64,
}

/// What a local cache keeps of a key.
#[derive(Debug, Clone, Copy)]
struct Copy {
    version: u32,
    since: u64,
}

impl Default for Split {
    /// One instance of 1,000 entries over a shared cache of 10,000, with a bus.
    fn default() -> Self {
        Self {
            instances: 1,
            local_entries: 1_000,
            shared_entries: 10_000,
            coherence: Coherence::Bus,
            write_share: 0.0,
            seed: 42,
        }
    }
}

impl Split {
    /// Replays the stream.
    ///
    /// # Panics
    /// Without an instance.
    pub fn replay(&self, requests: impl IntoIterator<Item = Request>) -> SplitShares {
        assert!(self.instances > 0, "somebody must take the requests");
        let mut locals = vec![Lru::new(self.local_entries); self.instances];
        let mut shared = Lru::new(self.shared_entries);
        // Of each key, how often it was written.
        let mut versions: Vec<u32> = Vec::new();
        let mut shares = SplitShares::default();
        for (now, Request { key, op, .. }) in (0..).zip(requests) {
            let (instance, writes) = self.route(now);
            if versions.len() <= key as usize {
                versions.resize(key as usize + 1, 0);
            }
            let version = &mut versions[key as usize];
            if op != Op::Read || writes {
                shares.writes += 1;
                *version = version.wrapping_add(1);
                shared.remove(key);
                match self.coherence {
                    Coherence::Bus => locals.iter_mut().for_each(|local| _ = local.remove(key)),
                    Coherence::None | Coherence::Ttl { .. } => _ = locals[instance].remove(key),
                }
                continue;
            }
            shares.reads += 1;
            let local = &mut locals[instance];
            match local.get(key) {
                Some(copy) if self.counts(copy, now) => {
                    shares.local_hits += 1;
                    shares.stale_hits += u64::from(copy.version != *version);
                    continue;
                }
                _ => local.insert(key, Copy { version: *version, since: now }),
            }
            match shared.get(key) {
                Some(()) => shares.shared_hits += 1,
                None => shared.insert(key, ()),
            }
        }
        shares
    }

    /// To which instance the request of this number goes, and whether it writes in the place of what it would do.
    pub(crate) fn route(&self, number: u64) -> (usize, bool) {
        let draw = mix(self.seed ^ mix(number));
        ((draw % self.instances as u64) as usize, unit(mix(draw)) < self.write_share)
    }

    fn counts(&self, copy: Copy, now: u64) -> bool {
        match self.coherence {
            Coherence::Bus | Coherence::None => true,
            Coherence::Ttl { requests } => now - copy.since < requests,
        }
    }
}

impl SplitShares {
    /// Share of the reads that a local cache answered; 0 without reads.
    #[must_use]
    pub fn local(&self) -> f64 {
        share(self.local_hits, self.reads).unwrap_or(0.0)
    }

    /// Share of what the local caches missed that the shared cache answered. `None` if they missed nothing.
    #[must_use]
    pub fn shared_behind(&self) -> Option<f64> {
        share(self.shared_hits, self.reads - self.local_hits)
    }

    /// Share of the reads that went to the database; 0 without reads.
    #[must_use]
    pub fn loads(&self) -> f64 {
        share(self.reads - self.local_hits - self.shared_hits, self.reads).unwrap_or(0.0)
    }

    /// Share of the local hits that were stale; 0 without hits.
    #[must_use]
    pub fn stale(&self) -> f64 {
        share(self.stale_hits, self.local_hits).unwrap_or(0.0)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(instances: usize, coherence: Coherence) -> Split {
        Split { instances, local_entries: 1, shared_entries: 2, coherence, ..Split::default() }
    }

    #[test]
    fn one_instance_answers_as_counted_by_hand() {
        let stream = [0, 0, 1, 0, 2, 1].map(Request::read);
        let shares = small(1, Coherence::Bus).replay(stream);
        // 0 local; the second 0 from the shared one; then 2 pushes 1 out of it, since 0 was the later there.
        assert_eq!((shares.local_hits, shares.shared_hits, shares.reads), (1, 1, 6));
        assert_eq!(shares.shared_behind(), Some(1.0 / 5.0));
    }

    #[test]
    fn a_write_leaves_no_copy_behind_with_a_bus_and_stale_ones_without() {
        let stream: Vec<_> =
            (0..4_000).map(|at| if at % 10 == 9 { Request::write(0) } else { Request::read(0) }).collect();
        let replay = |coherence| small(4, coherence).replay(stream.iter().copied());
        let (bus, none) = (replay(Coherence::Bus), replay(Coherence::None));
        let ttl = replay(Coherence::Ttl { requests: 10 });
        assert_eq!((bus.stale_hits, bus.writes), (0, 400));
        assert!(none.stale() > 0.5, "{none:?}");
        assert!(ttl.stale() > 0.0 && ttl.stale() < none.stale(), "{ttl:?}");
        assert!(ttl.local_hits < none.local_hits && bus.local_hits < none.local_hits);
    }

    #[test]
    fn a_copy_counts_for_exactly_its_time_to_live() {
        // Found at ages 1 and 2, too old at 3.
        let shares = small(1, Coherence::Ttl { requests: 3 }).replay([0; 7].map(Request::read));
        assert_eq!((shares.local_hits, shares.shared_hits), (4, 2));
    }
}
