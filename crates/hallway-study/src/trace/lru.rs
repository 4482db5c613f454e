//! An LRU cache of numbered keys: the plain model that predictions are held against, and the tiers of a [`super::Split`].

use super::request::KeyId;

const NONE: u32 = u32::MAX;

/// Keys with something kept of each; the key that was not asked for the longest is forgotten first.
///
/// Takes 4 bytes for each key number, held or not, and about 20 for each key that is held.
#[derive(Debug, Clone)]
pub struct Lru<T> {
    capacity: usize,
    /// Where each key is, or [`NONE`].
    places: Vec<u32>,
    nodes: Vec<Node<T>>,
    /// Nodes of keys that were taken away.
    free: Vec<u32>,
    latest: u32,
    oldest: u32,
}

#[derive(Debug, Clone)]
struct Node<T> {
    key: KeyId,
    newer: u32,
    older: u32,
    kept: T,
}

impl<T: Copy> Lru<T> {
    /// Holds at most so many keys; with a capacity of 0, none.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, places: Vec::new(), nodes: Vec::new(), free: Vec::new(), latest: NONE, oldest: NONE }
    }

    /// What is kept of the key, which becomes the latest.
    pub fn get(&mut self, key: KeyId) -> Option<T> {
        let node = self.find(key)?;
        self.unlink(node);
        self.link(node);
        Some(self.nodes[node as usize].kept)
    }

    /// Keeps something of a key, which becomes the latest.
    pub fn insert(&mut self, key: KeyId, kept: T) {
        if let Some(node) = self.find(key) {
            self.nodes[node as usize].kept = kept;
            self.unlink(node);
            self.link(node);
            return;
        }
        if self.capacity == 0 {
            return;
        }
        if self.len() == self.capacity {
            let oldest = self.nodes[self.oldest as usize].key;
            self.remove(oldest);
        }
        let fresh = Node { key, newer: NONE, older: NONE, kept };
        let node = match self.free.pop() {
            Some(node) => {
                self.nodes[node as usize] = fresh;
                node
            }
            None => {
                self.nodes.push(fresh);
                (self.nodes.len() - 1) as u32
            }
        };
        if self.places.len() <= key as usize {
            self.places.resize(key as usize + 1, NONE);
        }
        self.places[key as usize] = node;
        self.link(node);
    }

    /// Takes a key away; `true` if it was held.
    pub fn remove(&mut self, key: KeyId) -> bool {
        let Some(node) = self.find(key) else { return false };
        self.unlink(node);
        self.places[key as usize] = NONE;
        self.free.push(node);
        true
    }

    /// Keys that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, key: KeyId) -> Option<u32> {
        self.places.get(key as usize).copied().filter(|node| *node != NONE)
    }

    fn unlink(&mut self, node: u32) {
        let (newer, older) = (self.nodes[node as usize].newer, self.nodes[node as usize].older);
        match newer {
            NONE => self.latest = older,
            newer => self.nodes[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.nodes[older as usize].newer = newer,
        }
    }

    fn link(&mut self, node: u32) {
        let before = std::mem::replace(&mut self.latest, node);
        (self.nodes[node as usize].newer, self.nodes[node as usize].older) = (NONE, before);
        match before {
            NONE => self.oldest = node,
            before => self.nodes[before as usize].newer = node,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_not_asked_for_the_longest() {
        let mut lru = Lru::new(2);
        lru.insert(1, 'a');
        lru.insert(2, 'b');
        assert_eq!(lru.get(1), Some('a'));
        lru.insert(3, 'c');
        assert_eq!([1, 2, 3].map(|key| lru.get(key)), [Some('a'), None, Some('c')]);
        assert!(lru.remove(1) && !lru.remove(1));
        lru.insert(4, 'd');
        lru.insert(3, 'e');
        assert_eq!((lru.len(), lru.get(3), lru.get(4)), (2, Some('e'), Some('d')));
    }

    #[test]
    fn a_capacity_of_zero_holds_nothing() {
        let mut lru = Lru::new(0);
        lru.insert(1, ());
        assert!(lru.is_empty() && lru.get(1).is_none());
    }
}
