//! Codecs: round trips, golden bytes, and everything that hostile bytes may try.

use std::collections::BTreeMap;
use std::fmt::Debug;

use hallway_core::{Bincode, Codec, ErrorKind, HARD_VALUE_CAP, Json, Postcard};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Runs a check with each codec.
macro_rules! each_codec {
    ($($name:ident => $check:ident;)+) => {$(
        mod $name {
            #[test]
            fn json() {
                super::$check::<hallway_core::Json>();
            }

            #[test]
            fn postcard() {
                super::$check::<hallway_core::Postcard>();
            }

            #[test]
            fn bincode() {
                super::$check::<hallway_core::Bincode>();
            }
        }
    )+};
}

each_codec! {
    values_come_back => round_trips;
    random_bytes_never_panic => survives_random_bytes;
    flipped_bits_never_panic => survives_flipped_bits;
    leftovers_are_refused => refuses_leftovers;
    a_hundred_levels_and_no_more => limits_depth;
    what_can_be_written_can_be_read => reads_what_it_writes;
    a_hundred_thousand_levels_end_in_an_error => survives_great_depth;
    the_cap_holds_both_ways => limits_size;
    errors_never_quote_the_data => keeps_secrets;
    hostile_lengths_do_not_allocate => believes_no_length;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: Option<u8>,
    balance: i64,
    score: f64,
    big: u128,
    tags: Vec<String>,
    counts: BTreeMap<String, u32>,
    plan: Plan,
    photo: Vec<u8>,
    pair: (bool, char),
    nothing: (),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Plan {
    Free,
    Paid(u64),
    Team { seats: u16, owner: Box<Option<Plan>> },
    Both(i8, i16),
}

fn plan() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![
        Just(Plan::Free),
        any::<u64>().prop_map(Plan::Paid),
        any::<(i8, i16)>().prop_map(|(one, two)| Plan::Both(one, two)),
    ];
    leaf.prop_recursive(4, 8, 1, |inner| {
        (any::<u16>(), proptest::option::of(inner))
            .prop_map(|(seats, owner)| Plan::Team { seats, owner: Box::new(owner) })
    })
}

fn profile() -> impl Strategy<Value = Profile> {
    let texts = (any::<String>(), proptest::collection::vec(any::<String>(), 0..4));
    let maps = (proptest::collection::btree_map(any::<String>(), any::<u32>(), 0..4), any::<Vec<u8>>());
    let score = any::<f64>().prop_filter("JSON has no form for others", |score| score.is_finite());
    (texts, maps, score, plan(), any::<(Option<u8>, i64, u128, bool, char)>()).prop_map(
        |((name, tags), (counts, photo), score, plan, (age, balance, big, flag, letter))| Profile {
            name,
            age,
            balance,
            score,
            big,
            tags,
            counts,
            plan,
            photo,
            pair: (flag, letter),
            nothing: (),
        },
    )
}

fn example() -> Profile {
    Profile {
        name: "Ada".into(),
        age: Some(36),
        balance: -5,
        score: 0.1,
        big: 300,
        tags: vec!["a".into(), "b".into()],
        counts: BTreeMap::from([("x".into(), 7)]),
        plan: Plan::Team { seats: 3, owner: Box::new(Some(Plan::Paid(1))) },
        photo: vec![0, 255],
        pair: (true, 'é'),
        nothing: (),
    }
}

#[test]
fn golden_json() {
    let text = r#"{"name":"Ada","age":36,"balance":-5,"score":0.1,"big":300,"tags":["a","b"],"counts":{"x":7},"plan":{"Team":{"seats":3,"owner":{"Paid":1}}},"photo":[0,255],"pair":[true,"é"],"nothing":null}"#;
    golden::<Json>(text.as_bytes());
}

#[test]
fn golden_postcard() {
    golden::<Postcard>(
        b"\x03Ada\x01\x24\x09\x9a\x99\x99\x99\x99\x99\xb9\x3f\xac\x02\x02\x01a\x01b\x01\x01x\x07\x02\x03\x01\x01\x01\x02\x00\xff\x01\x02\xc3\xa9",
    );
}

