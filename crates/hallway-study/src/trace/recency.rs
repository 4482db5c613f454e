//! A list of keys in order of last use, in which the key at any depth is found and moved to the front in O(log n).
//!
//! Keys sit in slots, the most recent in the highest one; a Fenwick tree counts live slots, so that the k-th of them
//! is found by descending it. When the slots run out, the live ones move down together: amortised, one slot a move.

use super::fenwick::Fenwick;

/// Slots for each key of the bound; more slots mean fewer compactions, fewer mean a smaller tree.
const SLOTS_PER_KEY: usize = 4;

/// At most `bound` keys by recency. Depth 1 is the most recent.
#[derive(Debug)]
pub(super) struct Recency {
    // 0 marks an empty slot, so keys start from 1.
    slots: Vec<u64>,
    live: Fenwick,
    next: usize,
    len: usize,
    bound: usize,
}

impl Recency {
    pub(super) fn new(bound: usize) -> Self {
        let live = Fenwick::new(bound * SLOTS_PER_KEY);
        Self { slots: vec![0; live.places()], live, next: 0, len: 0, bound }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a new key in front; the least recent one falls off if there are too many.
    pub(super) fn push(&mut self, key: u64) {
        debug_assert_ne!(key, 0);
        if self.len == self.bound {
            self.remove_at_depth(self.len);
        }
        self.place(key);
    }

    /// Moves the key at this depth to the front and returns it.
    pub(super) fn touch(&mut self, depth: usize) -> u64 {
        let key = self.remove_at_depth(depth);
        self.place(key);
        key
    }

    fn place(&mut self, key: u64) {
        if self.next == self.slots.len() {
            self.compact();
        }
        self.slots[self.next] = key;
        self.live.take(self.next);
        self.next += 1;
        self.len += 1;
    }

    fn remove_at_depth(&mut self, depth: usize) -> u64 {
        debug_assert!((1..=self.len).contains(&depth));
        let slot = self.live.find(self.len - depth + 1);
        self.live.free(slot);
        self.len -= 1;
        std::mem::take(&mut self.slots[slot])
    }

    fn compact(&mut self) {
        let mut live = 0;
        for at in 0..self.slots.len() {
            let key = std::mem::take(&mut self.slots[at]);
            if key != 0 {
                self.slots[live] = key;
                live += 1;
            }
        }
        self.next = live;
        self.live.take_first(live);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::mix::Stream;
    use super::*;

    #[test]
    fn behaves_like_a_plain_list() {
        const BOUND: usize = 37;
        let mut recency = Recency::new(BOUND);
        let mut list: VecDeque<u64> = VecDeque::new();
        let mut random = Stream::new(7);
        for key in 1..20_000 {
            let draw = random.next();
            if list.is_empty() || draw.is_multiple_of(5) {
                recency.push(key);
                list.push_front(key);
                list.truncate(BOUND);
            } else {
                let depth = 1 + (draw / 5) as usize % list.len();
                let expected = list.remove(depth - 1).unwrap();
                list.push_front(expected);
                assert_eq!(recency.touch(depth), expected);
            }
            assert_eq!(recency.len(), list.len());
        }
    }
}
