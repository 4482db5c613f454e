//! Values that prove themselves: every byte follows from the key, so a read can be checked without a second copy.
//!
//! Layout: hash of the key (8 bytes, big-endian), length of the whole (4 bytes), then a stream seeded by the hash.

use bytes::{BufMut, Bytes, BytesMut};

use super::mix::{Stream, mix};
use super::sizes::value_len;

const HEADER: usize = 12;

/// Bytes of a version, right behind the header.
const VERSION: usize = 8;

/// The value of the key with this hash.
pub fn make(hash: u64) -> Bytes {
    let length = value_len(hash).max(HEADER);
    let mut value = BytesMut::with_capacity(length + 8);
    value.put_u64(hash);
    value.put_u32(length as u32);
    let mut content = Stream::new(hash);
    while value.len() < length {
        value.put_u64(content.next());
    }
    value.truncate(length);
    value.freeze()
}

/// Checks that `value` is exactly what [`make`] gives for this hash, and says what is wrong with it.
pub fn verify(value: &[u8], hash: u64) -> Result<(), String> {
    let expected = value_len(hash).max(HEADER);
    if value.len() != expected {
        return Err(format!("{} bytes instead of {expected}", value.len()));
    }
    let (header, content) = value.split_at(HEADER);
    if header[..8] != hash.to_be_bytes() {
        return Err("the value belongs to another key".to_owned());
    }
    if header[8..] != (expected as u32).to_be_bytes() {
        return Err("the length in the header is wrong".to_owned());
    }
    let mut stream = Stream::new(hash);
    for (index, chunk) in content.chunks(8).enumerate() {
        if *chunk != stream.next().to_be_bytes()[..chunk.len()] {
            return Err(format!("a byte between {} and {} has changed", HEADER + index * 8, HEADER + index * 8 + 7));
        }
    }
    Ok(())
}

/// The value of the key with this hash after its `version`th change. Each is different from every other.
pub fn make_version(hash: u64, version: u64) -> Bytes {
    let length = value_len(hash).max(HEADER + VERSION);
    let mut value = BytesMut::with_capacity(length + 8);
    value.put_u64(hash);
    value.put_u32(length as u32);
    value.put_u64(version);
    let mut content = Stream::new(hash ^ mix(version));
    while value.len() < length {
        value.put_u64(content.next());
    }
    value.truncate(length);
    value.freeze()
}

/// Checks that `value` is what [`make_version`] gives for this hash and some version, and says which.
pub fn version(value: &Bytes, hash: u64) -> Result<u64, String> {
    let Some(version) = value.get(HEADER..HEADER + VERSION) else {
        return Err(format!("{} bytes are too few", value.len()));
    };
    let version = version.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    if *value != make_version(hash, version) {
        return Err("it is no version of this key's value".to_owned());
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::super::mix::hash;
    use super::*;

    #[test]
    fn values_verify_and_any_change_is_found() {
        for key in ["1", "2", "user:42", "ü"] {
            let hash = hash(key);
            let value = make(hash);
            verify(&value, hash).unwrap();
            for at in 0..value.len() {
                let mut damaged = value.to_vec();
                damaged[at] ^= 1;
                assert!(verify(&damaged, hash).is_err(), "{key}, byte {at}");
            }
            assert!(verify(&value[..value.len() - 1], hash).is_err());
            assert!(verify(&[], hash).is_err());
        }
    }

    #[test]
    fn versions_verify_and_any_change_is_found() {
        let hash = hash("1");
        for number in [0, 1, u64::MAX] {
            let value = make_version(hash, number);
            assert_eq!(version(&value, hash), Ok(number));
            for at in 0..value.len() {
                let mut damaged = value.to_vec();
                damaged[at] ^= 1;
                assert!(version(&damaged.into(), hash).is_err(), "byte {at}");
            }
        }
        assert!(version(&Bytes::new(), hash).is_err());
        assert!(version(&make_version(hash ^ 1, 0), hash).is_err());
    }

    #[test]
    fn the_value_of_another_key_is_refused() {
        // Two keys with values of one length, so that only the header can tell.
        let first = hash("0");
        let twin = (1..).map(|n: u32| hash(&n.to_string())).find(|h| value_len(*h) == value_len(first)).unwrap();
        assert_eq!(verify(&make(twin), first).unwrap_err(), "the value belongs to another key");
    }
}