#[test]
fn golden_bincode() {
    golden::<Bincode>(
        b"\x03Ada\x01\x24\x09\x9a\x99\x99\x99\x99\x99\xb9\x3f\xfb\x2c\x01\x02\x01a\x01b\x01\x01x\x07\x02\x03\x01\x01\x01\x02\x00\xff\x01\xc3\xa9",
    );
}

fn golden<C: Codec>(bytes: &[u8]) {
    let encoded = C::encode(&example()).unwrap();
    assert_eq!(encoded.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    assert_eq!(C::decode::<Profile>(bytes).unwrap(), example());
}

fn quick() -> ProptestConfig {
    ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() }
}

fn round_trips<C: Codec>() {
    proptest!(quick(), |(value in profile())| {
        prop_assert_eq!(C::decode::<Profile>(&C::encode(&value).unwrap()).unwrap(), value);
    });
    // Far more numbers than a limit on decoded widths would let through at 16 for 1.
    let numbers = vec![1_u128; (1 << 20) + 1];
    assert_eq!(C::decode::<Vec<u128>>(&C::encode(&numbers).unwrap()).unwrap(), numbers);
    let text = "x".repeat(HARD_VALUE_CAP - 16);
    assert_eq!(C::decode::<String>(&C::encode(&text).unwrap()).unwrap(), text);
}

fn decodes_as_anything<C: Codec>(bytes: &[u8]) {
    fn check<C: Codec, T: DeserializeOwned>(bytes: &[u8]) {
        if let Err(error) = C::decode::<T>(bytes) {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
    check::<C, Profile>(bytes);
    check::<C, Tree>(bytes);
    check::<C, Chain>(bytes);
    check::<C, Vec<()>>(bytes);
    check::<C, Vec<Vec<u64>>>(bytes);
    check::<C, BTreeMap<String, Vec<u8>>>(bytes);
    check::<C, String>(bytes);
    check::<C, Option<char>>(bytes);
}

fn survives_random_bytes<C: Codec>() {
    proptest!(quick(), |(bytes in proptest::collection::vec(any::<u8>(), 0..200))| {
        decodes_as_anything::<C>(&bytes);
    });
}

fn survives_flipped_bits<C: Codec>() {
    proptest!(quick(), |(value in profile(), at in any::<prop::sample::Index>(), bit in 0..8_u8)| {
        let mut bytes = C::encode(&value).unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        decodes_as_anything::<C>(&bytes);
        bytes.truncate(at);
        decodes_as_anything::<C>(&bytes);
    });
}

fn refuses_leftovers<C: Codec>() {
    let mut bytes = C::encode(&example()).unwrap().to_vec();
    bytes.push(b'0');
    let error = C::decode::<Profile>(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("left over"), "{error}");
}

/// One level of sequence for each level of depth.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

/// Recursion that JSON does not show at all and the others show as one byte.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

fn tree(levels: usize) -> Tree {
    (1..levels).fold(Tree(vec![]), |inner, _| Tree(vec![inner]))
}

/// The bytes of such a tree, which the codec itself would refuse to write.
fn tree_bytes<C: Codec>(levels: usize) -> Vec<u8> {
    match C::NAME {
        "json" => ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes(),
        _ => [vec![1; levels - 1], vec![0]].concat(),
    }
}

fn check_too_deep<T: Debug>(result: hallway_core::Result<T>, kind: ErrorKind) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains("deeper than 100"), "{error}");
}

fn limits_depth<C: Codec>() {
    let bytes = C::encode(&tree(100)).unwrap();
    assert_eq!(bytes, tree_bytes::<C>(100));
    assert_eq!(C::decode::<Tree>(&bytes).unwrap(), tree(100));
    check_too_deep(C::encode(&tree(101)), ErrorKind::InvalidInput);
    check_too_deep(C::decode::<Tree>(&tree_bytes::<C>(101)), ErrorKind::Corrupt);
}

/// Every kind of variant, which formats nest in different ways.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Expr {
    Leaf,
    Not(Box<Expr>),
    Neg { of: Box<Expr> },
    Pair(Box<Expr>, u8),
    List(Vec<Expr>),
}

