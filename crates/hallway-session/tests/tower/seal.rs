//! Whoever can write to the store, but has no key, makes nobody a session: neither of tower-sessions nor of our own.

use std::time::Duration;

use hallway_core::{Bytes, Key, KvStore, Prefix, SetOptions};
use hallway_session::tower::TowerStore;
use hallway_session::{NewSession, SealingKeys, SessionId, Sessions, SessionsExt};
use hallway_testkit::PlainStore;
use proptest::prelude::*;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::Id;

use crate::scene::made;

const HOUR: Duration = Duration::from_secs(3600);

fn new_key() -> SealingKeys {
    SealingKeys::new("new", [1; 32]).unwrap()
}

/// Sealed by the key `new`: two sessions of each kind.
struct Vault {
    store: PlainStore,
    tower: [(Id, Key); 2],
    ours: [(SessionId, Key); 2],
}

impl Vault {
    async fn new(keys: Option<SealingKeys>) -> Self {
        let store = PlainStore::new();
        let tower = tower(&store, keys.clone());
        let ours = ours(&store, keys);
        let (mut of_tower, mut of_ours) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let before = all(&store).await;
            of_tower.push((made(&tower, HOUR).await.id, added(&store, &before).await));
            let before = all(&store).await;
            let id = ours.create(NewSession::new("secret".to_owned())).await.unwrap();
            of_ours.push((id, added(&store, &before).await));
        }
        Self { store, tower: of_tower.try_into().unwrap(), ours: of_ours.try_into().unwrap() }
    }

    /// Which of the four are live for a reader with these keys.
    async fn live(&self, keys: Option<SealingKeys>) -> [bool; 4] {
        let (tower, ours) = (tower(&self.store, keys.clone()), ours(&self.store, keys));
        let mut live = Vec::new();
        for (id, _) in &self.tower {
            live.push(tower.load(id).await.unwrap().is_some());
        }
        for (id, _) in &self.ours {
            live.push(ours.load(id).await.unwrap().live().is_some());
        }
        live.try_into().unwrap()
    }

    fn keys(&self) -> [&Key; 4] {
        [&self.tower[0].1, &self.tower[1].1, &self.ours[0].1, &self.ours[1].1]
    }

    async fn values(&self) -> [Bytes; 4] {
        let mut values = Vec::new();
        for key in self.keys() {
            values.push(self.store.get(key).await.unwrap().unwrap());
        }
        values.try_into().unwrap()
    }

    async fn put(&self, key: &Key, value: Bytes) {
        self.store.set(key, value, SetOptions::new(HOUR)).await.unwrap();
    }
}

fn tower(store: &PlainStore, keys: Option<SealingKeys>) -> TowerStore {
    let builder = TowerStore::builder(store.clone(), "session");
    match keys {
        Some(keys) => builder.sealed_by(keys),
        None => builder,
    }
    .build()
    .unwrap()
}

fn ours(store: &PlainStore, keys: Option<SealingKeys>) -> Sessions<String> {
    let builder = store.sessions("session");
    match keys {
        Some(keys) => builder.sealed_by(keys),
        None => builder,
    }
    .build()
    .unwrap()
}

async fn all(store: &PlainStore) -> Vec<Key> {
    store.scan(&Prefix::root(), None, 100).await.unwrap().keys
}

async fn added(store: &PlainStore, before: &[Key]) -> Key {
    all(store).await.into_iter().find(|key| !before.contains(key)).unwrap()
}

#[tokio::test]
async fn a_sealed_record_shows_nothing_of_its_data() {
    let vault = Vault::new(Some(new_key())).await;
    assert_eq!(vault.live(Some(new_key())).await, [true; 4]);
    for value in vault.values().await {
        let text = String::from_utf8_lossy(&value);
        assert!(text.contains(" key=new crc="));
        assert!(!text.contains("cart") && !text.contains("secret"));
    }
}

