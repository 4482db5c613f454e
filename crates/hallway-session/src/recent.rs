//! Which sessions need not be prolonged yet.
//!
//! The rest of a session's life has to be asked for together with its record, which costs a server more than a plain read:
//! Redis answers many plain reads by one `MGET`. So whoever has seen the rest notes until when it need not be seen again.
//! A session of whom nothing is noted is read with the rest of its life; so nothing depends on the table but the price.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::handle::Handle;

/// 128 KiB for each set of sessions. With more busy sessions than that some are read at the higher price.
const SLOTS: usize = 1 << 14;

/// Times are kept in steps of 16 ms since the machine was started: two years of them. After that nothing is noted, and
/// every load costs the higher price.
const STEP_BITS: u32 = 4;

/// The other half of a slot tells sessions apart.
const TIME_BITS: u32 = 32;

/// A fixed number of slots, each with the last session that fell into it.
pub(crate) struct Recent(Box<[AtomicU64]>);

impl Recent {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Until when the session need not be prolonged, in milliseconds; 0 if that is not known.
    ///
    /// Of 2^46 pairs of sessions one looks alike. Such a pair, if it is ever loaded by one process, may keep one of the two
    /// from being prolonged, so that it times out.
    pub(crate) fn due(&self, handle: &Handle) -> u64 {
        let (slot, tag) = self.place(handle);
        let noted = slot.load(Ordering::Relaxed);
        if noted >> TIME_BITS == tag { (noted & u64::from(u32::MAX)) << STEP_BITS } else { 0 }
    }

    pub(crate) fn note(&self, handle: &Handle, due: u64) {
        let (slot, tag) = self.place(handle);
        // Down to a step: rather too early than too late.
        if let Ok(steps) = u32::try_from(due >> STEP_BITS) {
            slot.store(tag << TIME_BITS | u64::from(steps), Ordering::Relaxed);
        }
    }

    /// The handle is a hash, so any of its bits are as good as others.
    fn place(&self, handle: &Handle) -> (&AtomicU64, u64) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&handle.bytes()[..8]);
        let hash = u64::from_le_bytes(bytes);
        (&self.0[hash as usize % SLOTS], hash >> TIME_BITS)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use hallway_core::Namespace;

    #[test]
    fn what_is_noted_is_known_until_another_takes_its_place() {
        let recent = Recent::new();
        let namespace = Namespace::new("session").unwrap();
        let handles: Vec<Handle> =
            (0..4 * SLOTS).map(|_| Handle::of(&namespace, &SessionId::generate().unwrap())).collect();
        assert_eq!(recent.due(&handles[0]), 0);
        let due = |number: usize| (number as u64 + 1) << STEP_BITS;
        for (number, handle) in handles.iter().enumerate() {
            recent.note(handle, due(number) + 7);
            assert_eq!(recent.due(handle), due(number));
        }
        // None is taken for another; about one in four is still there.
        let known = handles.iter().enumerate().filter(|(number, handle)| match recent.due(handle) {
            0 => false,
            found => {
                assert_eq!(found, due(*number));
                true
            }
        });
        assert!((SLOTS / 2..=SLOTS).contains(&known.count()));
        // What does not fit is not noted.
        recent.note(&handles[4 * SLOTS - 1], u64::MAX);
        assert_eq!(recent.due(&handles[4 * SLOTS - 1]), due(4 * SLOTS - 1));
    }
}
