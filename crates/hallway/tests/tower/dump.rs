//! Whoever steals the store has no session: nothing that is written there holds an id or a part of one.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway::session::{NewSession, Sessions, SessionsExt};
use hallway::{Bytes, KvStore, SetOptions};
use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use tokio::task::block_in_place;
use tower_sessions::SessionStore;
use tower_sessions::cookie::time::{Duration as Span, OffsetDateTime};
use tower_sessions::session::{Id, Record};

use crate::stage::{Backend, Stage};

const SESSIONS: usize = 1_000;

/// Every way to write an id, cut into slices.
struct Secrets {
    /// 8 bytes of the id, or 8 characters of its text.
    short: HashSet<[u8; 8]>,
    /// 16 digits, decimal or hexadecimal.
    long: HashSet<[u8; 16]>,
    /// Which of 2^24 places a slice may have, by its first 8 bytes: most of a dump is passed over by this alone.
    places: Vec<bool>,
}

impl Secrets {
    fn new() -> Self {
        Self { short: HashSet::new(), long: HashSet::new(), places: vec![false; 1 << 24] }
    }

    fn add(&mut self, bytes: &[u8], text: &str) {
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        for form in [bytes, &reversed, text.as_bytes()] {
            for slice in form.array_windows() {
                self.short.insert(*slice);
                self.places[place(slice)] = true;
            }
        }
        for bytes in [bytes, &reversed] {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.add_digits(&hex);
            self.add_digits(&hex.to_uppercase());
        }
    }

    fn add_number(&mut self, number: i128) {
        self.add_digits(&number.to_string());
        self.add_digits(&number.cast_unsigned().to_string());
    }

    fn add_digits(&mut self, digits: &str) {
        for slice in digits.as_bytes().array_windows::<16>() {
            self.long.insert(*slice);
            self.places[place(slice)] = true;
        }
    }

    fn are_in(&self, dump: &[u8]) -> bool {
        dump.array_windows::<8>().enumerate().any(|(at, slice)| {
            self.places[place(slice)]
                && (self.short.contains(slice)
                    || dump[at..].first_chunk().is_some_and(|slice| self.long.contains(slice)))
        })
    }
}

fn place(slice: &[u8]) -> usize {
    let head = slice.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
    (head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

/// Every file below a folder, one after the other.
fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

/// `dump` gives all that the store has written.
async fn check(stage: &Stage, dump: impl Fn() -> Vec<u8>) {
    let tower = stage.sessions();
    let ours: Sessions<String> =
        stage.store.sessions(&stage.namespace).deadline(Duration::from_secs(30)).build().unwrap();
    let mut secrets = Secrets::new();
    for number in 0..SESSIONS {
        let data = HashMap::from([("name".to_owned(), "Ada Lovelace".into())]);
        let mut record = Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + Span::hours(1) };
        SessionStore::create(&tower, &mut record).await.unwrap();
        // The other ways to the store too.
        SessionStore::save(&tower, &record).await.unwrap();
        SessionStore::load(&tower, &record.id).await.unwrap().unwrap();
        secrets.add(&record.id.0.to_le_bytes(), &record.id.to_string());
        secrets.add_number(record.id.0);

        let new = NewSession::new("Grace Hopper".to_owned()).subject((number % 100).to_string());
        let mut id = ours.create(new).await.unwrap();
        if number % 10 == 0 {
            secrets.add(&URL_SAFE_NO_PAD.decode(id.reveal()).unwrap(), &id.reveal());
            id = ours.rotate(&id).await.unwrap().unwrap();
        }
        secrets.add(&URL_SAFE_NO_PAD.decode(id.reveal()).unwrap(), &id.reveal());
    }
    let written = dump();
    // It is a dump of these sessions: each name stands in as many records.
    for name in ["Ada Lovelace", "Grace Hopper"] {
        let found = written.windows(name.len()).filter(|window| *window == name.as_bytes()).count();
        assert!(found >= SESSIONS, "{name} {found} times");
    }
    assert!(!secrets.are_in(&written), "an id, or a part of one, is in the store");

    // Looked for in earnest: what is there in any of these forms is found.
    let id = Id(Id::default().0.saturating_abs());
    let mut planted = Secrets::new();
    planted.add(&id.0.to_le_bytes(), &id.to_string());
    planted.add_number(id.0);
    assert!(!planted.are_in(&written));
    let forms = [
        id.0.to_le_bytes()[3..11].to_vec(),
        id.to_string().as_bytes()[7..15].to_vec(),
        id.0.to_string().into_bytes(),
        format!("{:032x}", id.0).into_bytes(),
        format!("{:032X}", id.0).into_bytes(),
    ];
    for form in &forms {
        assert!(planted.are_in(&[b"{\"id\":", form.as_slice(), b"}"].concat()), "{form:?} was not found");
    }
    let key = hallway::Namespace::new(&stage.namespace).unwrap().key("leak").unwrap();
    let slice = Bytes::from(forms[0].clone());
    // A connection from before a restart ends at the first write, whose outcome is then unknown; the same again is no harm.
    let mut tries = 0..10;
    while let Err(error) = stage.store.set(&key, slice.clone(), SetOptions::new(Duration::from_secs(60))).await {
        assert!(tries.next().is_some(), "{error}");
    }
    assert!(planted.are_in(&dump()));
}

/// The append-only file has every command as it was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_redis_holds_no_id_nor_a_slice_of_one() {
    let options = RedisOptions::default().with_config("appendonly", "yes").with_config("appendfsync", "no");
    let server = block_in_place(|| RedisServer::start(options).unwrap());
    let stage = Stage::at(&format!("{}?deadline=30s", server.url())).await;
    check(&stage, || files(server.dir())).await;
}

/// The database with its log: also what was overwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_sqlite_holds_no_id_nor_a_slice_of_one() {
    let stage = Stage::new(Backend::Sqlite).await;
    check(&stage, || files(stage.folder())).await;
}

/// The whole data folder: tables, indexes and the log. Of a server that stands still, since its files come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgresql_holds_no_id_nor_a_slice_of_one() {
    let server = block_in_place(|| PostgresServer::start(PostgresOptions::fast()).unwrap());
    let stage = Stage::at(&format!("{}?deadline=30s", server.url())).await;
    let dump = || {
        block_in_place(|| {
            server.stop();
            let written = files(server.dir());
            server.restart().unwrap();
            written
        })
    };
    check(&stage, dump).await;
}