#[tokio::test]
async fn records_that_changed_places_are_gone() {
    let vault = Vault::new(Some(new_key())).await;
    let (keys, values) = (vault.keys(), vault.values().await);
    for shift in 1..4 {
        for (at, key) in keys.iter().enumerate() {
            vault.put(key, values[(at + shift) % 4].clone()).await;
        }
        assert_eq!(vault.live(Some(new_key())).await, [false; 4], "shifted by {shift}");
    }
    for (key, value) in keys.iter().zip(values) {
        vault.put(key, value).await;
    }
    assert_eq!(vault.live(Some(new_key())).await, [true; 4]);
}

/// The checksum is no secret: whoever moves a record mends it as well.
#[tokio::test]
async fn a_mended_checksum_opens_no_record_of_another_key() {
    let vault = Vault::new(Some(new_key())).await;
    let (keys, values) = (vault.keys(), vault.values().await);
    for (at, key) in keys.iter().enumerate() {
        vault.put(key, mended(key, &values[(at + 1) % 4])).await;
    }
    assert_eq!(vault.live(Some(new_key())).await, [false; 4]);
    // The mending itself is right: without a seal it would have worked.
    let open = Vault::new(None).await;
    let (keys, values) = (open.keys(), open.values().await);
    open.put(keys[0], mended(keys[0], &values[1])).await;
    open.put(keys[2], mended(keys[2], &values[3])).await;
    assert_eq!(open.live(None).await, [true; 4]);
}

/// The first line can be read, and written by whoever can write: a later end, an earlier revision.
#[tokio::test]
async fn a_seal_covers_the_line_that_everybody_can_read() {
    for name in [" rev=", " made=", " ends="] {
        let vault = Vault::new(Some(new_key())).await;
        for (key, value) in vault.keys().into_iter().zip(vault.values().await) {
            let at = value.windows(name.len()).position(|word| word == name.as_bytes()).unwrap() + name.len();
            let changed = [&value[..at], b"9", &value[at..]].concat();
            vault.put(key, mended(key, &changed.into())).await;
        }
        assert_eq!(vault.live(Some(new_key())).await, [false; 4], "{name}");
    }
}

/// The value with the checksum that it needs under this key: CRC-32C over hash, first line as far as the checksum, rest.
fn mended(key: &Key, value: &Bytes) -> Bytes {
    use base64::Engine as _;
    let handle = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key.physical_id()).unwrap();
    let at = value.windows(5).position(|word| word == b" crc=").unwrap();
    let body = value.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let crc = crc32c::crc32c(&[&handle, &value[..at], &value[body..]].concat());
    [&value[..at], format!(" crc={crc:08x}").as_bytes(), &value[at + 13..]].concat().into()
}

#[tokio::test]
async fn keys_can_be_changed_and_a_key_that_is_not_known_opens_nothing() {
    let old = || SealingKeys::new("old", [2; 32]).unwrap();
    let vault = Vault::new(Some(old())).await;
    let rotated = new_key().with_older("old", [2; 32]).unwrap();
    assert_eq!(vault.live(Some(rotated.clone())).await, [true; 4]);
    // What is saved now is sealed by the new key.
    let mut record = tower(&vault.store, Some(rotated.clone())).load(&vault.tower[0].0).await.unwrap().unwrap();
    record.data.insert("cart".into(), 4.into());
    tower(&vault.store, Some(rotated.clone())).save(&record).await.unwrap();
    ours(&vault.store, Some(rotated)).update(&vault.ours[0].0, |data| data.push('!')).await.unwrap().unwrap();
    assert_eq!(vault.live(Some(new_key())).await, [true, false, true, false]);
    assert_eq!(vault.live(Some(old())).await, [false, true, false, true]);

    let wrong = SealingKeys::new("old", [3; 32]).unwrap();
    assert_eq!(vault.live(Some(wrong)).await, [false; 4]);
    assert_eq!(vault.live(None).await, [false; 4]);
}

