//! Keys, namespaces and prefixes: one physical form each, and never the same for two.

use std::collections::HashMap;

use hallway_core::{ErrorKind, Key, MAX_KEY_BYTES, Namespace, Prefix};
use proptest::prelude::*;

/// Everything that separates, escapes or matches somewhere, look-alikes, and plain text between.
const AWKWARD: [&str; 24] = [
    ":", "%", "{", "}", "%3A", "%25", "%7B", "%253A", "*", "?", "[", "]", "\\", "'", "\"", ";", " ", "a", "A", "b",
    "é", "e\u{301}", "а", "😀",
];

fn root_key(id: &str) -> hallway_core::Result<Key> {
    Key::new(&Namespace::root(), id)
}

/// Every namespace of up to two segments and every id over a small alphabet of what separates and escapes: 60,000 keys,
/// so more than 10^9 pairs, of which no two may be the same text.
#[test]
fn no_two_names_share_a_physical_form() {
    let letters = [":", "%", "{", "3", "A", "25"];
    let words = |most: usize| {
        let mut words = vec![String::new()];
        for _ in 0..most {
            let longer = words.iter().flat_map(|word| letters.map(|letter| format!("{word}{letter}")));
            words = words.iter().cloned().chain(longer).collect();
            words.sort_unstable();
            words.dedup();
        }
        words.remove(0);
        words
    };
    let (ids, short_ids, segments) = (words(4), words(1), words(2));
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut check = |namespace: &[&str], id: &str| {
        let name = format!("{namespace:?} + {id:?}");
        let place = match namespace {
            [] => Namespace::root(),
            _ => Namespace::from_segments(namespace.iter().copied()).unwrap(),
        };
        let physical = place.key(id).unwrap().as_str().to_owned();
        if let Some(other) = seen.insert(physical, name.clone()) {
            panic!("{name} and {other} are the same key");
        }
    };
    for id in &ids {
        check(&[], id);
    }
    for one in &segments {
        for id in &ids[..ids.len() / 2] {
            check(&[one], id);
        }
        for two in &segments {
            for id in &short_ids {
                check(&[one, two], id);
            }
        }
    }
    assert!(seen.len() > 30_000, "{}", seen.len());
}

#[test]
fn the_classic_collisions_differ() {
    let key = |namespace: &[&str], id: &str| {
        Namespace::from_segments(namespace.iter().copied()).unwrap().key(id).unwrap().as_str().to_owned()
    };
    for (one, two) in [
        (key(&["a:b"], "c"), key(&["a"], "b:c")),
        (key(&["a", "b"], "c"), key(&["a"], "b:c")),
        (key(&["a"], ":"), key(&["a"], "%3A")),
        (key(&["a"], "%"), key(&["a"], "%25")),
        (key(&["a"], "é"), key(&["a"], "e\u{301}")),
        (key(&["a"], "a"), key(&["a"], "а")),
        (key(&["a"], "x"), key(&["a"], "X")),
        (key(&["a"], "x"), key(&["a"], "x ")),
    ] {
        assert_ne!(one, two);
    }
    assert_eq!(key(&["user", "a:b"], "{42}%"), "user:a%3Ab:%7B42%7D%25");
    assert_eq!(key(&["a"], "*?[]\\"), "a:*?[]\\");
}

