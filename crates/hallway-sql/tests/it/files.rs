//! Files that are no databases, damaged, read-only, locked, or on a full disk.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hallway_core::{Bytes, ErrorKind, KvStore};
use hallway_sql::SqlStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::support::{File, bytes, forever, key, open, warm, within};

#[tokio::test]
async fn a_folder_is_not_a_database() {
    let file = File::new();
    std::fs::create_dir(file.path()).unwrap();
    let error = file.open().await.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("not a folder"), "{error}");
    let error =
        open(&format!("sqlite:{}/missing/app.db", file.folder.path().display())).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let file = File::new();
    let text = "not a database, but somebody's text\n".repeat(500);
    std::fs::write(file.path(), &text).unwrap();
    let store = file.open().await;
    for error in
        [store.get(&key("a")).await.unwrap_err(), store.set(&key("a"), bytes("v"), forever()).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("not a SQLite database"), "{error}");
    }
    drop(store);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_database_says_so_and_is_left_as_it_is() {
    let file = File::new();
    let store = file.open().await;
    for at in 0..2_000 {
        store.set(&key(&format!("k{at}")), Bytes::from(vec![b'v'; 200]), forever()).await.unwrap();
    }
    drop(store);
    file.sqlite3("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut content = std::fs::read(file.path()).unwrap();
    // All pages but the first, which says that this is a database.
    content[4096..].fill(0x5a);
    std::fs::write(file.path(), &content).unwrap();
    let store = file.open().await;
    let error = store.get(&key("k1")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt), "{error:?}");
    assert!(error.to_string().contains("damaged") && error.to_string().contains("backup"), "{error}");
    drop(store);
    assert_eq!(std::fs::metadata(file.path()).unwrap().len(), content.len() as u64);
}

#[tokio::test]
async fn sixteen_writers_of_one_file_never_see_busy() {
    let file = File::new();
    let url = file.url();
    let writers = (0..16).map(|writer| {
        let url = url.clone();
        tokio::spawn(async move {
            // A store each, as sixteen processes would have.
            let store = open(&url).await;
            for at in 0..25 {
                store.set(&key(&format!("{writer}-{at}")), bytes("v"), forever()).await?;
                store.increment(&key("sum"), 1, hallway_core::Ttl::Forever).await?;
            }
            Ok::<_, hallway_core::Error>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(file.open().await.get(&key("sum")).await.unwrap(), Some(bytes("400")));
}

/// A session of the `sqlite3` shell that holds the write lock.
struct Locker(std::process::Child);

impl Locker {
    fn lock(file: &File) -> Self {
        let mut child = Command::new("sqlite3")
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is needed: apt-get install sqlite3");
        child.stdin.as_mut().unwrap().write_all(b"BEGIN IMMEDIATE;\nSELECT 'locked';\n").unwrap();
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut said).unwrap();
        assert_eq!(said, "locked\n");
        Self(child)
    }

    fn unlock(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_lock_held_by_another_process_ends_by_the_deadline_and_reads_go_on() {
    let file = File::new();
    let store = warm(&format!("{}?statement_timeout=300ms&deadline=1s", file.url())).await;
    let locker = Locker::lock(&file);
    let start = Instant::now();
    let error = store.set(&key("a"), bytes("v"), forever()).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(1_300), "{:?}", start.elapsed());
    // The database said that it lost, so nothing is in doubt.
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
    locker.unlock();
    within(Duration::from_secs(2), async || store.set(&key("a"), bytes("v"), forever()).await).await;
}

/// A database that may not grow meets the same refusal as one on a full disk, and needs no mount.
#[tokio::test]
async fn a_full_database_refuses_writes_and_reads_go_on() {
    let file = File::new();
    let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_with(options.pragma("max_page_count", "100")).await.unwrap();
    fills_up(SqlStore::from_pool(pool).unwrap()).await;
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_reads_go_on() {
    let file = File::new();
    // Only root may mount, or whoever runs this in `unshare --map-root-user --mount`.
    match SmallDisk::mount(file.folder.path(), "400k") {
        Ok(_disk) => fills_up(file.open().await).await,
        Err(refused) => eprintln!("NOT TESTED on a file system that is full, only on a full database: {refused}"),
    }
}

async fn fills_up(store: SqlStore) {
    store.set(&key("warm"), bytes("up"), forever()).await.unwrap();
    let big = Bytes::from((0..20_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let mut refused = None;
    for at in 0..20 {
        match store.set(&key(&format!("big{at}")), big.clone(), forever()).await {
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let error = refused.expect("400 KiB do not hold 1.6 MB");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error:?}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
    assert_eq!(store.get(&key("big0")).await.unwrap(), Some(big));
}

/// What a dropped write did is unknown; what it must not do is harm anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_futures_harm_nobody() {
    let file = File::new();
    for url in [file.url(), "sqlite::memory:".to_owned()] {
        let store = warm(&url).await;
        for round in 0..200_u32 {
            let id = format!("d{round}");
            let own = key(&id);
            // Dropped somewhere between the first poll and the answer.
            let write = store.set(&own, bytes(&id), forever());
            let _ = tokio::time::timeout(Duration::from_micros(u64::from(round) * 5), write).await;
            let found = store.get(&own).await.unwrap();
            assert!(found.is_none() || found == Some(bytes(&id)));
            assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
        }
    }
}

/// A small file system mounted on a folder.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &std::path::Path, size: &str) -> Result<Self, String> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0777"), "tmpfs"])
            .arg(folder)
            .output()
            .expect("mount is needed: apt-get install mount");
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a connection's thread may still be closing its files.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