#[tokio::test]
async fn a_record_without_a_seal_is_none_where_seals_are_required() {
    let vault = Vault::new(None).await;
    assert_eq!(vault.live(None).await, [true; 4]);
    assert_eq!(vault.live(Some(new_key())).await, [false; 4]);
    assert_eq!(vault.live(Some(new_key().accept_unsealed())).await, [true; 4]);
    // Nor does it help to take the name of the key away from a sealed one.
    let sealed = Vault::new(Some(new_key())).await;
    for (key, value) in sealed.keys().into_iter().zip(sealed.values().await) {
        let at = value.windows(8).position(|word| word == b" key=new").unwrap();
        let stripped = [&value[..at], &value[at + 8..]].concat();
        sealed.put(key, mended(key, &stripped.into())).await;
    }
    assert_eq!(sealed.live(Some(new_key().accept_unsealed())).await, [false; 4]);
    assert_eq!(sealed.live(Some(new_key())).await, [false; 4]);
}

/// Ways to spoil a value.
#[derive(Debug, Clone)]
enum Spoil {
    Append(Vec<u8>),
    Cut(usize),
    /// A bit of a byte, the checksum mended.
    Flip(usize, u8),
    Insert(usize, u8),
    Truncate(usize),
}

impl Spoil {
    fn apply(&self, value: &[u8]) -> Vec<u8> {
        let mut bytes = value.to_vec();
        match self {
            Self::Append(more) => bytes.extend(more),
            Self::Cut(at) => drop(bytes.remove(at % value.len())),
            Self::Flip(at, bit) => bytes[at % value.len()] ^= 1 << bit,
            Self::Insert(at, byte) => bytes.insert(at % value.len(), *byte),
            Self::Truncate(at) => bytes.truncate(at % value.len()),
        }
        bytes
    }
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Spoil::Append),
        any::<usize>().prop_map(Spoil::Cut),
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Spoil::Flip(at, bit)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Insert(at, byte)),
        any::<usize>().prop_map(Spoil::Truncate),
    ]
}

/// What the date for people says is not protected: it is read by nobody else.
fn protected(value: &[u8]) -> Vec<u8> {
    let Some(at) = value.windows(9).position(|word| word == b" created=") else { return value.to_vec() };
    let Some(end) = value[at..].iter().position(|byte| *byte == b'\n') else { return value.to_vec() };
    [&value[..at + 9], &value[at + end..]].concat()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_a_sealed_record_it_is_gone(spoils in prop::collection::vec(spoil(), 1..4), mend in any::<bool>()) {
        runtime().block_on(async {
            let vault = Vault::new(Some(new_key())).await;
            let mut whole = Vec::new();
            for (key, value) in vault.keys().into_iter().zip(vault.values().await) {
                let mut bytes = value.to_vec();
                for spoil in &spoils {
                    if !bytes.is_empty() {
                        bytes = spoil.apply(&bytes);
                    }
                }
                // One who knows the format mends the checksum where there still is a place for it.
                let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
                let place = bytes.windows(5).position(|word| word == b" crc=").filter(|at| at + 13 <= line);
                let bytes = if mend && place.is_some() { mended(key, &bytes.into()) } else { bytes.into() };
                whole.push(protected(&bytes) == protected(&value));
                vault.put(key, bytes).await;
            }
            for (live, whole) in vault.live(Some(new_key())).await.into_iter().zip(whole) {
                assert!(whole || !live);
            }
        });
    }

    #[test]
    fn anything_at_all_under_a_key_is_no_session(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        runtime().block_on(async {
            let vault = Vault::new(Some(new_key())).await;
            for key in vault.keys() {
                vault.put(key, bytes.clone().into()).await;
            }
            for keys in [Some(new_key()), Some(new_key().accept_unsealed()), None] {
                assert_eq!(vault.live(keys).await, [false; 4]);
            }
        });
    }
}

#[test]
fn debug_shows_no_key() {
    let text = format!("{:?}", tower(&PlainStore::new(), Some(SealingKeys::new("new", [0xab; 32]).unwrap())));
    assert!(text.contains("TowerStore") && !text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
}