fn reads_what_it_writes<C: Codec>() {
    let layers: [fn(Expr) -> Expr; 4] = [
        |inner| Expr::Not(Box::new(inner)),
        |inner| Expr::Neg { of: Box::new(inner) },
        |inner| Expr::Pair(Box::new(inner), 0),
        |inner| Expr::List(vec![inner]),
    ];
    for (at, layer) in layers.into_iter().enumerate() {
        let (mut written, mut refused) = (0, 0);
        for levels in 30..110 {
            let value = (0..levels).fold(Expr::Leaf, |inner, _| layer(inner));
            match C::encode(&value) {
                Ok(bytes) => {
                    written += 1;
                    assert_eq!(C::decode::<Expr>(&bytes).unwrap(), value, "{levels} levels of layer {at}");
                }
                error => {
                    refused += 1;
                    check_too_deep(error, ErrorKind::InvalidInput);
                }
            }
        }
        assert!(written > 0 && refused > 0, "layer {at} never met the limit");
    }
}

/// On the stack of a runtime's worker, in a debug build: the limit must be one that fits.
fn survives_great_depth<C: Codec>() {
    let run = || {
        for levels in [127, 128, 129, 1_000, 100_000] {
            check_too_deep(C::decode::<Tree>(&tree_bytes::<C>(levels)), ErrorKind::Corrupt);
            decodes_as_anything::<C>(&tree_bytes::<C>(levels));
        }
        let mut chain = Chain(None);
        for _ in 0..1_000 {
            chain = Chain(Some(Box::new(chain)));
        }
        check_too_deep(C::encode(&chain), ErrorKind::InvalidInput);
        check_too_deep(C::encode(&tree(1_000)), ErrorKind::InvalidInput);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn what_json_skips_counts_too() {
    #[derive(Debug, Deserialize)]
    struct Small {}
    let deep = |levels| format!(r#"{{"unknown":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(Json::decode::<Small>(deep(99).as_bytes()).is_ok());
    check_too_deep(Json::decode::<Small>(deep(100).as_bytes()), ErrorKind::Corrupt);
    check_too_deep(Json::decode::<serde_json::Value>(deep(100).as_bytes()), ErrorKind::Corrupt);
}

fn limits_size<C: Codec>() {
    let error = C::decode::<String>(&vec![b' '; HARD_VALUE_CAP + 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = C::encode(&"x".repeat(HARD_VALUE_CAP)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let many = vec!["x".repeat(1 << 20); 40];
    let counted = allocation_counter::measure(|| {
        assert_eq!(C::encode(&many).unwrap_err().kind(), ErrorKind::TooLarge);
    });
    assert!(counted.bytes_max < 3 * HARD_VALUE_CAP as u64, "{counted:?}");
}

fn keeps_secrets<C: Codec>() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Secret {
        password: String,
    }
    let bytes = C::encode(&Secret { password: "hunter2".into() }).unwrap();
    let shown = |error: hallway_core::Error| {
        assert!(std::error::Error::source(&error).is_none());
        format!("{error} {error:?}")
    };
    let shown = [
        shown(C::decode::<u8>(&bytes).map(drop).unwrap_err()),
        shown(C::decode::<Vec<Plan>>(&bytes).map(drop).unwrap_err()),
        shown(C::decode::<Secret>(&bytes[..bytes.len() - 1]).map(drop).unwrap_err()),
    ];
    assert!(shown.iter().all(|shown| !shown.contains("hunter2")), "{shown:?}");
}

/// The length `u64::MAX` and some smaller ones, then hardly any bytes.
fn hostile<C: Codec>() -> Vec<Vec<u8>> {
    match C::NAME {
        "json" => vec![b"[0,".to_vec(), b"\"".to_vec(), b"{\"".to_vec()],
        "postcard" => vec![
            [vec![0xff; 9], vec![0x01], vec![b'a'; 4]].concat(),
            [vec![0xff, 0xff, 0xff, 0x07], vec![b'a'; 4]].concat(),
            [vec![0xff, 0xff, 0x03], vec![0xff, 0xff, 0x03]].concat(),
        ],
        _ => vec![
            [vec![0xfd], vec![0xff; 8], vec![b'a'; 4]].concat(),
            [vec![0xfc], 0x00ff_ffff_u32.to_le_bytes().to_vec(), vec![b'a'; 4]].concat(),
            [vec![0xfb, 0xff, 0xff], vec![0xfb, 0xff, 0xff]].concat(),
        ],
    }
}

fn believes_no_length<C: Codec>() {
    for bytes in hostile::<C>() {
        let counted = allocation_counter::measure(|| {
            assert!(C::decode::<String>(&bytes).is_err());
            assert!(C::decode::<Vec<u8>>(&bytes).is_err());
            assert!(C::decode::<Vec<u128>>(&bytes).is_err());
            assert!(C::decode::<Vec<Vec<Vec<[u64; 32]>>>>(&bytes).is_err());
            assert!(C::decode::<BTreeMap<String, String>>(&bytes).is_err());
            assert!(C::decode::<std::collections::HashMap<u64, u64>>(&bytes).is_err());
            assert!(C::decode::<Owned>(&bytes).is_err());
            // Takes no bytes for its elements, so only counting ends it.
            let _ = C::decode::<Vec<()>>(&bytes);
        });
        assert!(counted.bytes_max < 64 << 10, "{counted:?} for {bytes:?}");
    }
}

/// Bytes that ask for an owned buffer, as `serde_bytes` does.
#[derive(Debug)]
struct Owned;

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Owned;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<Owned, E> {
                Ok(Owned)
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Long texts take another way through the codec. What comes out is byte for byte what `serde_json` writes.
#[test]
fn json_is_what_serde_json_writes_however_long_a_text_is() {
    let piece = prop_oneof![
        4 => "[ -~]{0,80}",
        2 => "[a-z ]{25,140}",
        1 => any::<String>(),
        1 => proptest::sample::select(vec!["\"", "\\", "\u{1f}", "\n", " ", "\u{7f}", "\u{80}", "\u{2028}"]).prop_map(str::to_owned),
    ];
    let text = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    let texts =
        (proptest::collection::vec(text.clone(), 0..4), proptest::collection::btree_map(text.clone(), text, 0..4));
    proptest!(ProptestConfig { cases: 2_000, ..quick() }, |(value in texts)| {
        let written = Json::encode(&value).unwrap();
        prop_assert_eq!(&written[..], &serde_json::to_vec(&value).unwrap()[..]);
    });
    // Each byte at each place around the length from which on a text takes the other way, and around a block.
    for length in [31_usize, 32, 33, 63, 64, 65, 127, 128, 129, 1_000] {
        for byte in (0..=0x7f).map(char::from) {
            for at in [0, length / 2, length - 1] {
                let text: String = (0..length).map(|place| if place == at { byte } else { 'x' }).collect();
                assert_eq!(
                    Json::encode(&text).unwrap(),
                    serde_json::to_vec(&text).unwrap(),
                    "{byte:?} at {at} of {length}"
                );
            }
        }
    }
}

/// Text that is JSON already gets no quotes, however long it is.
#[test]
fn json_that_is_there_already_is_written_as_it_is() {
    let numbers = format!("[{}0]", "12345, ".repeat(40));
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str(&numbers).unwrap();
    let value = ("a text before", &raw, BTreeMap::from([("after", &raw)]));
    assert_eq!(Json::encode(&value).unwrap(), format!("[\"a text before\",{numbers},{{\"after\":{numbers}}}]"));
    assert_eq!(Json::encode(&raw).unwrap(), numbers);
}

/// A long text meets the cap as everything does: the last one that fits and the first that does not.
#[test]
fn a_long_text_meets_the_cap() {
    let fits = "x".repeat(HARD_VALUE_CAP - 2);
    assert_eq!(Json::encode(&fits).unwrap().len(), HARD_VALUE_CAP);
    assert_eq!(Json::encode(&(fits + "x")).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn json_refuses_numbers_that_it_would_write_as_null() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Json::encode(&vec![Some(number)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("not finite"), "{error}");
        assert!(Postcard::decode::<f64>(&Postcard::encode(&number).unwrap()).is_ok());
    }
}

#[test]
fn what_has_no_form_is_invalid_input() {
    let by_pair = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(Json::encode(&by_pair).unwrap_err().kind(), ErrorKind::InvalidInput);
}
