//! The one hash behind value sizes, value contents and generated streams: fixed for ever, so that a seed or a key
//! means the same on every machine and in every release.

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
#[must_use]
pub fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// FNV-1a, then mixed, because FNV alone leaves the high bits of short keys alike.
#[must_use]
pub fn hash(text: &str) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The upper 53 bits as a number in [0, 1).
#[must_use]
pub fn unit(x: u64) -> f64 {
    (x >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// SplitMix64 as a stream.
#[derive(Debug)]
pub struct Stream(u64);

impl Stream {
    /// From its first number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it has no end, so there is no option to match on")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as given with its reference code.
        let mut stream = Stream::new(1_234_567);
        assert_eq!([stream.next(), stream.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn hashes_of_neighbours_differ_in_about_half_their_bits() {
        let differing = (hash("1000") ^ hash("1001")).count_ones();
        assert!((16..=48).contains(&differing), "{differing}");
    }
}
