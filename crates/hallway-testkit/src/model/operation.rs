//! Operations, made from a seed without looking at the store, so that any part of a run can be run again.

use std::time::Duration;

use hallway_core::{Bytes, Capabilities, Capability, MAX_TTL, Ttl};
use rand::RngExt;
use rand::rngs::StdRng;

/// Namespace below the one of the run, and id. Few, so that operations collide; awkward, so that escaping, collation
/// and patterns show: SQL and glob wildcards, names that differ in case, in a trailing space or in their Unicode form.
pub(super) const KEYS: [(&str, &str); 24] = [
    ("", "k"),
    ("", "k "),
    ("", "K"),
    ("", "ключ"),
    ("", "a%b:{c}"),
    ("", "*"),
    ("", LONG),
    ("a", "1"),
    ("a", "2"),
    ("a", "10"),
    ("a", "_"),
    ("a", "\""),
    ("a:b", "1"),
    ("a:b", "'"),
    ("a:b:c", "\\"),
    ("ab", "1"),
    ("ab", "2"),
    ("A", "1"),
    ("a_", "1"),
    ("a%", "1"),
    ("a*", "1"),
    ("[ab]", "1"),
    ("\u{e9}", "1"),
    ("e\u{301}", "1"),
];

const LONG: &str = "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-\
                    long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-";

/// Below the namespace of the run; the empty one is all of it.
pub(super) const PREFIXES: [&str; 11] = ["", "a", "a:b", "a:b:c", "ab", "A", "a_", "a%", "a*", "[ab]", "none"];

/// What `Equals` is asked with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Guess {
    /// What the model holds, with the last byte changed or, for nothing, with one byte.
    Almost,
    /// What the model holds.
    Current,
    /// Whatever.
    Other(Bytes),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    Absent,
    Always,
    Equals(Guess),
    Present,
}

pub(super) type Item = (usize, Bytes, Ttl);

/// Keys and prefixes by their number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operation {
    Advance(Duration),
    /// To the deadline of a key, so many microseconds off.
    AdvanceTo(usize, i64),
    Clear(usize),
    Delete(usize),
    DeleteIf(usize, Guess),
    DeleteMany(Vec<usize>),
    Get(usize),
    GetBurst(Vec<usize>),
    GetEntry(usize),
    GetMany(Vec<usize>),
    Increment(usize, i64, Ttl),
    Ping,
    Scan(usize, usize),
    Set(usize, Bytes, Ttl, When),
    SetBurst(Vec<Item>),
    SetMany(Vec<Item>),
    StepDate(i64),
    Take(usize),
    Touch(usize, Ttl),
    TryGet(usize),
}

pub(super) fn generate(rng: &mut StdRng, can: Capabilities, max_value: usize, stepped: bool) -> Operation {
    let key = rng.random_range(0..KEYS.len());
    let prefix = rng.random_range(0..PREFIXES.len());
    match rng.random_range(0..1_000) {
        0..90 => Operation::Get(key),
        90..180 => Operation::GetEntry(key),
        180..210 => Operation::TryGet(key),
        210..370 => Operation::Set(key, value(rng, max_value), ttl(rng, can), When::Always),
        370..500 => {
            let when = match rng.random_range(0..4) {
                0 => When::Absent,
                1 => When::Present,
                _ => When::Equals(guess(rng, max_value)),
            };
            Operation::Set(key, value(rng, max_value), ttl(rng, can), when)
        }
        500..530 => Operation::Delete(key),
        530..570 => Operation::DeleteIf(key, guess(rng, max_value)),
        570..660 => Operation::Touch(key, ttl(rng, can)),
        660..700 => Operation::Take(key),
        700..810 => Operation::Increment(key, step(rng), lasting_ttl(rng, can)),
        810..850 => Operation::GetMany(keys(rng, 12)),
        850..880 => Operation::SetMany(items(rng, can, max_value)),
        880..895 => Operation::DeleteMany(keys(rng, 5)),
        895..910 => Operation::Scan(prefix, [1, 2, 7, 1_000, usize::MAX][rng.random_range(0..5)]),
        910..916 => Operation::Clear(prefix),
        916..940 => Operation::GetBurst(keys(rng, 20)),
        940..955 => {
            let mut burst = items(rng, can, max_value);
            // Of concurrent writes to one key nobody knows the winner.
            burst.sort_by_key(|(key, ..)| *key);
            burst.dedup_by_key(|(key, ..)| *key);
            Operation::SetBurst(burst)
        }
        955..960 => Operation::Ping,
        960..985 => Operation::AdvanceTo(key, rng.random_range(-1..=1)),
        985..990 if stepped => Operation::StepDate(rng.random_range(-100_000..=100_000)),
        _ => Operation::Advance(match rng.random_range(0..20) {
            0 if stepped => Duration::from_secs(rng.random_range(1..100_000)),
            1..10 => Duration::from_micros(rng.random_range(1..3_000)),
            _ => Duration::from_micros(rng.random_range(1..20_000)),
        }),
    }
}

