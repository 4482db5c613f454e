//! Keys are text, and every character counts.

use hallway_core::{Capability, ErrorKind, Key, MAX_KEY_BYTES, Namespace, Result, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// Writes each key with its own number and asserts that all live side by side, for reads, lists and deletes.
async fn are_distinct(fixture: &Fixture, keys: &[Key]) -> Outcome {
    let store = fixture.store();
    for (number, key) in keys.iter().enumerate() {
        put(store, key, &number.to_string()).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        reads(store, key, Some(&number.to_string())).await?;
    }
    let many = store.get_many(keys).await?;
    assert!(many.iter().enumerate().all(|(number, value)| *value == Some(text(&number.to_string()))));
    if fixture.can(Capability::Scan) {
        let mut expected = keys.to_vec();
        expected.sort();
        assert_eq!(physical(&listed(store, &hallway_core::Prefix::root()).await?), physical(&expected));
    }
    // Deleting one never takes another along.
    for (number, key) in keys.iter().enumerate() {
        assert!(store.delete(key).await?, "key {number} is still there");
    }
    Ok(())
}

/// Keys as text, because their own `Debug` shows none.
fn physical(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(Key::as_str).collect()
}

fn keys(ids: &[&str]) -> Vec<Key> {
    ids.iter().map(|id| key(id)).collect()
}

pub(super) async fn c53_case_and_spaces_make_different_keys(fixture: &Fixture) -> Outcome {
    let ids = ["key", "Key", "KEY", " key", "key ", "key  ", "\u{a0}key", "k ey", "ß", "ss", "SS", "i", "I", "ı", "İ"];
    are_distinct(fixture, &keys(&ids)).await
}

pub(super) async fn c54_unicode_normal_forms_make_different_keys(fixture: &Fixture) -> Outcome {
    let ids = [
        "caf\u{e9}",
        "cafe\u{301}",
        "cafe",
        "\u{fb01}",
        "fi",
        "\u{212b}",
        "\u{c5}",
        "A\u{30a}",
        "１",
        "1",
        "a\u{200d}",
        "a",
    ];
    are_distinct(fixture, &keys(&ids)).await
}

pub(super) async fn c55_pattern_and_quote_characters_mean_themselves(fixture: &Fixture) -> Outcome {
    let ids = [
        "a*",
        "a?",
        "a[bc]",
        "a[^b]",
        "a_",
        "a%",
        "a\\",
        "a\\*",
        "a\\_",
        "a'",
        "a''",
        "a\"",
        "a`",
        "a;--",
        "a$1",
        "a?1",
        "a:1",
        "a{b}",
        "a%2A",
        "ab",
        "ac",
        "abc",
        "a",
        "../a",
        "a/b",
        "a|b",
        "a\u{1f980}",
    ];
    are_distinct(fixture, &keys(&ids)).await
}

pub(super) async fn c56_a_colon_in_an_id_never_crosses_into_the_namespace(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let inside = key_in("a", "b:c");
    let below = key_in("a:b", "c");
    let escaped = key_in("a", "b%3Ac");
    are_distinct(fixture, &[inside.clone(), below.clone(), escaped.clone(), key_in("a", "b%253Ac")]).await?;
    for key in [&inside, &below, &escaped] {
        put(store, key, "v").await?;
    }
    if !fixture.can(Capability::Scan) {
        return unsupported(store.scan(&prefix("a:b"), None, 10).await);
    }
    let found = listed(store, &prefix("a:b")).await?;
    assert_eq!(physical(&found), [below.as_str()]);
    assert_eq!(found[0].id(), "c");
    assert_eq!(store.clear(&prefix("a:b")).await?, 1);
    reads(store, &inside, Some("v")).await?;
    reads(store, &escaped, Some("v")).await
}

pub(super) async fn c57_the_longest_key_works_by_every_verb(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let room = fixture.longest_key() - "app:".len();
    let narrow = key(&"k".repeat(room));
    // Two bytes a character, so that a limit that counts characters shows.
    let wide = key(&format!("{}{}", "é".repeat(room / 2), "x".repeat(room % 2)));
    for longest in [&narrow, &wide] {
        assert_eq!(longest.as_bytes().len(), fixture.longest_key());
        put(store, longest, "7").await?;
        reads(store, longest, Some("7")).await?;
        store.set_many(&[(longest.clone(), text("8"), Ttl::After(HOUR))]).await?;
        assert_eq!(store.get_many(std::slice::from_ref(longest)).await?, [Some(text("8"))]);
        if can_increment(fixture).await? {
            assert_eq!(store.increment(longest, 1, Ttl::After(HOUR)).await?, 9);
        }
        if fixture.can(Capability::Touch) {
            assert!(store.touch(longest, Ttl::After(HOUR)).await?);
        }
        if fixture.can(Capability::Scan) {
            assert!(scan_all(store, &prefix("app"), 1).await?.contains(longest), "the longest key is listed");
        }
        assert!(store.delete(longest).await?);
    }
    too_long(fixture, room + 1).await
}

/// One byte more is refused: by the key itself, or by the view that puts something before it.
async fn too_long(fixture: &Fixture, id_bytes: usize) -> Result<()> {
    let id = "k".repeat(id_bytes);
    let made = Namespace::new("app").and_then(|namespace| namespace.key(&id));
    if fixture.longest_key() == MAX_KEY_BYTES {
        refused(made, ErrorKind::InvalidInput);
        return Ok(());
    }
    let (store, key) = (fixture.store(), made?);
    refused(store.get(&key).await, ErrorKind::InvalidInput);
    refused(store.set(&key, text("v"), for_an_hour()).await, ErrorKind::InvalidInput);
    refused(store.get_many(std::slice::from_ref(&key)).await, ErrorKind::InvalidInput);
    assert_eq!(store.try_get(&key), None);
    Ok(())
}

pub(super) async fn c58_awkward_ids_come_back_from_a_scan(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let mut ids: Vec<String> = (' '..='~').flat_map(|c| [c.to_string(), format!("x{c}y")]).collect();
    ids.extend(
        [
            "\u{feff}bom",
            "\u{200d}",
            "\u{2028}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{e000}",
            "\u{10ffff}",
            "日本語",
            "مرحبا",
            "🦀🦀",
            "%25",
            "%3A",
        ]
        .map(str::to_owned),
    );
    let items: Vec<_> = ids.iter().map(|id| (key(id), text(id), Ttl::After(HOUR))).collect();
    store.set_many(&items).await?;
    for (key, id, _) in &items {
        assert_eq!(store.get(key).await?.as_ref(), Some(id));
    }
    if !fixture.can(Capability::Scan) {
        return unsupported(store.scan(&prefix("app"), None, 10).await);
    }
    let found = listed(store, &prefix("app")).await?;
    let mut found: Vec<_> = found.iter().map(|key| key.id().into_owned()).collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
    Ok(())
}
