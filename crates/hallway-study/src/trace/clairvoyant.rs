//! How often a cache would hit that knows the future: no policy of the same capacity hits more often.
//!
//! Belady's MIN (1966) with the freedom not to take a key in at all. A key is worth holding from a request to the next
//! one of the same key, if that is a read and the key is there to hold. Of more such spans than there are places, the
//! one that ends last is given up; that keeps the most of them.

use std::collections::BinaryHeap;

use super::log::Log;
use super::policy::BREATH;
use super::request::{OnWrite, Op};

const NEVER: u32 = u32::MAX;

/// Reads of the log that hit in a cache of so many entries whose policy is the best there can be.
///
/// Takes 5 bytes a request while it works. `progress` is told now and then how many requests are done.
///
/// # Panics
/// For a log of 2^32 - 1 requests or more.
#[must_use]
pub fn clairvoyant_hits(log: &Log, entries: usize, on_write: OnWrite, progress: &mut dyn FnMut(u64)) -> u64 {
    let next = next_reads(log, on_write);
    // Marked at the time of a read that will hit.
    let mut held = vec![false; log.len()];
    // Ends of the spans that are held, the last on top; those that are over are below, until there are too many.
    let mut ends = BinaryHeap::new();
    let (mut len, mut hits) = (0, 0);
    for (now, next) in next.into_iter().enumerate() {
        if (now as u64).is_multiple_of(BREATH) {
            progress(now as u64);
        }
        if held[now] {
            hits += 1;
            len -= 1;
        }
        if next == NEVER || entries == 0 {
            continue;
        }
        ends.push(next);
        held[next as usize] = true;
        len += 1;
        if len > entries
            && let Some(last) = ends.pop()
        {
            held[last as usize] = false;
            len -= 1;
        }
        if ends.len() > 2 * entries + 1_024 {
            ends.retain(|end| *end as usize > now);
        }
    }
    hits
}

/// For each request, when its key is read next, if it can still be held then.
fn next_reads(log: &Log, on_write: OnWrite) -> Vec<u32> {
    assert!(log.len() < NEVER as usize, "a log of {} requests is too long", log.len());
    let mut next = vec![NEVER; log.len()];
    // Of each key, when it is read next, unless something else becomes of it before.
    let mut reads: Vec<u32> = Vec::new();
    for (now, request) in log.iter().enumerate().rev() {
        let key = request.key as usize;
        if reads.len() <= key {
            reads.resize(key + 1, NEVER);
        }
        let leaves_it = match request.op {
            Op::Read => true,
            Op::Write => on_write == OnWrite::Keep,
            Op::Delete => false,
        };
        let then = std::mem::replace(&mut reads[key], if request.op == Op::Read { now as u32 } else { NEVER });
        if leaves_it {
            next[now] = then;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Request;

    fn hits(log: &Log, entries: usize) -> u64 {
        clairvoyant_hits(log, entries, OnWrite::Keep, &mut |_| {})
    }

    #[test]
    fn hits_are_those_counted_by_hand() {
        // LRU forgets each key just before it is asked for; the clairvoyant keeps the first two.
        let log = Log::from_iter([0, 1, 2, 0, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(|entries| hits(&log, entries)), [0, 1, 2, 3]);
        let log = Log::from_iter([0, 0, 1, 0, 2, 1, 0]);
        assert_eq!([1, 2, 3].map(|entries| hits(&log, entries)), [3, 4, 4]);
    }

    #[test]
    fn a_write_is_no_hit_and_may_end_one() {
        let log = Log::from_iter([Request::read(0), Request::write(0), Request::read(0)]);
        assert_eq!(clairvoyant_hits(&log, 1, OnWrite::Keep, &mut |_| {}), 1);
        assert_eq!(clairvoyant_hits(&log, 1, OnWrite::Invalidate, &mut |_| {}), 0);
    }
}
