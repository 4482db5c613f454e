//! Places that are taken or free, in which the number of taken ones below a place, and the k-th taken one, are found
//! in O(log n): a Fenwick tree (1994) of counts.

/// A power of two of places, counted from 0.
#[derive(Debug, Clone)]
pub(super) struct Fenwick {
    // 1-based.
    tree: Vec<u32>,
}

impl Fenwick {
    /// At least so many places, all free.
    pub(super) fn new(places: usize) -> Self {
        Self { tree: vec![0; places.next_power_of_two() + 1] }
    }

    pub(super) fn places(&self) -> usize {
        self.tree.len() - 1
    }

    /// A free place becomes taken.
    pub(super) fn take(&mut self, place: usize) {
        self.add(place, 1);
    }

    /// A taken place becomes free.
    pub(super) fn free(&mut self, place: usize) {
        self.add(place, -1);
    }

    /// Exactly the first so many places are taken.
    pub(super) fn take_first(&mut self, taken: usize) {
        self.tree.fill(0);
        for at in 1..self.tree.len() {
            self.tree[at] += u32::from(at <= taken);
            let parent = at + (at & at.wrapping_neg());
            if parent < self.tree.len() {
                self.tree[parent] += self.tree[at];
            }
        }
    }

    /// Taken places up to this one, itself included.
    pub(super) fn taken_to(&self, place: usize) -> usize {
        let mut at = place + 1;
        let mut sum = 0;
        while at > 0 {
            sum += self.tree[at] as usize;
            at &= at - 1;
        }
        sum
    }

    /// The k-th taken place from the lowest, from 1.
    pub(super) fn find(&self, k: usize) -> usize {
        let mut rest = k as u32;
        let mut at = 0;
        let mut step = self.places();
        while step > 0 {
            let probe = at + step;
            if probe < self.tree.len() && self.tree[probe] < rest {
                rest -= self.tree[probe];
                at = probe;
            }
            step /= 2;
        }
        at
    }

    fn add(&mut self, place: usize, by: i32) {
        let mut at = place + 1;
        while at < self.tree.len() {
            self.tree[at] = self.tree[at].wrapping_add_signed(by);
            at += at & at.wrapping_neg();
        }
    }
}
