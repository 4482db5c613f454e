//! 128 bits that stand for a state.

use std::hash::Hasher;

/// Two independent multiply-and-fold hashes of 64 bits. Among ten million states, two with the same fingerprint are
/// less likely than one in 10^24; the counts of the specification are met exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint {
    low: u64,
    high: u64,
}

impl Fingerprint {
    pub(super) const fn new() -> Self {
        Self { low: 0x243f_6a88_85a3_08d3, high: 0x1319_8a2e_0370_7344 }
    }

    pub(super) const fn add(&mut self, word: u64) {
        self.low = fold(self.low ^ word, 0x9e37_79b9_7f4a_7c15);
        self.high = fold(self.high ^ word, 0xd6e8_feb8_6659_fd93);
    }

    pub(super) const fn add_wide(&mut self, word: u128) {
        self.add(word as u64);
        self.add((word >> 64) as u64);
    }

    pub(super) const fn finish(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

const fn fold(one: u64, other: u64) -> u64 {
    let product = one as u128 * other as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Takes a fingerprint as its own hash.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}
