//! Keys and values, built before anything is timed, and recognisable when they come back.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::Result;
use crate::load::zipf::Zipf;

/// Key and version in front of each value.
const HEADER: usize = 8;
/// How skewed the popularity of keys is where it is skewed.
const ZIPF_EXPONENT: f64 = 0.99;
/// Draws from Zipf's law made before anything is timed; a walk starts somewhere among them.
const ZIPF_DRAWS: usize = 1 << 20;

/// A set of keys, each with several values of one size.
///
/// A value starts with the hash of its key and its version, so that a mixed-up answer is found while timing at the
/// price of one comparison. Values are text, so that a codec made for people can hold them as they are. Successive writes of a key use different versions: a database may skip the page write,
/// and the flush, of a value that is there already.
#[derive(Debug)]
pub struct Workload {
    names: Vec<String>,
    marks: Vec<[u8; 4]>,
    values: Vec<Vec<Bytes>>,
    value_bytes: usize,
    popular: OnceLock<Vec<u32>>,
    order: OnceLock<Vec<u32>>,
}

impl Workload {
    /// `keys` keys with `versions` values of `value_bytes` bytes each.
    ///
    /// # Panics
    /// Without keys or versions, or with values too short to be recognised.
    #[must_use]
    pub fn new(keys: usize, value_bytes: usize, versions: u32) -> Self {
        assert!(
            keys > 0 && versions > 0 && value_bytes >= HEADER,
            "a workload needs keys, versions and room for marks"
        );
        let names: Vec<_> = (0..keys).map(|index| format!("{index:08}")).collect();
        let marks: Vec<_> = (0..keys as u64).map(|index| letters(mix(index))).collect();
        let values = marks
            .iter()
            .map(|mark| (0..versions).map(|version| value(*mark, version, value_bytes)).collect())
            .collect();
        Self { names, marks, values, value_bytes, popular: OnceLock::new(), order: OnceLock::new() }
    }

    /// The texts that contenders build their keys from.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.names.len()
    }

    /// How long each value is.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// A value of a key; versions count in a circle.
    #[must_use]
    pub fn value(&self, key: usize, version: u64) -> &Bytes {
        let versions = &self.values[key];
        &versions[(version % versions.len() as u64) as usize]
    }

    /// Keys as visitors choose them: drawn by Zipf's law, the first key most often.
    #[must_use]
    pub fn popular(&self) -> &[u32] {
        self.popular.get_or_init(|| {
            let zipf = Zipf::new(self.keys(), ZIPF_EXPONENT);
            (0..ZIPF_DRAWS as u64).map(|draw| zipf.draw(mix(draw)) as u32).collect()
        })
    }

    /// Every key once, shuffled.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        self.order.get_or_init(|| {
            let mut order: Vec<u32> = (0..self.keys() as u32).collect();
            order.sort_by_cached_key(|key| mix(u64::from(*key)));
            order
        })
    }

    /// The check inside the timed loop: length and mark.
    ///
    /// # Errors
    /// If the value is missing or is not one of this key.
    #[inline]
    pub fn check(&self, key: usize, found: Option<&[u8]>) -> Result<()> {
        match found {
            Some(value) if value.len() == self.value_bytes && value.starts_with(&self.marks[key]) => Ok(()),
            found => Err(self.wrong(key, found)),
        }
    }

    /// The check outside of the timed loop: every byte.
    ///
    /// # Errors
    /// If the value is missing or is not exactly one of this key.
    pub fn check_fully(&self, key: usize, found: Option<&[u8]>) -> Result<()> {
        match found {
            Some(found) if self.values[key].iter().any(|value| value == found) => Ok(()),
            found => Err(self.wrong(key, found)),
        }
    }

    /// The check after the last write: every byte of one of these versions.
    ///
    /// # Errors
    /// If the value is missing or is another one.
    pub fn check_last(&self, key: usize, versions: RangeInclusive<u64>, found: Option<&[u8]>) -> Result<()> {
        self.check_fully(key, found)?;
        // More of them than there are different values are all of those.
        let (first, last) = versions.into_inner();
        let last = last.min(first.saturating_add(self.values[key].len() as u64 - 1));
        if (first..=last).any(|version| found == Some(self.value(key, version))) {
            return Ok(());
        }
        Err(format!("key {} holds an old value: an acknowledged write was lost", self.names[key]).into())
    }

    #[cold]
    fn wrong(&self, key: usize, found: Option<&[u8]>) -> crate::Failure {
        match found {
            None => format!("key {} is missing; its store must hold everything that was written", self.names[key]),
            Some(value) => format!("key {} holds {} bytes that were never written there", self.names[key], value.len()),
        }
        .into()
    }
}

