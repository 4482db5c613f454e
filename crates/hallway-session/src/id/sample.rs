//! What a million ids look like. A broken source of random bytes shows here; a good one is not proven so.

use super::{BYTES, SessionId};

/// A sample and what is counted of it: at each place of an id, how often each byte.
struct Sample {
    heads: Vec<u64>,
    counts: Vec<[u32; 256]>,
}

impl Sample {
    fn take(ids: usize, mut next: impl FnMut() -> [u8; BYTES]) -> Self {
        let mut sample = Self { heads: Vec::with_capacity(ids), counts: vec![[0; 256]; BYTES] };
        for _ in 0..ids {
            let id = next();
            sample.heads.push(id.first_chunk().map_or(0, |head| u64::from_le_bytes(*head)));
            for (counts, byte) in sample.counts.iter_mut().zip(id) {
                counts[usize::from(byte)] += 1;
            }
        }
        sample
    }

    /// What is wrong with it.
    fn verdict(mut self) -> Result<(), String> {
        let ids = self.heads.len();
        let random = ids as f64;
        self.heads.sort_unstable();
        // The first 64 bits already differ among a million, but once in 37 million samples.
        let twice = self.heads.windows(2).filter(|pair| pair[0] == pair[1]).count();
        if twice > 0 {
            return Err(format!("{twice} ids begin with the same 64 bits as another"));
        }
        // Ones at each place, and all of them: half, give or take six standard deviations.
        let mut all = 0.0;
        for (place, counts) in self.counts.iter().enumerate() {
            for bit in 0..8 {
                let with = |byte: &usize| byte >> bit & 1 == 1;
                let ones: f64 = (0..256).filter(with).map(|byte| f64::from(counts[byte])).sum();
                let sigmas = (ones - random / 2.0) / (random.sqrt() / 2.0);
                if sigmas.abs() > 6.0 {
                    return Err(format!("bit {bit} of byte {place} is one {ones} times of {ids}: {sigmas:.1} sigma"));
                }
                all += ones;
            }
        }
        let bits = random * 256.0;
        let sigmas = (all - bits / 2.0) / (bits.sqrt() / 2.0);
        if sigmas.abs() > 6.0 {
            return Err(format!("{all} ones of {bits} bits: {sigmas:.1} sigma"));
        }
        // Chi-square with 255 degrees of freedom, for each place: mean 255, standard deviation 22.6.
        for (place, counts) in self.counts.iter().enumerate() {
            let expected = random / 256.0;
            let chi: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
            if !(135.0..430.0).contains(&chi) {
                return Err(format!("the bytes at place {place} are not even: chi-square {chi:.0}"));
            }
        }
        Ok(())
    }
}

/// A million, or a tenth of that where `HALLWAY_TEST_QUICK` is set.
fn size() -> usize {
    if std::env::var_os("HALLWAY_TEST_QUICK").is_some() { 100_000 } else { 1_000_000 }
}

#[test]
fn a_million_ids_have_no_duplicate_and_look_like_chance() {
    Sample::take(size(), || SessionId::generate().unwrap().0).verdict().unwrap();
}

/// The judge itself: what is not random in one of the ways that are looked at is found out.
#[test]
fn a_source_that_is_not_random_is_found_out() {
    fn check(ids: usize, mut spoil: impl FnMut(usize, &mut [u8; BYTES])) -> String {
        let mut number = 0;
        let next = || {
            let mut id = SessionId::generate().unwrap().0;
            number += 1;
            spoil(number, &mut id);
            id
        };
        Sample::take(ids, next).verdict().unwrap_err()
    }
    const IDS: usize = 20_000;
    let mut kept = None;
    let repeats = check(IDS, |number, id| match number {
        1 => kept = Some(*id),
        IDS => *id = kept.take().unwrap(),
        _ => {}
    });
    assert!(repeats.starts_with("1 ids begin"), "{repeats}");
    let stuck = check(IDS, |_, id| id[17] &= !4);
    assert!(stuck.starts_with("bit 2 of byte 17 is one 0 times"), "{stuck}");
    // A bit that is one in 40 % of the ids.
    let leaning = check(IDS, |number, id| id[31] &= if number % 5 == 0 { 0x7f } else { 0xff });
    assert!(leaning.starts_with("bit 7 of byte 31"), "{leaning}");
    // One way round for half of the bits and the other for the rest: each place is even, two bits go together.
    let uneven = check(IDS, |_, id| id[5] = id[5] & 0xfe | id[5] >> 7);
    assert!(uneven.starts_with("the bytes at place 5"), "{uneven}");
    // Too even to be true.
    let counted = check(256 * 80, |number, id| id[9] = number as u8);
    assert!(counted.ends_with("chi-square 0"), "{counted}");
}