#[test]
fn bad_names_are_refused() {
    let control = ["", "\0", "a\0b", "\r\n", "a\nb", "\t", "\u{7f}", "\u{85}"];
    for bad in control {
        assert_eq!(root_key(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        assert_eq!(Namespace::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        assert_eq!(Key::from_physical(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    for bad in ["a:", ":a", "a::b", "%", "%41", "%3a", "a%2", "{a}", "a}", "%7"] {
        assert_eq!(Key::from_physical(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    for bad in ["a:", ":a", "a::b"] {
        assert!(Namespace::new(bad).is_err(), "{bad:?}");
    }
    // A view of "no tenant" must not silently be a view of everything.
    assert_eq!(Namespace::from_segments([]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_longest_key_has_512_bytes_after_escaping() {
    assert_eq!(root_key(&"a".repeat(512)).unwrap().as_bytes().len(), MAX_KEY_BYTES);
    assert!(root_key(&"a".repeat(513)).is_err());
    assert!(root_key(&":".repeat(170)).is_ok());
    assert!(root_key(&":".repeat(171)).is_err());
    assert!(Key::from_physical(&"a".repeat(513)).is_err());
    let namespace = Namespace::new(&"n".repeat(510)).unwrap();
    assert!(namespace.key("a").is_ok());
    assert!(namespace.key("ab").is_err());
    assert!(Namespace::new(&"n".repeat(511)).is_err());
    assert!(root_key("ab").unwrap().within(&namespace).is_err());
    assert!(namespace.within(&Namespace::new("a").unwrap()).is_err());
}

#[test]
fn refusals_do_not_quote_the_name() {
    let long = "s3cr3t".repeat(100);
    for bad in ["s3cr3t\n", "{s3cr3t", &long] {
        for error in [root_key(bad).err(), Key::from_physical(bad).err(), Namespace::new(bad).err()] {
            let shown = error.map(|error| format!("{error} {error:?}")).unwrap_or_default();
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}

#[test]
fn debug_shows_the_namespace_and_a_tag() {
    let namespace = Namespace::new("session").unwrap();
    let (one, two) = (namespace.key("s3cr3t").unwrap(), namespace.key("0ther").unwrap());
    let shown = format!("{one:?}");
    assert!(shown.starts_with("Key(session#") && !shown.contains("s3cr3t"), "{shown}");
    assert_eq!(shown, format!("{:?}", one.clone()));
    assert_ne!(shown, format!("{two:?}"));
}

#[test]
fn maps_keyed_by_key_can_be_asked_with_text() {
    let key = root_key("42").unwrap();
    let map = HashMap::from([(key.clone(), 1)]);
    assert_eq!(map.get("42"), Some(&1));
    assert_eq!(map.get(&key), Some(&1));
}

#[test]
fn a_prefix_ends_at_a_segment_boundary() {
    let app = Prefix::new("app").unwrap();
    for (physical, below) in
        [("app:1", true), ("app:x:1", true), ("app2:1", false), ("app", false), ("ap", false), ("xapp:1", false)]
    {
        assert_eq!(app.matches(physical), below, "{physical}");
        assert_eq!(physical.starts_with(&app.to_physical()), below, "{physical}");
        let in_range = *physical >= *app.to_physical() && *physical < *app.upper_bound().unwrap();
        assert_eq!(in_range, below, "{physical}");
    }
    assert!(Prefix::root().matches("anything") && Prefix::root().upper_bound().is_none());
}

fn name() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        3 => prop::sample::select(&AWKWARD[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_filter("no control characters", |c| !c.is_control()).prop_map(String::from),
    ];
    prop::collection::vec(letter, 1..8).prop_map(|letters| letters.concat())
}

fn namespace() -> impl Strategy<Value = (Namespace, Vec<String>)> {
    prop::collection::vec(name(), 0..3).prop_map(|segments| {
        let namespace = match segments.len() {
            0 => Namespace::root(),
            _ => Namespace::from_segments(segments.iter().map(String::as_str)).unwrap(),
        };
        (namespace, segments)
    })
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_key_is_read_back_from_its_physical_form((namespace, _) in namespace(), id in name()) {
        let key = namespace.key(&id).unwrap();
        prop_assert_eq!(key.id(), id.as_str());
        prop_assert_eq!(key.namespace(), namespace.clone());
        let read = Key::from_physical(key.as_str()).unwrap();
        prop_assert_eq!(&read, &key);
        prop_assert_eq!(read.namespace(), namespace.clone());
        prop_assert_eq!(read.id(), id.as_str());
        prop_assert!(namespace.prefix().matches(key.as_str()));
        let braces = key.as_str().contains(['{', '}']);
        prop_assert!(!braces);
    }

    #[test]
    fn two_names_are_one_key_only_if_equal(one in (namespace(), name()), two in (namespace(), name())) {
        let same = one.0.1 == two.0.1 && one.1 == two.1;
        prop_assert_eq!(one.0.0.key(&one.1).unwrap() == two.0.0.key(&two.1).unwrap(), same);
    }

    #[test]
    fn strip_undoes_within((outer, _) in namespace(), (inner, _) in namespace(), id in name()) {
        let key = inner.key(&id).unwrap();
        let moved = key.within(&outer).unwrap();
        let back = moved.strip(&outer).unwrap();
        prop_assert_eq!(&back, &key);
        prop_assert_eq!(back.namespace(), inner.clone());
        prop_assert_eq!(back.id(), id.as_str());
        prop_assert_eq!(moved.namespace(), inner.within(&outer).unwrap());
        prop_assert_eq!(moved.id(), id.as_str());
        prop_assert_eq!(Key::from_physical(moved.as_str()).unwrap().namespace(), moved.namespace());
    }

    #[test]
    fn a_key_outside_is_not_stripped((one, _) in namespace(), (two, _) in namespace(), id in name()) {
        let key = one.key(&id).unwrap();
        prop_assert_eq!(key.strip(&two).is_some(), two.prefix().matches(key.as_str()));
    }

    #[test]
    fn reading_any_text_never_panics(text in any::<String>()) {
        if let Ok(key) = Key::from_physical(&text) {
            prop_assert_eq!(key.as_str(), text.as_str());
            prop_assert_eq!(&key.namespace().key(&key.id()).unwrap(), &key);
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn looking_a_key_up_by_its_id_says_what_the_key_says((namespace, _) in namespace(), id in name(), other in name()) {
        let key = namespace.key(&id).unwrap();
        prop_assert_eq!(namespace.with_physical(&id, str::to_owned), Some(key.as_str().to_owned()));
        prop_assert!(key.has_id(&id));
        prop_assert_eq!(key.has_id(&other), id == other);
        prop_assert_eq!(key.has_id(key.physical_id()), key.physical_id() == id);
    }
}

#[test]
fn what_makes_no_key_is_not_looked_up() {
    let namespace = Namespace::new("user").unwrap();
    for id in ["", "a\n", &"x".repeat(MAX_KEY_BYTES), &":".repeat(MAX_KEY_BYTES / 3)] {
        assert_eq!(namespace.with_physical(id, |_| ()), None);
        assert_eq!(namespace.key(id).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // One look inside another.
    let nested = namespace.with_physical("a", |outer| {
        namespace.with_physical("b", |inner| assert_eq!((outer, inner), ("user:a", "user:b")))
    });
    assert_eq!(nested.flatten(), Some(()));
}