fn keys(rng: &mut StdRng, most: usize) -> Vec<usize> {
    let count = rng.random_range(0..=most);
    (0..count).map(|_| rng.random_range(0..KEYS.len())).collect()
}

fn items(rng: &mut StdRng, can: Capabilities, max_value: usize) -> Vec<Item> {
    keys(rng, 8).into_iter().map(|key| (key, value(rng, max_value), lasting_ttl(rng, can))).collect()
}

fn guess(rng: &mut StdRng, max_value: usize) -> Guess {
    match rng.random_range(0..10) {
        0..6 => Guess::Current,
        6..8 => Guess::Almost,
        8 => Guess::Other(Bytes::new()),
        _ => Guess::Other(value(rng, max_value)),
    }
}

fn step(rng: &mut StdRng) -> i64 {
    match rng.random_range(0..20) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => 0,
        _ => rng.random_range(-100..100),
    }
}

/// Sometimes one that no store may accept.
fn ttl(rng: &mut StdRng, can: Capabilities) -> Ttl {
    match rng.random_range(0..60) {
        0 => Ttl::After(Duration::ZERO),
        1 => Ttl::After(MAX_TTL + Duration::from_nanos(1)),
        2 => Ttl::Forever,
        _ => lasting_ttl(rng, can),
    }
}

fn lasting_ttl(rng: &mut StdRng, can: Capabilities) -> Ttl {
    Ttl::After(match rng.random_range(0..20) {
        0 => Duration::from_nanos(rng.random_range(1..1_000_000)),
        1 => Duration::from_micros(rng.random_range(1..10_000)),
        2..9 => Duration::from_millis(rng.random_range(1..60)),
        9..13 => Duration::from_millis(rng.random_range(60..1_000)),
        13..16 => Duration::from_secs(rng.random_range(1..100_000)),
        16 => MAX_TTL,
        _ if can.has(Capability::Forever) => return Ttl::Forever,
        _ => Duration::from_secs(3_600),
    })
}

/// Bytes that have been taken for something else somewhere: markers, numbers, escapes, text of another encoding.
const AWKWARD: [&[u8]; 28] = [
    b"",
    b"\0",
    b"\r\n",
    b"$-1\r\n",
    b"*-1",
    b"nil",
    b"NULL",
    b"null",
    b"undefined",
    b"{}",
    b"\\x00",
    b"\\000",
    b"'; --",
    b"%",
    b"\xff\xff\xff\xff",
    b"\xc3\x28",
    b"\xef\xbb\xbfbom",
    b" 7",
    b"7 ",
    b"+7",
    b"007",
    b"-0",
    b"1e3",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"V1 json ttl=1 soft=1 cost=1 id=0000000000000000 crc=00000000\n",
    b"\x80\x04N.",
];

fn value(rng: &mut StdRng, max: usize) -> Bytes {
    match rng.random_range(0..10) {
        0..3 => Bytes::from(rng.random_range(-1_000_i64..1_000).to_string()),
        3..6 => {
            let awkward = AWKWARD[rng.random_range(0..AWKWARD.len())];
            Bytes::from_static(&awkward[..awkward.len().min(max)])
        }
        sort => {
            let most = if sort < 9 { max.min(200) } else { max };
            let mut bytes = vec![0; rng.random_range(0..=most)];
            rng.fill(bytes.as_mut_slice());
            Bytes::from(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_operations() {
        let run = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..500).map(|_| generate(&mut rng, Capabilities::all(), 100, true)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