fn value(mark: [u8; 4], version: u32, bytes: usize) -> Bytes {
    let mut value = Vec::with_capacity(bytes);
    value.extend_from_slice(&mark);
    value.extend_from_slice(&letters(u64::from(version)));
    let mut state = u64::from(u32::from_le_bytes(mark)) << 32 | u64::from(version);
    while value.len() < bytes {
        state = mix(state);
        let filler = letters(state);
        value.extend_from_slice(&filler[..filler.len().min(bytes - value.len())]);
    }
    value.into()
}

/// The low 24 bits as four letters of Base64.
fn letters(number: u64) -> [u8; 4] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    [0, 6, 12, 18].map(|shift| ALPHABET[(number >> shift) as usize & 63])
}

/// The finaliser of SplitMix64: spreads neighbouring numbers over all 64 bits.
pub(crate) fn mix(number: u64) -> u64 {
    crate::trace::mix::mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_distinct_and_recognised() {
        let workload = Workload::new(10, 20, 4);
        let mut all: Vec<_> = (0..10).flat_map(|key| (0..4).map(move |version| (key, version))).collect();
        all.dedup_by_key(|(key, version)| workload.value(*key, *version).clone());
        assert_eq!(all.len(), 40);
        assert_eq!(workload.value(3, 1), workload.value(3, 5));
        workload.check(3, Some(workload.value(3, 2))).unwrap();
        workload.check_fully(3, Some(workload.value(3, 2))).unwrap();
    }

    #[test]
    fn a_missing_a_foreign_and_a_changed_value_are_found() {
        let workload = Workload::new(10, 20, 4);
        workload.check(3, None).unwrap_err();
        workload.check(3, Some(workload.value(4, 0))).unwrap_err();
        workload.check(3, Some(&workload.value(3, 0)[..19])).unwrap_err();
        let mut changed = workload.value(3, 0).to_vec();
        changed[19] ^= 1;
        workload.check(3, Some(&changed)).unwrap();
        workload.check_fully(3, Some(&changed)).unwrap_err();
    }

    #[test]
    fn an_old_version_is_found_and_any_of_overlapping_writes_passes() {
        let workload = Workload::new(3, 20, 4);
        let check = |versions, found: u64| workload.check_last(1, versions, Some(workload.value(1, found)));
        check(6..=6, 6).unwrap();
        let error = check(6..=6, 5).unwrap_err().to_string();
        assert!(error.contains("00000001 holds an old value"), "{error}");
        check(5..=6, 5).unwrap();
        check(5..=6, 4).unwrap_err();
        check(1..=u64::MAX, 3).unwrap();
        workload.check_last(1, 6..=6, None).unwrap_err();
    }

    #[test]
    fn values_are_text_of_the_size_asked_for() {
        let workload = Workload::new(3, 1 << 10, 2);
        for (key, version) in [(0, 0), (2, 1)] {
            let value = workload.value(key, version);
            assert_eq!(value.len(), 1 << 10);
            assert!(value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
        }
    }

    #[test]
    fn the_order_has_every_key_once_and_popular_keys_are_drawn_often() {
        let workload = Workload::new(1_000, 8, 1);
        let mut order = workload.order().to_vec();
        assert_ne!(order, (0..1_000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1_000).collect::<Vec<_>>());
        let first = workload.popular().iter().filter(|key| **key == 0).count() as f64 / workload.popular().len() as f64;
        // One in the sum of 1 / rank ^ 0.99 over 1,000 ranks.
        assert!((first - 0.1294).abs() < 0.002, "{first}");
    }
}
